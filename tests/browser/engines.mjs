// Three engines behind one small interface: visit, resize, run, press, stop; Chromium and Firefox also tell
// what they logged and asked for.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { MINI_BROWSERS, webkit } from "./webdriver.mjs";

const onPath = (...names) =>
  (process.env.PATH ?? "")
    .split(":")
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find(existsSync);

/** Where each engine's browser is, if it is installed. */
export const BROWSERS = {
  chromium: onPath("chromium", "google-chrome", "chromium-browser"),
  firefox: onPath("firefox-esr", "firefox"),
  webkit: onPath("WebKitWebDriver") && onPath("xvfb-run") && MINI_BROWSERS.find(existsSync),
};
export const ENGINES = Object.keys(BROWSERS);

/** Why the tests of an engine are skipped, or false; in CI nothing is. */
export function skipped(engine) {
  if (BROWSERS[engine]) return false;
  if (process.env.RESGRAD_REQUIRE_BROWSERS) throw new Error(`${engine} is not installed`);
  return `${engine} is not installed`;
}

export const CHROMIUM_FLAGS = [
  "--no-sandbox", // there is none for root in a container
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// Nothing of its own: no update, no telemetry, no detection of a portal.
const FIREFOX_PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};

async function puppet(engine, settings) {
  const home = mkdtempSync(join(tmpdir(), "browser-"));
  const dark = settings.dark ? 0 : 1;
  const own =
    engine === "chromium"
      ? { args: CHROMIUM_FLAGS }
      : { extraPrefsFirefox: { ...FIREFOX_PREFERENCES, "layout.css.prefers-color-scheme.content-override": dark } };
  const browser = await puppeteer.launch({
    browser: engine === "chromium" ? "chrome" : "firefox",
    executablePath: BROWSERS[engine],
    userDataDir: home,
    ...own,
  });
  const page = await browser.newPage();
  const scheme = { name: "prefers-color-scheme", value: settings.dark ? "dark" : "light" };
  if (engine === "chromium") await page.emulateMediaFeatures([scheme]);
  const logged = [];
  const requested = [];
  page.on("console", (message) => {
    if (["error", "warn", "warning"].includes(message.type())) logged.push(message.text());
  });
  page.on("pageerror", (error) => logged.push(String(error)));
  page.on("request", (request) => requested.push(request.url()));
  page.on("requestfailed", (request) => {
    // What a page prefetches is given up when the reader goes on.
    const { errorText = "" } = request.failure() ?? {};
    if (!/abort/i.test(errorText)) logged.push(`failed: ${request.url()} ${errorText}`);
  });
  return {
    name: engine,
    page,
    logged,
    requested,
    visit: (url) => page.goto(url, { waitUntil: "load" }),
    resize: (width, height) => page.setViewport({ width, height }),
    run: (work, ...args) => page.evaluate(work, ...args),
    async press(key, times = 1) {
      for (let time = 0; time < times; time++) await page.keyboard.press(key);
    },
    async stop() {
      await browser.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Start a browser. `dark`: what the reader's system prefers; `frame(url, width)`: a page with that page in a frame. */
export const start = (engine, settings = {}) =>
  engine === "webkit" ? webkit(BROWSERS.webkit, settings) : puppet(engine, settings);
