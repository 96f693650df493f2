/**
 * Short words for records, beside the sentences of narrate.js: who acts, what a fault is called.
 */
import { laneInWords, sentence } from "./narrate.js";

/** @typedef {import("./trace.js").Trace} Trace */

/**
 * The sentence of a record in two parts: who, and what. Where the sentence does not begin with who, it is whole.
 *
 * @param {Trace} trace
 * @param {number} n
 * @returns {{who: string, what: string}}
 */
export function split(trace, n) {
    const who = laneInWords(trace.at(n));
    const whole = sentence(trace, n);
    if (whole.slice(0, who.length).toLowerCase() !== who.toLowerCase()) return { who, what: whole };
    return { who, what: whole.slice(who.length).replace(/^[:\s]+/, "") };
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
