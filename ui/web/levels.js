/**
 * How much detail a record belongs to, and whether it is a fault, a refusal, a violation.
 *
 *     flags[n]   bits: level (0 story, 1 protocol, 2 everything) | refused | benign | fault | change | violation
 *
 * One pass over all records, which are looked at without being decoded (trace.glance). The story is what one would
 * tell: faults, sessions, elections, what is written to ZooKeeper of controllers, brokers, topics and leaders, requests of
 * the controller and what brokers make of them. The protocol adds who asked and who answered, and other writes;
 * everything else is reads, answers that say nothing, and logs.
 *
 * A trace of logs (kcsim import) is told shorter, for an incident is long, and its reader wants to know what became of
 * leaders: processes, sessions that end, who controls, elections, leaders and ISRs as written. Requests, what brokers
 * make of them, and events of the controller are one level down.
 */

/** @typedef {import("./trace.js").Trace} Trace */

export const LEVEL = 3;
export const REFUSED = 4;
export const BENIGN = 8;
export const FAULT = 16;
export const CHANGE = 32;
export const VIOLATION = 64;

const STORY = 0;
const PROTOCOL = 1;
const ALL = 2;

/**
 * @param {Trace} trace
 * @param {Uint8Array} [flags] is filled, and returned
 * @param {number} [from] the first record that it has no flags of
 * @returns {Uint8Array}
 */
export function flagsOf(trace, flags = new Uint8Array(trace.count + 1), from = 1) {
    const see = new Sight(trace);
    for (let n = from; n <= trace.count; n++) {
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

const CLIENT = /^[pu][0-9]/;

/** Znodes that a person would name; others are housekeeping. */
const TOLD =
    /^\/(controller|brokers\/ids\/[0-9]+|brokers\/topics\/[^/]+(\/partitions\/[0-9]+\/state)?|admin\/(delete_topics\/[^/]+|reassign_partitions|preferred_replica_election))$/;
const NOTIFIED = /^\/(isr_change|log_dir_event)_notification\/./; // a controller hears of it: where that is told, so is this
const CONFIG = /^\/config\/[^/]+\/[^/]+$/;

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
        this.to = of("to");
        this.frm = of("frm");
        this.clientLanes = trace.header.lanes.map((lane) => CLIENT.test(lane));
        /** @type {Map<number, boolean>} */
        this.clients = new Map();
        this.name = of("name");
        this.path = of("path");
        this.inferred = of("inferred");
        this.node = of("node");
        /** @type {Map<number, boolean>} */
        this.paths = new Map();
        this.isOfLogs = trace.count > 0 && trace.field(1, "inferred") !== undefined;
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
        return flags | (this.kind === "drop" ? this.dropLevel(n) : this.level(n));
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

    /** @param {number} n @returns {number} */
    level(n) {
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
                return this.sessionLevel();
            case "queue":
                return this.queueLevel();
            case "move":
                return this.moveLevel();
            case "zap":
                return this.zapLevel();
            case "zreq":
            case "zrep":
                return this.isWrite() ? PROTOCOL : ALL;
            case "send":
            case "recv":
                return this.messageLevel(n);
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

    sessionLevel() {
        const isTold = this.text(this.seenBy) === "server" || this.text(this.what) === "expired";
        const isEnd = this.text(this.what) !== "created" && this.has(this.node);
        return isTold && (isEnd || !this.isOfLogs) ? STORY : PROTOCOL;
    }

    moveLevel() {
        if (this.has(this.direct)) return ALL;
        if (this.text(this.machine) !== "partition") return PROTOCOL;
        return this.isOfLogs && this.text(this.to) !== "OfflinePartition" ? PROTOCOL : STORY;
    }

    /** What changed something; of the log of an import also what must have. */
    zapLevel() {
        if (this.fields[this.ok] === 0 || !(this.has(this.zxid) || this.has(this.inferred))) return ALL;
        const path = this.fields[this.path];
        let told = this.paths.get(path);
        if (told === undefined) this.paths.set(path, (told = this.isTold(this.text(this.path))));
        if (told) return STORY;
        return this.text(this.op) === "setData" && CONFIG.test(this.text(this.path)) ? STORY : PROTOCOL;
    }

    /** @param {string} path @returns {boolean} */
    isTold(path) {
        return TOLD.test(path) || (!this.isOfLogs && NOTIFIED.test(path));
    }

    /** The events that the controller works on; answers that come in are many and alike. */
    queueLevel() {
        const what = this.text(this.what);
        if (this.isOfLogs) return what === "done" ? ALL : PROTOCOL;
        if (what === "start") return this.text(this.name).endsWith("ResponseReceived") ? PROTOCOL : STORY;
        return what === "done" ? ALL : PROTOCOL;
    }

    isWrite() {
        const op = this.text(this.op);
        return op !== "getData" && op !== "getChildren" && op !== "exists";
    }

    /** @param {number} n @returns {number} */
    messageLevel(n) {
        const api = this.text(this.api);
        if (api === "Fetch" || api === "Heartbeat" || api === "Metadata" || api === "ApiVersions") return ALL;
        if (this.isClients(n)) return PROTOCOL;
        const failed = this.has(this.error) && this.fields[this.error] !== 0;
        if (failed) return STORY;
        if (this.has(this.re)) return api === "UpdateMetadata" ? ALL : PROTOCOL;
        if (this.isOfLogs) return PROTOCOL;
        return api === "UpdateMetadata" || api === "Produce" ? PROTOCOL : STORY;
    }

    /** @param {number} n @returns {boolean} a message from or to a client */
    isClients(n) {
        const to = this.fields[this.to];
        return this.clientLanes[this.trace.laneOf[n]] || this.isClient(Number.isNaN(to) ? this.fields[this.frm] : to);
    }

    /** @param {number} name of a lane, by the number of its string @returns {boolean} */
    isClient(name) {
        if (!Number.isFinite(name)) return false;
        let known = this.clients.get(name);
        if (known === undefined) this.clients.set(name, (known = CLIENT.test(this.trace.string(name))));
        return known;
    }

    replicaLevel() {
        switch (this.text(this.what)) {
            case "leader":
            case "follower":
            case "no-leader":
                return this.isOfLogs ? PROTOCOL : STORY;
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
