/**
 * The bytes of one block as numbers, text and values (ui/packed.h), and values as text.
 *
 * Every read is checked against the end of what it reads from, so a block that does not fit throws a TraceProblem and
 * never gives what is not there.
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

export const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads varints and values from the bytes of one block; a read behind the end throws. */
export class Reader {
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
 * Text of bytes: most are short and ASCII, for which a TextDecoder costs more than it gives.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} size
 * @returns {string}
 */
export function textOf(bytes, at, size) {
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

/**
 * What values are told apart by: names of fields, strings by number.
 *
 * @typedef {{fields: string[], string: (id: number) => string}} Names
 */

/**
 * @param {Reader} reader
 * @param {Names} names
 * @returns {Value}
 */
export function decode(reader, names) {
    const tag = reader.varint();
    const x = Math.floor(tag / 8);
    switch (tag % 8) {
        case 0:
            return null;
        case 1:
            return x % 2 === 0 ? x / 2 : -(x + 1) / 2;
        case 2:
            return names.string(x);
        case 3:
            return listOf(reader, x, names);
        case 4:
            return objectOf(reader, x, names);
        case 5:
            return { hex: hexOf(reader.bytes, reader.skip(x), x) };
        case 6:
            return longOf(reader);
        default:
            return textOf(reader.bytes, reader.skip(x), x);
    }
}

/** @param {Reader} reader @param {number} count @param {Names} names @returns {Value[]} */
function listOf(reader, count, names) {
    const list = [];
    for (let i = 0; i < count; i++) list.push(decode(reader, names));
    return list;
}

/** @param {Reader} reader @param {number} count @param {Names} names @returns {{[field: string]: Value}} */
function objectOf(reader, count, names) {
    /** @type {{[field: string]: Value}} */
    const object = {};
    for (let i = 0; i < count; i++) {
        const field = names.fields[reader.byte()];
        object[field] = decode(reader, names);
    }
    return object;
}

/**
 * Passes over a value, and tells what a look at it gives without decoding: an integer, the number of a string, or
 * Infinity for what is neither.
 *
 * @param {Reader} reader
 * @returns {number}
 */
export function glance(reader) {
    const tag = reader.varint();
    const x = Math.floor(tag / 8);
    switch (tag % 8) {
        case 1:
            return x % 2 === 0 ? x / 2 : -(x + 1) / 2;
        case 2:
            return x;
        case 3:
            for (let i = 0; i < x; i++) glance(reader);
            break;
        case 4:
            for (let i = 0; i < x; i++) {
                reader.byte();
                glance(reader);
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
    return Infinity;
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
