/**
 * A long run opens, and moves, with every pane shown. How fast is measured elsewhere (bench/ui): here it must work.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calm, open, press, report, tell } from "./browser.js";

test("a run of many records", async () => {
    const page = await open(report("clients/a-transform-writes-each-record-once.yaml"), "#t=30s");
    assert.ok((await page.evaluate("app.trace.count")) > 20000);
    for (const pane of ["why", "machines", "zookeeper", "queues", "record", "clients", "verdict", "logs", "words"]) {
        await tell(page, `app.show("${pane}")`);
        await press(page, "ArrowRight", "PageDown", "End", "PageUp", "Home", "f", "d");
        assert.ok(String(await page.locator("#pane").textContent()).length > 20, pane);
    }
    await calm(page);
});
