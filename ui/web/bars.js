/**
 * What lasts, in the lanes of the diagram (spans.js has what it is):
 *
 *     over both lanes of a node     hatched and the word: down, paused, blocked
 *     in the lane of a controller   tint: it believes to be the controller; box: event in work; bars: events that wait
 *     in the lane of a broker       a bar for each partition that it thinks it leads, numbered; where they are too many,
 *                                   one bar, as wide as they are many
 *     in the lane of ZooKeeper      a thin line for each session: solid while the process is up, dotted while it is silent
 */
import { hatch } from "./canvas.js";
import { crossing } from "./spans.js";
import { brokerColour, colours } from "./theme.js";

/** @typedef {import("./paint.js").Scene} Scene */
/** @typedef {import("./spans.js").Span} Span */
/** @typedef {import("./lanes.js").NodeLanes} NodeLanes */
/** @typedef {CanvasRenderingContext2D} Ink */

const mostBars = 6; // partitions that get a bar of their own
const mostWaiting = 5;

/** What fills whole lanes. @param {Ink} ink @param {Scene} scene */
export function paintStates(ink, scene) {
    for (const node of scene.lanes.nodes) {
        paintActive(ink, scene, node);
        paintState(ink, scene, node);
    }
}

/** @param {Ink} ink @param {Scene} scene */
export function paintBars(ink, scene) {
    const places = partitionPlaces(scene);
    for (const node of scene.lanes.nodes) {
        paintQueue(ink, scene, node);
        if (places === null) paintManyLeads(ink, scene, node);
        else paintLeads(ink, scene, node, places);
    }
    paintSessions(ink, scene);
}

/**
 * Upper and lower end of a span in the window, cut a little outside of it.
 *
 * @param {Scene} scene
 * @param {Span} span
 */
function extent(scene, span) {
    const last = scene.app.last();
    const top = Math.max(-20, scene.y(span.from));
    const open = span.to > scene.app.trace.count && last === scene.app.trace.count; // the future may be hidden
    const bottom = Math.min(scene.height + 20, open ? Infinity : scene.y(Math.min(span.to, last)));
    return { top, bottom, height: Math.max(1, bottom - top) };
}

/** @param {Ink} ink @param {Scene} scene @param {NodeLanes} node */
function paintActive(ink, scene, node) {
    ink.fillStyle = colours().active;
    for (const span of crossing(scene.app.spans.active.get(node.id), scene.from, scene.to)) {
        const { top, height } = extent(scene, span);
        ink.fillRect(node.left, top, scene.lanes.unit, height);
    }
}

/** @param {Ink} ink @param {Scene} scene @param {NodeLanes} node */
function paintState(ink, scene, node) {
    const width = node.right - node.left;
    for (const span of crossing(scene.app.spans.state.get(node.id), scene.from, scene.to)) {
        const { top, bottom, height } = extent(scene, span);
        if (span.value === "down") {
            ink.fillStyle = colours().page;
            ink.fillRect(node.left, top, width, height);
        }
        ink.fillStyle = hatch(ink, colours().down);
        ink.fillRect(node.left, top, width, height);
        if (height < 30) continue;
        const word = String(span.value);
        const rows = scene.app.rows();
        const second = rows.at(Math.max(span.from, scene.from)) + 2; // the first may be at a fold
        const y = Math.min((rows.top(second) + 0.5) * scene.app.rowHeight - scene.top, bottom - 10);
        ink.font = `700 12px ${colours().sans}`;
        if (width < ink.measureText(word).width + 4) {
            paintUpright(ink, word, node.left + width / 2, y + 10);
            continue;
        }
        ink.textAlign = "center";
        ink.textBaseline = "middle";
        ink.fillStyle = colours().text;
        ink.fillText(word, node.left + width / 2, y);
    }
}

/** @param {Ink} ink @param {string} word @param {number} x @param {number} y */
function paintUpright(ink, word, x, y) {
    ink.save();
    ink.translate(x, y);
    ink.rotate(-Math.PI / 2);
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    ink.fillStyle = colours().text;
    ink.fillText(word, 0, 0);
    ink.restore();
}

/** @param {Ink} ink @param {Scene} scene @param {NodeLanes} node */
function paintQueue(ink, scene, node) {
    const { unit } = scene.lanes;
    const { spans } = scene.app;
    const box = Math.min(12, unit * 0.5);
    ink.lineWidth = 1.2;
    ink.setLineDash([]);
    for (const span of crossing(spans.work.get(node.id), scene.from, scene.to)) {
        const { top, height } = extent(scene, span);
        ink.fillStyle = colours().page;
        ink.fillRect(node.controller - box / 2, top, box, height);
        ink.strokeStyle = colours().control;
        ink.strokeRect(node.controller - box / 2, top, box, height);
    }
    const most = Math.min(mostWaiting, Math.floor((unit / 2 - box / 2 - 2) / 3.5));
    ink.globalAlpha = 0.55;
    ink.fillStyle = colours().control;
    for (const span of crossing(spans.waiting.get(node.id), scene.from, scene.to)) {
        const { top, height } = extent(scene, span);
        if (height < 2) continue;
        for (let i = 0; i < Math.min(Number(span.value), most); i++)
            ink.fillRect(node.controller + box / 2 + 3 + i * 3.5, top, 2, height);
    }
    ink.globalAlpha = 1;
}

