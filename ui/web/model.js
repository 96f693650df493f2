/**
 * What the parts of the page ask of a trace beyond single facts: partitions and nodes at a moment, bands of
 * time for the strip, and for each record how much detail it belongs to and whether it is a fault, a change, a
 * refusal, a violation.
 *
 *     flags[n]   bits: level (0 story, 1 protocol, 2 everything) | refused | benign | fault | change | violation
 *
 * Flags are made in one pass when the model is made. Values at a moment are asked of facts.js each time; what
 * was parsed of a znode is kept by the record that set it.
 */
import { dataOf } from "./why.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./facts.js").Facts} Facts */
/**
 * @typedef {{id: number, controller: string | null, broker: string | null}} Node
 * @typedef {{tp: string, topic: string, partition: number, leader: number, epoch: number, isr: number[],
 *   replicas: number[], adding: number[], removing: number[], key: string, topicKey: string,
 *   changed: {[field: string]: any} | null}} Partition changed: what this record changed, with the old values
 * @typedef {{from: number, to: number}} Band from the record `from` to the one before `to`
 * @typedef {{controllers: (Band & {id: number})[], active: {[node: string]: Band[]},
 *   leaders: {[tp: string]: (Band & {leader: number, isr: number[]})[]},
 *   down: {[node: string]: (Band & {state: string})[]},
 *   sessions: {[node: string]: (Band & {state: string})[]}}} Bands
 * @typedef {{text: string, met: boolean | undefined, n: number, say: string, want: string}} Expectation
 *   met: undefined where it was not decided; n: the record that decided it, 0: none; say: what was instead of `want`
 */

const LEVEL = 3;
const REFUSED = 4;
const BENIGN = 8;
const FAULT = 16;
const CHANGE = 32;
const VIOLATION = 64;

const STORY = 0;
const PROTOCOL = 1;
const ALL = 2;

const STATE_KEY = /^zn:\/brokers\/topics\/([^/]+)\/partitions\/([0-9]+)\/state$/;

export class Model {
    /**
     * @param {Trace} trace
     * @param {Facts} facts
     */
    constructor(trace, facts) {
        this.trace = trace;
        this.facts = facts;
        this.flags = flagsOf(trace);
        this.markChanges();
        this.nodes = nodesOf(trace);
        this.brokers = this.nodes.filter((node) => node.broker !== null).map((node) => node.id);
        /** @type {{tp: string, topic: string, partition: number, key: string, topicKey: string}[]} */
        this.places = placesOf(facts);
        /** @type {Map<string, Map<number, any>>} */
        this.parsed = new Map();
        /** @type {Bands | null} */
        this.made = null;
    }

    markChanges() {
        const keys = [
            ...this.facts.keys("zn:/controller").filter((key) => key === "zn:/controller"),
            ...this.facts.keys("zn:/brokers/topics/").filter((key) => STATE_KEY.test(key)),
            ...this.facts.keys("zn:/brokers/ids/"),
            ...this.facts.keys("node."),
        ];
        for (const key of keys) {
            const history = this.facts.history(key);
            for (let i = 0; i < history.count; i++) this.flags[history.n(i)] |= CHANGE;
        }
    }

    // ---- records ----

    /** @param {number} n @returns {number} 0 story, 1 protocol, 2 everything */
    level(n) {
        return this.flags[n] & LEVEL;
    }

    /** @param {number} n @returns {boolean} */
    refused(n) {
        return (this.flags[n] & REFUSED) !== 0;
    }

    /** @param {number} n @returns {boolean} a refusal that is part of normal work */
    benign(n) {
        return (this.flags[n] & BENIGN) !== 0;
    }

    /** @param {number} n @returns {boolean} a fault, or something that the scenario asked for */
    isFault(n) {
        return (this.flags[n] & FAULT) !== 0;
    }

    /** @param {number} n @returns {boolean} controller, leaders, ISRs, registrations or a node changed */
    isChange(n) {
        return (this.flags[n] & CHANGE) !== 0;
    }

    /** @param {number} n @returns {boolean} a check that failed */
    isViolation(n) {
        return (this.flags[n] & VIOLATION) !== 0;
    }

    // ---- a moment ----

    /**
     * The JSON in a znode at record n, parsed once.
     * @param {string} key
     * @param {number} n
     * @returns {{[name: string]: any} | null} null: it is not there, or no JSON
     */
    data(key, n) {
        const setter = this.facts.setter(key, n);
        if (setter === 0) return null;
        let known = this.parsed.get(key);
        if (known === undefined) this.parsed.set(key, (known = new Map()));
        let data = known.get(setter);
        if (data === undefined) known.set(setter, (data = dataOf(this.facts.value(key, setter))));
        return data;
    }

