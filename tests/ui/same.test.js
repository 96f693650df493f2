/**
 * The page's script makes of a trace what the C tools make of it: records, sentences, chains, facts, targets,
 * partitions. A sample of scenarios; with KC_DEEP every one.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Facts } from "../../ui/web/facts.js";
import { Model } from "../../ui/web/model.js";
import { sentence } from "../../ui/web/narrate.js";
import { json } from "../../ui/web/trace.js";
import { chain, target } from "../../ui/web/why.js";
import { chance, kcsim, oracle, root, withImport, withRun } from "./read.js";

/** @typedef {import("../../ui/web/trace.js").Trace} Trace */

const SAMPLE = [
    "scenarios/basics/g05-a-leader-dies.yaml",
    "scenarios/basics/g13-a-partition-is-reassigned.yaml",
    "scenarios/clients/an-unclean-election-loses-exactly-these.yaml",
    "scenarios/clients/a-producer-dies-in-its-transaction.yaml --until 5s",
    "scenarios/defects/KAFKA-6082-on.yaml",
    "scenarios/defects/KAFKA-6612-on.yaml", // partitions that never get a state
    "scenarios/defects/kcsim-told-too-early-on.yaml", // a record that sets a fact twice
    "scenarios/real/controller-fails-with-a-broker-down.yaml",
];

/** @returns {string[]} */
function scenarios() {
    if (process.env.KC_DEEP === undefined) return SAMPLE;
    return ["basics", "clients", "defects", "deletion", "incidents", "logs", "real", "zookeeper"].flatMap((folder) =>
        readdirSync(join(root, "scenarios", folder))
            .filter((file) => file.endsWith(".yaml"))
            .map((file) => join("scenarios", folder, file)),
    );
}

/** @param {Trace} trace @param {string[]} lines */
function compareRecords(trace, lines) {
    assert.equal(trace.count, lines.length);
    lines.forEach((line, i) => assert.equal(json(trace.record(i + 1)), line));
}

/** @param {Trace} trace @param {string} ndjson */
function compareSentences(trace, ndjson) {
    oracle("sentences", ndjson).forEach((said, i) => {
        if (typeof said === "string") assert.equal(sentence(trace, i + 1), said, `record ${i + 1}`);
    });
}

/** @param {string} text @returns {number[]} */
function numbersIn(text) {
    return [...text.matchAll(/^.{12}  #(\d+)/gm)].map((match) => Number(match[1]));
}

/** @param {Trace} trace @param {string} ndjson */
function compareChains(trace, ndjson) {
    const step = Math.max(1, Math.floor(trace.count / 40));
    for (const [n, shown, all] of oracle("chains", ndjson, `${step}`)) {
        const links = chain(trace, n);
        assert.deepEqual(
            links.map((link) => link.n),
            numbersIn(all),
            `all of the chain of ${n}`,
        );
        assert.deepEqual(
            links.filter((link) => !link.fold).map((link) => link.n),
            numbersIn(shown),
            `the chain of ${n}`,
        );
    }
}

/** @param {Trace} trace @param {Facts} facts @param {string} ndjson @param {number} n */
function compareFacts(trace, facts, ndjson, n) {
    const there = new Map(oracle("facts", ndjson, `${n}`).map(([key, value, setter]) => [key, { value, setter }]));
    for (const key of facts.keys("")) {
        const value = facts.value(key, n);
        const wanted = there.get(key);
        assert.equal(value === undefined, wanted === undefined, `${key} at ${n}`);
        if (wanted === undefined) continue;
        assert.deepEqual(JSON.parse(json(value)), wanted.value, `${key} at ${n}`);
        assert.equal(facts.setter(key, n), wanted.setter, `who set ${key} at ${n}`);
        there.delete(key);
    }
    assert.equal(there.size, 0, `facts at ${n} that the page does not know`);
    for (const [text, value, setter] of oracle("targets", ndjson, `${n}`)) {
        const meant = target(trace, facts, text, n);
        assert.deepEqual([meant?.value, meant?.setter], [value, setter], `${text} at ${n}`);
    }
}

/** @param {Model} model @param {string} ndjson @param {number} n */
function comparePartitions(model, ndjson, n) {
    const told = [
        ...kcsim("describe", ndjson, "--record", `${n}`).matchAll(
            /\tTopic: (\S+)\tPartition: (\d+)\tLeader: (\S+)\tReplicas: (\S*)\tIsr: (\S*)/g,
        ),
    ];
    const known = new Map(model.partitions(n).map((partition) => [partition.tp, partition]));
    for (const [, topic, number, leader, replicas, isr] of told) {
        const partition = known.get(`${topic}-${number}`);
        assert.ok(partition, `${topic}-${number} at ${n}`);
        assert.equal(
            partition.leader < 0 ? "none" : `${partition.leader}`,
            leader,
            `leader of ${partition.tp} at ${n}`,
        );
        assert.equal(partition.replicas.join(","), replicas, `replicas of ${partition.tp} at ${n}`);
        assert.equal(partition.isr.join(","), isr, `isr of ${partition.tp} at ${n}`);
    }
}

/** @param {{trace: Trace, ndjson: string, lines: string[]}} made */
function compareAll({ trace, ndjson, lines }) {
    compareRecords(trace, lines);
    compareSentences(trace, ndjson);
    compareChains(trace, ndjson);
    const facts = new Facts(trace);
    const model = new Model(trace, facts);
    const next = chance(trace.count);
    for (let i = 0; i < 4; i++) {
        const n = i === 0 ? trace.count : 1 + Math.floor(next() * trace.count);
        compareFacts(trace, facts, ndjson, n);
        comparePartitions(model, ndjson, n);
    }
}

for (const scenario of scenarios())
    test(scenario, () =>
        withRun(scenario, (made) => {
            assert.equal(made.trace.problem, "");
            compareAll(made);
        }),
    );

test("logs of a real cluster", () => {
    const corpus = "tests/import/corpus/2.8.2";
    const logs = ["broker-1", "broker-2", "broker-3"].flatMap((broker) =>
        readdirSync(join(root, corpus, broker)).map((file) => join(corpus, broker, file)),
    );
    return withImport([...logs, `${corpus}/log.1`], (made) => {
        const said = made.trace.ofKind("fault").length + made.trace.ofKind("session").length;
        assert.ok(said > 0);
        compareAll(made);
    });
});
