// One page of each type must be accessible, sound and findable and must not move while it loads. Its performance
// is only reported: it depends on what else the machine does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { skipped } from "./engines.mjs";
import { faults, measuring, row } from "./lighthouse.mjs";
import { TYPES } from "./site.mjs";

test("Lighthouse finds one page of each type good", { skip: skipped("chromium") }, async (context) => {
  await measuring(async (measure) => {
    for (const [type, page] of Object.entries(TYPES)) {
      await context.test(type, async (inner) => {
        const result = await measure(page);
        inner.diagnostic(row(result));
        assert.deepEqual(faults(result, 1), []);
      });
    }
  });
});
