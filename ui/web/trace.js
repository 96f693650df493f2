/**
 * A trace in memory: columns, and records that are decoded when somebody asks.
 *
 *     frame 0: header (JSON) · frames 1…: blocks of up to 4,096 records (ui/packed.h)
 *
 * Opening walks the columns of every block once into typed arrays, and checks all that others rely on:
 * kinds and lanes that the header names, causes before effects, sizes that fit. Fields and facts stay as
 * bytes. A block that does not fit ends the trace there, and `problem` says so.
 *
 * The trace of a live run grows: blocks of any size come behind the others, and a run that was changed is cut
 * first. Names keep their numbers in both.
 */

import { lanesOf } from "./roles.js";
import { Reader, TraceProblem, decode, glance, textOf, utf8 } from "./values.js";

export { TraceProblem, json } from "./values.js";

/**
 * @typedef {{n: number, t: number, at: string, k: string, by: number, mute?: number, [field: string]: any}} TraceRecord
 * @typedef {import("./roles.js").Lane} Lane
 * @typedef {import("./values.js").Value} Value
 * @typedef {{version: string, records: number, finished: number, remark: string, kinds: string[], fields: string[], lanes: string[], tables: {narrate: any[], znodes: any[], errors: {[code: string]: string}}}} Header
 */

/** @typedef {{version: number, from: number, records: number, finished: number, meta: number, lanes: string[]}} Growth */

/**
 * One block: its bytes, and where in them each of its records stands.
 * @typedef {{bytes: Uint8Array, first: number, count: number, factCount: number,
 *   fieldsAt: Uint32Array, factsAt: Uint32Array, endAt: Uint32Array}} Block
 */

const BLOCK = 4096;

export class Trace {
    /**
     * @param {Header} header
     */
    constructor(header) {
        this.header = header;
        /** What is missing or inferred, in sentences; "": nothing. */
        this.problem = "";
        this.fields = header.fields;
        this.tables = header.tables;
        this.count = 0;
        /** @type {Block[]} */
        this.blocks = [];
        const capacity = Math.max(header.records, 1) + 1;
        this.times = new Float64Array(capacity);
        this.laneOf = new Uint16Array(capacity);
        this.kindOf = new Uint8Array(capacity);
        this.causes = new Uint32Array(capacity);
        this.mutes = new Uint32Array(capacity);
        // Strings: in which block, where, how long; decoded once.
        /** @type {{bytes: Uint8Array, at: Uint32Array, first: number}[]} */
        this.stringBlocks = [];
        /** @type {string[]} */
        this.strings = [];
        this.stringCount = 0;
        /** @type {Map<string, number>} */
        this.fieldNumbers = new Map(header.fields.map((name, i) => [name, i]));
        /** @type {Map<string, {numbers: Uint32Array, upTo: number}>} */
        this.byKind = new Map();
        this.usedLanes = new Uint8Array(header.lanes.length);
        this.lastBlock = 0; // that was asked for
        this.glancer = new Reader(new Uint8Array(), 0, 0); // one for all glances
        /** @type {TraceRecord} */
        this.meta = { n: 1, t: 0, at: "w", k: "meta", by: 0 };
        /** @type {Lane[]} */
        this.lanes = [];
    }

    /**
     * @param {Uint8Array[]} frames header, then blocks
     * @param {boolean} whole false: the file ends early, or is damaged behind these frames
     * @returns {Trace}
     */
    static open(frames, whole = true) {
        if (frames.length === 0)
            throw new TraceProblem(
                "The trace in this page is damaged from its beginning: nothing of it can be shown.",
                "the header",
            );
        const trace = new Trace(readHeader(frames[0]));
        let good = whole;
        for (let i = 1; i < frames.length; i++) {
            if (trace.takeBlock(frames[i])) continue;
            good = false;
            break;
        }
        if (trace.count === 0)
            throw new TraceProblem("The trace in this page ends before its first record.", "the first block");
        trace.finish(good);
        return trace;
    }

