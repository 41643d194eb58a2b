// What a reader sees and does, in each engine: maths, themes, figures, search, keyboard, narrow windows.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { ENGINES, skipped, start } from "./engines.mjs";
import { serve } from "./server.mjs";
import { SITE, TYPES, fileUrl } from "./site.mjs";

const DESK = [1280, 900];
/** WCAG's reflow: 320 pixels, which is also 1280 pixels at 400 %; and 1280 pixels at 200 %. */
const NARROW = [320, 640];
const BACKGROUND = { light: "rgb(255, 255, 255)", dark: "rgb(18, 22, 28)" };
const FIGURES = TYPES.evidence;

const frame = (url, width) => {
  const { origin, pathname, hash } = new URL(url);
  return `${origin}/frame.html?width=${width}&page=${encodeURIComponent(pathname + hash)}`;
};
const pages = {
  "/frame.html": (query) =>
    `<!doctype html><title>frame</title><iframe src="${query.get("page")}" width="${query.get("width")}" height="800" style="border: 0">`,
};

for (const engine of ENGINES) {
  describe(engine, { skip: skipped(engine) }, () => {
    let server, browser, at;
    before(async () => {
      server = await serve(SITE, pages);
      at = (page) => `${server.address_}/${page}`;
      browser = await start(engine, { frame });
    });
    beforeEach(() => browser.resize(...DESK));
    after(async () => {
      await browser?.stop();
      await server?.stop();
    });

    test("maths is MathML of a sane size in its own font", async () => {
      for (const page of [TYPES.derivation, "derivations/activation.html", TYPES.start]) {
        await browser.visit(at(page));
        await browser.run(layOutWhole);
        const seen = await browser.run(measureMaths);
        assert.ok(seen.formulas > 0, `${page} has no formula`);
        assert.deepEqual(seen.odd, [], page);
        assert.ok(seen.font, `${page}: the font of the formulas is not loaded`);
      }
    });

    test("brackets are as tall as what they enclose", async () => {
      let tall = 0;
      for (const page of ["derivations/order.html", "derivations/bounds.html", "derivations/paths.html"]) {
        await browser.visit(at(page));
        await browser.run(layOutWhole);
        const seen = await browser.run(measureBrackets);
        assert.deepEqual(seen.short, [], page);
        tall += seen.tall;
      }
      assert.ok(tall > 0, "no tall bracket was seen");
    });

    test("a bar stands close above its letter", async () => {
      await browser.visit(at(TYPES.derivation));
      await browser.run(layOutWhole);
      const gaps = await browser.run(measureBars);
      assert.ok(gaps.length > 10, `${gaps.length} bars`);
      assert.deepEqual(
        gaps.filter(({ gap }) => gap < -0.05 || gap > 0.2),
        [],
      );
    });

    test("the theme follows the system, then the reader's choice, and is remembered", async () => {
      await browser.visit(at(TYPES.derivation));
      await browser.run(() => localStorage.clear());
      await browser.visit(at(TYPES.derivation));
      assert.deepEqual(await browser.run(theme), { theme: "auto", background: BACKGROUND.light });
      const seen = [];
      for (const _ of [1, 2, 3]) seen.push(await browser.run(switchTheme).then(() => browser.run(theme)));
      // Two of the three look alike where the system is light.
      assert.deepEqual(
        Object.fromEntries(seen.map(({ theme, background }) => [theme, background])),
        { auto: BACKGROUND.light, dark: BACKGROUND.dark, light: BACKGROUND.light },
      );
      while ((await browser.run(theme)).theme !== "dark") await browser.run(switchTheme);
      await browser.visit(at(TYPES.start));
      assert.deepEqual(await browser.run(theme), { theme: "dark", background: BACKGROUND.dark });
      await browser.run(() => localStorage.clear());
    });

    for (const [width, drawing] of [
      [1280, 640],
      [360, 328],
    ]) {
      test(`figures load in the width for ${width} pixels and in the theme that is on`, async () => {
        await browser.resize(width, 900);
        for (const name of ["light", "dark"]) {
          const first = server.sent.length;
          await browser.visit(at(FIGURES));
          await browser.run((name) => (document.body.dataset.theme = name), name);
          const shown = await browser.run(showFigures);
          assert.ok(shown.length > 0, "no figure is shown");
          for (const image of shown) assert.equal(image.width, drawing, image.source);
          const asked = new Set(server.sent.slice(first).map(({ path }) => path.split("/").at(-1)));
          const missing = shown.filter(({ source }) => !server.sent.some(({ path }) => path.endsWith(source)));
          assert.deepEqual(missing, []);
          // Where the light theme is on, the dark drawings are not fetched (WebKit fetches them in a frame).
          const other = await browser.run(() =>
            [...document.querySelectorAll("picture.only-dark img")].map((image) => image.currentSrc.split("/").at(-1)),
          );
          if (name === "light" && width >= 500) assert.deepEqual(other.filter((source) => source && asked.has(source)), []);
        }
      });
    }

    for (const kind of ["http", "file"]) {
      test(`search finds a page, over ${kind}`, async () => {
        const url = kind === "http" ? at(TYPES.start) : fileUrl(TYPES.start);
        await browser.visit(url);
        await browser.run(() => document.querySelector(".sidebar-search").focus());
        await browser.run(() => (document.querySelector(".sidebar-search").value = "projection shortcut"));
        await browser.press("Enter");
        const found = await until(browser, () =>
          [...document.querySelectorAll("#search-results li a")].map((link) => link.href),
        );
        assert.match(found.join("\n"), /derivations\/shortcut\.html/);
        await browser.visit(found[0]);
        assert.ok(await browser.run(() => document.querySelector("article h1") !== null));
      });
    }

    for (const type of ["start", "derivation", "evidence", "search", "tag"]) {
      test(`the tab key reaches everything and shows where it is: ${type}`, async () => {
        await browser.visit(at(TYPES[type]));
        const wanted = await browser.run(watchFocus);
        assert.ok(wanted > 10);
        // Not once too often: behind the last stop the keys would go to the browser's own window.
        for (let left = wanted; left > 0; ) {
          await browser.press("Tab", left);
          const now = await browser.run(() => [...focusSeen.wanted].filter((one) => !focusSeen.seen.has(one)).length);
          if (now >= left) break;
          left = now;
        }
        const { missed, unseen } = await browser.run(focusReport);
        assert.deepEqual(missed, [], "not reached");
        // Keys that come faster than frames can leave a stop before the window has scrolled to it: a second look waits.
        for (const [place, name] of unseen) {
          await browser.run((place) => [...focusSeen.seen.keys()][place].focus(), place);
          assert.ok((await until(browser, focusShows, place)).length, `reached without a sign of it: ${name}`);
        }
      });
    }

    test("Enter opens a fold", async () => {
      await browser.visit(at(TYPES.derivation));
      await browser.run(() => document.querySelector("details.check > summary").focus());
      await browser.press("Enter");
      assert.ok(await browser.run(() => document.querySelector("details.check").open));
    });

    test("on a narrow window the list of all pages is opened by a key, and closed it is no stop of the tab key", async () => {
      await browser.resize(640, 800);
      await browser.visit(at(TYPES.derivation));
      const shut = await browser.run(drawer);
      assert.deepEqual(shut, { focused: false, marked: false, links: 0, left: shut.left });
      await browser.press("Tab", 2); // the first is the link that skips to the text
      assert.deepEqual(await browser.run(drawer), { focused: true, marked: true, links: 0, left: shut.left });
      await browser.press(" ");
      const open = await until(browser, () => {
        const box = document.querySelector(".sidebar-drawer").getBoundingClientRect();
        return box.left === 0 ? [...document.querySelectorAll(".sidebar-tree a")].filter((link) => link.checkVisibility()) : [];
      });
      assert.ok(open.length > 10, `${open.length} links`);
    });

    // On a phone more of a page is laid out late.
    for (const [page, width] of [
      ["derivations/weights.html", 640],
      ["derivations/weights.html", 400],
      ["derivations/normalization.html", 400],
      ["reference/api/figures.html", 640],
    ]) {
      test(`a long page keeps its place: ${page}, ${width} pixels`, async () => {
        await browser.resize(width, 800);
        await browser.visit(at(page));
        const whole = await browser.run(places);
        for (const id of [whole[3], whole[Math.floor(0.6 * whole.length)], whole.at(-2)]) {
          await browser.visit(at(TYPES.search));
          await browser.visit(`${at(page)}#${id}`);
          assert.ok(await browser.run(standsAtTop, id), `#${id} as an address`);
          await browser.visit(at(TYPES.search));
          await browser.visit(at(page));
          await browser.run((to) => (location.hash = to), id);
          assert.ok(await browser.run(standsAtTop, id), `#${id} as a link`);
          assert.deepEqual(await browser.run(goUp), [], `up from #${id}`);
        }
      });
    }

    for (const width of [...NARROW]) {
      test(`nothing is wider than a window of ${width} pixels`, async () => {
        await browser.resize(width, 800);
        for (const page of Object.values(TYPES)) {
          await browser.visit(at(page));
          const { wide, inner } = await browser.run(widths);
          assert.equal(inner, width);
          assert.ok(wide <= inner, `${page}: ${wide} pixels wide`);
        }
      });
    }
  });

  describe(`${engine}, where the system is dark`, { skip: skipped(engine) }, () => {
    test("pages are dark until the reader chooses", async () => {
      const browser = await start(engine, { dark: true });
      try {
        await browser.visit(fileUrl(TYPES.derivation));
        assert.deepEqual(await browser.run(theme), { theme: "auto", background: BACKGROUND.dark });
        await browser.run((name) => (document.body.dataset.theme = name), "light");
        assert.equal((await browser.run(theme)).background, BACKGROUND.light);
      } finally {
        await browser.stop();
      }
    });
  });
}

