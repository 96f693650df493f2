/**
 * Arrows of messages, and the chain of causes as one violet line.
 *
 * Hue is that of the plane; dashed: refused or lost; dotted: a watch. Faint: one of its ends has no row at this level of detail. A
 * refusal that is part of normal work stays faint, too.
 */
import { planeOf } from "./marks.js";
import { colours } from "./theme.js";

/** @typedef {import("./paint.js").Scene} Scene */
/** @typedef {CanvasRenderingContext2D} Ink */

/** @param {Ink} ink @param {Scene} scene */
export function paintArrows(ink, scene) {
    const rows = scene.app.rows();
    const crowded = scene.app.rowHeight < 8;
    for (const n of scene.lines.crossing(scene.first, scene.last)) {
        if (n > scene.app.last()) continue;
        const ends = endsOf(scene, n);
        if (ends.x1 === ends.x0 || (ends.y0 < 0 && ends.y1 < 0) || (ends.y0 > scene.height && ends.y1 > scene.height))
            continue;
        const style = styleOf(scene, n);
        const whole = rows.has(n) && rows.has(scene.app.trace.by(n));
        ink.globalAlpha = (whole ? 1 : 0.4) * (crowded ? 0.5 : 1) * style.alpha;
        ink.strokeStyle = style.colour;
        ink.fillStyle = style.colour;
        ink.lineWidth = whole ? 1.3 : 1;
        ink.setLineDash(style.dash);
        ink.beginPath();
        ink.moveTo(ends.x0, ends.y0);
        ink.lineTo(ends.x1, ends.y1);
        ink.stroke();
        if (style.head && !crowded) paintHead(ink, ends);
    }
    ink.globalAlpha = 1;
    ink.setLineDash([]);
}

/**
 * @param {Scene} scene
 * @param {number} n the record that arrives
 */
function endsOf(scene, n) {
    const { trace } = scene.app;
    const by = trace.by(n);
    const from = trace.at(by);
    const to = trace.kind(n) === "drop" ? String(trace.field(by, "to") ?? trace.at(n)) : trace.at(n);
    return { x0: scene.lanes.x(from), y0: scene.y(by), x1: scene.lanes.x(to), y1: scene.y(n) };
}

/**
 * @param {Scene} scene
 * @param {number} n
 */
function styleOf(scene, n) {
    const { trace, model } = scene.app;
    const kind = trace.kind(n);
    const lane = kind === "zap" || kind === "zrep" || kind === "notify" ? "zk" : trace.at(trace.by(n));
    const refused = model.refused(n) || kind === "drop";
    const bad = refused && !model.benign(n);
    const colour = bad ? colours().bad : colours()[planeOf(lane)];
    const dash = kind === "notify" ? [2, 3] : refused ? [5, 3] : [];
    return { colour, dash, alpha: kind === "zrep" || (refused && !bad) ? 0.5 : 0.9, head: kind !== "drop" };
}

/** @param {Ink} ink @param {{x0: number, y0: number, x1: number, y1: number}} ends */
function paintHead(ink, { x0, y0, x1, y1 }) {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const size = 6;
    ink.setLineDash([]);
    ink.beginPath();
    ink.moveTo(x1, y1);
    ink.lineTo(x1 - size * Math.cos(angle - 0.4), y1 - size * Math.sin(angle - 0.4));
    ink.lineTo(x1 - size * Math.cos(angle + 0.4), y1 - size * Math.sin(angle + 0.4));
    ink.closePath();
    ink.fill();
}

/** @param {Ink} ink @param {Scene} scene */
export function paintChain(ink, scene) {
    const { app, lanes } = scene;
    if (app.why === null) return;
    ink.strokeStyle = colours().chain;
    ink.lineWidth = 2.4;
    ink.lineJoin = "round";
    ink.globalAlpha = 0.85;
    ink.setLineDash([]);
    ink.beginPath();
    let begun = false;
    for (const link of app.why.links) {
        if (link.fold || link.n > app.last()) continue;
        const x = lanes.x(app.trace.at(link.n));
        const y = Math.max(-4000, Math.min(scene.height + 4000, scene.y(link.n)));
        if (begun) ink.lineTo(x, y);
        else ink.moveTo(x, y);
        begun = true;
    }
    ink.stroke();
    ink.globalAlpha = 1;
}