    /**
     * @param {Uint8Array} bytes
     * @returns {boolean} false: it is not a block, and nothing has changed
     */
    takeBlock(bytes) {
        const strings = this.stringCount;
        try {
            const reader = new Reader(bytes, 0, bytes.length);
            const count = reader.varint();
            const stringCount = reader.varint();
            const factCount = reader.varint();
            if (count === 0 || count > BLOCK || this.count + count >= this.times.length) return false;
            if (stringCount > bytes.length || factCount > bytes.length) return false;
            this.takeStrings(reader, stringCount);
            this.blocks.push(this.takeColumns(reader, this.count + 1, count, factCount));
            this.count += count;
            return true;
        } catch (problem) {
            if (!(problem instanceof TraceProblem)) throw problem;
            if (this.stringCount > strings) this.stringBlocks.pop();
            this.stringCount = strings;
            return false;
        }
    }

    /**
     * @param {Reader} reader
     * @param {number} count
     */
    takeStrings(reader, count) {
        const at = new Uint32Array(count + 1);
        for (let i = 0; i < count; i++) {
            at[i] = reader.at;
            reader.skip(reader.varint());
        }
        at[count] = reader.at;
        if (count > 0) this.stringBlocks.push({ bytes: reader.bytes, at, first: this.stringCount });
        this.stringCount += count;
    }

    /**
     * @param {Reader} reader
     * @param {number} first
     * @param {number} count
     * @param {number} factCount
     * @returns {Block}
     */
    takeColumns(reader, first, count, factCount) {
        const { times, laneOf, kindOf, causes, mutes, usedLanes } = this;
        let t = first > 1 ? times[first - 1] : 0;
        for (let i = 0; i < count; i++) times[first + i] = t += reader.varint();
        for (let i = 0; i < count; i++) {
            laneOf[first + i] = number(reader.byte() | (reader.byte() << 8), usedLanes.length);
            usedLanes[laneOf[first + i]] = 1;
        }
        for (let i = 0; i < count; i++) kindOf[first + i] = number(reader.byte(), this.header.kinds.length);
        for (let i = 0; i < count; i++) causes[first + i] = cause(first + i, reader.varint());
        for (let i = 0; i < count; i++) mutes[first + i] = cause(first + i, reader.varint());
        const fieldsAt = new Uint32Array(count);
        const factsAt = new Uint32Array(count);
        const endAt = new Uint32Array(count);
        for (let i = 0; i < count; i++) fieldsAt[i] = reader.varint();
        for (let i = 0; i < count; i++) factsAt[i] = reader.varint();
        for (let i = 0; i < count; i++) {
            const fields = fieldsAt[i];
            const facts = factsAt[i];
            fieldsAt[i] = reader.skip(fields);
            factsAt[i] = reader.skip(facts);
            endAt[i] = reader.at;
        }
        if (reader.at !== reader.end) throw new TraceProblem("A block is longer than it says.", `record ${first}`);
        return { bytes: reader.bytes, first, count, factCount, fieldsAt, factsAt, endAt };
    }

    /** @param {boolean} whole */
    finish(whole) {
        const { header, count } = this;
        const said = header.remark === "" ? [] : [header.remark];
        if (!whole || count < header.records)
            said.push(`The file is damaged or ends early: ${count} of ${header.records} records can be read.`);
        else if (!header.finished) said.push(`The run was cut off: its last record is ${count}.`);
        this.problem = said.join(" ");
        this.meta = this.record(1);
        this.nameLanes();
    }

    nameLanes() {
        const { header, usedLanes } = this;
        this.lanes = lanesOf(
            header.lanes.filter((_, lane) => usedLanes[lane] === 1),
            this.meta,
        );
    }

    // ---- growing ----

