// Print one page as PDF, with its outline, its structure for screen readers and numbered pages:
//
//     node pdf.mjs PAGE.html FILE.pdf

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";
import { BROWSERS, CHROMIUM_FLAGS } from "./engines.mjs";

const [source, target] = process.argv.slice(2);
const small = "font: 8px system-ui, sans-serif; width: 100%; padding: 0 12mm;";

if (!BROWSERS.chromium) throw new Error("chromium is not installed: it prints the PDF");
const browser = await puppeteer.launch({
  executablePath: BROWSERS.chromium,
  args: CHROMIUM_FLAGS,
  protocolTimeout: 600_000,
});
try {
  const page = await browser.newPage();
  await page.goto(pathToFileURL(resolve(source)).href, { timeout: 120_000 });
  await page.evaluate(() => document.fonts.ready);
  await page.pdf({
    path: resolve(target),
    format: "A4",
    margin: { top: "16mm", bottom: "18mm", left: "16mm", right: "16mm" },
    outline: true,
    tagged: true,
    displayHeaderFooter: true,
    headerTemplate: "<span></span>",
    footerTemplate: `<div style="${small} text-align: right"><span class="pageNumber"></span></div>`,
    timeout: 0,
  });
} finally {
  await browser.close();
}