    /**
     * @param {number} n
     * @returns {Partition[]} as in ZooKeeper, by topic and number
     */
    partitions(n) {
        /** @type {Partition[]} */
        const list = [];
        for (const place of this.places) {
            const partition = this.partition(place, n);
            if (partition !== null) list.push(partition);
        }
        return list;
    }

    /**
     * @param {{tp: string, topic: string, partition: number, key: string, topicKey: string}} place
     * @param {number} n
     * @returns {Partition | null}
     */
    partition(place, n) {
        const now = this.values(place, n);
        if (now === null) return null;
        const touched = this.facts.setter(place.key, n) === n || this.facts.setter(place.topicKey, n) === n;
        return { ...place, ...now, changed: touched ? differences(this.values(place, n - 1), now) : null };
    }

    /**
     * @param {{partition: number, key: string, topicKey: string}} place
     * @param {number} n
     */
    values(place, n) {
        const state = this.data(place.key, n);
        const topic = this.data(place.topicKey, n);
        const replicas = topic?.partitions?.[place.partition];
        if (state === null && replicas === undefined) return null;
        return {
            leader: numberOr(state?.leader, -1),
            epoch: numberOr(state?.leader_epoch, -1),
            isr: listOf(state?.isr),
            replicas: listOf(replicas),
            adding: listOf(topic?.adding_replicas?.[place.partition]),
            removing: listOf(topic?.removing_replicas?.[place.partition]),
        };
    }

    /** @param {number} id @param {number} n @returns {string} up | down | paused | blocked */
    node(id, n) {
        return stateOf(this.facts.value(`node.${id}`, n)) ?? "up";
    }

    /** @param {number} n @returns {number} the id in /controller, -1: nobody's */
    controller(n) {
        return numberOr(this.data("zn:/controller", n)?.brokerid, -1);
    }

    /** @param {number} n @returns {number[]} nodes that believe to be the controller */
    active(n) {
        return this.nodes.filter((node) => this.facts.value(`role.${node.id}`, n) === "active").map((node) => node.id);
    }

    // ---- the run ----

    /** @returns {string} verdict of the run, "unfinished" where it was cut off */
    get verdict() {
        const last = this.trace.count;
        return this.trace.kind(last) === "finish" ? String(this.trace.field(last, "verdict")) : "unfinished";
    }

    /** @returns {Expectation[]} in the order of the scenario */
    get expectations() {
        const { trace } = this;
        const texts = Array.isArray(trace.meta.expect) ? trace.meta.expect : [];
        const came = trace.kind(trace.count) === "finish" ? trace.field(trace.count, "expect") : undefined;
        return texts.map((/** @type {any} */ text, /** @type {number} */ i) => {
            const one = Array.isArray(came) ? came[i] : undefined;
            return {
                text: String(text),
                met: { met: true, failed: false }[String(one?.verdict)],
                n: numberOr(one?.refs?.[0], 0),
                say: one?.have === undefined ? "" : String(one.have),
                want: one?.want === undefined ? "" : String(one.want),
            };
        });
    }

    /** @returns {Bands} */
    get bands() {
        this.made ??= {
            controllers: this.controllerBands(),
            active: this.byNode("role.", (value) => (value === "active" ? {} : null)),
            leaders: this.leaderBands(),
            down: this.byNode("node.", (value) =>
                stateOf(value) === "up" ? null : { state: stateOf(value) ?? "down" },
            ),
            sessions: this.byNode("sess.", (value) =>
                stateOf(value) === undefined ? null : { state: stateOf(value) },
            ),
        };
        return this.made;
    }

    /**
     * The stretches of one key in which `of` gives the same; null: none.
     * @param {string} key
     * @param {(value: any, n: number) => any} of
     * @returns {any[]}
     */
    stretches(key, of) {
        const history = this.facts.history(key);
        const end = this.trace.count + 1;
        /** @type {any[]} */
        const bands = [];
        let open = "";
        for (let i = 0; i < history.count; i++) {
            const from = history.n(i);
            const what = of(history.value(i), from);
            const same = what === null ? "" : JSON.stringify(what);
            if (same === open && open !== "") continue;
            if (open !== "") bands[bands.length - 1].to = from;
            if (what !== null) bands.push({ ...what, from, to: end });
            open = same;
        }
        return bands.filter((band) => band.from < band.to);
    }

    /**
     * @param {string} prefix
     * @param {(value: any) => any} of
     * @returns {{[node: string]: any[]}}
     */
    byNode(prefix, of) {
        /** @type {{[node: string]: any[]}} */
        const bands = {};
        for (const node of this.nodes) bands[node.id] = this.stretches(`${prefix}${node.id}`, of);
        return bands;
    }

