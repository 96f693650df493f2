/**
 * A live run that grows, and is changed, at its server: what a page has made of it bit by bit is what it would make of the
 * whole. Two pages follow one run, each in steps of its own; after an act and an undo both keep what the runs have in
 * common.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { App } from "../../ui/web/app.js";
import { Facts } from "../../ui/web/facts.js";
import { Lines } from "../../ui/web/lines.js";
import { load, openGrowth, openTrace } from "../../ui/web/load.js";
import { Model } from "../../ui/web/model.js";
import { json } from "../../ui/web/trace.js";
import { dataBlock, root } from "./read.js";

/** @typedef {import("../../ui/web/trace.js").Trace} Trace */

Object.assign(globalThis, { requestAnimationFrame: () => 0 }); // nobody draws here

class Server {
    /** @param {string} scenario */
    static async start(scenario) {
        const program = process.env.KCSIM ?? "kcsim";
        const child = spawn(program, ["play", join(root, scenario)], { stdio: ["ignore", "pipe", "ignore"] });
        const [line] = await once(child.stdout, "data");
        return new Server(child, String(line).trim());
    }

    /**
     * @param {import("node:child_process").ChildProcess} child
     * @param {string} url
     */
    constructor(child, url) {
        this.child = child;
        this.url = url;
    }

    /** @param {Record<string, unknown>} what @returns {Promise<any>} the state */
    async do(what) {
        const answer = await fetch(`${this.url}do`, { method: "POST", body: JSON.stringify(what) });
        const state = /** @type {any} */ (await answer.json());
        assert.equal(state.error, undefined);
        return state;
    }

    /** @param {number} records */
    async stepUntil(records) {
        let state = await this.do({ do: "step" });
        while (state.records < records) state = await this.do({ do: "step" });
        return state;
    }

    /** @param {string} path */
    async get(path) {
        const answer = await fetch(this.url + path);
        return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) };
    }

    async end() {
        const ended = once(this.child, "exit");
        this.child.kill("SIGINT");
        assert.deepEqual(await ended, [0, null]);
    }
}

/** What a page has, and does with what is new (live.js without a document). */
class Watcher {
    /** @param {Server} server */
    static async open(server) {
        const html = new TextDecoder().decode((await server.get("")).bytes);
        const version = Number(/name="kcsim-live" content="\d+ (\d+)"/.exec(html)?.[1]);
        return new Watcher(server, await load(dataBlock(html)), version);
    }

    /**
     * @param {Server} server
     * @param {Trace} trace
     * @param {number} version
     */
    constructor(server, trace, version) {
        this.server = server;
        this.version = version;
        const facts = new Facts(trace);
        this.app = new App(trace, facts, new Model(trace, facts));
        this.lines = this.makeLines();
    }

    makeLines() {
        return [0, 1, 2].map((level) => {
            this.app.level = level;
            return new Lines(this.app.trace, this.app.rows());
        });
    }

    /** @returns {Promise<number>} how many records came */
    async follow() {
        const { app } = this;
        const { trace } = app;
        const { status, bytes } = await this.server.get(
            `growth?version=${this.version}&records=${trace.count}&strings=${trace.stringCount}`,
        );
        assert.equal(status, 200, new TextDecoder().decode(bytes));
        const growth = trace.grow(await openGrowth(bytes));
        if (growth.version === this.version) {
            app.grow();
            for (const lines of this.lines) lines.grow();
        } else {
            const facts = new Facts(trace);
            app.replace(trace, facts, new Model(trace, facts));
            this.lines = this.makeLines();
        }
        this.version = growth.version;
        return trace.count - growth.from;
    }
}

/** All that the panels and the diagram are made from, as plain data. @param {App} app @param {Lines[]} lines */
function everything(app, lines) {
    const { trace, facts, model, spans } = app;
    const keys = facts.keys("");
    return {
        lanes: trace.lanes,
        meta: json(trace.meta),
        kinds: trace.header.kinds.map((kind) => [...trace.ofKind(kind)]),
        keys,
        histories: keys.map((key) => {
            const history = facts.history(key);
            return Array.from({ length: history.count }, (_, i) => [history.n(i), json(history.value(i))]);
        }),
        flags: Array.from({ length: trace.count }, (_, i) => model.flags[i + 1]),
        nodes: model.nodes,
        places: model.places,
        bands: model.bands,
        spans: [spans.state, spans.active, spans.session, spans.leads, spans.work, spans.waiting, spans.leadCounts].map(
            plain,
        ),
        busiest: plain(spans.busiest),
        rows: [0, 1, 2].map((level) => {
            app.level = level;
            const { shown, gaps, silence } = app.rows();
            return { shown: [...shown], gaps: [...gaps], silence };
        }),
        lines: lines.map(({ long, blocks }) => ({ long, blocks: [...blocks] })),
    };
}

