/**
 * The history of each fact: what it was at any record is one binary search.
 *
 *     all facts, sorted by key, then by record:   n[]      4  19  20 │ 4  7 │ …
 *                                                 block[], at[]: where the value stands
 *     start[key] ─────────────────────────────────┘
 *
 * Three typed arrays for all keys together; nothing is decoded but the values that are asked for. The
 * state at record n is the last value of each key at or before n; null means gone.
 *
 * Of a trace that grows, what is new stands behind that, in order of records, with a list a key of where (tails). When
 * it is as much as what is sorted, all is sorted again: a growth costs what is new. Entries are numbered through:
 * those of the tail behind the sorted ones.
 */
import { longer } from "./trace.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./trace.js").Value} Value */
/** @typedef {{count: number, n: (i: number) => number, value: (i: number) => Value}} History */

export class Facts {
    /** @param {Trace} trace */
    constructor(trace) {
        this.trace = trace;
        /** @type {Map<string, number>} */
        this.slots = new Map();
        /** @type {string[]} */
        this.sorted = [];
        this.start = new Uint32Array(1); // slot -> its first entry
        this.n = new Uint32Array(0);
        this.block = this.n;
        this.place = this.n;
        /** @type {{n: number, block: number, place: number}[]} */
        this.tail = [];
        /** @type {Map<number, number[]>} slot -> places in the tail */
        this.tails = new Map();
        this.slotOfString = new Int32Array(0);
        this.upTo = 0; // records that are in it
        this.sortAll();
    }

    sortAll() {
        const { trace } = this;
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
        this.start = new Uint32Array(keyOf.length + 1);
        this.n = new Uint32Array(count);
        this.block = new Uint32Array(count);
        this.place = new Uint32Array(count);
        this.sort(slotOf, numbers, blocks, places);
        this.slotOfString = slots;
        this.slots.clear();
        keyOf.forEach((key, slot) => this.slots.set(trace.string(key), slot));
        this.sorted = [...this.slots.keys()].sort();
        this.upTo = trace.count;
        this.tail = [];
        this.tails.clear();
    }

    /**
     * Takes the records that are new in the trace.
     *
     * @returns {{touched: Set<string>, fresh: string[]}} keys that they set, and those of them that never were before
     */
    grow() {
        const { trace } = this;
        /** @type {Set<string>} */
        const touched = new Set();
        /** @type {string[]} */
        const fresh = [];
        if (this.slotOfString.length < trace.stringCount)
            this.slotOfString = longer(new Int32Array(2 * trace.stringCount).fill(-1), this.slotOfString);
        trace.eachFact((n, key, block, place) => {
            let slot = this.slotOfString[key];
            const name = trace.string(key);
            if (slot < 0) {
                slot = this.slotOfString[key] = this.slots.size;
                this.slots.set(name, slot);
                fresh.push(name);
            }
            touched.add(name);
            this.put(slot, { n, block, place });
        }, this.upTo + 1);
        this.upTo = trace.count;
        for (const key of fresh) this.sorted.splice(firstAtLeast(this.sorted, key), 0, key);
        if (this.tail.length > Math.max(4096, this.n.length)) this.sortAll();
        return { touched, fresh };
    }

    /**
     * @param {number} slot
     * @param {{n: number, block: number, place: number}} entry
     */
    put(slot, entry) {
        const list = this.tails.get(slot);
        if (list === undefined) {
            this.tails.set(slot, [this.tail.push(entry) - 1]);
            return;
        }
        const last = list[list.length - 1];
        if (this.tail[last].n === entry.n) this.tail[last] = entry;
        else list.push(this.tail.push(entry) - 1);
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
        const tail = this.tails.get(slot);
        if (tail !== undefined && this.tail[tail[0]].n <= n)
            return this.n.length + tail[lastAtMost(tail.length, (i) => this.tail[tail[i]].n, n)];
        const { begin, end } = this.range(slot);
        const last = lastAtMost(end - begin, (i) => this.n[begin + i], n);
        return last < 0 ? -1 : begin + last;
    }

    /** @param {number} slot @returns {{begin: number, end: number}} of its sorted entries */
    range(slot) {
        if (slot + 1 >= this.start.length) return { begin: 0, end: 0 }; // all of it is in the tail
        return { begin: this.start[slot], end: this.start[slot + 1] };
    }

    /** @param {number} entry @returns {number} its record */
    record(entry) {
        return entry < this.n.length ? this.n[entry] : this.tail[entry - this.n.length].n;
    }

    /** @param {number} entry @returns {Value} */
    decode(entry) {
        if (entry < this.n.length) return this.trace.valueAt(this.block[entry], this.place[entry]);
        const { block, place } = this.tail[entry - this.n.length];
        return this.trace.valueAt(block, place);
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
        return entry < 0 ? 0 : this.record(entry);
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
        const slot = this.slots.get(key) ?? Infinity;
        const { begin, end } = this.range(slot);
        const tail = this.tails.get(slot) ?? [];
        const count = end - begin;
        const entry = (/** @type {number} */ i) => (i < count ? begin + i : this.n.length + tail[i - count]);
        return {
            count: count + tail.length,
            n: (i) => this.record(entry(i)),
            value: (i) => this.decode(entry(i)),
        };
    }
}

/**
 * @param {number} count of numbers, which ascend
 * @param {(i: number) => number} at
 * @param {number} n
 * @returns {number} the place of the last one at or below n, -1: none
 */
function lastAtMost(count, at, n) {
    let low = 0;
    let high = count;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (at(middle) <= n) low = middle + 1;
        else high = middle;
    }
    return low - 1;
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
