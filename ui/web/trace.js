/**
 * A trace in memory: columns, and records that are decoded when somebody asks.
 *
 *     frame 0: header (JSON) · frames 1…: blocks of up to 4,096 records (ui/packed.h)
 *
 * Opening walks the columns of every block once into typed arrays, and checks all that others rely on:
 * kinds and lanes that the header names, causes before effects, sizes that fit. Fields and facts stay as
 * bytes. A block that does not fit ends the trace there, and `problem` says so.
 */

/** What is wrong with a trace, in words. */
export class TraceProblem extends Error {
    /**
     * @param {string} what
     * @param {string} where
     */
    constructor(what, where) {
        super(what);
        this.name = "TraceProblem";
        this.what = what;
        this.where = where;
    }
}

/**
 * A value of a record: as JSON has it; integers beyond 2^53 are bigint.
 * @typedef {null | number | bigint | string | any[] | {[field: string]: any}} Value
 */

/**
 * @typedef {{n: number, t: number, at: string, k: string, by: number, mute?: number, [field: string]: any}} TraceRecord
 * @typedef {{id: string, node: number | null, role: string, name: string}} Lane
 * @typedef {{version: string, records: number, finished: number, remark: string, kinds: string[], fields: string[], lanes: string[], tables: {narrate: any[]}}} Header
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads varints and values from the bytes of one block; a read behind the end throws. */
class Reader {
    /**
     * @param {Uint8Array} bytes
     * @param {number} at
     * @param {number} end
     */
    constructor(bytes, at, end) {
        this.bytes = bytes;
        this.at = at;
        this.end = end;
    }

    /** @returns {number} */
    byte() {
        if (this.at >= this.end) throw new TraceProblem("A record is shorter than it says.", `byte ${this.at}`);
        return this.bytes[this.at++];
    }

    /** @returns {number} up to 2^53 */
    varint() {
        let byte = this.byte();
        if (byte < 0x80) return byte;
        let value = byte & 0x7f;
        let scale = 0x80;
        do {
            byte = this.byte();
            value += (byte & 0x7f) * scale;
            scale *= 0x80;
        } while (byte >= 0x80);
        if (!(value <= Number.MAX_SAFE_INTEGER))
            throw new TraceProblem("A number is longer than it can be.", `byte ${this.at}`);
        return value;
    }

    /**
     * @param {number} size
     * @returns {number} where the bytes begin; they are passed over
     */
    skip(size) {
        const at = this.at;
        if (size > this.end - at) throw new TraceProblem("A record is shorter than it says.", `byte ${at}`);
        this.at = at + size;
        return at;
    }
}

/**
 * One block: its bytes, and where in them each of its records stands.
 * @typedef {{bytes: Uint8Array, first: number, count: number, factCount: number,
 *   fieldsAt: Uint32Array, factsAt: Uint32Array, endAt: Uint32Array}} Block
 */

const BLOCK = 4096;

/**
 * Text of bytes: most are short and ASCII, for which a TextDecoder costs more than it gives.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} size
 * @returns {string}
 */
function textOf(bytes, at, size) {
    if (size < 64) {
        let text = "";
        for (let i = at; i < at + size; i++) {
            if (bytes[i] >= 0x80) return utf8.decode(bytes.subarray(at, at + size));
            text += String.fromCharCode(bytes[i]);
        }
        return text;
    }
    return utf8.decode(bytes.subarray(at, at + size));
}

