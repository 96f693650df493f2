/**
 * Which record of one run is which of the other, as the C side found it (ui/pair.h has the form). Nothing is aligned here.
 */
import { loadFrames } from "./load.js";
import { Reader, TraceProblem } from "./values.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {0 | 1} Side */
/**
 * @typedef {object} Header
 * @property {[string, string]} names
 * @property {[string, string]} verdicts
 * @property {{same: number, moved: number, changed: number, only: [number, number]}} counts
 * @property {{side: Side, n: [number, number], t: number, say: string, why: string} | null} first
 * @property {[number, number][]} begins
 * @property {[number, string][]} values
 * @property {{what: string, values: [string, string], t: number, n: number, side: Side}[]} ended
 * @property {number} passing
 */

const SCHEMA = "kcsim.pair/1";

export class Alignment {
    /**
     * @param {Header} header
     * @param {[Uint32Array, Uint32Array]} other by record number: the record in the other run, 0: none
     * @param {Uint8Array} differs by record of the first run: the pair differs in a value
     */
    constructor(header, other, differs) {
        this.header = header;
        this.other = other;
        this.differs = differs;
        /** @type {Map<number, string>} what differs, by record of the first run */
        this.values = new Map(header.values);
    }

    /** @param {Side} side @param {number} n */
    isChanged(side, n) {
        const first = side === 0 ? n : this.other[1][n];
        return first !== 0 && this.differs[first] === 1;
    }
}

/**
 * @param {string} text what stands in the page's block
 * @param {[Trace, Trace]} traces
 * @returns {Promise<Alignment>} throws a TraceProblem
 */
export async function loadAlignment(text, traces) {
    const frames = await loadFrames(text, SCHEMA);
    if (frames.length !== 2) throw misfit();
    const header = /** @type {Header} */ (JSON.parse(new TextDecoder().decode(frames[0])));
    const [a, b] = traces;
    /** @type {[Uint32Array, Uint32Array]} */
    const other = [new Uint32Array(a.count + 1), new Uint32Array(b.count + 1)];
    const differs = new Uint8Array(a.count + 1);
    const reader = new Reader(frames[1], 0, frames[1].length);
    let expected = 1;
    for (let n = 1; n <= a.count; n++) {
        const x = reader.varint();
        if (x === 0) continue;
        const zigzag = Math.floor((x - 1) / 2);
        const m = expected + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
        if (m < 1 || m > b.count || other[1][m] !== 0) throw misfit();
        other[0][n] = m;
        other[1][m] = n;
        differs[n] = (x - 1) % 2;
        expected = m + 1;
    }
    return new Alignment(header, other, differs);
}

function misfit() {
    return new TraceProblem("The alignment in this page does not fit its traces.", "the alignment");
}
