/**
 * The history of each fact: what it was at any record is one binary search.
 *
 *     all facts, sorted by key, then by record:   n[]      4  19  20 │ 4  7 │ …
 *                                                 block[], at[]: where the value stands
 *     start[key] ─────────────────────────────────┘
 *
 * Three typed arrays for all keys together; nothing is decoded but the values that are asked for. The
 * state at record n is the last value of each key at or before n; null means gone.
 */

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./trace.js").Value} Value */
/** @typedef {{count: number, n: (i: number) => number, value: (i: number) => Value}} History */

export class Facts {
    /** @param {Trace} trace */
    constructor(trace) {
        this.trace = trace;
        const slots = new Int32Array(trace.stringCount).fill(-1); // string -> slot
        /** @type {number[]} */
        const keyOf = []; // slot -> string
        const total = trace.blocks.reduce((sum, block) => sum + block.factCount, 0);
        const slotOf = new Uint32Array(total);
        const numbers = new Uint32Array(total);
        const blocks = new Uint32Array(total);
        const places = new Uint32Array(total);
        const last = new Uint32Array(trace.stringCount); // slot -> its newest entry
        let count = 0;
        trace.eachFact((n, key, block, at) => {
            if (count === total) return; // a block that counts its facts wrongly
            if (slots[key] < 0) {
                slots[key] = keyOf.length;
                keyOf.push(key);
                last[slots[key]] = total; // none: reads as undefined
            }
            const slot = slots[key];
            // A record is one step: of a key that it sets twice, only what it leaves counts.
            const i = numbers[last[slot]] === n ? last[slot] : count++;
            last[slot] = i;
            slotOf[i] = slot;
            numbers[i] = n;
            blocks[i] = block;
            places[i] = at;
        });
        this.start = new Uint32Array(keyOf.length + 1); // slot -> its first entry
        this.n = new Uint32Array(count);
        this.block = new Uint32Array(count);
        this.place = new Uint32Array(count);
        this.sort(slotOf, numbers, blocks, places);
        /** @type {Map<string, number>} */
        this.slots = new Map();
        keyOf.forEach((key, slot) => this.slots.set(trace.string(key), slot));
        /** @type {string[]} */
        this.sorted = [...this.slots.keys()].sort();
    }

    /**
     * Counting sort by key; records stay in order.
     * @param {Uint32Array} slotOf
     * @param {Uint32Array} numbers
     * @param {Uint32Array} blocks
     * @param {Uint32Array} places
     */
    sort(slotOf, numbers, blocks, places) {
        const count = this.n.length;
        const keys = this.start.length - 1;
        for (let i = 0; i < count; i++) this.start[slotOf[i] + 1]++;
        for (let slot = 0; slot < keys; slot++) this.start[slot + 1] += this.start[slot];
        const next = this.start.slice();
        for (let i = 0; i < count; i++) {
            const to = next[slotOf[i]]++;
            this.n[to] = numbers[i];
            this.block[to] = blocks[i];
            this.place[to] = places[i];
        }
    }

    /**
     * @param {string} key
     * @param {number} n
     * @returns {number} entry that held at record n, -1: none
     */
    entry(key, n) {
        const slot = this.slots.get(key);
        if (slot === undefined) return -1;
        const begin = this.start[slot];
        let low = begin;
        let high = this.start[slot + 1];
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.n[middle] <= n) low = middle + 1;
            else high = middle;
        }
        return low > begin ? low - 1 : -1;
    }

    /** @param {number} entry @returns {Value} */
    decode(entry) {
        return this.trace.valueAt(this.block[entry], this.place[entry]);
    }

    /**
     * @param {string} key
     * @param {number} n
     * @returns {Value | undefined} undefined: not there (never set by then, or gone)
     */
    value(key, n) {
        const entry = this.entry(key, n);
        if (entry < 0) return undefined;
        const value = this.decode(entry);
        return value === null ? undefined : value;
    }

    /**
     * @param {string} key
     * @param {number} n
     * @returns {number} the record that gave it that value (or took it away), 0: none
     */
    setter(key, n) {
        const entry = this.entry(key, n);
        return entry < 0 ? 0 : this.n[entry];
    }

    /**
     * @param {number} n
     * @returns {{key: string, value: Value | undefined, old: Value | undefined}[]} what record n set
     */
    changes(n) {
        return [...new Map(this.trace.sets(n))].map(([key, value]) => ({
            key,
            value: value === null ? undefined : value,
            old: this.value(key, n - 1),
        }));
    }

    /**
     * @param {string} prefix
     * @returns {string[]} keys that ever existed, sorted
     */
    keys(prefix) {
        const { sorted } = this;
        const begin = firstAtLeast(sorted, prefix);
        let end = begin;
        let high = sorted.length;
        while (end < high) {
            const middle = (end + high) >>> 1;
            if (sorted[middle].startsWith(prefix)) end = middle + 1;
            else high = middle;
        }
        return sorted.slice(begin, end);
    }

    /**
     * @param {string} key
     * @returns {History} all that the key ever was, oldest first; null: gone
     */
    history(key) {
        const slot = this.slots.get(key);
        const begin = slot === undefined ? 0 : this.start[slot];
        const end = slot === undefined ? 0 : this.start[slot + 1];
        return {
            count: end - begin,
            n: (i) => this.n[begin + i],
            value: (i) => this.decode(begin + i),
        };
    }
}

/** @param {string[]} sorted @param {string} text @returns {number} */
function firstAtLeast(sorted, text) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (sorted[middle] < text) low = middle + 1;
        else high = middle;
    }
    return low;
}
