// axe-core over every page: light and dark, on a desk and on a phone. Nothing of any level may be found.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { skipped, start } from "./engines.mjs";
import { serve } from "./server.mjs";
import { SITE, TAGS, TEXTS } from "./site.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desk: [1280, 900], phone: [320, 640] };

/** What axe finds and is right all the same: rule -> why. A finding that is gone is removed from here too. */
const EXPLAINED = {};

const skip = skipped("chromium");
let server, browser;
before(async () => {
  if (skip) return;
  server = await serve(SITE);
  browser = await start("chromium");
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

async function findings(page, variants) {
  await browser.visit(`${server.address_}/${page}`);
  await browser.run(AXE);
  const found = [];
  for (const [size, theme] of variants) {
    await browser.resize(...SIZES[size]);
    await browser.run((name) => (document.body.dataset.theme = name), theme);
    const { results, wide } = await browser.run(async () => {
      // All folds open: what they hold is part of the page.
      for (const fold of document.querySelectorAll("details")) fold.open = true;
      const { scrollWidth, clientWidth } = document.documentElement;
      const { violations } = await axe.run(document, { resultTypes: ["violations"] });
      const results = violations.map(({ id, impact, help, nodes }) => ({
        id,
        text: `${id} (${impact}): ${help}: ${nodes.length} times, first ${nodes[0].target} ${nodes[0].html.slice(0, 200)}`,
      }));
      return { results, wide: scrollWidth > clientWidth && `${scrollWidth} pixels of page in ${clientWidth}` };
    });
    found.push(...results.filter(({ id }) => !EXPLAINED[id]).map(({ text }) => `${page}, ${size}, ${theme}: ${text}`));
    if (wide) found.push(`${page}, ${size}: ${wide}`);
  }
  return found;
}

const ALL = Object.keys(SIZES).flatMap((size) => ["light", "dark"].map((theme) => [size, theme]));

for (const page of TEXTS) {
  test(`axe finds nothing on ${page}`, { skip }, async () => {
    assert.deepEqual(await findings(page, ALL), []);
  });
}

test("axe finds nothing on the pages of the permanent tags", { skip }, async () => {
  const found = [];
  for (const page of TAGS) found.push(...(await findings(page, [["phone", "dark"]])));
  assert.deepEqual(found, []);
});

test("axe finds what is planted", { skip }, async () => {
  await browser.visit(`${server.address_}/index.html`);
  await browser.run(AXE);
  const planted = await browser.run(async () => {
    document.querySelector("article").innerHTML += '<img src="x"><p style="color: #aaa; background: #fff">pale</p>';
    return (await axe.run()).violations.map(({ id }) => id);
  });
  assert.deepEqual(planted.filter((id) => ["color-contrast", "image-alt"].includes(id)).sort(), ["color-contrast", "image-alt"]);
});
