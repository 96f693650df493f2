/**
 * The bytes under the page: base64 ──► frames ──► inflate ──► Trace (ui/packed.h has the form).
 *
 * Every frame was deflated by itself, so a file whose end is missing gives all frames that are whole,
 * and says so (trace.problem). The Adler-32 behind each finds a frame that was damaged; what follows it
 * is left out, for its strings would be numbered wrongly.
 */
import { Trace, TraceProblem } from "./trace.js";

const SCHEMA = "kcsim.report/1";
const GROWTH = "kcsim.growth/1";
const PIECE = 1 << 18; // characters of base64 that are decoded at once; a multiple of 4

/**
 * @param {string} text base64, white space around it
 * @returns {Uint8Array} what it says up to its first wrong character
 */
function decode(text) {
    const whole = text.trim();
    const good = /^[A-Za-z0-9+/]*/.exec(whole);
    const size = good ? good[0].length : 0;
    const bytes = new Uint8Array(Math.floor((size * 3) / 4));
    let end = 0;
    for (let at = 0; at < size; at += PIECE) {
        let piece = whole.slice(at, Math.min(at + PIECE, size));
        if (piece.length % 4 === 1) piece = piece.slice(0, -1);
        const binary = atob(piece);
        for (let i = 0; i < binary.length; i++) bytes[end++] = binary.charCodeAt(i);
    }
    return bytes.subarray(0, end);
}

/**
 * @param {Uint8Array} deflated
 * @param {number} size of what it should give
 * @returns {Promise<Uint8Array | null>} null: it is damaged
 */
async function inflate(deflated, size) {
    const stream = new DecompressionStream("deflate");
    const writer = stream.writable.getWriter();
    const reader = stream.readable.getReader();
    const feed = writer.write(deflated).then(() => writer.close());
    feed.catch(() => {}); // the reader fails as well, and that is looked at
    const bytes = new Uint8Array(size);
    let end = 0;
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            if (end + value.length > size) {
                await reader.cancel();
                return null;
            }
            bytes.set(value, end);
            end += value.length;
        }
        await feed;
    } catch {
        return null;
    }
    return end === size ? bytes : null;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} schema that it must have
 * @returns {number} where the first frame stands
 */
function checkSchema(bytes, schema) {
    const newline = bytes.indexOf(10);
    const first = String.fromCharCode(...bytes.subarray(0, newline < 0 || newline > 40 ? 0 : newline));
    if (first === schema) return newline + 1;
    if (first.startsWith("kcsim.report/"))
        throw new TraceProblem(
            `This page reads traces of the form ${schema}, but the one in it is ${first}: another version of kcsim wrote it.`,
            "the first line of the data block",
        );
    throw new TraceProblem("What stands in this page is not a trace of kcsim.", "the first line of the data block");
}

/**
 * Splits the file into frames and inflates them, up to the first that is not whole.
 * @param {Uint8Array} bytes
 * @param {string} schema
 * @returns {Promise<{frames: Uint8Array[], whole: boolean}>}
 */
async function readFrames(bytes, schema) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    /** @type {Promise<Uint8Array | null>[]} */
    const coming = [];
    let at = checkSchema(bytes, schema);
    let whole = false;
    while (at + 4 <= bytes.length) {
        const packed = view.getUint32(at, true);
        if (packed === 0) {
            whole = at + 4 === bytes.length;
            break;
        }
        if (at + 8 + packed > bytes.length) break;
        const size = view.getUint32(at + 4, true);
        if (size > packed * 1100 + 64) break; // more than deflate can give: damaged
        coming.push(inflate(bytes.subarray(at + 8, at + 8 + packed), size));
        at += 8 + packed;
    }
    const all = await Promise.all(coming);
    const bad = all.indexOf(null);
    const frames = /** @type {Uint8Array[]} */ (bad < 0 ? all : all.slice(0, bad));
    return { frames, whole: whole && bad < 0 };
}

/**
 * @param {string} text what stands in the page's data block
 * @returns {Promise<Trace>} throws a TraceProblem where there is nothing to show
 */
export async function load(text) {
    if (text.trim() === "")
        throw new TraceProblem("There is no trace in this page: its end is missing.", "the data block is empty");
    return openTrace(decode(text));
}

/**
 * @param {string} text what stands in another data block of the page
 * @param {string} schema
 * @returns {Promise<Uint8Array[]>} its frames; throws a TraceProblem where they are not whole
 */
export async function loadFrames(text, schema) {
    const { frames, whole } = await readFrames(decode(text), schema);
    if (!whole) throw new TraceProblem("What stands in this page is cut off or damaged.", "the alignment");
    return frames;
}

/**
 * @param {Uint8Array} bytes a packed trace
 * @returns {Promise<Trace>} throws a TraceProblem where there is nothing to show
 */
export async function openTrace(bytes) {
    const { frames, whole } = await readFrames(bytes, SCHEMA);
    return Trace.open(frames, whole);
}

/**
 * @param {Uint8Array} bytes what the server of a live run says is new
 * @returns {Promise<Uint8Array[]>} its frames, for Trace.grow; throws a TraceProblem where something is missing
 */
export async function openGrowth(bytes) {
    const { frames, whole } = await readFrames(bytes, GROWTH);
    if (!whole) throw new TraceProblem("What the server sent is cut off or damaged.", "a growth");
    return frames;
}
