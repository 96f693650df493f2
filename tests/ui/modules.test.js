/**
 * The modules under the page, on traces made by hand: what the samples of scenarios might not contain.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Facts } from "../../ui/web/facts.js";
import { Model } from "../../ui/web/model.js";
import { laneInWords, narrate } from "../../ui/web/narrate.js";
import { znodesInWords } from "../../ui/web/znode_words.js";
import { Trace, json } from "../../ui/web/trace.js";
import { chain, splitPartition, target } from "../../ui/web/why.js";
import { kcsim, readReport, temporary } from "./read.js";

const folder = temporary();
after(folder.remove);
let files = 0;

/**
 * @param {string[]} records behind meta, without n
 * @returns {Promise<{trace: Trace, lines: string[]}>}
 */
async function made(...records) {
    const meta = `{"n":1,"t":0,"at":"w","k":"meta","by":0,"schema":"kcsim.trace/1","seed":1}`;
    const lines = [meta, ...records.map((record, i) => record.replace("{", `{"n":${i + 2},`))];
    const name = join(folder.path, `${files++}`);
    writeFileSync(`${name}.ndjson`, `${lines.join("\n")}\n`);
    kcsim("report", `${name}.ndjson`, "--output", `${name}.html`);
    return { trace: await readReport(`${name}.html`), lines };
}

test("every kind of value comes back as it was", async () => {
    const { trace, lines } = await made(
        `{"t":5,"at":"zk","k":"zap","by":0,"zxid":-9223372036854775808,"len":0,"path":"é\\n\\t\\u0001\\u007f\\\\b\\"</script>","set":[["zn:/a",{"data":{"hex":"00ff"},"version":9007199254740993}],["zn:/b",null],["zn:/c",[]],["zn:/d",""]]}`.replace(
            `"len":0,`,
            "",
        ),
        `{"t":9007199254740991,"at":"c2147483647","k":"learn","by":2,"mute":1,"refs":[1,2],"set":[["zn:/a",-1],["x.é",{"data":"a\\u0000b","isr":[1,2,-3,281474976710656,-281474976710657]}]]}`,
    );
    lines.forEach((line, i) => assert.equal(json(trace.record(i + 1)), line));
    assert.equal(trace.field(2, "zxid"), -9223372036854775808n);
    assert.equal(trace.field(2, "zxid2"), undefined);
    assert.equal(trace.t(3), 9007199254740991);
    assert.equal(trace.mute(3), 1);
});

test("a fact is what it was last set to, and gone when that is null", async () => {
    const { trace } = await made(
        `{"t":1,"at":"w","k":"learn","by":0,"set":[["role.1","active"],["b",1]]}`,
        `{"t":2,"at":"w","k":"learn","by":0,"set":[["b",2],["b",3]]}`,
        `{"t":3,"at":"w","k":"mark","by":0}`,
        `{"t":4,"at":"w","k":"learn","by":0,"set":[["role.1",null]]}`,
    );
    const facts = new Facts(trace);
    assert.deepEqual(
        [1, 2, 3, 4, 5].map((n) => facts.value("b", n)),
        [undefined, 1, 3, 3, 3],
    );
    assert.deepEqual(
        [1, 2, 4, 5].map((n) => facts.value("role.1", n)),
        [undefined, "active", "active", undefined],
    );
    assert.deepEqual(
        [1, 2, 4, 5].map((n) => facts.setter("role.1", n)),
        [0, 2, 2, 5],
    );
    assert.equal(facts.value("nothing", 5), undefined);
    assert.deepEqual(facts.changes(5), [{ key: "role.1", value: undefined, old: "active" }]);
    assert.deepEqual(facts.changes(4), []);
    assert.deepEqual(facts.changes(3), [{ key: "b", value: 3, old: 1 }]); // a record is one step
    assert.deepEqual([facts.history("b").count, facts.history("b").value(1)], [2, 3]);
    assert.deepEqual(facts.keys(""), ["b", "role.1"]);
    assert.deepEqual(facts.keys("ro"), ["role.1"]);
    assert.deepEqual(facts.keys("rp"), []);
    const history = facts.history("role.1");
    assert.deepEqual([history.count, history.n(1), history.value(1)], [2, 5, null]);
});

test("moments are found by time, records by kind", async () => {
    const { trace } = await made(
        `{"t":10,"at":"w","k":"mark","by":0}`,
        `{"t":10,"at":"b7","k":"drop","by":0}`,
        `{"t":20,"at":"p1","k":"mark","by":0}`,
    );
    assert.deepEqual(
        [0, 9, 10, 19, 20, 99].map((us) => trace.atTime(us)),
        [1, 1, 3, 3, 4, 4],
    );
    assert.equal(trace.atTime(-1), 0);
    assert.deepEqual([...trace.ofKind("mark")], [2, 4]);
    assert.deepEqual([...trace.ofKind("nonsense")], []);
    assert.deepEqual(
        trace.lanes.map((lane) => lane.id),
        ["zk", "b7", "p1", "w"],
    );
});

