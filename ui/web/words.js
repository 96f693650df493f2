/**
 * The words beside a row of the diagram, and other short forms. They are shorter than the sentence of narrate.js, which the
 * bar and the table have: a row has one line.
 *
 * What a message carries is said once, where it is sent; its arrival only says that it arrives, the rows behind it say
 * what it did. A write to ZooKeeper says what it changed, not the operation.
 */
import { span } from "./dom.js";
import { doubt, laneInWords, sentence } from "./narrate.js";
import { dataOf } from "./why.js";
import { dataInWords } from "./znode_words.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./trace.js").TraceRecord} TraceRecord */
/** @typedef {{who: string, what: string}} Words */

const mostParts = 3; // partitions that are named

/**
 * Who did it. What the logs of a cluster show nobody's scenario has asked for.
 *
 * @param {Trace} trace
 * @param {number} n
 * @returns {string}
 */
export function whoOf(trace, n) {
    const lane = trace.at(n);
    return lane === "w" && trace.field(1, "inferred") !== undefined ? "the logs" : laneInWords(lane);
}

/**
 * The sentence of a record in two parts: who, and what. Where the sentence does not begin with who, it is whole.
 *
 * @param {Trace} trace
 * @param {number} n
 * @returns {Words}
 */
export function split(trace, n) {
    const who = whoOf(trace, n);
    const whole = sentence(trace, n);
    if (whole.slice(0, who.length).toLowerCase() !== who.toLowerCase()) return { who, what: whole };
    return { who, what: whole.slice(who.length).replace(/^[:\s]+/, "") };
}

/**
 * The words of a row.
 *
 * @param {Trace} trace
 * @param {number} n
 * @returns {Words}
 */
export function rowWords(trace, n) {
    const shorter = short[trace.kind(n)];
    const record = trace.record(n);
    const what = shorter === undefined ? null : shorter(trace, record);
    return what === null ? split(trace, n) : { who: whoOf(trace, n), what: what + doubt(record) };
}

/** @type {Record<string, (trace: Trace, record: TraceRecord) => string | null>} null: the sentence will do */
const short = {
    send: sendWords,
    recv: (trace, record) => {
        if (record["ok"] === 0) return `refuses ${record["api"]}: ${record["code"] ?? errorName(trace, record)}`;
        return record["re"] === undefined
            ? `${record["api"]} arrives`
            : `${record["api"]} answer arrives${errorWords(trace, record)}`;
    },
    fault: (trace, record) => faultWords(trace, record.n),
    session: (_, record) => {
        if (record["seen"] !== "server" || record["what"] !== "expired") return null;
        return `session of node ${record["node"]} expires, its znodes go`;
    },
    drop: (trace, record) => {
        const sent = trace.record(record.by);
        return `${sent["api"] ?? "message"} of ${laneInWords(sent.at)} is lost: ${record["why"]}`;
    },
    zap: zapWords,
    zreq: (_, record) => `→ ZooKeeper  ${record["op"]} ${shortPath(record["path"])}`,
    zrep: (_, record) => `hears: ${record["op"]} ${record["ok"] === 0 ? record["code"] : "done"}`,
    watch: (_, record) => `watch on ${shortPath(record["path"])} fires for ${laneInWords(String(record["to"]))}`,
    notify: (_, record) => `hears: ${shortPath(record["path"])} ${eventWords(record["event"])}`,
    queue: (_, record) => {
        if (record["what"] !== "start") return null;
        const waited = Number(record["waited"] ?? 0);
        return `begins ${record["name"]}${waited > 0 ? ` after ${span(waited)} in the queue` : ""}`;
    },
    decide: (_, record) => {
        if (!(Number(record["chosen"]) >= 0)) return null;
        const unclean = record["unclean"] === 1 ? ", not in sync," : "";
        return `elects ${record["chosen"]}${unclean} for ${record["partition"]}, ISR ${listWords(record["isr"])}`;
    },
    move: (_, record) => {
        const what =
            record["machine"] === "replica"
                ? `replica ${record["replica"]} of ${record["partition"]}`
                : record["partition"];
        const to = stateWords(record["to"]);
        if (record["ok"] === 0) return `may not move ${what} from ${stateWords(record["from"])} to ${to}`;
        return record["direct"] === 1 ? `${what} starts as ${to}` : `${what}: ${stateWords(record["from"])} → ${to}`;
    },
};

/**
 * @param {Trace} trace
 * @param {TraceRecord} record
 */
function sendWords(trace, record) {
    const whom = record["to"] === undefined ? "" : `${laneInWords(String(record["to"]))}  `; // an operator has no lane
    const to = `→ ${whom}${record["api"]}`;
    if (record["re"] !== undefined) return `${to} answer${errorWords(trace, record)}`;
    const parts = partitionsOf(trace, record);
    return parts.length === 0 ? to : `${to}: ${someOf(parts)}`;
}

/**
 * The partitions that a request carries, in words.
 *
 * @param {Trace} trace
 * @param {TraceRecord} record of a send
 * @returns {string[]}
 */