    /**
     * Takes what is new of a live run (ui/packed.h, kcsim.growth/1).
     *
     * @param {Uint8Array[]} frames header, then blocks
     * @returns {Growth} from: the records up to there stayed as they were, but for the first one where `meta` is 1. Throws a
     *   TraceProblem where it does not fit
     */
    grow(frames) {
        const growth = readGrowth(frames, this.count);
        const blocks = frames.slice(1);
        const lanes = this.usedLanes;
        this.header.lanes = growth.lanes;
        this.usedLanes = new Uint8Array(growth.lanes.length);
        this.usedLanes.set(lanes);
        if (growth.from < this.count) this.cut(growth.from);
        if (growth.meta === 1) this.replaceFirst(blocks.shift());
        this.reserve(growth.records);
        const used = usedCount(this.usedLanes);
        for (const block of blocks) if (!this.takeBlock(block)) break;
        this.header.records = growth.records;
        this.header.finished = growth.finished;
        if (this.count !== growth.records)
            throw new TraceProblem("What the server sent does not fit what the page has.", `record ${this.count}`);
        if (growth.meta === 1) this.meta = this.record(1);
        if (growth.meta === 1 || usedCount(this.usedLanes) !== used) this.nameLanes();
        return growth;
    }

    /** @param {number} count of records that stay */
    cut(count) {
        this.count = count;
        this.byKind.clear();
        while (this.blocks.length > 0 && this.blocks[this.blocks.length - 1].first > count) this.blocks.pop();
        const last = this.blocks.pop();
        if (last !== undefined) this.blocks.push({ ...last, count: Math.min(last.count, count - last.first + 1) });
        this.usedLanes.fill(0);
        for (let n = 1; n <= count; n++) this.usedLanes[this.laneOf[n]] = 1;
    }

    /** @param {Uint8Array | undefined} bytes a block of one record, which takes the place of the first */
    replaceFirst(bytes) {
        const old = this.blocks[0];
        const reader = new Reader(bytes ?? new Uint8Array(), 0, bytes?.length ?? 0);
        const count = reader.varint();
        const strings = reader.varint();
        const facts = reader.varint();
        if (count !== 1) throw new TraceProblem("The first record is missing.", "record 1");
        this.takeStrings(reader, strings);
        this.blocks[0] = this.takeColumns(reader, 1, 1, facts);
        if (old.count === 1) return;
        const rest = { fieldsAt: old.fieldsAt.subarray(1), factsAt: old.factsAt.subarray(1) };
        this.blocks.splice(1, 0, { ...old, ...rest, endAt: old.endAt.subarray(1), first: 2, count: old.count - 1 });
    }

    /** @param {number} count of records that there must be room for */
    reserve(count) {
        if (count + 1 < this.times.length) return;
        const capacity = Math.max(count + 2, this.times.length * 2);
        this.times = longer(new Float64Array(capacity), this.times);
        this.laneOf = longer(new Uint16Array(capacity), this.laneOf);
        this.kindOf = longer(new Uint8Array(capacity), this.kindOf);
        this.causes = longer(new Uint32Array(capacity), this.causes);
        this.mutes = longer(new Uint32Array(capacity), this.mutes);
    }

    // ---- columns ----

    /** @param {number} n @returns {number} µs; behind the end: that of the last record */
    t(n) {
        return this.times[n > this.count ? this.count : n];
    }

    /** @param {number} n @returns {string} lane */
    at(n) {
        return this.header.lanes[this.laneOf[n]];
    }

    /** @param {number} n @returns {string} */
    kind(n) {
        return this.header.kinds[this.kindOf[n]];
    }

    /** @param {number} n @returns {number} */
    by(n) {
        return this.causes[n];
    }

    /** @param {number} n @returns {number} */
    mute(n) {
        return this.mutes[n];
    }

    /**
     * @param {string} kind
     * @returns {Uint32Array} numbers of the records of this kind, ascending
     */
    ofKind(kind) {
        const known = this.byKind.get(kind) ?? { numbers: new Uint32Array(0), upTo: 0 };
        if (known.upTo === this.count) return known.numbers;
        const wanted = this.header.kinds.indexOf(kind);
        const { kindOf, count } = this;
        let size = known.numbers.length;
        for (let n = known.upTo + 1; n <= count; n++) if (kindOf[n] === wanted) size++;
        const numbers = withRoom(known.numbers, size);
        for (let n = known.upTo + 1, i = known.numbers.length; i < size; n++)
            if (kindOf[n] === wanted) numbers[i++] = n;
        this.byKind.set(kind, { numbers, upTo: count });
        return numbers;
    }