test("a chain follows silence before causes, and ends at the fault", async () => {
    const { trace } = await made(
        `{"t":1,"at":"w","k":"fault","by":1,"verb":"kill"}`,
        `{"t":2,"at":"c1","k":"timer","by":1,"what":"arm"}`,
        `{"t":3,"at":"zk","k":"session","by":3,"mute":2,"what":"expired"}`,
        `{"t":3,"at":"zk","k":"zreq","by":4}`,
        `{"t":3,"at":"zk","k":"watch","by":5}`,
    );
    assert.deepEqual(chain(trace, 6), [
        { n: 6, how: "asked", fold: false },
        { n: 5, how: "by", fold: true },
        { n: 4, how: "by", fold: false },
        { n: 2, how: "mute", fold: false },
    ]);
    assert.deepEqual(chain(trace, 5)[0], { n: 5, how: "asked", fold: false });
});

test("what is asked about is told apart", async () => {
    const { trace } = await made(
        `{"t":1,"at":"zk","k":"znode","by":0,"set":[["zn:/brokers/topics/a-b/partitions/3/state",{"data":"{\\"leader\\":2,\\"isr\\":[2,1],\\"leader_epoch\\":0}"}],["zn:/controller",{"data":"nonsense"}]]}`,
        `{"t":2,"at":"zk","k":"znode","by":0,"set":[["zn:/brokers/topics/a-b/partitions/3/state",{"data":"{\\"leader\\":2,\\"isr\\":[2],\\"leader_epoch\\":0}"}]]}`,
    );
    const facts = new Facts(trace);
    const key = "zn:/brokers/topics/a-b/partitions/3/state";
    assert.deepEqual(splitPartition("a-b-3"), { topic: "a-b", partition: 3 });
    assert.equal(splitPartition("a-b"), null);
    assert.deepEqual(target(trace, facts, "leader of a-b-3", 3), { key, value: "2", setter: 2 });
    assert.deepEqual(target(trace, facts, "isr of a-b-3", 3), { key, value: "2", setter: 3 });
    assert.equal(target(trace, facts, "controller", 3)?.value, "unreadable");
    assert.equal(target(trace, facts, "isr of a-b-4", 3), null);
    assert.equal(target(trace, facts, "isr of nothing", 3), null);
    assert.equal(target(trace, facts, "leader of a-b-3", 1), null);
});

test("znodes are told as what is in them", () => {
    const rows = [
        { path: "/a/*/b", list: "", say: "x {x}, y {y}" },
        { path: "/m", list: "m", say: "{key} on {value}" },
        { path: "/l", list: "l", say: "{x}-{y}" },
        { path: "/n", list: "", say: "{}" },
    ];
    const set = (/** @type {[string, any][]} */ ...sets) => znodesInWords(sets, rows);
    const znode = (/** @type {any} */ data, version = 3) => ({ data: JSON.stringify(data), version });
    assert.equal(set(["zn:/a/q/b", znode({ x: -1, y: [] })]), "writes /a/q/b: x none, y none (version 3)");
    assert.equal(set(["zn:/a/q/b", znode({ x: 1.5, y: 1 }, 0)]), "creates /a/q/b (version 0)");
    assert.equal(set(["zn:/a//b", znode({ x: 1, y: 1 })]), "writes /a//b (version 3)");
    assert.equal(set(["zn:/m", znode({ m: { 10: [1], 9: [2, 1] } })]), "writes /m: 9 on 2,1, 10 on 1 (version 3)");
    assert.equal(
        set(["zn:/l", znode({ l: [1, 2, 3, 4, 5, 6].map((x) => ({ x, y: x })) })]),
        "writes /l: 1-1, 2-2, 3-3, 4-4, and 2 more (version 3)",
    );
    assert.equal(
        set(["zn:/n", { data: "7", version: 1, czxid: 5, mzxid: 5 }], ["zn:/n", null], ["x", 1]),
        "deletes /n",
    );
    assert.equal(set(["zn:/n", { data: "{", version: 1 }]), "writes /n (version 1)");
    assert.equal(set(["zn:/n", znode("z".repeat(301))]), "writes /n (version 3)");
    assert.equal(
        set(...[1, 2, 3, 4, 5].map((i) => /** @type {[string, any]} */ ([`zn:/${i}`, null]))).slice(-13),
        "4; and 1 more",
    );
    assert.equal(set(["watch.1./n.data", 1]), "");
});

