/**
 * The page of two runs, beside a browser: its alignment is that of `kcsim diff`, and its rows hold every record of both once, in
 * order, pairs side by side.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { loadAlignment } from "../../ui/web/alignment.js";
import { Facts } from "../../ui/web/facts.js";
import { load } from "../../ui/web/load.js";
import { Model } from "../../ui/web/model.js";
import { PairRows, lastAt, straight } from "../../ui/web/pair_rows.js";
import { dataBlock, kcsim, temporary } from "./read.js";

const folder = temporary();
after(folder.remove);

/** @typedef {import("../../ui/web/trace.js").Trace} Trace */
/** @typedef {{traces: [Trace, Trace], rows: PairRows, said: any, html: string}} Made */

/**
 * @param {string} scenario
 * @param {...string} change options of kcsim branch
 * @returns {Promise<Made>}
 */
async function branch(scenario, ...change) {
    const place = join(folder.path, basename(scenario, ".yaml"));
    const [run, other, html] = [`${place}.ndjson`, `${place}.other.ndjson`, `${place}.html`];
    kcsim("run", scenario, "--trace", run, "--output", join(folder.path, "story.txt"));
    kcsim("branch", run, ...change, "--trace", other, "--report", html);
    const said = JSON.parse(kcsim("diff", run, other, "--format", "json"));
    return { ...(await read(html)), said, html };
}

/** @param {string} html */
async function read(html) {
    const text = readFileSync(html, "utf8");
    const traces = /** @type {[Trace, Trace]} */ (
        await Promise.all(["trace", "other"].map((id) => load(dataBlock(text, id))))
    );
    const alignment = await loadAlignment(dataBlock(text, "alignment"), traces);
    const models = /** @type {[Model, Model]} */ (traces.map((trace) => new Model(trace, new Facts(trace))));
    return { traces, rows: new PairRows(alignment, traces, models) };
}

/** @type {Made[]} */
let samples = [];
before(async () => {
    samples = [
        await branch(
            "scenarios/incidents/restarted-before-the-session-expired.yaml",
            "--at",
            "12s",
            "--add",
            "kill: 3",
        ),
        await branch("scenarios/basics/g05-a-leader-dies.yaml", "--drop", "12"),
        await branch("scenarios/clients/acks-1-loses-what-followers-have-not.yaml", "--move", "dead=3500ms"),
    ];
});

test("the alignment is that of kcsim diff", () => {
    for (const { rows, said, traces } of samples) {
        const { header, other } = rows.alignment;
        assert.deepEqual(
            { same: header.counts.same, moved: header.counts.moved, changed: header.counts.changed },
            { same: said.same, moved: said.moved, changed: said.changed },
        );
        assert.deepEqual(header.counts.only, said.only);
        assert.deepEqual(
            header.begins,
            said.begins.map((/** @type {any} */ begin) => begin.n),
        );
        assert.equal(header.first?.say, said.begins[0].say);
        assert.equal(header.first?.t, said.begins[0].t);
        const counts = { same: 0, moved: 0, changed: 0, only: [0, 0] };
        for (let n = 1; n <= traces[0].count; n++) {
            const m = other[0][n];
            if (m === 0) counts.only[0]++;
            else if (rows.alignment.isChanged(0, n)) counts.changed++;
            else if (traces[0].t(n) === traces[1].t(m)) counts.same++;
            else counts.moved++;
            if (m > 0)
                assert.deepEqual(
                    [other[1][m], traces[0].kind(n), traces[0].at(n)],
                    [n, traces[1].kind(m), traces[1].at(m)],
                );
        }
        for (let m = 1; m <= traces[1].count; m++) if (other[1][m] === 0) counts.only[1]++;
        assert.deepEqual(counts, header.counts);
        assert.equal(rows.alignment.values.size, counts.changed);
    }
});

test("the rows hold every record once, in order, and pairs that do not cross share one", () => {
    for (const { rows, traces } of samples) {
        let shared = 0;
        const last = [0, 0];
        for (let row = 0; row < rows.count; row++) {
            const records = [rows.records[0][row], rows.records[1][row]];
            assert.ok(records[0] > 0 || records[1] > 0);
            records.forEach((n, side) => {
                if (n > 0) assert.equal(n, last[side] + 1);
                if (n > 0) last[side] = n;
                assert.equal(rows.upTo[side][row], last[side]);
                if (n > 0) assert.equal(rows.rowOf[side][n], row);
            });
            if (records[0] > 0 && records[1] > 0) {
                shared++;
                assert.equal(rows.alignment.other[0][records[0]], records[1]);
            }
        }
        assert.deepEqual(last, [traces[0].count, traces[1].count]);
        assert.equal(shared, straight(rows.alignment.other[0]).length);
    }
});

test("before the first difference the rows are the same in both", () => {
    for (const { rows, said } of samples) {
        assert.ok(rows.first > 0);
        assert.ok(rows.begins.has(rows.first));
        for (let row = 1; rows.time(0, row) < said.begins[0].t && rows.time(1, row) < said.begins[0].t; row++)
            assert.equal(rows.how(row), "same");
    }
});

test("what is jumped to is shown, differs, and is the first of its kind or begins a difference", () => {
    for (const { rows } of samples) {
        for (const level of [0, 1, 2]) {
            const { shown, jumps } = rows.at(level);
            assert.ok(jumps.length > 0);
            for (const row of jumps) {
                const place = lastAt(shown, row);
                assert.equal(shown[place], row);
                assert.ok(rows.differs(row));
                assert.ok(place === 0 || !rows.differs(shown[place - 1]) || rows.begins.has(row));
            }
        }
        assert.equal(rows.at(2).shown.length, rows.count);
    }
});

test("the longest chain that does not cross", () => {
    assert.deepEqual(straight(Uint32Array.of(0)), []);
    assert.deepEqual(straight(Uint32Array.of(0, 0, 0)), []);
    assert.deepEqual(straight(Uint32Array.of(0, 1, 2, 3)), [1, 2, 3]);
    assert.deepEqual(straight(Uint32Array.of(0, 3, 1, 0, 2, 4)), [2, 4, 5]);
    assert.equal(straight(Uint32Array.from({ length: 20001 }, (_, n) => (n === 0 ? 0 : 20001 - n))).length, 1);
});

test("files of kcsim diff have their names; equal traces have no difference", async () => {
    const [run, html] = [join(folder.path, "g05-a-leader-dies.ndjson"), join(folder.path, "equal.html")];
    kcsim("diff", run, run, "--report", html);
    const { rows, traces } = await read(html);
    assert.deepEqual(rows.alignment.header.names, [run, run]);
    assert.equal(rows.first, -1);
    assert.equal(rows.count, traces[0].count);
    assert.equal(rows.at(2).jumps.length, 0);
});

test("an alignment that does not fit is named", async () => {
    const { html, traces } = samples[0];
    const text = dataBlock(readFileSync(html, "utf8"), "alignment");
    await assert.rejects(loadAlignment(text, [traces[1], traces[0]]), /does not fit|cut off|damaged/);
    await assert.rejects(loadAlignment(text.slice(0, text.length / 2), traces), /cut off or damaged/);
});