    /** @returns {(Band & {id: number})[]} all of the run; -1: nobody is controller */
    controllerBands() {
        const bands = this.stretches("zn:/controller", (value) => ({ id: numberOr(dataOf(value)?.brokerid, -1) }));
        const first = bands.length > 0 ? bands[0].from : this.trace.count + 1;
        return first > 1 ? [{ id: -1, from: 1, to: first }, ...bands] : bands;
    }

    leaderBands() {
        /** @type {Bands["leaders"]} */
        const bands = {};
        for (const { tp, key } of this.places)
            bands[tp] = this.stretches(key, (value, n) => {
                const state = value === null ? null : this.data(key, n);
                return state === null ? null : { leader: numberOr(state.leader, -1), isr: listOf(state.isr) };
            });
        return bands;
    }
}

// ---- making ----

/** @param {any} value @param {number} otherwise @returns {number} */
function numberOr(value, otherwise) {
    return typeof value === "number" ? value : otherwise;
}

/** @param {any} value @returns {number[]} */
function listOf(value) {
    return Array.isArray(value) ? value.filter((id) => typeof id === "number") : [];
}

/** @param {any} value of node.N or sess.N @returns {string | undefined} */
function stateOf(value) {
    return value !== null && typeof value === "object" && typeof value.state === "string" ? value.state : undefined;
}

/**
 * @param {{[field: string]: any} | null} before
 * @param {{[field: string]: any}} now
 * @returns {{[field: string]: any} | null} the old values of what differs; null: nothing does
 */
function differences(before, now) {
    /** @type {{[field: string]: any}} */
    const old = {};
    for (const [field, value] of Object.entries(now)) {
        const was = before?.[field];
        if (`${was}` !== `${value}`) old[field] = was;
    }
    return Object.keys(old).length > 0 ? old : null;
}

/** @param {Trace} trace @returns {Node[]} by id */
function nodesOf(trace) {
    /** @type {Map<number, Node>} */
    const nodes = new Map();
    for (const lane of trace.lanes) {
        if (lane.node === null) continue;
        const node = nodes.get(lane.node) ?? { id: lane.node, controller: null, broker: null };
        if (lane.role === "controller") node.controller = lane.id;
        else node.broker = lane.id;
        nodes.set(lane.node, node);
    }
    return [...nodes.values()].sort((a, b) => a.id - b.id);
}

/** @param {Facts} facts */
function placesOf(facts) {
    const places = [];
    for (const key of facts.keys("zn:/brokers/topics/")) {
        const match = STATE_KEY.exec(key);
        if (match === null) continue;
        const [, topic, number] = match;
        places.push({
            tp: `${topic}-${number}`,
            topic,
            partition: Number(number),
            key,
            topicKey: `zn:/brokers/topics/${topic}`,
        });
    }
    return places.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
}

/** @param {Trace} trace @returns {Uint8Array} */
function flagsOf(trace) {
    const flags = new Uint8Array(trace.count + 1);
    const see = new Sight(trace);
    for (let n = 1; n <= trace.count; n++) {
        see.look(n);
        flags[n] = see.flags(n);
    }
    return flags;
}

/** Requests whose loss is part of the story. */
const IMPORTANT = new Set([
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "ControlledShutdown",
    "AlterIsr",
    "Produce",
]);

/** One record, as far as its flags need it; strings are compared by their numbers. */
class Sight {
    /** @param {Trace} trace */
    constructor(trace) {
        this.trace = trace;
        this.kind = "";
        this.fields = new Float64Array(256).fill(NaN);
        /** @type {number[]} */
        this.seen = [];
        const of = (/** @type {string} */ field) => trace.fieldNumbers.get(field) ?? 255;
        this.ok = of("ok");
        this.re = of("re");
        this.zxid = of("zxid");
        this.error = of("error");
        this.direct = of("direct");
        this.benign = of("benign");
        this.code = of("code");
        this.what = of("what");
        this.op = of("op");
        this.api = of("api");
        this.machine = of("machine");
        this.seenBy = of("seen");
        this.m = of("m");
        this.name = of("name");
    }

    /** @param {number} n */
    look(n) {
        for (const field of this.seen) this.fields[field] = NaN;
        this.seen.length = 0;
        this.kind = this.trace.kind(n);
        this.trace.glance(n, this.fields, this.seen);
    }

    /** @param {number} field @returns {boolean} */
    has(field) {
        return !Number.isNaN(this.fields[field]);
    }

    /** @param {number} field @returns {string} of a string */
    text(field) {
        const id = this.fields[field];
        return Number.isFinite(id) ? this.trace.string(id) : "";
    }