    /**
     * @param {number} us
     * @returns {number} the last record at or before that time, 0: none
     */
    atTime(us) {
        let low = 0;
        let high = this.count;
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if (this.times[middle] <= us) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    // ---- records ----

    /**
     * @param {number} n
     * @returns {TraceRecord} as the line in the NDJSON has it
     */
    record(n) {
        /** @type {TraceRecord} */
        const record = { n, t: this.t(n), at: this.at(n), k: this.kind(n), by: this.by(n) };
        if (this.mute(n) !== 0) record.mute = this.mute(n);
        const { block, i } = this.place(n);
        const reader = new Reader(block.bytes, block.fieldsAt[i], block.factsAt[i]);
        while (reader.at < reader.end) {
            const field = this.fields[reader.byte()];
            record[field] = decode(reader, this);
        }
        if (block.factsAt[i] < block.endAt[i]) record.set = this.sets(n);
        return record;
    }

    /**
     * One field, without decoding the others.
     * @param {number} n
     * @param {string} field
     * @returns {Value | undefined}
     */
    field(n, field) {
        const wanted = this.fieldNumbers.get(field);
        const { block, i } = this.place(n);
        const reader = new Reader(block.bytes, block.fieldsAt[i], block.factsAt[i]);
        while (reader.at < reader.end) {
            if (reader.byte() === wanted) return decode(reader, this);
            glance(reader);
        }
        return undefined;
    }

    /**
     * The short form of a record for who looks at all of them: numbers only.
     * @param {number} n
     * @param {Float64Array} into by number of field: an integer, the number of a string, or Infinity for what
     *   is neither. All NaN when called.
     * @param {number[]} seen the fields that were written are put here
     */
    glance(n, into, seen) {
        const block = this.blocks[this.blockOf(n)];
        const reader = this.glancer;
        reader.bytes = block.bytes;
        reader.at = block.fieldsAt[n - block.first];
        reader.end = block.factsAt[n - block.first];
        while (reader.at < reader.end) {
            const field = reader.byte();
            into[field] = glance(reader);
            seen.push(field);
        }
    }

    /** @param {number} n @returns {boolean} */
    hasSet(n) {
        const { block, i } = this.place(n);
        return block.factsAt[i] < block.endAt[i];
    }

    /**
     * @param {number} n
     * @returns {[string, Value][]} what record n set
     */
    sets(n) {
        const { block, i } = this.place(n);
        const reader = new Reader(block.bytes, block.factsAt[i], block.endAt[i]);
        /** @type {[string, Value][]} */
        const sets = [];
        while (reader.at < reader.end) {
            const key = this.string(reader.varint());
            reader.varint();
            sets.push([key, decode(reader, this)]);
        }
        return sets;
    }

    /**
     * Calls back for each fact of the trace in order, without decoding its value.
     * @param {(n: number, key: number, block: number, at: number) => void} call key: number of a string;
     *   block, at: where the value stands (valueAt)
     * @param {number} [from] the first record
     */
    eachFact(call, from = 1) {
        for (let b = from > this.count ? this.blocks.length : this.blockOf(from); b < this.blocks.length; b++) {
            const block = this.blocks[b];
            const reader = new Reader(block.bytes, 0, 0);
            for (let i = Math.max(0, from - block.first); i < block.count; i++) {
                reader.at = block.factsAt[i];
                reader.end = block.endAt[i];
                while (reader.at < reader.end) {
                    const key = reader.varint();
                    const size = reader.varint();
                    call(block.first + i, key, b, reader.skip(size));
                }
            }
        }
    }

    /** @param {number} block @param {number} at @returns {Value} */
    valueAt(block, at) {
        const { bytes } = this.blocks[block];
        return decode(new Reader(bytes, at, bytes.length), this);
    }

    /** @param {number} n @returns {{block: Block, i: number}} */
    place(n) {
        if (!(n >= 1 && n <= this.count)) throw new RangeError(`there is no record ${n}`);
        const block = this.blocks[this.blockOf(n)];
        return { block, i: n - block.first };
    }

    /** @param {number} n @returns {number} the place of its block */
    blockOf(n) {
        const { blocks } = this;
        const last = blocks[this.lastBlock];
        if (last !== undefined && n >= last.first && n < last.first + last.count) return this.lastBlock;
        let low = 0;
        let high = blocks.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if (blocks[middle].first <= n) low = middle;
            else high = middle - 1;
        }
        return (this.lastBlock = low);
    }