test("sentences leave out what is absent", () => {
    const table = [
        {
            k: "x",
            if: /** @type {[string, string][]} */ ([
                ["ok", "0"],
                ["why", "*"],
            ]),
            say: "{at} fails: {why}[, on {to}]",
        },
        { k: "x", if: /** @type {[string, string][]} */ ([["why", "-"]]), say: "[{list} ]{at} and {what}" },
        { k: "x", if: [], say: "all {list}" },
    ];
    const record = (/** @type {object} */ more) => ({ n: 1, t: 0, at: "c2", k: "x", by: 0, ...more });
    assert.equal(narrate(record({ ok: 0, why: "no", to: "b1" }), table), "Controller 2 fails: no, on broker 1");
    assert.equal(narrate(record({ ok: 0, why: "no" }), table), "Controller 2 fails: no");
    assert.equal(narrate(record({ ok: 1, list: [] }), table), "Controller 2 and -");
    assert.equal(narrate(record({ why: 1, list: [1, [2, null]] }), table), "All 1,2,nothing");
    assert.equal(narrate({ ...record({}), k: "new" }, table), "new at c2");
    const errors = { errors: { 11: "STALE_CONTROLLER_EPOCH" } };
    const refused = [{ k: "x", if: [], say: "error {error}" }];
    assert.equal(narrate(record({ error: 11 }), refused, errors), "Error STALE_CONTROLLER_EPOCH (11)");
    assert.equal(narrate(record({ error: 12 }), refused, errors), "Error 12");
    const unless = [{ k: "x", if: [], say: "{to}[ (that is {frm!to})] {znodes}" }];
    assert.equal(narrate(record({ to: "b1", frm: "b1", op: "create" }), unless), "Broker 1 applies create");
    assert.equal(
        narrate(record({ to: "b1", frm: "b2", op: "create" }), unless),
        "Broker 1 (that is broker 2) applies create",
    );
    assert.deepEqual(["zk", "b0", "u12", "b01", "zz"].map(laneInWords), [
        "ZooKeeper",
        "broker 0",
        "consumer 12",
        "b01",
        "zz",
    ]);
});

test("the model has nodes, bands and expectations", async () => {
    const znode = (/** @type {number | null} */ id) => (id === null ? "null" : `{"data":"{\\"brokerid\\":${id}}"}`);
    const { trace } = await made(
        `{"t":1,"at":"c1","k":"zreq","by":0}`,
        `{"t":2,"at":"zk","k":"zap","by":2,"zxid":1,"set":[["zn:/controller",${znode(1)}],["role.1","active"],["node.2",{"state":"up","incarnation":1}]]}`,
        `{"t":3,"at":"w","k":"fault","by":0,"set":[["node.2",{"state":"down","incarnation":1}]]}`,
        `{"t":4,"at":"zk","k":"zap","by":0,"ok":0,"code":"NONODE","op":"getData"}`,
        `{"t":5,"at":"zk","k":"zap","by":0,"ok":0,"code":"BADVERSION","op":"multi"}`,
        `{"t":6,"at":"zk","k":"znode","by":0,"set":[["zn:/controller",${znode(null)}]]}`,
        `{"t":7,"at":"b2","k":"check","by":0,"ok":0,"name":"S1"}`,
    );
    const model = new Model(trace, new Facts(trace));
    assert.deepEqual(model.nodes, [
        { id: 1, controller: "c1", broker: null },
        { id: 2, controller: null, broker: "b2" },
    ]);
    assert.deepEqual(model.bands.controllers, [
        { id: -1, from: 1, to: 3 },
        { id: 1, from: 3, to: 7 },
        { id: -1, from: 7, to: Infinity },
    ]);
    assert.deepEqual(model.bands.down[2], [{ state: "down", from: 4, to: Infinity }]);
    assert.deepEqual(
        [2, 3, 7].map((n) => model.controller(n)),
        [-1, 1, -1],
    );
    assert.deepEqual(
        [2, 3].map((n) => model.active(n)),
        [[], [1]],
    );
    assert.deepEqual(
        [3, 4].map((n) => model.node(2, n)),
        ["up", "down"],
    );
    assert.deepEqual(
        [5, 6].map((n) => [model.refused(n), model.benign(n), model.level(n)]),
        [
            [true, true, 2],
            [true, false, 0],
        ],
    );
    assert.deepEqual(
        [3, 4, 5, 7].map((n) => model.isChange(n)),
        [true, true, false, true],
    );
    assert.ok(model.isFault(4) && model.isViolation(8) && !model.refused(8));
    assert.equal(model.verdict, "unfinished");
});

test("a partition that its topic names is there before it has a state", async () => {
    const { trace } = await made(
        `{"t":1,"at":"zk","k":"znode","by":0,"set":[["zn:/brokers/topics/a-b",{"data":"{\\"partitions\\":{\\"10\\":[1,2],\\"9\\":[2]},\\"adding_replicas\\":{\\"9\\":[1]}}"}]]}`,
        `{"t":2,"at":"zk","k":"znode","by":0,"set":[["zn:/brokers/topics/a-b/partitions/9/state",{"data":"{\\"leader\\":2,\\"isr\\":[2],\\"leader_epoch\\":4}"}]]}`,
    );
    const model = new Model(trace, new Facts(trace));
    assert.deepEqual(model.partitions(1), []);
    assert.deepEqual(
        model.partitions(2).map(({ tp, leader, replicas, adding }) => ({ tp, leader, replicas, adding })),
        [
            { tp: "a-b-9", leader: -1, replicas: [2], adding: [1] },
            { tp: "a-b-10", leader: -1, replicas: [1, 2], adding: [] },
        ],
    );
    assert.deepEqual(model.partitions(3)[0].changed, { leader: -1, epoch: -1, isr: [] });
    assert.equal(model.partitions(3)[1].changed, null);
});