/**
 * A place for each partition that anybody leads, if they are few; null: they are many.
 *
 * @param {Scene} scene
 * @returns {Map<string, number> | null}
 */
function partitionPlaces(scene) {
    const names = scene.app.model.places.map((place) => place.tp);
    const most = scene.lanes.unit > 40 ? mostBars : 3;
    return names.length > most ? null : new Map(names.map((tp, i) => [tp, i]));
}

/** @param {Ink} ink @param {Scene} scene @param {NodeLanes} node @param {Map<string, number>} places */
function paintLeads(ink, scene, node, places) {
    const { unit } = scene.lanes;
    const step = Math.min(10, (unit - 6) / Math.max(1, places.size));
    const bar = Math.max(3, step - 2);
    const first = node.broker - (step * places.size) / 2;
    for (const [tp, list] of scene.app.spans.leads.get(node.id) ?? []) {
        const place = places.get(tp);
        if (place === undefined) continue;
        for (const span of crossing(list, scene.from, scene.to)) {
            const { top, height } = extent(scene, span);
            const x = first + place * step;
            paintLeadBar(ink, x, top, bar, height, brokerColour(scene.app, node.id));
            if (bar >= 6 && height > 24)
                paintNumber(ink, x + bar / 2, Math.max(top, 0) + 8, tp.slice(tp.lastIndexOf("-") + 1));
        }
    }
}

/** @param {Ink} ink @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
function paintLeadBar(ink, x, y, width, height, colour) {
    ink.fillStyle = colour;
    ink.fillRect(x, y, width, height);
    ink.strokeStyle = colours().data; // the fill alone has too little contrast with a light lane
    ink.lineWidth = 0.8;
    ink.strokeRect(x, y, width, height);
}

/** @param {Ink} ink @param {number} x @param {number} y @param {string} text */
function paintNumber(ink, x, y, text) {
    ink.font = `700 10px ${colours().sans}`;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    ink.fillStyle = colours()["on-band"];
    ink.fillText(text, x, y);
}

/**
 * One bar for all that the broker leads; its width changes where their number does.
 *
 * @param {Ink} ink
 * @param {Scene} scene
 * @param {NodeLanes} node
 */
function paintManyLeads(ink, scene, node) {
    const { spans, model } = scene.app;
    const counts = spans.leadCounts.get(node.id) ?? [];
    const fair = Math.max(1, (2 * model.places.length) / Math.max(1, model.brokers.length));
    const widest = scene.lanes.unit - 4;
    for (const span of crossing(counts, scene.from, scene.to)) {
        const count = Number(span.value);
        if (count === 0) continue;
        const { top, height } = extent(scene, span);
        const width = Math.max(3, Math.min(1, count / fair) * widest);
        paintLeadBar(ink, node.broker - width / 2, top, width, height, brokerColour(scene.app, node.id));
        if (height > 40 && width > 14) paintNumber(ink, node.broker, Math.max(top, 0) + 9, String(count));
    }
}

/** @param {Ink} ink @param {Scene} scene */
function paintSessions(ink, scene) {
    const { spans } = scene.app;
    ink.strokeStyle = colours().zookeeper;
    ink.lineWidth = scene.lanes.zookeeper.sessions.size > 5 ? 1.2 : 1.8;
    for (const [id, x] of scene.lanes.zookeeper.sessions) {
        for (const session of crossing(spans.session.get(id), scene.from, scene.to)) {
            if (session.value !== "live") continue;
            const silent = crossing(spans.state.get(id), session.from, session.to).filter(
                (span) => span.value !== "blocked",
            );
            for (const piece of pieces(session, silent)) {
                const { top, bottom } = extent(scene, piece);
                if (bottom < 0 || top > scene.height) continue;
                ink.setLineDash(piece.value === "silent" ? [1.5, 4] : []);
                ink.beginPath();
                ink.moveTo(x, top);
                ink.lineTo(x, bottom);
                ink.stroke();
            }
        }
    }
    ink.setLineDash([]);
}

/**
 * A session in pieces, silent while its process does not run.
 *
 * @param {Span} session
 * @param {Span[]} silent
 * @returns {Span[]}
 */
function pieces(session, silent) {
    /** @type {Span[]} */
    const found = [];
    let from = session.from;
    for (const quiet of silent) {
        const start = Math.max(from, quiet.from);
        const end = Math.min(session.to, quiet.to);
        if (start > from) found.push({ from, to: start, value: "live" });
        if (end > start) found.push({ from: start, to: end, value: "silent" });
        from = Math.max(from, end);
    }
    if (from < session.to) found.push({ from, to: session.to, value: "live" });
    return found;
}
