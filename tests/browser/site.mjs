// What there is to test: the pages of build/html, and one of each type.

import { readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export const SITE = resolve(import.meta.dirname, "../../build/html");

/** All pages, as paths below the site. */
export const PAGES = readdirSync(SITE, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
  .map((entry) => relative(SITE, join(entry.parentPath ?? entry.path, entry.name)))
  .sort();

/** The permanent pages of single equations, figures and claims; there are hundreds, written by one function. */
export const TAGS = PAGES.filter((page) => page.startsWith("t/"));
export const TEXTS = PAGES.filter((page) => !page.startsWith("t/"));

/** One page of each type. Add a type here, and every test runs on it. */
export const TYPES = {
  start: "index.html",
  answers: "answers.html",
  claims: "claims.html",
  derivation: "derivations/residual.html",
  evidence: "evidence/degradation.html",
  practice: "practice/grammar.html",
  functions: "reference/api/rules.html",
  equations: "reference/equations.html",
  glossary: "reference/glossary.html",
  index: "genindex.html",
  search: "search.html",
  tag: TAGS[0],
};

export const fileUrl = (page) => pathToFileURL(join(SITE, page)).href;
