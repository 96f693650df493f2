/**
 * The records that the pane "Clients" calls lost are those of which the run itself tells: kcsim looked into all logs at its
 * end, the page has the trace alone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { Lost, lossWords } from "../../ui/web/lost.js";
import { kcsim, readReport, temporary, withRun } from "./read.js";

const folder = "scenarios/clients";
const temp = temporary();
after(temp.remove);
let lossy = 0;

/** @param {string} name */
async function compare(name) {
    const report = join(temp.path, `${name}.html`);
    const said = kcsim("run", `${folder}/${name}`, "--format", "json", "--report", report);
    const [{ acknowledged }] = JSON.parse(said).runs;
    if (acknowledged === undefined || acknowledged.deleted + acknowledged.undecided > 0) return;
    const trace = await readReport(report);
    const lost = new Lost();
    lost.grow(trace, 1);
    assert.equal(
        lost.at(trace.count).reduce((sum, loss) => sum + loss.last - loss.first + 1, 0),
        acknowledged.lost,
        lost.losses.map(lossWords).join(", "),
    );
    if (acknowledged.lost > 0) lossy++;
}

const names = [
    "a-consumer-takes-up-an-answer-of-a-namesake",
    "a-lost-machine-leads-the-same-epoch-again",
    "an-unclean-election-loses-exactly-these",
    "too-few-in-sync-replicas-and-back",
];
for (const name of names) test(name, () => compare(`${name}.yaml`));

test("runs that lose something are among them", () => assert.ok(lossy >= 2, String(lossy)));

test("an unclean election, by name; and bit by bit", () =>
    withRun(`${folder}/an-unclean-election-loses-exactly-these.yaml`, ({ trace }) => {
        const lost = new Lost();
        lost.grow(trace, 1);
        assert.deepEqual(lost.at(trace.count).map(lossWords), ["p1#50..199"]);
        const [{ start }] = lost.losses;
        assert.deepEqual(lost.at(start - 1), []);
    }));
