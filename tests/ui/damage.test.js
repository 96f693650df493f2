/**
 * Files that are cut, damaged, foreign or of another version: a plain sentence, or all that is whole and a sentence
 * about the rest; never a record that is not the one that was written.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { load } from "../../ui/web/load.js";
import { TraceProblem, json } from "../../ui/web/trace.js";
import { dataBlock, kcsim, readReport, temporary } from "./read.js";

const folder = temporary();
after(folder.remove);

/** @type {string} */
let block = "";
/** @type {string[]} */
let lines = [];

before(() => {
    const [ndjson, html] = [join(folder.path, "t.ndjson"), join(folder.path, "t.html")];
    const story = join(folder.path, "story");
    // More than two blocks of records, so that there is something before and behind a damaged one.
    const scenario = "scenarios/clients/a-producer-dies-in-its-transaction.yaml";
    kcsim("run", scenario, "--until", "9s", "--trace", ndjson, "--report", html, "--output", story);
    block = dataBlock(readFileSync(html, "utf8"));
    lines = readFileSync(ndjson, "utf8").trimEnd().split("\n");
});

/**
 * Opens what became of the file.
 *
 * @param {string} text
 * @returns {Promise<number>} how many records are there; all of them are right
 */
async function open(text) {
    let trace;
    try {
        trace = await load(text);
    } catch (problem) {
        assert.ok(problem instanceof TraceProblem, `${problem}`);
        assert.match(problem.what, /^[A-Z][^\n]*\.$/);
        return 0;
    }
    if (trace.count < lines.length)
        assert.match(trace.problem, /The file is damaged or ends early: \d+ of \d+ records/);
    for (let i = 0; i < 20; i++) {
        const /** @type {number} */ n = 1 + Math.floor((i / 19) * (trace.count - 1));
        assert.equal(json(trace.record(n)), lines[n - 1]);
    }
    return trace.count;
}

/** @param {Uint8Array} bytes @returns {string} */
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

test("the whole file opens without a word", async () => {
    const trace = await load(block);
    assert.equal(trace.problem, "");
    assert.ok(trace.count > 2 * 4096, `${trace.count} records are too few for this test`);
});

test("a file that is cut anywhere gives the blocks that are whole", async () => {
    /** @type {Set<number>} */
    const counts = new Set();
    const step = Math.ceil(block.length / 400);
    for (let size = 0; size < block.length; size += step) counts.add(await open(block.slice(0, size)));
    assert.ok(counts.has(0) && counts.has(4096) && counts.has(8192), [...counts].join(" "));
    for (const count of counts) assert.ok(count % 4096 === 0 || count === lines.length, `${count}`);
});

test("the last bytes are missed, too", async () => {
    for (let missing = 4; missing <= 40; missing += 4)
        assert.ok((await open(block.slice(0, -missing))) <= lines.length);
    const trace = await load(block.slice(0, -8));
    assert.notEqual(trace.problem, "");
});

test("a byte that is changed anywhere is noticed", async () => {
    const good = Buffer.from(block, "base64");
    const step = Math.ceil(good.length / (process.env.KC_DEEP === undefined ? 600 : 20_000));
    let refused = 0;
    for (let at = 0; at < good.length; at += step) {
        const bad = Uint8Array.from(good);
        bad[at] ^= 1 << at % 8;
        if ((await open(base64(bad))) < lines.length) refused++;
    }
    // What may be changed and nothing is lost: the size behind the last block.
    assert.ok(refused >= Math.floor(good.length / step) - 4, `${refused} of ${good.length / step}`);
});

test("every byte of a small file, changed, is noticed", async () => {
    const [ndjson, html] = [join(folder.path, "small.ndjson"), join(folder.path, "small.html")];
    const small = [
        `{"n":1,"t":0,"at":"w","k":"meta","by":0,"schema":"kcsim.trace/1","seed":1}`,
        `{"n":2,"t":5,"at":"c1","k":"learn","by":1,"set":[["role.1","active"]]}`,
    ];
    writeFileSync(ndjson, `${small.join("\n")}\n`);
    kcsim("report", ndjson, "--output", html);
    const good = Buffer.from(dataBlock(readFileSync(html, "utf8")), "base64");
    let unused = 0;
    for (let at = 0; at < good.length; at++) {
        const bad = Uint8Array.from(good);
        bad[at] ^= 1 << at % 8;
        const outcome = await load(base64(bad)).catch((problem) => problem);
        if (outcome instanceof TraceProblem) continue;
        // The end mark is wrong, which is said; or a bit that deflate does not use, so that nothing is.
        assert.deepEqual([json(outcome.record(1)), json(outcome.record(2))], small, `byte ${at}`);
        if (!/damaged or ends early: 2 of 2/.test(outcome.problem)) unused++;
    }
    assert.ok(unused <= 4, `${unused} of ${good.length}`);
});

test("nonsense is answered with a sentence", async () => {
    for (const text of [
        "",
        "   ",
        "!",
        "AAAA",
        "%%%%",
        block.slice(1),
        `x${block}`,
        "kcsim.report/1",
        base64(Buffer.alloc(3000, 10)),
    ])
        assert.equal(await open(text), 0);
});

test("a form of another version is named", async () => {
    const other = Buffer.concat([Buffer.from("kcsim.report/2\n"), Buffer.from(block, "base64").subarray(15)]);
    await assert.rejects(load(base64(other)), /kcsim\.report\/1.*kcsim\.report\/2/);
});

test("a run that was cut off says so", async () => {
    const [cut, html] = [join(folder.path, "cut.ndjson"), join(folder.path, "cut.html")];
    writeFileSync(cut, lines.slice(0, 700).join("\n") + '\n{"n":701,"t":');
    kcsim("report", cut, "--output", html);
    const trace = await readReport(html);
    assert.equal(trace.count, 700);
    assert.equal(trace.problem, "The run was cut off: its last record is 700.");
    assert.match(
        readFileSync(html, "utf8"),
        /<noscript>[^]*The run was cut off: its last record is 700\.[^]*<\/noscript>/,
    );
});
