// What a first visit costs: bytes as they are sent, fonts included, and the time until the formulas stand.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { skipped, start } from "./engines.mjs";
import { serve } from "./server.mjs";
import { SITE, TEXTS } from "./site.mjs";

const MOST_BYTES = 200_000;
const MOST_FONT = 60_000;

const skip = skipped("chromium");
let server, browser;
before(async () => {
  if (skip) return;
  server = await serve(SITE);
  browser = await start("chromium");
  await browser.page.setCacheEnabled(false);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test(`no first visit costs more than ${MOST_BYTES} bytes`, { skip }, async (context) => {
  const costs = [];
  for (const page of TEXTS) {
    const first = server.sent.length;
    await browser.visit(`${server.address_}/${page}`);
    await browser.run(() => document.fonts.ready.then(() => true));
    const sent = server.sent.slice(first);
    for (const { path, bytes } of sent)
      if (path.endsWith(".woff2")) assert.ok(bytes <= MOST_FONT, `${path}: ${bytes} bytes`);
    costs.push({ page, bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0) });
  }
  costs.sort((one, other) => other.bytes - one.bytes);
  for (const { page, bytes } of costs.slice(0, 3)) context.diagnostic(`${bytes} bytes: ${page}`);
  assert.deepEqual(costs.filter(({ bytes }) => bytes > MOST_BYTES), []);
});

test("the time until the formulas stand, reported", { skip }, async (context) => {
  // The page has been read and the font is there: the next frame shows the formulas of the window as they stay.
  await browser.page.evaluateOnNewDocument(() => {
    document.addEventListener("readystatechange", () => {
      if (document.readyState === "interactive")
        document.fonts.ready.then(() => requestAnimationFrame(() => (window.stood = performance.now())));
    });
  });
  for (const page of ["derivations/residual.html", "derivations/order.html", "derivations/weights.html"]) {
    const times = [];
    for (let run = 0; run < 9; run++) {
      await browser.visit(`${server.address_}/${page}`);
      await browser.page.waitForFunction(() => window.stood);
      times.push(await browser.run(() => window.stood));
    }
    times.sort((one, other) => one - other);
    const [best, middle] = [times[0], times[4]].map((time) => time.toFixed(0));
    context.diagnostic(`${best} ms after navigation at best, ${middle} in the middle: ${page}`);
  }
});
