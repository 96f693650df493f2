/**
 * The arrows of the diagram: a record whose cause is in another lane is what arrived from there. One arrow
 * a record, from its cause.
 *
 * Which arrows cross the window must not cost the length of the trace. Rows are in blocks of 64; every arrow is listed
 * in each block that it crosses. Arrows that cross more than 32 blocks (a message held for long) stand in a list of their
 * own, which is looked through whole: they are few.
 */

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./rows.js").Rows} Rows */

const blockRows = 64;
const longBlocks = 32;
const kinds = new Set(["recv", "drop", "zap", "zrep", "notify"]);

export class Lines {
    /**
     * @param {Trace} trace
     * @param {Rows} rows
     */
    constructor(trace, rows) {
        this.rows = rows;
        const blocks = Math.floor(rows.count / blockRows) + 1;
        const counts = new Uint32Array(blocks + 1);
        /** @type {number[]} arrows by the record that arrives */
        this.long = [];
        eachLine(trace, rows, (n, first, last) => {
            if (last - first > longBlocks) {
                this.long.push(n);
                return;
            }
            for (let b = first; b <= last; b++) counts[b + 1]++;
        });
        for (let b = 0; b < blocks; b++) counts[b + 1] += counts[b];
        this.starts = counts;
        this.records = new Uint32Array(counts[blocks]);
        const next = counts.slice();
        eachLine(trace, rows, (n, first, last) => {
            if (last - first > longBlocks) return;
            for (let b = first; b <= last; b++) this.records[next[b]++] = n;
        });
    }

    /**
     * Arrows that may cross these rows, each once: the record that arrives.
     *
     * @param {number} first row
     * @param {number} last row
     * @returns {Set<number>}
     */
    crossing(first, last) {
        const found = new Set(this.long);
        const blocks = this.starts.length - 2;
        const to = Math.min(blocks, Math.floor(last / blockRows));
        for (let b = Math.max(0, Math.floor(first / blockRows)); b <= to; b++) {
            for (let i = this.starts[b]; i < this.starts[b + 1]; i++) found.add(this.records[i]);
        }
        return found;
    }
}

/**
 * @param {Trace} trace
 * @param {Rows} rows
 * @param {(n: number, firstBlock: number, lastBlock: number) => void} call
 */
function eachLine(trace, rows, call) {
    let row = -1; // of the last row at or before n
    for (let n = 1; n <= trace.count; n++) {
        if (row + 1 < rows.count && rows.shown[row + 1] === n) row++;
        const by = trace.by(n);
        if (by === 0 || !kinds.has(trace.kind(n))) continue;
        const cause = rows.at(by);
        const shown = row >= 0 && rows.shown[row] === n;
        const causeShown = cause >= 0 && rows.shown[cause] === by;
        if (!shown && !causeShown) continue;
        call(n, Math.floor(Math.max(0, cause) / blockRows), Math.floor(Math.max(0, row) / blockRows));
    }
}
