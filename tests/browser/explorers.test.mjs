// Explorers: in every state each shows what the library gives, computed here anew by the library itself.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { ENGINES, skipped, start } from "./engines.mjs";
import { fileUrl, SITE, TEXTS } from "./site.mjs";

const TOP = resolve(import.meta.dirname, "../..");
const PYTHON = process.env.PYTHON ?? join(TOP, ".venv/bin/python");

/** Explorer -> its states: the words of the address, the sentence, the numbers. */
const STATES = JSON.parse(
  execFileSync(PYTHON, ["tests/explorer_states.py"], { cwd: TOP, encoding: "utf8", maxBuffer: 1 << 26 }),
);

/** Explorer -> the page that it stands on. */
const WHERE = Object.fromEntries(
  TEXTS.flatMap((page) =>
    [...readFileSync(join(SITE, page), "utf8").matchAll(/data-explorer="(\w+)"/g)].map(([, name]) => [name, page]),
  ),
);

/** In the page: choose every state in turn; what is read out, and what was computed there. */
const walk = (name) => {
  const figure = document.querySelector(`[data-explorer=${name}]`);
  const told = JSON.parse(figure.querySelector("script").textContent);
  const fields = told.controls.map((c) => figure.querySelector(`form [data-control=${c.name}]`));
  const found = [];
  const total = told.controls.reduce((product, c) => product * c.tokens.length, 1);
  for (let state = 0; state < total; state++) {
    let rest = state;
    for (let i = fields.length - 1; i >= 0; i--) {
      const index = rest % told.controls[i].tokens.length;
      rest = Math.floor(rest / told.controls[i].tokens.length);
      const inputs = fields[i].querySelectorAll("input");
      if (inputs[0].type === "range") inputs[0].value = index;
      else inputs[index].checked = true;
    }
    const form = figure.querySelector("form");
    form.dispatchEvent(new Event("input", { bubbles: true }));
    form.dispatchEvent(new Event("change", { bubbles: true }));
    const numbers = figure.dataset.exact ?? null;
    const bad = [...figure.querySelectorAll(".stage svg *")].some((mark) =>
      [...mark.attributes].some(({ value }) => /NaN|undefined|Infinity/.test(value)),
    );
    found.push([figure.querySelector("output").textContent, numbers, bad, location.search]);
  }
  return found;
};

const shown = (name) => {
  const figure = document.querySelector(`[data-explorer=${name}]`);
  const remark = figure.querySelector(".remark");
  return {
    live: figure.classList.contains("live"),
    sentence: figure.querySelector("output").textContent,
    remark: remark.hidden ? "" : remark.textContent,
    fields: [...figure.querySelectorAll("form [data-control]")].filter((field) => field.offsetHeight).length,
    search: location.search,
    high: figure.querySelector("form").offsetHeight + figure.querySelector(".stage").offsetHeight,
    small: [...figure.querySelectorAll(".choices label, input[type=range], button")].filter(
      (control) => control.offsetHeight && control.offsetHeight < 32,
    ).length,
    pictures: [...figure.querySelectorAll(".stage > *")].filter((part) => part.getClientRects().length).length,
  };
};

/** In the page: how many controls an explorer has that draws every state in the page; null for another. */
const panels = (name) => {
  const figure = document.querySelector(`[data-explorer=${name}]`);
  return figure.classList.contains("still") ? { fields: figure.querySelectorAll("form [data-control]").length } : null;
};

/** In the page: choose a state by its radio buttons, without a script of the page; the sentences that are seen. */
const panelAt = (name, index) => {
  const figure = document.querySelector(`[data-explorer=${name}]`);
  let rest = index;
  for (const field of [...figure.querySelectorAll("form [data-control]")].reverse()) {
    const inputs = field.querySelectorAll("input");
    inputs[rest % inputs.length].click();
    rest = Math.floor(rest / inputs.length);
  }
  return [...figure.querySelectorAll(".panel p")].filter((p) => p.getClientRects().length).map((p) => p.textContent);
};

test("every explorer stands on one page", () => {
  assert.deepEqual(Object.keys(WHERE).sort(), Object.keys(STATES).sort());
});