function partitionsOf(trace, record) {
    if (typeof record["batch"] === "number") {
        const broker = Number(String(record["to"]).slice(1));
        const part = trace.record(record["batch"])[String(record["api"]).toLowerCase()];
        const body = /** @type {any[]} */ (Array.isArray(part?.body) ? part.body : []);
        return body.filter((one) => !Array.isArray(one.to) || one.to.includes(broker)).map(stateOf);
    }
    const body = /** @type {any[]} */ (Array.isArray(record["body"]) ? record["body"] : []);
    return body.map(
        (one) =>
            `${one.partition}${one.value === undefined ? "" : ` ${one.value}`}${one.offset === undefined ? "" : ` from ${one.offset}`}`,
    );
}

/** @param {any} one partition of a batch */
function stateOf(one) {
    if (one.leader === undefined) return String(one.partition);
    return `${one.partition} leader ${leaderWords(one.leader)} e${one.epoch} ${listWords(one.isr)}`;
}

/**
 * @param {Trace} trace
 * @param {TraceRecord} record
 */
function zapWords(trace, record) {
    const { frm, path, op, code } = record; // Kafka's logs do not always say whose, or where
    const what = path === undefined ? String(op) : `${op} ${shortPath(path)}`;
    const from = frm === undefined ? "" : laneInWords(String(frm));
    if (record["ok"] === 0) return `refuses ${from === "" ? "" : `${from}: `}${what}: ${code}`;
    const asked = from === "" ? what : `${what} for ${from}`;
    if (record["zxid"] === undefined && record["inferred"] === undefined) return asked;
    const changes = new Map(trace.sets(record.n).filter(([key]) => key.startsWith("zn:"))); // as each was left
    if (changes.size === 0) return asked;
    return someOf([...changes].map(([key, value]) => znodeWords(trace, key.slice(3), value)));
}

/**
 * What became of a znode.
 *
 * @param {Trace} trace
 * @param {string} path
 * @param {any} value
 */
function znodeWords(trace, path, value) {
    const name = shortPath(path);
    if (value === null) return `deletes ${name}`;
    const data = dataOf(value);
    if (path === "/controller" && data !== null) return `/controller is ${data["brokerid"]}`;
    if (path.endsWith("/state") && data !== null && Array.isArray(data["isr"]))
        return `${name}: leader ${leaderWords(data["leader"])} e${data["leader_epoch"]} isr ${listWords(data["isr"])}`;
    if (path === "/controller_epoch") return `/controller_epoch is ${value.data}`;
    const what = dataInWords(path, value.data, trace.tables.znodes);
    const isNew = value.czxid > 0 ? value.czxid === value.mzxid : value.version === 0;
    return `${isNew ? "creates" : "sets"} ${name}${what === "" ? "" : `: ${what}`}`;
}

/**
 * A path in short: the state znode of a partition is called by the partition.
 *
 * @param {unknown} path
 */
export function shortPath(path) {
    const match = /^\/brokers\/topics\/([^/]+)\/partitions\/(\d+)\/state$/.exec(String(path));
    return match === null ? String(path) : `state of ${match[1]}-${match[2]}`;
}

/** @param {unknown} event of a watch */
function eventWords(event) {
    const words = /** @type {Record<string, string>} */ ({
        NodeCreated: "was created",
        NodeDeleted: "was deleted",
        NodeDataChanged: "was set",
        NodeChildrenChanged: "has other children",
    });
    return words[String(event)] ?? String(event);
}

/** OnlinePartition is Online beside a partition. @param {unknown} state */
function stateWords(state) {
    return String(state).replace(/(Partition|Replica)$/, "");
}

/** @param {unknown} leader */
function leaderWords(leader) {
    return leader === -1 ? "none" : leader === -2 ? "being deleted" : String(leader);
}

/** @param {unknown} list */
function listWords(list) {
    return Array.isArray(list) ? `[${list.join(",")}]` : "[]";
}

/** @param {Trace} trace @param {TraceRecord} record @returns {string} */
function errorName(trace, record) {
    return trace.tables.errors[record["error"]] ?? `error ${record["error"]}`;
}

/** @param {Trace} trace @param {TraceRecord} record */
function errorWords(trace, record) {
    return record["error"] === undefined || record["error"] === 0 ? "" : `, ${errorName(trace, record)}`;
}

/** @param {string[]} parts */
function someOf(parts) {
    const named = parts.slice(0, mostParts).join("; ");
    return parts.length > mostParts ? `${named}; ${parts.length - mostParts} more` : named;
}

/**
 * A fault in few words: "kill 1".
 *
 * @param {Trace} trace
 * @param {number} n
 */
export function faultWords(trace, n) {
    const record = trace.record(n);
    const hit = Array.isArray(record["hit"]) && record["hit"].length > 0 ? record["hit"].join(", ") : record["target"];
    return `${record["verb"] ?? "fault"}${hit === undefined ? "" : ` ${hit}`}`;
}
