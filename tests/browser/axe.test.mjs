// axe-core over every page: light and dark, on a desk and on a phone. Nothing of any level may be found.
//
// Colours are what takes long. Without RESGRAD_AXE=all, pages that are not their type's example are looked at on a
// phone and without them, and of the permanent pages, all written by one function, one in sixteen.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { skipped, start } from "./engines.mjs";
import { serve } from "./server.mjs";
import { SITE, TAGS, TEXTS, TYPES } from "./site.mjs";

const ALL = process.env.RESGRAD_AXE === "all";
const EXAMPLES = Object.values(TYPES);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desk: [1280, 900], phone: [320, 640] };

/** What a theme can change. */
const COLOURS = ["color-contrast", "link-in-text-block"];
const RULES = {
  "desk light": {},
  "desk dark": { runOnly: COLOURS },
  "phone light": { rules: Object.fromEntries(COLOURS.map((rule) => [rule, { enabled: false }])) },
  "phone dark": { runOnly: COLOURS },
};

/** What axe finds and is right all the same: rule -> [why, which elements]. */
const EXPLAINED = {
  "empty-table-header": ["a formula is a header, but axe reads no MathML", (html) => html.includes("<math")],
};

const skip = skipped("chromium");
let server, browser;
before(async () => {
  if (skip) return;
  server = await serve(SITE);
  browser = await start("chromium");
  // A colour on its way to another is neither.
  await browser.page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

async function findings(page, variants) {
  await browser.visit(`${server.address_}/${page}`);
  await browser.run(AXE);
  // All folds open: what they hold is part of the page.
  await browser.run(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
  const found = [];
  for (const variant of variants) {
    const [size, theme] = variant.split(" ");
    await browser.resize(...SIZES[size]);
    await browser.run((name) => (document.body.dataset.theme = name), theme);
    // What is laid out late is looked at, too.
    await browser.run(() => document.documentElement.classList.remove("piecewise"));
    const { violations, wide, window } = await browser.run(async (rules) => {
      const { violations } = await axe.run(document, { resultTypes: ["violations"], ...rules });
      const { scrollWidth, clientWidth } = document.documentElement;
      return { violations, wide: scrollWidth, window: clientWidth };
    }, RULES[variant]);
    for (const { id, impact, help, nodes } of violations) {
      const [, explains = () => false] = EXPLAINED[id] ?? [];
      const left = nodes.filter(({ html }) => !explains(html));
      const first = left.slice(0, 3).map(({ target, html }) => `\n  ${target}\n  ${html.slice(0, 160)}`);
      if (left.length) found.push(`${page}, ${variant}: ${id} (${impact}): ${help}: ${left.length} times: ${first}`);
    }
    if (wide > window) found.push(`${page}, ${variant}: ${wide} pixels wide in a window of ${window}`);
  }
  return found;
}

for (const page of TEXTS) {
  test(`axe finds nothing on ${page}`, { skip }, async () => {
    assert.deepEqual(await findings(page, ALL || EXAMPLES.includes(page) ? Object.keys(RULES) : ["phone light"]), []);
  });
}

test("axe finds nothing on the pages of the permanent tags", { skip }, async () => {
  const found = [];
  const variants = ALL ? Object.keys(RULES) : ["phone light"];
  for (const page of TAGS.filter((_, index) => ALL || index % 16 === 0)) found.push(...(await findings(page, variants)));
  assert.deepEqual(found, []);
});

test("axe finds what is planted", { skip }, async () => {
  await browser.visit(`${server.address_}/index.html`);
  await browser.run(AXE);
  const planted = await browser.run(async () => {
    document.querySelector("article").innerHTML += '<img src="x"><p id="pale">pale</p>';
    Object.assign(document.querySelector("#pale").style, { color: "#aaa", background: "#fff" });
    return (await axe.run()).violations.map(({ id }) => id);
  });
  assert.deepEqual(planted.filter((id) => ["color-contrast", "image-alt"].includes(id)).sort(), ["color-contrast", "image-alt"]);
});
