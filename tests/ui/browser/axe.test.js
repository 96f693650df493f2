/**
 * axe-core finds nothing serious: every pane, light and dark, on a phone and on a desk.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calm, findings, open, report, tell } from "./browser.js";

const file = report("clients/an-unclean-election-loses-exactly-these.yaml");
const panes = ["why", "machines", "zookeeper", "queues", "record", "clients", "verdict", "logs", "words"];

for (const dark of [false, true]) {
    for (const width of [360, 1440]) {
        test(`nothing serious at ${width} px, ${dark ? "dark" : "light"}`, async () => {
            const page = await open(file, "#t=20s", { width, height: 900, dark });
            for (const pane of panes) {
                await tell(page, `app.show("${pane}")`);
                assert.deepEqual(await findings(page), [], pane);
            }
            await tell(page, "app.setTable(true)");
            assert.deepEqual(await findings(page), [], "table");
            await tell(page, "document.getElementById('help').showModal()");
            assert.deepEqual(await findings(page), [], "help");
            await calm(page);
        });
    }
}