for (const engine of ENGINES) {
  const skip = skipped(engine);
  let browser;
  before(async () => {
    if (!skip) browser = await start(engine);
  });
  after(() => browser?.stop());

  for (const [name, page] of Object.entries(WHERE)) {
    const url = (query = "") => fileUrl(page) + query;
    const first = async () => (await browser.visit(url()), browser.run(shown, name));

    test(`${engine}: ${name} shows in every state what the library gives`, { skip }, async () => {
      await browser.resize(1280, 900);
      const start = await first();
      const found = await browser.run(walk, name);
      assert.equal(found.length, STATES[name].length);
      for (const [i, [tokens, sentence, exact]] of STATES[name].entries()) {
        const [said, numbers, bad, search] = found[i];
        assert.equal(said, sentence, String(tokens));
        assert.ok(!bad, `a mark of ${tokens} has no place`);
        // WebKit lets a page write its address a hundred times in half a minute.
        if (engine !== "webkit" || i < 90) {
          assert.equal(search, sentence === start.sentence ? "" : `?${name}=${tokens}`);
        }
        if (numbers === null) continue;
        const right = Object.values(exact).flat();
        JSON.parse(numbers)
          .flat()
          .forEach((number, k) => assert.ok(Math.abs(number - right[k]) < 1e-12, `${tokens}: ${number}, ${right[k]}`));
      }
    });

    test(`${engine}: an address chooses a state of ${name}, and a bad one the first`, { skip }, async () => {
      const { sentence, remark } = await first();
      assert.equal(remark, "");
      const [tokens, wanted] = STATES[name].at(-1);
      await browser.visit(url(`?${name}=${tokens}`));
      const state = await browser.run(shown, name);
      assert.deepEqual([state.sentence, state.search], [wanted, `?${name}=${tokens}`]);
      for (const bad of ["nonsense", `${tokens},1`, "1e9"]) {
        await browser.visit(url(`?${name}=${bad}`));
        const fallen = await browser.run(shown, name);
        assert.equal(fallen.sentence, sentence);
        assert.match(fallen.remark, /There is no state/);
      }
    });

    test(`${engine}: one control of ${name} can be left alone`, { skip }, async () => {
      const all = (await first()).fields;
      const only = await browser.run((n) => document.querySelector(`[data-explorer=${n}] [data-control]`).dataset.control, name);
      await browser.visit(url(`?only=${only}`));
      assert.equal((await browser.run(shown, name)).fields, 1);
      await browser.visit(url("?only=nothing"));
      assert.equal((await browser.run(shown, name)).fields, all);
    });

    test(`${engine}: links and buttons of ${name}`, { skip }, async () => {
      const { sentence } = await first();
      const click = (selector, number) =>
        browser.run((n, s, k) => document.querySelectorAll(`[data-explorer=${n}] ${s}`)[k].click(), name, selector, number);
      await click(".tries a", 0);
      const tried = await browser.run(shown, name);
      assert.notEqual(tried.sentence, sentence);
      assert.match(tried.search, new RegExp(`^\\?${name}=`));
      await click(".buttons button", 2);
      for (let wait = 0; wait < 20 && !(await browser.run(shown, name)).remark; wait++)
        await new Promise((done) => setTimeout(done, 50));
      assert.match((await browser.run(shown, name)).remark, new RegExp(`python -c "from resgrad.lab.explorers.${name} import`));
      await click(".buttons button", 0);
      const reset = await browser.run(shown, name);
      assert.deepEqual([reset.sentence, reset.search, reset.remark], [sentence, "", ""]);
    });

    test(`${engine}: ${name} fits on a phone, and its picture is one`, { skip }, async () => {
      await browser.resize(360, 800);
      const state = await first();
      await browser.resize(1280, 900);
      assert.ok(state.live);
      assert.ok(state.high <= 480, `${state.high} pixels`);
      assert.equal(state.small, 0);
      assert.equal(state.pictures, 1);
    });

    test(`${engine}: the keys change ${name}`, { skip: skip || engine === "webkit" }, async () => {
      const { sentence } = await first();
      await browser.run((n) => {
        const figure = document.querySelector(`[data-explorer=${n}]`);
        (figure.querySelector("input[type=range]") ?? figure.querySelector("input:checked")).focus();
      }, name);
      const moved = async (key) => (await browser.press(key), (await browser.run(shown, name)).sentence);
      assert.ok((await moved("ArrowLeft")) !== sentence || (await moved("ArrowRight")) !== sentence);
    });
  }

  test(`${engine}: no explorer logs an error`, { skip: skip || engine === "webkit" }, () => {
    // A page that is left while a picture loads counts as a failed request, and Firefox complains of a formula that
    // has not arrived in whole; other tests look at pictures and formulas.
    const told = browser.logged.filter((line) => !/^failed: |Invalid markup/.test(line));
    assert.deepEqual(told, []);
  });
}

const skip = skipped("chromium");
for (const [name, page] of Object.entries(WHERE)) {
  test(`${name} is complete without a script, and on paper`, { skip }, async () => {
    const browser = await start("chromium");
    try {
      await browser.page.setJavaScriptEnabled(false);
      await browser.visit(fileUrl(page));
      const still = await browser.run(shown, name);
      // One whose states are all drawn in the page chooses among them by a style alone.
      const chosen = await browser.run(panels, name);
      assert.deepEqual([still.live, still.fields, still.pictures], [false, chosen ? chosen.fields : 0, 1]);
      for (const [index, [, sentence]] of chosen ? STATES[name].entries() : [])
        assert.deepEqual(await browser.run(panelAt, name, index), [sentence]);
      assert.ok(STATES[name].some(([, sentence]) => sentence === still.sentence));
      await browser.page.setJavaScriptEnabled(true);
      await browser.visit(fileUrl(page));
      await browser.page.emulateMediaType("print");
      const printed = await browser.run(shown, name);
      assert.deepEqual([printed.fields, printed.pictures], [0, 1]);
    } finally {
      await browser.stop();
    }
  });
}