export class Trace {
    /**
     * @param {Header} header
     */
    constructor(header) {
        this.header = header;
        /** What is missing or inferred, in sentences; "": nothing. */
        this.problem = "";
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
        /** @type {Map<string, Uint32Array>} */
        this.byKind = new Map();
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
            if (count === 0 || count > BLOCK || this.count % BLOCK !== 0 || this.count + count >= this.times.length)
                return false;
            if (stringCount > bytes.length || factCount > bytes.length) return false;
            this.takeStrings(reader, stringCount);
            this.blocks.push(this.takeColumns(reader, count, factCount));
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
     * @param {number} count
     * @param {number} factCount
     * @returns {Block}
     */
    takeColumns(reader, count, factCount) {
        const first = this.count + 1;
        const { times, laneOf, kindOf, causes, mutes } = this;
        let t = this.count > 0 ? times[this.count] : 0;
        for (let i = 0; i < count; i++) times[first + i] = t += reader.varint();
        for (let i = 0; i < count; i++)
            laneOf[first + i] = number(reader.byte() | (reader.byte() << 8), this.header.lanes.length);
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
        this.lanes = lanesOf(header.lanes, this.meta);
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
        const known = this.byKind.get(kind);
        if (known !== undefined) return known;
        const wanted = this.header.kinds.indexOf(kind);
        const { kindOf, count } = this;
        let size = 0;
        for (let n = 1; n <= count; n++) if (kindOf[n] === wanted) size++;
        const numbers = new Uint32Array(size);
        for (let n = 1, i = 0; i < size; n++) if (kindOf[n] === wanted) numbers[i++] = n;
        this.byKind.set(kind, numbers);
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
            const field = this.header.fields[reader.byte()];
            record[field] = this.value(reader);
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
            if (reader.byte() === wanted) return this.value(reader);
            this.pass(reader);
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
        const { block, i } = this.place(n);
        const reader = new Reader(block.bytes, block.fieldsAt[i], block.factsAt[i]);
        while (reader.at < reader.end) {
            const field = reader.byte();
            const begin = reader.at;
            const tag = reader.varint();
            const type = tag % 8;
            const x = Math.floor(tag / 8);
            if (type === 1) into[field] = x % 2 === 0 ? x / 2 : -(x + 1) / 2;
            else if (type === 2) into[field] = x;
            else {
                into[field] = Infinity;
                reader.at = begin;
                this.pass(reader);
            }
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
            sets.push([key, this.value(reader)]);
        }
        return sets;
    }

    /**
     * Calls back for each fact of the trace in order, without decoding its value.
     * @param {(n: number, key: number, block: number, at: number) => void} call key: number of a string;
     *   block, at: where the value stands (valueAt)
     */
    eachFact(call) {
        this.blocks.forEach((block, b) => {
            const reader = new Reader(block.bytes, 0, 0);
            for (let i = 0; i < block.count; i++) {
                reader.at = block.factsAt[i];
                reader.end = block.endAt[i];
                while (reader.at < reader.end) {
                    const key = reader.varint();
                    const size = reader.varint();
                    call(block.first + i, key, b, reader.skip(size));
                }
            }
        });
    }

    /** @param {number} block @param {number} at @returns {Value} */
    valueAt(block, at) {
        const { bytes } = this.blocks[block];
        return this.value(new Reader(bytes, at, bytes.length));
    }

    /** @param {number} n @returns {{block: Block, i: number}} */
    place(n) {
        if (!(n >= 1 && n <= this.count)) throw new RangeError(`there is no record ${n}`);
        const block = this.blocks[Math.floor((n - 1) / BLOCK)];
        return { block, i: n - block.first };
    }

    // ---- values ----

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

    /**
     * @param {Reader} reader
     * @returns {Value}
     */
    value(reader) {
        const tag = reader.varint();
        const x = Math.floor(tag / 8);
        switch (tag % 8) {
            case 0:
                return null;
            case 1:
                return x % 2 === 0 ? x / 2 : -(x + 1) / 2;
            case 2:
                return this.string(x);
            case 3:
                return this.listOf(reader, x);
            case 4:
                return this.objectOf(reader, x);
            case 5:
                return { hex: hexOf(reader.bytes, reader.skip(x), x) };
            case 6:
                return longOf(reader);
            default:
                return textOf(reader.bytes, reader.skip(x), x);
        }
    }

    /** @param {Reader} reader @param {number} count @returns {Value[]} */
    listOf(reader, count) {
        const list = [];
        for (let i = 0; i < count; i++) list.push(this.value(reader));
        return list;
    }

    /** @param {Reader} reader @param {number} count @returns {{[field: string]: Value}} */
    objectOf(reader, count) {
        /** @type {{[field: string]: Value}} */
        const object = {};
        for (let i = 0; i < count; i++) {
            const field = this.header.fields[reader.byte()];
            object[field] = this.value(reader);
        }
        return object;
    }

    /**
     * Passes over a value.
     * @param {Reader} reader
     */
    pass(reader) {
        const tag = reader.varint();
        const x = Math.floor(tag / 8);
        switch (tag % 8) {
            case 3:
                for (let i = 0; i < x; i++) this.pass(reader);
                break;
            case 4:
                for (let i = 0; i < x; i++) {
                    reader.byte();
                    this.pass(reader);
                }
                break;
            case 5:
            case 7:
                reader.skip(x);
                break;
            case 6:
                reader.skip(8);
                break;
            default:
                break;
        }
    }
}

/** @param {Reader} reader @returns {number | bigint} */
function longOf(reader) {
    const at = reader.skip(8);
    const view = new DataView(reader.bytes.buffer, reader.bytes.byteOffset + at, 8);
    const long = view.getBigInt64(0, true);
    return Number.isSafeInteger(Number(long)) ? Number(long) : long;
}

/** @param {Uint8Array} bytes @param {number} at @param {number} size @returns {string} */
function hexOf(bytes, at, size) {
    let text = "";
    for (let i = at; i < at + size; i++) text += bytes[i].toString(16).padStart(2, "0");
    return text;
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

const ROLES = /** @type {{[letter: string]: string}} */ ({
    z: "zookeeper",
    c: "controller",
    b: "broker",
    p: "producer",
    u: "consumer",
    o: "operator",
    w: "scenario",
});
const ORDER = "zcbpuow";

/**
 * The lanes in the order of the diagram: ZooKeeper, controller and broker of each node side by side,
 * producers, consumers, the operator, the scenario.
 * @param {string[]} used
 * @param {TraceRecord} meta
 * @returns {Lane[]}
 */
function lanesOf(used, meta) {
    const ids = new Set(["zk", ...used]);
    /** @type {Map<string, string>} */
    const names = new Map();
    for (const lane of Array.isArray(meta.lanes) ? meta.lanes : []) {
        if (typeof lane.id === "string") {
            ids.add(lane.id);
            if (typeof lane.name === "string") names.set(lane.id, lane.name);
        } else if (typeof lane.node === "number") {
            const role = String(lane.role);
            if (role.includes("controller")) ids.add(`c${lane.node}`);
            if (role.includes("broker")) ids.add(`b${lane.node}`);
        }
    }
    const lanes = [...ids].map((id) => ({
        id,
        node: "cb".includes(id[0]) ? Number(id.slice(1)) : null,
        role: ROLES[id[0]] ?? id,
        name: names.get(id) ?? "",
    }));
    const place = (/** @type {Lane} */ lane) => {
        const letter = lane.id[0] === "b" ? "c" : lane.id[0];
        return [ORDER.indexOf(letter), Number(lane.id.slice(1)) || 0, ORDER.indexOf(lane.id[0])];
    };
    return lanes.sort((a, b) => {
        const [x, y] = [place(a), place(b)];
        return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
    });
}

/**
 * A value as the NDJSON of a trace has it.
 * @param {Value | undefined} value
 * @returns {string}
 */
export function json(value) {
    if (value === null || value === undefined) return "null";
    if (typeof value === "bigint" || typeof value === "number") return `${value}`;
    if (typeof value === "string") return JSON.stringify(value).replace(/\\(.)|\u007f/g, longEscape);
    if (Array.isArray(value)) return `[${value.map(json).join(",")}]`;
    return `{${Object.entries(value)
        .map(([name, item]) => `"${name}":${json(item)}`)
        .join(",")}}`;
}

/**
 * The tools write \\n and \\t short, other control characters as four digits.
 * @param {string} text
 * @param {string | undefined} letter
 * @returns {string}
 */
function longEscape(text, letter) {
    const codes = /** @type {{[letter: string]: string}} */ ({ b: "0008", f: "000c", r: "000d" });
    if (letter === undefined) return "\\u007f";
    return letter in codes ? `\\u${codes[letter]}` : text;
}
