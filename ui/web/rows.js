/**
 * Which records a level of detail shows, one row each, and where the rows are.
 *
 *     record   1   2   3   4   5   6 …          row r shows record shown[r]
 *     level    0   2   1   2   0   0            y of row r: r rows, and the gaps before it
 *     row      0       1       2   3
 *
 * Silence takes no room on an axis of order, so it is said: where much time lies between two rows there is a gap, which the
 * diagram labels. What "much" is depends on the run: the least of 20 ms, 50 ms, 100 ms … at which gaps stay the
 * exception.
 *
 * Everything that is asked for is one binary search: a record's row, the row at a height.
 */

import { withRoom } from "./trace.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./model.js").Model} Model */

const gapRows = 1.35; // height of a gap, in rows
const steps = [20e3, 50e3, 100e3, 200e3, 500e3, 1e6, 2e6, 5e6, 10e6, 30e6, 60e6];

export class Rows {
    /**
     * @param {Trace} trace
     * @param {Model} model
     * @param {number} level 0 story, 1 protocol, 2 everything
     */
    constructor(trace, model, level) {
        this.trace = trace;
        this.model = model;
        /** @type {number} */
        this.level = level;
        /** Record of each row. */
        this.shown = new Uint32Array(0);
        this.count = 0;
        this.upTo = 0; // records that were looked at
        /** Gaps before and including that of a row; one more, for the end. */
        this.gaps = new Uint32Array(1);
        this.gapCounts = new Uint32Array(steps.length); // by how long a silence must be
        /** How long a silence must be to get a gap, in µs. */
        this.silence = 0;
        this.grow();
    }

    /** Takes the records that are new in the trace. */
    grow() {
        const { trace, model, level } = this;
        const known = this.count;
        const news = [];
        for (let n = this.upTo + 1; n <= trace.count; n++) if (model.level(n) <= level) news.push(n);
        this.upTo = trace.count;
        this.count += news.length;
        this.shown = withRoom(this.shown, this.count);
        this.shown.set(news, known);
        this.gaps = withRoom(this.gaps, this.count + 1);
        this.#countGaps(known);
        // The least silence at which gaps stay the exception.
        const place = this.gapCounts.findIndex((gaps) => gaps * 5 <= this.count);
        const silence = steps[place < 0 ? steps.length - 1 : place];
        this.#fillGaps(silence === this.silence ? known : 0, silence);
    }

    /** @param {number} row how long it was silent before it, in µs */
    #before(row) {
        return row === 0 ? 0 : this.trace.t(this.shown[row]) - this.trace.t(this.shown[row - 1]);
    }

    /** @param {number} from row */
    #countGaps(from) {
        for (let r = from; r < this.count; r++) {
            const silent = this.#before(r);
            for (let i = 0; i < steps.length && silent >= steps[i]; i++) this.gapCounts[i]++;
        }
    }

    /** @param {number} from row @param {number} silence */
    #fillGaps(from, silence) {
        this.silence = silence;
        let gaps = from > 0 ? this.gaps[from - 1] : 0;
        for (let r = from; r < this.count; r++) {
            if (this.#before(r) >= silence) gaps++;
            this.gaps[r] = gaps;
        }
        this.gaps[this.count] = gaps;
    }

    /**
     * The last row whose record is at or before n, -1 if there is none.
     *
     * @param {number} n
     */
    at(n) {
        let low = 0;
        let high = this.count;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.shown[middle] <= n) low = middle + 1;
            else high = middle;
        }
        return low - 1;
    }

    /**
     * Top of a row, in rows: multiply by the height of a row.
     *
     * @param {number} row
     */
    top(row) {
        return row + gapRows * this.gaps[Math.max(0, Math.min(row, this.count))];
    }

    /** Height of all, in rows. */
    height() {
        return this.top(this.count);
    }

    /**
     * Is there a gap before this row?
     *
     * @param {number} row
     */
    gapBefore(row) {
        return row > 0 && row < this.count && this.gaps[row] > this.gaps[row - 1];
    }

    /**
     * The row at a height, which is given in rows; the nearest one where there is none.
     *
     * @param {number} y
     */
    rowAt(y) {
        let low = 0;
        let high = this.count;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.top(middle) <= y) low = middle + 1;
            else high = middle;
        }
        return Math.max(0, low - 1);
    }

    /**
     * Middle of the place where a record is or would be: that of its row, or the lower edge of the row
     * before it.
     *
     * @param {number} n
     */
    middle(n) {
        const row = this.at(n);
        if (row < 0) return 0;
        return this.top(row) + (this.shown[row] === n ? 0.5 : 1);
    }

    /**
     * Does this record have a row?
     *
     * @param {number} n
     */
    has(n) {
        const row = this.at(n);
        return row >= 0 && this.shown[row] === n;
    }
}

/** Height of a gap, in rows. */
export const gapHeight = gapRows;
