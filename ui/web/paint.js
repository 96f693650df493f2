/**
 * What is in the window of the diagram, painted from the back to the front:
 *
 *     lanes, down, active │ the moment, faults │ sessions, leaders, events │ arrows │ the chain │ signs │ words
 */
import { fit } from "./canvas.js";
import { span as spanWords } from "./dom.js";
import { drawMark } from "./marks.js";
import { paintBars, paintStates } from "./bars.js";
import { paintArrows, paintChain } from "./arrows.js";
import { gapHeight } from "./rows.js";
import { colours } from "./theme.js";
import { rowWords } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./lanes.js").Lanes} Lanes */
/** @typedef {import("./lines.js").Lines} Lines */
/** @typedef {CanvasRenderingContext2D} Ink */
/**
 * @typedef {object} View
 * @property {App} app
 * @property {Lanes} lanes
 * @property {Lines} lines
 * @property {number} top upper edge, in px from the first row
 * @property {number} height
 *
 * @typedef {View & {first: number, last: number, from: number, to: number, chain: Set<number>,
 *          y: (n: number) => number}} Scene first, last: rows in the window; from, to: records; y: middle of a record's
 *          place in the window
 */

const leastForWords = 11; // px of a row

/**
 * @param {Ink} ink
 * @param {View} view
 */
export function paintWindow(ink, view) {
    const scene = makeScene(view);
    paintLanes(ink, scene);
    paintStates(ink, scene);
    paintRowBands(ink, scene);
    paintBars(ink, scene);
    paintGaps(ink, scene);
    paintArrows(ink, scene);
    paintChain(ink, scene);
    paintMarks(ink, scene);
    if (scene.app.rowHeight >= leastForWords) paintWords(ink, scene);
    paintTimes(ink, scene);
}

/**
 * @param {View} view
 * @returns {Scene}
 */
function makeScene(view) {
    const { app, top, height } = view;
    const rows = app.rows();
    const unit = app.rowHeight;
    const first = Math.max(0, rows.rowAt(top / unit) - 1);
    const lastAllowed = rows.at(app.last());
    const last = Math.min(lastAllowed, rows.rowAt((top + height) / unit) + 1);
    return {
        ...view,
        first,
        last,
        from: rows.count > 0 ? rows.shown[first] : 1,
        to: rows.count > 0 ? rows.shown[Math.max(0, last)] : 1,
        chain: app.why?.shown ?? new Set(),
        y: (n) => rows.middle(n) * unit - top,
    };
}

/** @param {Ink} ink @param {Scene} scene */
function paintLanes(ink, scene) {
    const { lanes, height } = scene;
    ink.fillStyle = colours().lane;
    ink.fillRect(lanes.zookeeper.left, 0, lanes.zookeeper.right - lanes.zookeeper.left, height);
    for (const node of lanes.nodes) ink.fillRect(node.left, 0, node.right - node.left, height);
    ink.fillStyle = colours().rule;
    for (const node of lanes.nodes) ink.fillRect(Math.round(node.broker), 0, 1, height);
    for (const client of lanes.clients) ink.fillRect(Math.round(client.x), 0, 1, height);
    if (lanes.others !== null) ink.fillRect(Math.round(lanes.others), 0, 1, height);
}

/** The moment, faults, violations: bands over the whole width. @param {Ink} ink @param {Scene} scene */
function paintRowBands(ink, scene) {
    const { app, lanes, first, last } = scene;
    const rows = app.rows();
    const unit = app.rowHeight;
    for (let row = first; row <= last; row++) {
        const n = rows.shown[row];
        if (!app.model.isFault(n) && !app.model.isViolation(n)) continue;
        ink.fillStyle = colours()["bad-page"];
        ink.fillRect(lanes.left, rows.top(row) * unit - scene.top, lanes.width - lanes.left, unit);
    }
    const row = rows.at(app.n);
    if (row < 0) return;
    const y = rows.top(row) * unit - scene.top;
    ink.fillStyle = colours().moment;
    ink.fillRect(0, y, lanes.width, Math.max(2, unit));
    ink.fillStyle = colours()["moment-edge"];
    ink.fillRect(0, y, 4, Math.max(2, unit));
}

/** Silence, folded and labelled. @param {Ink} ink @param {Scene} scene */
function paintGaps(ink, scene) {
    const { app, lanes, first, last, top } = scene;
    const rows = app.rows();
    const unit = app.rowHeight;
    for (let row = Math.max(1, first); row <= last; row++) {
        if (!rows.gapBefore(row)) continue;
        const bottom = rows.top(row) * unit - top;
        const height = gapHeight * unit;
        const middle = bottom - height / 2;
        ink.fillStyle = colours().page;
        ink.fillRect(lanes.left - 2, middle - height * 0.24, lanes.right - lanes.left + 4, height * 0.48);
        paintZigzag(ink, lanes.left - 2, lanes.right + 2, middle);
        if (unit < leastForWords) continue;
        const us = app.trace.t(rows.shown[row]) - app.trace.t(rows.shown[row - 1]);
        ink.font = `italic ${lanes.narrow ? 11 : 12}px ${colours().sans}`;
        ink.fillStyle = colours().muted;
        ink.textAlign = "left";
        ink.textBaseline = "middle";
        ink.fillText(`${spanWords(us)} pass`, lanes.words, middle);
    }
}

/** @param {Ink} ink @param {number} left @param {number} right @param {number} y */
function paintZigzag(ink, left, right, y) {
    ink.strokeStyle = colours().muted;
    ink.lineWidth = 0.7;
    ink.setLineDash([]);
    ink.beginPath();
    ink.moveTo(left, y);
    for (let x = left, up = true; x < right; x += 4, up = !up) ink.lineTo(x, y + (up ? -2 : 2));
    ink.stroke();
}