test("on paper the solutions stand open", { skip: skipped("chromium") }, async () => {
  const browser = await start("chromium");
  try {
    await browser.visit(fileUrl(TYPES.derivation));
    const visible = () =>
      [...document.querySelectorAll("article details")]
        .filter(({ firstElementChild }) => firstElementChild.textContent.trim() === "Solution")
        .map(({ lastElementChild }) => lastElementChild.checkVisibility());
    assert.deepEqual(new Set(await browser.run(visible)), new Set([false]));
    await browser.page.emulateMediaType("print");
    assert.deepEqual(new Set(await browser.run(visible)), new Set([true]));
  } finally {
    await browser.stop();
  }
});

/** Run until it gives something, for at most twenty seconds. */
async function until(browser, work, ...args) {
  for (let tries = 0; tries < 200; tries++) {
    try {
      const found = await browser.run(work, ...args);
      if (found.length) return found;
    } catch {
      // The page is being replaced.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return [];
}

// What follows runs in the page.

function theme() {
  return { theme: document.body.dataset.theme, background: getComputedStyle(document.body).backgroundColor };
}

function drawer() {
  const marked = getComputedStyle(document.querySelector(".nav-overlay-icon")).outlineStyle !== "none";
  const links = [...document.querySelectorAll(".sidebar-drawer a")].filter((link) => link.checkVisibility()).length;
  const { left } = document.querySelector(".sidebar-drawer").getBoundingClientRect();
  return { focused: document.activeElement.matches(".sidebar-toggle"), marked, links, left };
}

/** The addresses within a page, in their order. */
function places() {
  return [...document.querySelectorAll("article :is(section section, .equation, .derivation, dl.py)[id]")].map(({ id }) => id);
}

/** Whether, once all stands still, the window begins at a place or ends where the page does. */
async function standsAtTop(id) {
  const place = document.getElementById(id);
  let top;
  for (let still = 0; still < 10; still++) {
    await new Promise(requestAnimationFrame);
    const now = place.getBoundingClientRect().top;
    if (now !== top) still = 0;
    top = now;
  }
  const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  return (top > -2 && top < 150) || (end && top < innerHeight);
}

/** Scroll up in small steps; by how much what is seen moved, where it was not by the step. */
async function goUp() {
  const wrong = [];
  for (let step = 0; step < 60 && scrollY > 200; step++) {
    const seen = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    const before = seen.getBoundingClientRect().top;
    scrollBy(0, -120);
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    const moved = seen.getBoundingClientRect().top - before;
    if (Math.abs(moved - 120) > 3) wrong.push(moved);
  }
  return wrong;
}

function switchTheme() {
  [...document.querySelectorAll("button.theme-toggle")].find((button) => button.checkVisibility()).click();
}

function widths() {
  return { wide: document.documentElement.scrollWidth, inner: innerWidth };
}

/** What is not laid out yet has no measures. */
function layOutWhole() {
  document.documentElement.classList.remove("piecewise");
}

function measureMaths() {
  const formulas = [...document.querySelectorAll("math")].filter(
    (formula) => formula.textContent && !formula.closest("details:not([open])"),
  );
  const line = parseFloat(getComputedStyle(document.querySelector("article")).lineHeight);
  const odd = formulas
    .map((formula) => ({ box: formula.getBoundingClientRect(), formula }))
    .filter(({ box, formula }) => {
      const rows = Math.max(1, formula.querySelectorAll("mtr").length);
      const lines = box.height / line;
      return formula.namespaceURI !== "http://www.w3.org/1998/Math/MathML" || box.width < 3 || lines < 0.2 || lines > 4 * rows;
    })
    .map(({ box, formula }) => `${box.width} x ${box.height}: ${formula.textContent.slice(0, 80)}`);
  const font = [...document.fonts].some(({ family, status }) => family.includes("STIX Two Math") && status === "loaded");
  return { formulas: formulas.length, odd, font };
}

function measureBrackets() {
  const height = (element) => element.getBoundingClientRect().height;
  // Firefox encloses the sign of a sum without its limits, as TeX's \\bigl( does.
  const core = (element) => (/^m(under|over)/.test(element.localName) ? element.firstElementChild : element);
  const short = [];
  let tall = 0;
  for (const sign of document.querySelectorAll("mo")) {
    if (!"()[]{}|‖".includes(sign.textContent) || sign.getAttribute("stretchy") === "false") continue;
    if (!sign.checkVisibility()) continue;
    const others = [...sign.parentElement.children].filter((other) => other.localName !== "mo").map(core).map(height);
    const wanted = Math.max(0, ...others);
    if (wanted < 2 * parseFloat(getComputedStyle(sign).fontSize)) continue;
    tall++;
    if (height(sign) < 0.8 * wanted) short.push(`${height(sign)} of ${wanted}: ${sign.parentElement.textContent.slice(0, 60)}`);
  }
  return { short, tall };
}

function measureBars() {
  return [...document.querySelectorAll("mover")]
    .filter((over) => over.checkVisibility() && over.lastElementChild.textContent === "\u203e")
    .map((over) => {
      const [letter, bar] = [...over.children].map((child) => child.getBoundingClientRect());
      const size = parseFloat(getComputedStyle(over).fontSize);
      return { gap: (letter.top - bar.bottom) / size, height: bar.height / size, letter: over.textContent };
    });
}

async function showFigures() {
  const images = [...document.querySelectorAll("article figure img")].filter((image) => image.checkVisibility());
  for (const image of images) {
    image.scrollIntoView();
    for (let tries = 0; !image.complete && tries < 50; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return images.map((image) => ({
    source: image.currentSrc.split("/").at(-1),
    width: image.complete && image.naturalWidth,
  }));
}

/** Note all that can be focused and, at each stop of the tab key, whether a sign of it is on the screen. */
function watchFocus() {
  const able = "a[href], button, input:not([type=hidden]), summary, [tabindex='0']";
  // Of a group of radio buttons the chosen one is a stop; the arrow keys reach the others.
  const stops = [...document.querySelectorAll(able)].filter((one) => one.type !== "radio" || one.checked);
  const wanted = new Set(stops.filter((element) => element.checkVisibility({ visibilityProperty: true })));
  for (const element of [...wanted]) {
    const fold = element.closest("details:not([open])");
    if (fold && element !== fold.querySelector("summary")) wanted.delete(element);
    // The theme's two switches of its drawers are boxes for a pointer; on a desk both are open.
    if (element.matches(".sidebar-toggle, .toctree-checkbox, [tabindex='-1']")) wanted.delete(element);
  }
  const seen = new Map();
  const signed = (element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  };
  const here = (element) => {
    const box = element.getBoundingClientRect();
    return element.matches(".skip-to-content") || (box.bottom > 0 && box.top < innerHeight);
  };
  document.addEventListener("focusin", ({ target }) => seen.set(target, signed(target)));
  // Whether it is in the window is judged when it is left: by then the window has scrolled to it.
  document.addEventListener("focusout", ({ target }) => seen.set(target, seen.get(target) && here(target)));
  window.focusSeen = { wanted, seen, shows: (element) => signed(element) && here(element) };
  document.activeElement?.blur();
  return wanted.size;
}

function focusReport() {
  document.activeElement.blur();
  const { wanted, seen } = window.focusSeen;
  const name = (element) => element.outerHTML.slice(0, 120);
  return {
    missed: [...wanted].filter((element) => !seen.has(element)).map(name),
    unseen: [...seen].flatMap(([element, visible], place) => (visible ? [] : [[place, name(element)]])),
  };
}

function focusShows(place) {
  const { seen, shows } = window.focusSeen;
  const stop = [...seen.keys()][place];
  return document.activeElement === stop && shows(stop) ? [place] : [];
}
