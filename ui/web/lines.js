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
        this.trace = trace;
        this.rows = rows;
        /** @type {number[]} arrows by the record that arrives */
        this.long = [];
        /** @type {number[][]} of each block, the same */
        this.blocks = [];
        this.upTo = 0; // records that were looked at
        this.grow();
    }

    /** Takes the records that are new in the trace. */
    grow() {
        eachLine(this.trace, this.rows, this.upTo + 1, (n, first, last) => {
            if (last - first > longBlocks) {
                this.long.push(n);
                return;
            }
            while (this.blocks.length <= last) this.blocks.push([]);
            for (let b = first; b <= last; b++) this.blocks[b].push(n);
        });
        this.upTo = this.trace.count;
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
        const to = Math.min(this.blocks.length - 1, Math.floor(last / blockRows));
        for (let b = Math.max(0, Math.floor(first / blockRows)); b <= to; b++)
            for (const n of this.blocks[b]) found.add(n);
        return found;
    }
}

/**
 * @param {Trace} trace
 * @param {Rows} rows
 * @param {number} from the first record that is looked at
 * @param {(n: number, firstBlock: number, lastBlock: number) => void} call
 */
function eachLine(trace, rows, from, call) {
    let row = rows.at(from - 1); // of the last row at or before n
    for (let n = from; n <= trace.count; n++) {
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
