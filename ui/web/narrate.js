/**
 * A record as a sentence, the same one that the terminal says.
 *
 * The table of sentences is written by the tool into every trace (trace.tables.narrate: [{k, if, say}…],
 * sim/narrate.c); here is only what reads it. The first row of a kind whose conditions hold is taken.
 * In a row's `say`, {field} is a value in words, {at} the lane, {a!b} is {a} unless {b} has the same words, {error} the
 * name of an error (trace.tables.errors), {znodes} what became of znodes (znode_words.js); what stands in [ ] is left out where a field inside is absent, and outside of
 * them an absent field is a dash.
 */
import { znodesInWords } from "./znode_words.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./trace.js").Value} Value */
/** @typedef {import("./trace.js").TraceRecord} TraceRecord */
/** @typedef {import("./znode_words.js").ZnodeRow} ZnodeRow */
/** @typedef {{k: string, if: [string, string][], say: string}} Row */
/** @typedef {{znodes?: ZnodeRow[], errors?: {[code: string]: string}}} More what else has words */

const LANE = /^(?:(zk|w|o)|([cbpu])(0|[1-9][0-9]*))$/;
const WORDS = /** @type {{[letter: string]: string}} */ ({
    zk: "ZooKeeper",
    w: "the scenario",
    o: "the operator",
    c: "controller",
    b: "broker",
    p: "producer",
    u: "consumer",
});

/**
 * @param {string} lane
 * @returns {string} "controller 2"
 */
export function laneInWords(lane) {
    const match = LANE.exec(lane);
    if (match === null) return lane;
    return match[1] !== undefined ? WORDS[match[1]] : `${WORDS[match[2]]} ${match[3]}`;
}

/**
 * @param {Value} value
 * @returns {string}
 */
export function valueInWords(value) {
    if (value === null) return "nothing";
    if (Array.isArray(value)) return value.map(valueInWords).join(",");
    if (typeof value === "object") return "{…}";
    return `${value}`;
}

/**
 * What no line of a log says, but follows from what lines say (kcsim import), is marked.
 *
 * @param {TraceRecord} record
 * @returns {string}
 */
export function doubt(record) {
    return record.k !== "meta" && record["inferred"] ? " (inferred)" : "";
}

/** @param {TraceRecord} record @param {[string, string]} condition @returns {boolean} */
function holds(record, [field, text]) {
    const value = record[field];
    if (text === "*") return value !== undefined;
    if (text === "-") return value === undefined;
    return (typeof value === "string" || typeof value === "number" || typeof value === "bigint") && `${value}` === text;
}

/** @param {TraceRecord} record @param {string} field @param {More} more @returns {string | undefined} */
function fieldInWords(record, field, more) {
    if (field === "at") return laneInWords(record.at);
    const value = record[field];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
    if (field === "error" && value !== 0 && more.errors?.[value] !== undefined)
        return `${more.errors[value]} (${value})`;
    const mayBeLane = field === "frm" || (field === "to" && record.k !== "move");
    return mayBeLane && typeof value === "string" ? laneInWords(value) : valueInWords(value);
}

/** @param {TraceRecord} record @param {More} more @returns {string} */
function znodesOf(record, more) {
    const words = znodesInWords(record["set"] ?? [], more.znodes ?? []);
    return words !== "" ? words : fillAll(record, "applies {op}[ {path}]", more);
}

/** @param {TraceRecord} record @param {string} template @param {string} absent @param {More} more @returns {string | undefined} */
function fill(record, template, absent, more) {
    let complete = true;
    const text = template.replace(/\{(\w+)(?:!(\w+))?\}/g, (_, field, other) => {
        let words = field === "znodes" ? znodesOf(record, more) : fieldInWords(record, field, more);
        if (other !== undefined && words === fieldInWords(record, other, more)) words = undefined;
        complete &&= words !== undefined;
        return words ?? absent;
    });
    return complete || absent !== "" ? text : undefined;
}

/** @param {TraceRecord} record @param {string} say @param {More} more @returns {string} */
function fillAll(record, say, more) {
    return say
        .split(/(\[[^\]]*\])/)
        .map((part) =>
            part.startsWith("[") ? (fill(record, part.slice(1, -1), "", more) ?? "") : fill(record, part, "-", more),
        )
        .join("");
}

/**
 * @param {TraceRecord} record
 * @param {Row[]} table
 * @param {More} [more]
 * @returns {string}
 */
export function narrate(record, table, more = {}) {
    const row = table.find((row) => row.k === record.k && row.if.every((condition) => holds(record, condition)));
    if (row === undefined) return `${record.k} at ${record.at}`; // a kind that this table does not know
    const text = fillAll(record, row.say, more);
    return text.charAt(0).replace(/[a-z]/, (letter) => letter.toUpperCase()) + text.slice(1) + doubt(record);
}

/**
 * @param {Trace} trace
 * @param {number} n
 * @returns {string}
 */
export function sentence(trace, n) {
    return narrate(trace.record(n), trace.tables.narrate, trace.tables);
}
