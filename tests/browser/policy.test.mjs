// The policy that each page carries: no page violates it, and a page that does is seen. No error is logged and no
// other host is asked, whether a page comes over HTTP or from a folder.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { BROWSERS, ENGINES, skipped, start } from "./engines.mjs";
import { serve } from "./server.mjs";
import { PAGES, SITE, TYPES, fileUrl } from "./site.mjs";
import { onScreen } from "./webdriver.mjs";

const META = /<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="([^"]*)">/;
const policyOf = (page) => META.exec(readFileSync(join(SITE, page), "utf8"))?.[1];

/** A page with the site's policy and one sin against each part of it that matters. */
const SINS = {
  "script-src": "<script>document.title = 'ran'</script>",
  "style-src": '<p style="color: red">red</p>',
  "img-src": '<img alt="" src="http://127.0.0.2:9/x.png">',
};
const control = () =>
  `<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policyOf(TYPES.start)}"><title>control</title></head><body>${Object.values(SINS).join("\n")}</body></html>`;

test("every page states a policy before anything else, and none is unsafe", () => {
  for (const page of PAGES) {
    const policy = policyOf(page);
    assert.ok(policy, `${page} has no policy`);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/, page);
  }
});

function noteViolations() {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
    window.violations.push(`${effectiveDirective} ${blockedURI}`),
  );
}

/** Firefox sets a formula of which half has been read, says this of it, and sets it again: of whole ones we look ourselves. */
const HALF_READ = /^Error: Invalid markup: Incorrect number of children for <m/;

function misshapen() {
  const children = { msub: 2, msup: 2, msubsup: 3, mfrac: 2, mroot: 2, munder: 2, mover: 2, munderover: 3 };
  return Object.entries(children).flatMap(([name, number]) =>
    [...document.querySelectorAll(name)].filter((one) => one.childElementCount !== number).map((one) => one.outerHTML),
  );
}

/** Open pages in a WebKit that writes its console to its output, all at once; a driven one does not write it. */
async function webkitConsole(urls) {
  const { lines, stop } = onScreen([
    "stdbuf",
    "-oL",
    BROWSERS.webkit,
    "--enable-write-console-messages-to-stdout=true",
    ...urls,
  ]);
  try {
    // The last tab is the control: when it has spoken, wait until nothing more comes.
    const spoken = () => lines.some((line) => line.includes("control.html"));
    for (let quiet = 0, before = -1, tries = 0; quiet < 6 && tries < 120; tries++) {
      before = lines.length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      quiet = spoken() && lines.length === before ? quiet + 1 : 0;
    }
    return lines.filter((line) => line.includes("CONSOLE"));
  } finally {
    stop();
  }
}

for (const engine of ENGINES) {
  describe(engine, { skip: skipped(engine) }, () => {
    let server, folder, sinner;
    before(async () => {
      server = await serve(SITE, { "/control.html": control });
      folder = mkdtempSync(join(tmpdir(), "control-"));
      sinner = join(folder, "control.html");
      writeFileSync(sinner, control());
    });
    after(async () => {
      await server?.stop();
      rmSync(folder, { recursive: true });
    });
    const urls = (kind) => Object.values(TYPES).map((page) => (kind === "http" ? `${server.address_}/${page}` : fileUrl(page)));
    const control_ = (kind) => (kind === "http" ? `${server.address_}/control.html` : pathToFileURL(sinner).href);

    for (const kind of ["http", "file"]) {
      if (engine === "webkit") {
        test(`no page logs anything, the control does, over ${kind}`, async () => {
          const spoken = await webkitConsole([...urls(kind), control_(kind)]);
          for (const directive of Object.keys(SINS))
            assert.ok(spoken.some((line) => line.includes(`${directive} directive`)), `${directive} in ${spoken}`);
          assert.deepEqual(spoken.filter((line) => !/control\.html|127\.0\.0\.2:9/.test(line)), []);
          const asked = new Set(server.sent.map(({ path }) => path.slice(1)));
          if (kind === "http") assert.deepEqual(Object.values(TYPES).filter((page) => !asked.has(page)), []);
          assert.deepEqual(server.sent.filter(({ missing, path }) => missing && path !== "/favicon.ico"), []);
        });
        continue;
      }
      test(`no page violates its policy, logs an error or asks another host, over ${kind}`, async () => {
        const browser = await start(engine);
        try {
          await browser.page.evaluateOnNewDocument(noteViolations);
          for (const url of urls(kind)) {
            await browser.visit(url);
            assert.deepEqual(await browser.run(() => window.violations), [], url);
            assert.deepEqual(await browser.run(misshapen), [], url);
          }
          assert.deepEqual(browser.logged.filter((line) => !HALF_READ.test(line)), []);
          const home = kind === "http" ? server.address_ : "file:";
          const abroad = browser.requested.filter((url) => !url.startsWith(home) && !url.startsWith("data:"));
          assert.deepEqual(abroad, []);
          await browser.visit(control_(kind));
          const seen = await browser.run(() => window.violations);
          for (const directive of Object.keys(SINS))
            assert.ok(seen.some((violation) => violation.startsWith(directive)), `${directive} in ${seen}`);
          assert.equal(await browser.run(() => document.title), "control");
        } finally {
          await browser.stop();
        }
      });
    }
  });
}