    /** @param {number} n @returns {number} */
    flags(n) {
        const refused = this.fields[this.ok] === 0 && this.kind !== "check";
        const benign = refused && this.isBenign(n);
        let flags = refused ? REFUSED : 0;
        if (benign) flags |= BENIGN;
        if (this.kind === "fault") flags |= FAULT;
        if (this.kind === "check" && this.fields[this.ok] === 0) flags |= VIOLATION;
        if (refused && !benign && this.kind !== "zrep") return flags | STORY; // a zrep repeats its zap
        return flags | (this.kind === "drop" ? this.dropLevel(n) : this.level());
    }

    /**
     * A look for what is not there, a name that is taken already, the deletion of what is gone: nothing is wrong.
     *
     * @param {number} n
     * @returns {boolean}
     */
    isBenign(n) {
        if (this.fields[this.benign] === 1) return true;
        const code = this.text(this.code);
        const op = this.text(this.op);
        if (code === "NODEEXISTS") return op === "create";
        if (code !== "NONODE") return false;
        return op === "multi" ? this.refusedOp(n) === "delete" : op !== "setData";
    }

    /**
     * @param {number} n the zap or zrep of a multi
     * @returns {string} the operation in it that was refused
     */
    refusedOp(n) {
        const results = this.trace.field(n, "results");
        const asked = this.trace.field(n, "m");
        const ops = typeof asked === "number" && asked > 0 && asked < n ? this.trace.field(asked, "ops") : undefined;
        if (!Array.isArray(results) || !Array.isArray(ops)) return "";
        const place = results.findIndex((result) => result !== "OK" && result !== "RUNTIMEINCONSISTENCY");
        return String(ops[place]?.op ?? "");
    }

    /**
     * A lost message matters as much as what it asked for.
     *
     * @param {number} n
     * @returns {number}
     */
    dropLevel(n) {
        const sent = this.fields[this.m];
        const api = sent > 0 && sent < n ? this.trace.field(sent, "api") : undefined;
        if (api === undefined) return PROTOCOL;
        return IMPORTANT.has(String(api)) ? STORY : ALL;
    }

    /** @returns {number} */
    level() {
        switch (this.kind) {
            case "meta":
            case "given":
            case "fault":
            case "mark":
            case "finish":
            case "znode":
            case "decide":
            case "notify":
            case "truncate":
            case "txn":
                return STORY;
            case "check":
                return this.fields[this.ok] === 0 ? STORY : ALL;
            case "session":
                return this.text(this.seenBy) === "server" || this.text(this.what) === "expired" ? STORY : PROTOCOL;
            case "queue":
                return this.queueLevel();
            case "move":
                return this.has(this.direct) ? ALL : this.text(this.machine) === "partition" ? STORY : PROTOCOL;
            case "zap":
                return this.has(this.zxid) ? STORY : ALL;
            case "zreq":
            case "zrep":
                return this.isWrite() ? PROTOCOL : ALL;
            case "send":
            case "recv":
                return this.messageLevel();
            case "replica":
                return this.replicaLevel();
            case "ack":
                return this.fields[this.ok] === 0 ? STORY : PROTOCOL;
            case "client":
                return this.text(this.what) === "start" || this.text(this.what) === "fatal" ? STORY : PROTOCOL;
            case "timer":
                return this.text(this.what) === "fire" ? PROTOCOL : ALL;
            case "learn":
            case "log":
                return ALL;
            default:
                return PROTOCOL;
        }
    }

    /** The events that the controller works on; answers that come in are many and alike. */
    queueLevel() {
        const what = this.text(this.what);
        if (what === "start") return this.text(this.name).endsWith("ResponseReceived") ? PROTOCOL : STORY;
        return what === "done" ? ALL : PROTOCOL;
    }

    isWrite() {
        const op = this.text(this.op);
        return op !== "getData" && op !== "getChildren" && op !== "exists";
    }

    messageLevel() {
        const api = this.text(this.api);
        if (api === "Fetch" || api === "Heartbeat" || api === "Metadata" || api === "ApiVersions") return ALL;
        const failed = this.has(this.error) && this.fields[this.error] !== 0;
        if (failed) return STORY;
        if (this.has(this.re)) return api === "UpdateMetadata" ? ALL : PROTOCOL;
        return api === "UpdateMetadata" || api === "Produce" ? PROTOCOL : STORY;
    }

    replicaLevel() {
        switch (this.text(this.what)) {
            case "leader":
            case "follower":
            case "no-leader":
            case "isr":
            case "offline":
            case "deleted":
            case "dir-failed":
                return STORY;
            default:
                return PROTOCOL;
        }
    }
}