    // ---- strings ----

    /**
     * @param {number} id
     * @returns {string}
     */
    string(id) {
        const known = this.strings[id];
        if (known !== undefined) return known;
        if (id >= this.stringCount)
            throw new TraceProblem("A record names a string that is not there.", `string ${id}`);
        let low = 0;
        let high = this.stringBlocks.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if (this.stringBlocks[middle].first <= id) low = middle;
            else high = middle - 1;
        }
        const { bytes, at, first } = this.stringBlocks[low];
        const reader = new Reader(bytes, at[id - first], bytes.length);
        const size = reader.varint();
        const text = textOf(bytes, reader.at, size);
        while (this.strings.length < id) this.strings.push(/** @type {any} */ (undefined));
        this.strings[id] = text;
        return text;
    }
}

/** @param {number} value @param {number} end @returns {number} */
function number(value, end) {
    if (value >= end) throw new TraceProblem("A record has a kind or lane that the trace does not name.", "a block");
    return value;
}

/** @param {number} n @param {number} distance @returns {number} */
function cause(n, distance) {
    if (distance >= n) throw new TraceProblem("A record has a cause that is not there.", `record ${n}`);
    return distance === 0 ? 0 : n - distance;
}

/** @param {Uint8Array} used @returns {number} */
function usedCount(used) {
    return used.reduce((count, one) => count + one, 0);
}

/**
 * @template {Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array} T
 * @param {T} to
 * @param {T} from
 * @returns {T}
 */
export function longer(to, from) {
    to.set(from);
    return to;
}

/**
 * The same numbers with room behind them: memory doubles, so that growing costs what is new.
 *
 * @param {Uint32Array} numbers
 * @param {number} size
 * @returns {Uint32Array} shares its memory with `numbers` where that has room
 */
export function withRoom(numbers, size) {
    const room = numbers.buffer.byteLength / 4;
    if (size <= room) return new Uint32Array(numbers.buffer, 0, size);
    // The first time there is no room to spare: most traces never grow.
    const buffer = new ArrayBuffer(4 * (room === 0 ? size : Math.max(size, 2 * room)));
    new Uint32Array(buffer).set(numbers);
    return new Uint32Array(buffer, 0, size);
}

/**
 * @param {Uint8Array[]} frames
 * @param {number} count of records that the page has
 * @returns {Growth}
 */
function readGrowth(frames, count) {
    try {
        const growth = JSON.parse(utf8.decode(frames[0]));
        if (growth.from <= count && growth.from <= growth.records && growth.records < 2 ** 31) return growth;
    } catch {
        // said below
    }
    throw new TraceProblem("What the server sent cannot be read.", "the header of a growth");
}

/**
 * @param {Uint8Array} frame
 * @returns {Header}
 */
function readHeader(frame) {
    try {
        const header = JSON.parse(utf8.decode(frame));
        if (
            Array.isArray(header.kinds) &&
            Array.isArray(header.fields) &&
            Array.isArray(header.lanes) &&
            Number.isSafeInteger(header.records) &&
            header.records < 2 ** 31
        )
            return header;
    } catch {
        // said below
    }
    throw new TraceProblem("The trace in this page has a header that cannot be read.", "the header");
}
