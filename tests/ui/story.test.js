/**
 * What an incident is told as: of Kafka's own logs, in short. The recorded stories are those of tests/import.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flagsOf, LEVEL } from "../../ui/web/levels.js";
import { rowWords } from "../../ui/web/words.js";
import { root, withImport, withRun } from "./read.js";

/** @typedef {import("../../ui/web/trace.js").Trace} Trace */

/** @param {Trace} trace @returns {{lines: string[], kinds: Set<string>, n: number[]}} */
function story(trace) {
    const flags = flagsOf(trace);
    const n = [];
    for (let i = 1; i <= trace.count; i++) if ((flags[i] & LEVEL) === 0) n.push(i);
    return { n, lines: n.map((i) => rowWords(trace, i).what), kinds: new Set(n.map((i) => trace.kind(i))) };
}

/** @param {string} version @param {boolean} withZooKeeper @returns {string[]} */
function corpus(version, withZooKeeper) {
    const folder = join(root, "tests/import/corpus", version);
    const logs = ["broker-1", "broker-2", "broker-3"].flatMap((broker) =>
        readdirSync(join(folder, broker)).map((file) => join(folder, broker, file)),
    );
    return withZooKeeper ? [...logs, join(folder, "log.1")] : logs;
}

/** @param {string[]} lines @param {RegExp[]} wanted in this order */
function tells(lines, wanted) {
    let at = -1;
    for (const one of wanted) {
        const next = lines.findIndex((line, i) => i > at && one.test(line));
        assert.ok(next > at, `${one} behind line ${at} of\n${lines.join("\n")}`);
        at = next;
    }
}

test("Kafka's logs are told as failures, elections, leaders and ISRs", async () => {
    for (const version of ["2.8.2", "2.8.2-trace", "0.8.2.2"])
        for (const withZooKeeper of version === "0.8.2.2" ? [true] : [true, false])
            await withImport(corpus(version, withZooKeeper), ({ trace }) => {
                const { lines, kinds } = story(trace);
                const housekeeping =
                    /config|\/brokers\/seqid|producer_id|isr_change|\/feature|refuses|partitions\/0$|^creates \/brokers$/;
                assert.ok(lines.length < 100, `${version}: ${lines.length} lines`);
                assert.deepEqual(
                    lines.filter((line) => housekeeping.test(line)),
                    [],
                    version,
                );
                for (const kind of ["send", "recv", "queue", "learn", "log"])
                    assert.ok(!kinds.has(kind), `${version}: ${kind}`);
                tells(lines, [
                    /^\/controller is 1/,
                    /^creates \/brokers\/topics\/orders: partition 0 on 1,2,3/,
                    /^state of orders-0: leader 1 e0 isr \[1,2,3\]/,
                    /^session of node 1 expires|^closes the session of node 1|^kill 1/,
                    /^\/controller is [23]/,
                    /^state of orders-0: leader 2 e\d isr \[2,3\]/,
                    /^start 1/,
                    /^sets \/brokers\/topics\/orders: partition 0 on 2,3,1?/,
                    /^shutdown [23]/,
                    /^deletes \/brokers\/topics\/gone/,
                ]);
            });
});

test("a run is told with its requests, without its housekeeping", async () => {
    await withRun("scenarios/basics/g05-a-leader-dies.yaml", ({ trace }) => {
        const { lines, kinds } = story(trace);
        for (const kind of ["fault", "session", "zap", "decide", "send", "recv", "move", "finish"])
            assert.ok(kinds.has(kind), kind);
        assert.deepEqual(
            lines.filter((line) => /\/feature|\/cluster|\/partitions$/.test(line)),
            [],
        );
    });
});