/** @param {Ink} ink @param {Scene} scene */
function paintMarks(ink, scene) {
    const { app, first, last } = scene;
    const rows = app.rows();
    const r = Math.max(1.5, Math.min(5, app.rowHeight * 0.28));
    for (let row = first; row <= last; row++) {
        const n = rows.shown[row];
        const refused = app.model.refused(n) || app.trace.kind(n) === "drop";
        drawMark(ink, app.trace, n, {
            x: markPlace(scene, n),
            y: scene.y(n),
            r,
            refused,
            benign: app.model.benign(n),
            colours: colours(),
        });
        if (app.trace.kind(n) === "session" && app.trace.at(n) === "zk") paintSessionMark(ink, scene, n, r);
    }
}

/**
 * Where the sign of a record stands: in its lane; that of a lost message where it would have gone; a fault of a node at the
 * node.
 *
 * @param {Scene} scene
 * @param {number} n
 */
function markPlace(scene, n) {
    const { app, lanes } = scene;
    const { trace } = app;
    if (trace.kind(n) === "drop") return lanes.x(String(trace.field(trace.by(n), "to") ?? trace.at(n)));
    if (trace.kind(n) !== "fault") return lanes.x(trace.at(n));
    const hit = trace.field(n, "hit");
    const node = Array.isArray(hit) ? lanes.nodes.find((one) => one.id === hit[0]) : undefined;
    return node === undefined ? lanes.x(trace.at(n)) : (node.controller + node.broker) / 2;
}

/** @param {Ink} ink @param {Scene} scene @param {number} n @param {number} r */
function paintSessionMark(ink, scene, n, r) {
    const { app, lanes } = scene;
    const x = lanes.zookeeper.sessions.get(Number(app.trace.field(n, "node"))) ?? lanes.zookeeper.x;
    const y = scene.y(n);
    const ended = app.trace.field(n, "what") === "expired" || app.trace.field(n, "what") === "closed";
    ink.strokeStyle = ended ? colours().bad : colours().zookeeper;
    ink.lineWidth = 2;
    ink.setLineDash([]);
    ink.beginPath();
    if (ended) {
        ink.moveTo(x - r, y - r);
        ink.lineTo(x + r, y + r);
        ink.moveTo(x + r, y - r);
        ink.lineTo(x - r, y + r);
    } else {
        ink.moveTo(x - r, y);
        ink.lineTo(x + r, y);
    }
    ink.stroke();
}

/** @param {Ink} ink @param {Scene} scene */
function paintWords(ink, scene) {
    const { app, lanes, first, last } = scene;
    const rows = app.rows();
    const size = Math.min(lanes.narrow ? 11 : 13, app.rowHeight - 4);
    const wide = !lanes.narrow && lanes.width - lanes.words > 320;
    const whoWidth = wide ? 78 : 0;
    const left = lanes.words + whoWidth;
    const room = lanes.width - left - 8;
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    for (let row = first; row <= last; row++) {
        const n = rows.shown[row];
        const y = scene.y(n) + 0.5;
        const { who, what } = rowWords(app.trace, n);
        if (wide) {
            ink.font = `${size - 1}px ${colours().sans}`;
            ink.fillStyle = colours().muted;
            ink.fillText(fit(ink, who, whoWidth - 4), lanes.words, y);
        }
        const { colour, bold, sign } = wordStyle(scene, n);
        ink.font = `${bold ? "700 " : ""}${size}px ${colours().sans}`;
        ink.fillStyle = colour;
        ink.fillText(fit(ink, sign + what, room), left, y);
    }
}

/** @param {Scene} scene @param {number} n */
function wordStyle(scene, n) {
    const { app } = scene;
    const colour = colours();
    if (app.model.isFault(n)) return { colour: colour.bad, bold: true, sign: "" };
    if (app.model.isViolation(n)) return { colour: colour.bad, bold: true, sign: "✗ " };
    const refused = app.model.refused(n);
    const bad = refused && !app.model.benign(n);
    const sign = refused ? "✕ " : "";
    if (scene.chain.has(n)) return { colour: colour.chain, bold: true, sign };
    if (bad) return { colour: colour.bad, bold: true, sign };
    if (app.trace.kind(n) === "drop") return { colour: colour.bad, bold: false, sign: "" };
    return { colour: refused || app.model.level(n) === 2 ? colour.muted : colour.text, bold: false, sign };
}

/** Times, in full where the second changes. @param {Ink} ink @param {Scene} scene */
function paintTimes(ink, scene) {
    const { app, lanes, first, last } = scene;
    if (lanes.gutter === 0) return;
    const rows = app.rows();
    const every = Math.max(1, Math.ceil(13 / app.rowHeight));
    ink.textAlign = "right";
    ink.textBaseline = "middle";
    ink.font = `${Math.min(12, Math.max(9, app.rowHeight - 4))}px ${colours().sans}`;
    for (let row = first; row <= last; row++) {
        const t = app.trace.t(rows.shown[row]);
        const before = row > 0 ? app.trace.t(rows.shown[row - 1]) : -1;
        const full = Math.floor(t / 1e6) !== Math.floor(before / 1e6) || row === first + 1;
        if (row % every !== 0 && !full) continue;
        ink.fillStyle = full ? colours().text : colours().muted;
        const text = (t / 1e6).toFixed(4);
        ink.fillText(full ? text : text.slice(text.indexOf(".")), lanes.gutter - 6, scene.y(rows.shown[row]) + 0.5);
    }
}
