/**
 * The file: its policy names what is in it and nothing else, and no text of a trace becomes markup.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { kcsim, readReport, temporary } from "./read.js";

const folder = temporary();
after(folder.remove);
const html = join(folder.path, "t.html");
let page = "";
const NASTY = `</title></script><script>alert("1")</script><!-- & 'x' \u2028 </noscript>`;

before(() => {
    const records = [
        { n: 1, t: 0, at: "w", k: "meta", by: 0, schema: "kcsim.trace/1", title: NASTY, question: NASTY },
        { n: 2, t: 1, at: "w", k: "fault", by: 0, verb: NASTY, target: NASTY, label: NASTY },
        { n: 3, t: 2, at: "c1", k: "decide", by: 2, verdict: NASTY, partition: NASTY, rule: NASTY },
    ];
    const ndjson = join(folder.path, "t.ndjson");
    writeFileSync(ndjson, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    kcsim("report", ndjson, "--output", html);
    page = readFileSync(html, "utf8");
});

/** @param {string} text @returns {string} */
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** @param {RegExp} pattern @returns {string} */
function the(pattern) {
    const all = [...page.matchAll(pattern)];
    assert.equal(all.length, 1, `${pattern} ${all.length} times`);
    return all[0][1];
}

test("the policy names the hashes of the one script and the one style", () => {
    const policy = the(/<meta http-equiv="Content-Security-Policy" content="([^"]*)">/g);
    const parts = new Map(policy.split("; ").map((part) => [part.split(" ")[0], part.split(" ").slice(1).join(" ")]));
    assert.equal(parts.get("default-src"), "'none'");
    assert.equal(parts.get("script-src"), hash(the(/<script type="module">([^]*?)<\/script>/g)));
    assert.equal(parts.get("style-src"), hash(the(/<style>([^]*?)<\/style>/g)));
    assert.equal(parts.get("img-src"), "data:");
    assert.deepEqual([...parts.keys()].sort(), [
        "base-uri",
        "default-src",
        "form-action",
        "img-src",
        "script-src",
        "style-src",
    ]);
    assert.ok(
        page.indexOf("Content-Security-Policy") < page.indexOf("<script"),
        "the policy stands before what it rules",
    );
});

test("nothing in the file is fetched from elsewhere", () => {
    const markup = page.replace(/<script type="module">[^]*?<\/script>|<style>[^]*?<\/style>/g, "");
    assert.doesNotMatch(markup, /\s(?:src|href|action|poster|data)=|@import|url\(/);
    assert.doesNotMatch(markup, /\sstyle=|\son[a-z]+=/);
    assert.doesNotMatch(page, /<style>[^]*?(?:@import|url\((?!["']?data:))[^]*?<\/style>/);
});

test("text of a scenario stays text", async () => {
    assert.equal([...page.matchAll(/<script\b/g)].length, 2);
    assert.equal([...page.matchAll(/<\/script>/g)].length, 2);
    assert.equal([...page.matchAll(/<\/noscript>/g)].length, 1);
    assert.equal(the(/<title>([^<]*)<\/title>/g), `${escape(NASTY)} - kcsim`);
    assert.ok(page.includes(`<h1>${escape(NASTY)}</h1>`));
    assert.equal((await readReport(html)).meta.title, NASTY);
});

/** @param {string} text @returns {string} */
function escape(text) {
    const names = /** @type {{[character: string]: string}} */ ({
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#39;",
    });
    return text.replace(/[&<>"']/g, (character) => names[character]);
}

test("without script there are words", () => {
    const words = the(/<noscript>([^]*?)<\/noscript>/g);
    assert.match(words, /Faults and what the scenario asked for/);
    assert.match(words, /Elections/);
    assert.match(words, /The run was cut off: its last record is 3\./);
});

test("the file is small", () => {
    const run = join(folder.path, "run.html");
    kcsim(
        "run",
        "scenarios/real/controller-fails-with-a-broker-down.yaml",
        "--report",
        run,
        "--output",
        join(folder.path, "story"),
    );
    const records = 2627;
    assert.ok(statSync(run).size <= 400_000 + 40 * records, `${statSync(run).size} bytes`);
});

test("a report can go where the trace came from", () => {
    const text = kcsim("report", join(folder.path, "t.ndjson"));
    assert.equal(text, page);
});
