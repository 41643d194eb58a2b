// Lighthouse as on a slow phone. Run by itself it measures every page three times and takes the medians:
//
//     node lighthouse.mjs [PAGE...]
//
// Of the permanent pages of single equations and figures, all written by one function, it takes four, the largest
// among them. Pages that are named are measured instead.

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
/** Sphinx keeps the page of search results out of search engines, which Lighthouse holds against it. */
export const NOT_FOUND_BY_SEARCH = ["search.html"];

/** Measure with one Chromium and one server; `work` gets a function from a page to what was measured. */
export async function measuring(work) {
  const server = await serve(SITE);
  const browser = await puppeteer.launch({ executablePath: BROWSERS.chromium, args: CHROMIUM_FLAGS });
  const { port } = new URL(browser.wsEndpoint());
  // A browser that has just been started is still busy with itself: the first run is not a page's.
  await lighthouse(`${server.address_}/${TEXTS[0]}`, { port: Number(port), logLevel: "silent" });
  try {
    return await work(async (page) => {
      const { lhr } = await lighthouse(`${server.address_}/${page}`, { port: Number(port), logLevel: "silent" });
      const scores = CATEGORIES.map((name) => Math.round(100 * lhr.categories[name].score));
      const failed = CATEGORIES.slice(1).flatMap((name) =>
        lhr.categories[name].auditRefs
          .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 1)
          .map(({ id }) => `${name}: ${lhr.audits[id].title}`),
      );
      const shift = lhr.audits["cumulative-layout-shift"].numericValue;
      return { page, scores, shift, paint: lhr.audits["largest-contentful-paint"].numericValue, failed };
    });
  } finally {
    await browser.close();
    await server.stop();
  }
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];

/** The medians of several measurements of a page. */
export const medians = (runs) => ({
  page: runs[0].page,
  scores: CATEGORIES.map((_, index) => median(runs.map(({ scores }) => scores[index]))),
  shift: median(runs.map(({ shift }) => shift)),
  paint: median(runs.map(({ paint }) => paint)),
  failed: runs[0].failed,
});

export function row({ page, scores, shift, paint }) {
  const cells = [...scores.map((score) => String(score).padStart(4)), shift.toFixed(4), `${(paint / 1000).toFixed(1)} s`];
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
  console.log("perf  a11y  best   seo  shift   paint  page");
  await measuring(async (measure) => {
    for (const page of pages) {
      const runs = [];
      for (let run = 0; run < 3; run++) runs.push(await measure(page));
      const result = medians(runs);
      const wrong = faults(result);
      console.log(row(result), ...wrong.map((one) => `\n      ${one}`));
      if (wrong.length) process.exitCode = 1;
    }
  });
}