/** A map as a sorted list; empty lists in it are as good as none. @param {any} map @returns {any} */
function plain(map) {
    if (!(map instanceof Map)) return map;
    return [...map]
        .map(([key, value]) => [key, plain(value)])
        .filter(([, value]) => !Array.isArray(value) || value.length > 0)
        .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** What the page has is what one would have that opened the trace now. @param {Server} server @param {Watcher} watcher */
async function same(server, watcher) {
    const trace = await openTrace((await server.get("trace")).bytes);
    const { app } = watcher;
    assert.equal(app.trace.count, trace.count);
    for (let n = 1; n <= trace.count; n++) assert.equal(json(app.trace.record(n)), json(trace.record(n)));
    const facts = new Facts(trace);
    const whole = new App(trace, facts, new Model(trace, facts));
    const lines = [0, 1, 2].map((level) => {
        whole.level = level;
        return new Lines(trace, whole.rows());
    });
    assert.deepEqual(everything(app, watcher.lines), everything(whole, lines));
    for (const n of [1, Math.ceil(trace.count / 2), trace.count]) {
        assert.deepEqual(app.model.partitions(n), whole.model.partitions(n));
        for (const key of facts.keys("")) assert.deepEqual(app.facts.value(key, n), facts.value(key, n));
    }
}

/** @param {string} scenario @param {string[]} acts */
async function follow(scenario, acts) {
    const server = await Server.start(scenario);
    try {
        const often = await Watcher.open(server);
        void everything(often.app, often.lines); // what is made when first asked for goes on, too
        const state = await server.stepUntil(40);
        const seldom = await Watcher.open(server);
        let records = state.records;
        for (let i = 0; i < 30; i++) {
            records = (await server.stepUntil(records + 1 + ((i * 37) % 60))).records;
            assert.ok((await often.follow()) > 0);
        }
        await same(server, often);
        await seldom.follow();
        await same(server, seldom);
        for (const step of acts) {
            await server.do({ do: "act", step });
            await server.stepUntil(records + 100);
            const came = await often.follow();
            assert.ok(came < often.app.trace.count / 2, `${came} came again, of ${often.app.trace.count}`);
            await same(server, often);
        }
        await server.do({ do: "undo" });
        await often.follow();
        await same(server, often);
        for (let i = 0; i < 5; i++) {
            await server.do({ do: "step" });
            await often.follow();
        }
        for (const _ of acts.slice(1)) await server.do({ do: "undo" });
        for (const watcher of [often, seldom, await Watcher.open(server)]) {
            await watcher.follow();
            await same(server, watcher);
        }
    } finally {
        await server.end();
    }
}

test("a run with clients", () =>
    follow("scenarios/clients/an-unclean-election-loses-exactly-these.yaml", [
        "kill: leader of orders-0",
        "{create-topic: another, partitions: 3, replication-factor: 2}",
    ]));

test("a failover", () => follow("scenarios/basics/g14-failover-with-a-dead-leader.yaml", ["expire: controller"]));

test("what cannot be is told", async () => {
    const server = await Server.start("scenarios/basics/g05-a-leader-dies.yaml");
    try {
        const cases = [
            ["", "there is no such version of this run"],
            ["?version=1&records=0&strings=0", "there is no such version of this run"],
            ["?version=-1&records=0&strings=0", "there is no such version of this run"],
            ["?version=0&records=99999&strings=0", "there are not so many records"],
            ["?version=0&records=1x&strings=0", "a number of records is made of digits"],
            ["?version=0&records=1&strings=99999999999999999999", "there are not so many names"],
            ["?version=0&records=1&strings=99999", "there are not so many names"],
        ];
        for (const [query, error] of cases) {
            const { status, bytes } = await server.get(`growth${query}`);
            assert.equal(status, 400, query);
            assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), { error }, query);
        }
        const watcher = await Watcher.open(server);
        await server.stepUntil(60);
        const { bytes } = await server.get("growth?version=0&records=1&strings=1");
        for (let size = 0; size < bytes.length; size += 7)
            await assert.rejects(openGrowth(bytes.subarray(0, size)), { name: "TraceProblem" });
        const frames = await openGrowth(bytes);
        assert.throws(() => watcher.app.trace.grow(frames.slice(0, 1)), { name: "TraceProblem" });
    } finally {
        await server.end();
    }
});
