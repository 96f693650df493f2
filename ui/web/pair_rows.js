/**
 * Two runs in rows: what is the same thing in both shares a row, and both keep their order.
 *
 *     row      0   1   2   3   4   5
 *     run      1   2   ·   3   4   ·         a record each, ·: a gap
 *     branch   1   2   3   4   ·   5
 *     upTo[1]  1   2   3   4   4   5         the last record at or before the row
 *
 * Pairs may cross: the same two things in another order. The longest chain of pairs that do not cross (patience, n log
 * n) shares rows; of the others each record has a row of its own, and says where its partner is. Between two shared rows
 * time decides. Everything asked for later is one look-up or one binary search.
 */

/** @typedef {import("./alignment.js").Alignment} Alignment */
/** @typedef {import("./alignment.js").Side} Side */
/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {"same" | "moved" | "crossed" | "changed" | "only"} How */

export class PairRows {
    /**
     * @param {Alignment} alignment
     * @param {[Trace, Trace]} traces
     * @param {[Model, Model]} models
     */
    constructor(alignment, traces, models) {
        this.alignment = alignment;
        this.traces = traces;
        this.models = models;
        const most = traces[0].count + traces[1].count;
        /** By row: the record of each run, 0: a gap. @type {[Uint32Array, Uint32Array]} */
        this.records = [new Uint32Array(most), new Uint32Array(most)];
        /** By row. @type {[Uint32Array, Uint32Array]} */
        this.upTo = [new Uint32Array(most), new Uint32Array(most)];
        /** By record. @type {[Uint32Array, Uint32Array]} */
        this.rowOf = [new Uint32Array(traces[0].count + 1), new Uint32Array(traces[1].count + 1)];
        this.count = 0;
        this.#lay();
        const { begins } = alignment.header;
        /** Rows in which a difference begins. */
        this.begins = new Set(begins.map(([a, b]) => (a > 0 ? this.rowOf[0][a] : this.rowOf[1][b])));
        const { first } = alignment.header;
        /** The row of the first difference, -1: there is none. */
        this.first = first === null ? -1 : this.rowOf[first.side][first.n[first.side]];
        /** @type {{shown: Uint32Array, jumps: Uint32Array}[]} by level */
        this.levels = [];
    }

    #lay() {
        const [a, b] = this.traces;
        let n = 1;
        let m = 1;
        for (const x of [...straight(this.alignment.other[0]), a.count + 1]) {
            const y = x > a.count ? b.count + 1 : this.alignment.other[0][x];
            while (n < x || m < y) {
                if (m >= y || (n < x && a.t(n) <= b.t(m))) this.#put(n++, 0);
                else this.#put(0, m++);
            }
            if (x <= a.count) this.#put(n++, m++);
        }
    }

    /** @param {number} n @param {number} m */
    #put(n, m) {
        const row = this.count++;
        [n, m].forEach((record, side) => {
            this.records[side][row] = record;
            this.upTo[side][row] = record > 0 ? record : row > 0 ? this.upTo[side][row - 1] : 0;
            if (record > 0) this.rowOf[side][record] = row;
        });
    }

    /** @param {number} row @returns {How} */
    how(row) {
        const [a, b] = [this.records[0][row], this.records[1][row]];
        /** @type {[Side, number]} */
        const [side, n] = a > 0 ? [0, a] : [1, b];
        const other = this.alignment.other[side][n];
        if (other === 0) return "only";
        if (this.alignment.isChanged(side, n)) return "changed";
        if (a === 0 || b === 0) return "crossed";
        return this.traces[0].t(a) === this.traces[1].t(b) ? "same" : "moved";
    }

    /** Did the scenario do it, in the first run or else in the other? @param {number} row */
    isFault(row) {
        const side = this.records[0][row] > 0 ? 0 : 1;
        return this.models[side].isFault(this.records[side][row]);
    }

    /** @param {number} row */
    differs(row) {
        const how = this.how(row);
        return how === "changed" || how === "only";
    }

    /** How much later it came in the other run, in µs; 0 where it did not come in both. @param {number} row */
    later(row) {
        const [a, b] = [this.records[0][row], this.records[1][row]];
        const [x, y] = [a > 0 ? a : this.alignment.other[1][b], b > 0 ? b : this.alignment.other[0][a]];
        return x > 0 && y > 0 ? this.traces[1].t(y) - this.traces[0].t(x) : 0;
    }

    /**
     * The time of a row in one run: of its record there; in a gap that of the other's, between its neighbours.
     *
     * @param {Side} side
     * @param {number} row
     */
    time(side, row) {
        const trace = this.traces[side];
        const n = this.upTo[side][row];
        const own = n > 0 ? trace.t(n) : 0;
        if (this.records[side][row] > 0) return own;
        const other = this.traces[1 - side].t(this.records[1 - side][row]);
        return Math.max(own, n < trace.count ? Math.min(other, trace.t(n + 1)) : own);
    }

    /** The least level of detail at which a row is shown. @param {number} row */
    level(row) {
        const levels = this.models.map((model, side) =>
            this.records[side][row] > 0 ? model.level(this.records[side][row]) : 2,
        );
        return Math.min(...levels);
    }

    /**
     * The rows of a level, and of these the ones to jump to: where rows that differ begin, and where a difference begins.
     *
     * @param {number} level
     */
    at(level) {
        return (this.levels[level] ??= this.#choose(level));
    }

    /** @param {number} level */
    #choose(level) {
        const shown = [];
        const jumps = [];
        let before = false;
        for (let row = 0; row < this.count; row++) {
            if (this.level(row) > level) continue;
            shown.push(row);
            const differs = this.differs(row);
            if (differs && (!before || this.begins.has(row))) jumps.push(row);
            before = differs;
        }
        return { shown: Uint32Array.from(shown), jumps: Uint32Array.from(jumps) };
    }
}

/**
 * The longest ascending chain of pairs.
 *
 * @param {Uint32Array} other
 * @returns {number[]} records of the first run
 */
export function straight(other) {
    const before = new Uint32Array(other.length);
    /** @type {number[]} of each length, the record whose chain ends lowest */
    const ends = [];
    for (let n = 1; n < other.length; n++) {
        if (other[n] === 0) continue;
        let low = 0;
        let high = ends.length;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (other[ends[middle]] < other[n]) low = middle + 1;
            else high = middle;
        }
        before[n] = low > 0 ? ends[low - 1] : 0;
        ends[low] = n;
    }
    const chain = [];
    for (let n = ends[ends.length - 1] ?? 0; n > 0; n = before[n]) chain.push(n);
    return chain.reverse();
}

/**
 * The place of the last that is at or before a row, -1: none.
 *
 * @param {Uint32Array} rows ascending
 * @param {number} row
 */
export function lastAt(rows, row) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (rows[middle] <= row) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}
