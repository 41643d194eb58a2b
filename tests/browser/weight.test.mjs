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

test("the time until the formulas of the window stand, reported", { skip }, async (context) => {
  await browser.page.evaluateOnNewDocument(watchFormulas);
  const rows = [];
  for (const page of TEXTS) {
    const times = [];
    for (let visit = 0; visit < 3; visit++) {
      await browser.visit(`${server.address_}/${page}`);
      await browser.page.waitForFunction(() => window.stood);
      times.push(await browser.run(() => window.stood));
    }
    rows.push({ page, time: times.sort((one, other) => one - other)[1] });
  }
  rows.sort((one, other) => other.time - one.time);
  context.diagnostic(`${rows[rows.length >> 1].time.toFixed(0)} ms after navigation on the middle page`);
  for (const { page, time } of rows.slice(0, 3)) context.diagnostic(`${time.toFixed(0)} ms: ${page}`);
});

/** Look in each frame where the formulas of the window are, until nothing has changed for a while. */
function watchFormulas() {
  let before, changed, quiet = 0;
  const look = () => {
    const boxes = [...document.querySelectorAll("math")]
      .filter((formula) => formula.checkVisibility({ contentVisibilityAuto: true }))
      .map((formula) => formula.getBoundingClientRect())
      .filter(({ top, bottom }) => bottom > 0 && top < innerHeight)
      .flatMap(({ left, top, width, height }) => [left, top, width, height].map(Math.round));
    const now = `${document.fonts.check("16px 'STIX Two Math'")} ${boxes}`;
    if (now !== before) changed = performance.now();
    quiet = now === before && document.readyState === "complete" ? quiet + 1 : 0;
    before = now;
    if (quiet < 15) requestAnimationFrame(look);
    else window.stood = changed;
  };
  requestAnimationFrame(look);
}
