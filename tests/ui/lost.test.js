/**
 * The records that the pane "Clients" calls lost are those of which the run itself tells: kcsim looked into all logs at its
 * end, the page has the trace alone.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Lost, lossWords } from "../../ui/web/lost.js";
import { kcsim, root, withRun } from "./read.js";

const folder = "scenarios/clients";
let lossy = 0;

/** @param {string} name */
async function compare(name) {
    const [{ acknowledged }] = JSON.parse(kcsim("run", `${folder}/${name}`, "--format", "json")).runs;
    if (acknowledged === undefined || acknowledged.deleted + acknowledged.undecided > 0) return;
    await withRun(`${folder}/${name}`, ({ trace }) => {
        const lost = new Lost();
        lost.grow(trace, 1);
        const all = lost.at(trace.count);
        assert.equal(
            all.reduce((sum, loss) => sum + loss.last - loss.first + 1, 0),
            acknowledged.lost,
            all.map(lossWords).join(", "),
        );
        if (acknowledged.lost > 0) lossy++;
    });
}

for (const name of readdirSync(`${root}/${folder}`)
    .filter((one) => one.endsWith(".yaml"))
    .sort())
    test(name, () => compare(name));

test("runs that lose something are among them", () => assert.ok(lossy >= 2, String(lossy)));

test("an unclean election, by name; and bit by bit", () =>
    withRun(`${folder}/an-unclean-election-loses-exactly-these.yaml`, ({ trace }) => {
        const lost = new Lost();
        lost.grow(trace, 1);
        assert.deepEqual(lost.at(trace.count).map(lossWords), ["p1#50..199"]);
        const [{ start }] = lost.losses;
        assert.deepEqual(lost.at(start - 1), []);
    }));
