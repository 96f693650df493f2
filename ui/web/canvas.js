/**
 * Canvases that are sharp on every screen, and text that fits.
 */

/** @typedef {CanvasRenderingContext2D} Ink */

/**
 * Gives a canvas the size of its place in CSS pixels, and the pixels of the screen behind each of them.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @returns {Ink} in CSS pixels, cleared
 */
export function prepare(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const pixels = { width: Math.max(1, Math.round(width * ratio)), height: Math.max(1, Math.round(height * ratio)) };
    if (canvas.width !== pixels.width || canvas.height !== pixels.height) {
        canvas.width = pixels.width;
        canvas.height = pixels.height;
    }
    const ink = canvas.getContext("2d");
    if (ink === null) throw new Error("this browser has no canvas");
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, width, height);
    return ink;
}

/**
 * Text cut to a width, with "…" where it was cut. Measures by halves.
 *
 * @param {Ink} ink with the font set
 * @param {string} text
 * @param {number} width in px
 */
export function fit(ink, text, width) {
    const long = text.length > 400 ? text.slice(0, 400) : text; // no window is wider
    if (long === text && ink.measureText(text).width <= width) return text;
    let low = 0;
    let high = long.length;
    while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (ink.measureText(`${long.slice(0, middle)}…`).width <= width) low = middle;
        else high = middle - 1;
    }
    return low === 0 ? "" : `${long.slice(0, low).trimEnd()}…`;
}

/** @type {Map<string, CanvasPattern | null>} */
const patterns = new Map();

/**
 * Slanted lines: nobody, or down.
 *
 * @param {Ink} ink
 * @param {string} line colour of the lines
 * @returns {CanvasPattern | string}
 */
export function hatch(ink, line) {
    const ratio = window.devicePixelRatio || 1;
    const key = `${line} ${ratio}`;
    const known = patterns.get(key);
    if (known) return known;
    const size = 7;
    const tile = document.createElement("canvas");
    const tileInk = prepare(tile, size, size);
    tileInk.strokeStyle = line;
    tileInk.lineWidth = 1.3;
    tileInk.beginPath();
    for (const shift of [-size, 0, size]) {
        tileInk.moveTo(shift - 1, -1);
        tileInk.lineTo(shift + size + 1, size + 1);
    }
    tileInk.stroke();
    const pattern = ink.createPattern(tile, "repeat");
    pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
    patterns.set(key, pattern);
    return pattern ?? line;
}

/**
 * Calls when the size of an element, or the sharpness of the screen, changes.
 *
 * @param {Element} element
 * @param {() => void} call
 */
export function onResize(element, call) {
    new ResizeObserver(call).observe(element);
    window.addEventListener("resize", call); // a change of zoom changes the pixels, and no box
}
