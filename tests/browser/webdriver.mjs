// WebKit: WebKitGTK's MiniBrowser on a screen of its own, driven by plain W3C WebDriver.

import { spawn } from "node:child_process";
import { createServer } from "node:net";

const KEYS = { Tab: "\uE004", Enter: "\uE007", Escape: "\uE00C", Shift: "\uE008", " ": " " };
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const SCREEN = [1600, 1200];

export const MINI_BROWSERS = ["x86_64", "aarch64"].map(
  (machine) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-4.1/MiniBrowser`,
);

// Ended from outside, this still ends what it started.
process.once("SIGTERM", () => process.exit(1));

/** Start a program on a screen of its own; `stop` ends it and all that it started. */
export function onScreen(command, settings = {}) {
  const env = {
    ...process.env,
    // As root in a container there are no namespaces for WebKit's sandbox, and there is no graphics card.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    LIBGL_ALWAYS_SOFTWARE: "1",
    GTK_THEME: settings.dark ? "Adwaita:dark" : "Adwaita",
  };
  const screen = ["-a", "-s", `-screen 0 ${SCREEN.join("x")}x24`];
  const child = spawn("xvfb-run", [...screen, ...command], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const lines = [];
  const note = (text) => lines.push(...String(text).split("\n").filter(Boolean));
  child.stdout.on("data", note);
  child.stderr.on("data", note);
  const stop = () => {
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  };
  process.once("exit", stop);
  return { lines, stop };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A session of WebKit with the interface of engines.mjs. */
export async function webkit(binary, settings) {
  const port = await freePort();
  const driver = onScreen(["WebKitWebDriver", `--port=${port}`], settings);
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  };
  for (let tries = 0; ; tries++) {
    try {
      await call("GET", "/status");
      break;
    } catch (error) {
      if (tries > 100) throw error;
      await wait(100);
    }
  }
  const options = { "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
  const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: options } });
  const session = `/session/${sessionId}`;
  // A window is at least this wide; a narrower page stands in a frame, whose width counts for its media queries.
  const narrowest = 500;
  let width = 1280;
  return {
    name: "webkit",
    async visit(url) {
      const framed = width < narrowest && settings.frame;
      await call("POST", `${session}/url`, { url: framed ? settings.frame(url, width) : url });
      if (framed) await call("POST", `${session}/frame`, { id: 0 });
    },
    async resize(wanted, height) {
      width = wanted;
      const wide = Math.max(wanted, narrowest);
      // Keys go to the window that is below the pointer, and that rests in the middle of the screen.
      const rect = { x: Math.round((SCREEN[0] - wide) / 2), y: 0, width: wide, height };
      await call("POST", `${session}/window/rect`, rect);
    },
    run: (work, ...args) =>
      call("POST", `${session}/execute/sync`, { script: `return (${work}).apply(null, arguments)`, args }),
    async press(key, times = 1) {
      const value = KEYS[key];
      const stroke = [{ type: "keyDown", value }, { type: "keyUp", value }];
      const actions = Array.from({ length: times }, () => stroke).flat();
      await call("POST", `${session}/actions`, { actions: [{ type: "key", id: "keys", actions }] });
    },
    async stop() {
      await call("DELETE", session).catch(() => {});
      driver.stop();
    },
  };
}
