// Lighthouse as on a slow phone. Run by itself it measures every page three times and takes the medians:
//
//     node lighthouse.mjs [PAGE...]
//
// Of the permanent pages of single equations and figures, all written by one function, it takes four, the largest
// among them. Pages that are named are measured instead.
//
// Lighthouse takes this machine to be four times as fast as the phone, and writes down how fast it was (its index).
// Where the medians are too low and the machine was slow, it measures again: only a slow machine's faults are doubted.

import { statSync } from "node:fs";
import { join } from "node:path";
import lighthouse from "lighthouse";
import puppeteer from "puppeteer-core";
import { BROWSERS, CHROMIUM_FLAGS } from "./engines.mjs";
import { serve } from "./server.mjs";
import { SITE, TAGS, TEXTS } from "./site.mjs";

export const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
export const LEAST = 99;
export const MOST_SHIFT = 0.001;
/** A quarter of this is a mid-range phone by Lighthouse's own calculator of throttling, with some room: 1533 is exact. */
const FAST = 1300;
const RUNS = 3;
const MOST_RUNS = 9;
/** Sphinx keeps the page of search results out of search engines, which Lighthouse holds against it. */
export const NOT_FOUND_BY_SEARCH = ["search.html"];

/** Measure with one Chromium and one server; `work` gets a function from a page, and categories, to what was measured. */
export async function measuring(work) {
  const server = await serve(SITE);
  const browser = await puppeteer.launch({ executablePath: BROWSERS.chromium, args: CHROMIUM_FLAGS });
  const { port } = new URL(browser.wsEndpoint());
  // A browser that has just been started is still busy with itself: the first run is not a page's.
  await lighthouse(`${server.address_}/${TEXTS[0]}`, { port: Number(port), logLevel: "silent" });
  try {
    return await work(async (page, onlyCategories = CATEGORIES) => {
      const settings = { port: Number(port), logLevel: "silent", onlyCategories, disableFullPageScreenshot: true };
      const { lhr } = await lighthouse(`${server.address_}/${page}`, settings);
      const scores = onlyCategories.map((name) => Math.round(100 * lhr.categories[name].score));
      const failed = onlyCategories.slice(1).flatMap((name) =>
        lhr.categories[name].auditRefs
          .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 1)
          .map(({ id }) => `${name}: ${lhr.audits[id].title}`),
      );
      const shift = lhr.audits["cumulative-layout-shift"].numericValue;
      const paint = lhr.audits["largest-contentful-paint"].numericValue;
      return { page, scores, shift, paint, index: lhr.environment.benchmarkIndex, failed };
    });
  } finally {
    await browser.close();
    await server.stop();
  }
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];

/**
 * What a page has in the medians of three runs, of a machine that is fast enough if it has to be.
 *
 * Only performance is measured again: the other categories do not depend on the machine.
 */
async function measured(measure, page) {
  const first = await measure(page);
  const runs = [first];
  const again = async () => runs.push(await measure(page, CATEGORIES.slice(0, 1)));
  const fast = () => runs.filter(({ index }) => index >= FAST);
  while (runs.length < RUNS) await again();
  while (medians(runs)[0] < LEAST && fast().length < RUNS && runs.length < MOST_RUNS) await again();
  const chosen = fast().length >= RUNS ? fast() : runs;
  const [score, shift, paint, index] = medians(chosen);
  return { ...first, scores: [score, ...first.scores.slice(1)], shift, paint, index, runs: runs.length };
}

const medians = (runs) =>
  [({ scores }) => scores[0], ({ shift }) => shift, ({ paint }) => paint, ({ index }) => index].map((part) =>
    median(runs.map(part)),
  );

export function row({ page, scores, shift, paint, index, runs = 1 }) {
  const times = [`${(paint / 1000).toFixed(1)} s`, index.toFixed(0).padStart(5), String(runs).padStart(4)];
  const cells = [...scores.map((score) => String(score).padStart(4)), shift.toFixed(4), ...times];
  return `${cells.join("  ")}  ${page}`;
}

/** What of a measurement is not good enough; `from` leaves out the categories before it. */
export function faults({ page, scores, shift, failed }, from = 0) {
  const low = CATEGORIES.filter(
    (name, index) =>
      index >= from && scores[index] < LEAST && !(name === "seo" && NOT_FOUND_BY_SEARCH.includes(page)),
  ).map((name) => `${name} ${scores[CATEGORIES.indexOf(name)]}; ${failed.filter((one) => one.startsWith(name)).join("; ")}`);
  return shift > MOST_SHIFT ? [...low, `layout shift ${shift}`] : low;
}

if (process.argv[1] === import.meta.filename) {
  const size = (page) => statSync(join(SITE, page)).size;
  const tags = TAGS.toSorted((one, other) => size(one) - size(other));
  const some = [0, 1 / 3, 2 / 3, 1].map((share) => tags[Math.floor(share * (tags.length - 1))]);
  const pages = process.argv.length > 2 ? process.argv.slice(2) : [...TEXTS, ...some];
  console.log("perf  a11y  best   seo   shift  paint  index  runs  page");
  await measuring(async (measure) => {
    for (const page of pages) {
      const result = await measured(measure, page);
      const wrong = faults(result);
      console.log(row(result), ...wrong.map((one) => `\n      ${one}`));
      if (wrong.length) process.exitCode = 1;
    }
  });
}
