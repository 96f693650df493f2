/**
 * From an effect back to its cause, as `kcsim why` walks it (sim/why.c): `mute` where there is one, else
 * `by`, until a fault or the start. Records that only carry a cause on are marked to be folded.
 */

import { json } from "./trace.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./trace.js").Value} Value */
/** @typedef {import("./facts.js").Facts} Facts */
/** @typedef {{n: number, how: "asked" | "by" | "mute", fold: boolean}} Link */
/** @typedef {{key: string, value: string, setter: number}} Target */

/** @param {Trace} trace @param {number} n @returns {boolean} */
function isCarrier(trace, n) {
    const kind = trace.kind(n);
    const refused = () => trace.field(n, "ok") === 0;
    switch (kind) {
        case "zreq":
        case "learn":
        case "log":
        case "batch":
            return true;
        case "zrep":
            return !refused();
        case "zap":
            return !refused() && trace.field(n, "zxid") === undefined;
        case "timer":
            return trace.field(n, "what") === "arm";
        default:
            return false;
    }
}

/**
 * @param {Trace} trace
 * @param {number} n
 * @returns {Link[]} newest first; how: by which field the record before it led here
 */
export function chain(trace, n) {
    /** @type {Link[]} */
    const links = [];
    /** @type {Link["how"]} */
    let how = "asked";
    while (n !== 0) {
        const mute = trace.mute(n);
        const next = mute !== 0 ? mute : trace.by(n);
        const isEnd = next === 0 || trace.kind(n) === "fault";
        links.push({ n, how, fold: !isEnd && how !== "asked" && isCarrier(trace, n) });
        how = mute !== 0 ? "mute" : "by";
        n = isEnd ? 0 : next;
    }
    return links;
}

/**
 * @param {Facts} facts
 * @param {number} n
 * @returns {number} the controller that was active at record n, or the one that was last; -1: none ever
 */
export function activeController(facts, n) {
    let [active, newest, any, last] = [-1, 0, -1, 0];
    for (const key of facts.keys("role.")) {
        const id = Number(key.slice("role.".length));
        const setter = facts.setter(key, n);
        if (facts.value(key, n) === "active" && setter >= newest) [active, newest] = [id, setter];
        const history = facts.history(key);
        for (let i = history.count - 1; i >= 0; i--) {
            if (history.n(i) > n || history.value(i) !== "active") continue;
            if (history.n(i) >= last) [any, last] = [id, history.n(i)];
            break;
        }
    }
    return active >= 0 ? active : any;
}

/**
 * Splits "orders-0"; topics may hold dashes, so the last one counts.
 * @param {string} text
 * @returns {{topic: string, partition: number} | null}
 */
export function splitPartition(text) {
    const match = /^(.{1,249})-([0-9]{1,9})$/.exec(text);
    return match === null ? null : { topic: match[1], partition: Number(match[2]) };
}

/** @typedef {"fact" | "leader" | "isr" | "controller"} Aspect */

/**
 * @param {Facts} facts
 * @param {string} text
 * @param {number} n
 * @returns {{key: string, aspect: Aspect} | null}
 */
function meaning(facts, text, n) {
    if (text === "controller") return { key: "zn:/controller", aspect: "controller" };
    const match = /^(leader|isr|state) of (?:replica (\d+) of )?(.*)$/.exec(text);
    if (match === null) return { key: text, aspect: "fact" };
    const [, what, replica, name] = match;
    const tp = splitPartition(name);
    if (tp === null) return null;
    const controller = activeController(facts, n);
    if (what !== "state" && replica === undefined)
        return {
            key: `zn:/brokers/topics/${tp.topic}/partitions/${tp.partition}/state`,
            aspect: what === "isr" ? "isr" : "leader",
        };
    if (what !== "state" || controller < 0) return null;
    const place = `${controller}.${tp.topic}-${tp.partition}`;
    return { key: replica === undefined ? `ps.${place}` : `rs.${place}.${replica}`, aspect: "fact" };
}

/** @param {Value} value @param {Aspect} aspect @returns {string} */
function aspectInWords(value, aspect) {
    if (value === null) return "gone";
    if (aspect === "fact") return typeof value === "string" ? value : json(value);
    const data = dataOf(value);
    if (data === null) return "unreadable";
    if (aspect === "controller") return Number.isInteger(data.brokerid) ? `${data.brokerid}` : "unreadable";
    if (!Number.isInteger(data.leader) || !Array.isArray(data.isr)) return "unreadable";
    if (aspect === "leader") return data.leader === -1 ? "none" : `${data.leader}`;
    return data.isr.length === 0 ? "none" : data.isr.join(",");
}

/**
 * @param {Value | undefined} znode fact zn:PATH
 * @returns {{[name: string]: any} | null} the JSON that is in it
 */
export function dataOf(znode) {
    const data = znode !== null && typeof znode === "object" && !Array.isArray(znode) ? znode.data : undefined;
    if (typeof data !== "string") return null;
    try {
        const parsed = JSON.parse(data);
        return parsed !== null && typeof parsed === "object" ? parsed : null;
    } catch {
        return null;
    }
}

/**
 * What a text names: "leader of T-P", "isr of T-P", "state of T-P", "state of replica B of T-P",
 * "controller", or the key of a fact; its value at record n in words, and the record that made it so (an
 * ISR may change while the leader stays).
 * @param {Trace} trace
 * @param {Facts} facts
 * @param {string} text
 * @param {number} n
 * @returns {Target | null} null: the trace knows nothing of it by then
 */
export function target(trace, facts, text, n) {
    const meant = meaning(facts, text, n);
    if (meant === null) return null;
    const history = facts.history(meant.key);
    let i = history.count - 1;
    while (i >= 0 && history.n(i) > n) i--;
    if (i < 0) return null;
    const value = aspectInWords(history.value(i), meant.aspect);
    while (i > 0 && aspectInWords(history.value(i - 1), meant.aspect) === value) i--;
    return { key: meant.key, value, setter: history.n(i) };
}
