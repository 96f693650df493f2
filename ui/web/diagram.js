/**
 * The space-time diagram: a window onto the rows. One row is one record, order goes down; lanes are side by side,
 * words at the right (lanes.js has the picture).
 *
 *     #rows        scrolls; as high as all rows, or as high as a browser can, and then scrolling is scaled
 *     #rows-canvas sticks to its top and shows what is in the window; drawn when something changed, never otherwise
 *
 * Scrolling does not move the moment; a click on a row does. Only what is in the window is drawn: rows by binary search,
 * arrows by blocks, bars by binary search, so a drawing costs the same in a trace of a million records.
 */
import { onResize, prepare } from "./canvas.js";
import { byId, once } from "./dom.js";
import { drawLaneHeads } from "./heads.js";
import { layoutLanes } from "./lanes.js";
import { Lines } from "./lines.js";
import { sentence } from "./narrate.js";
import { paintWindow } from "./paint.js";
import { openPicker } from "./picker.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./lanes.js").Lanes} Lanes */
/** @typedef {import("./rows.js").Rows} Rows */

const tallest = 6e6; // px; browsers stop somewhere above
const calm = { top: 0.14, bottom: 0.78, to: 0.42 }; // where the moment may be without scrolling

/** @param {App} app */
export function mountDiagram(app) {
    const diagram = new Diagram(app);
    const draw = once(() => diagram.draw());
    onResize(diagram.view, () => {
        const seen = diagram.seesMoment();
        diagram.measure();
        if (seen) diagram.showMoment();
        else draw();
    });
    diagram.view.addEventListener("scroll", () => diagram.scrolled() && draw(), { passive: true });
    app.on("trace", () => {
        diagram.lanes = null; // a client may have come
    });
    app.on("moment", () => diagram.showMoment());
    for (const event of /** @type {const} */ (["level", "trace", "zoom", "limit", "table"])) {
        app.on(event, () => {
            diagram.resize();
            diagram.showMoment();
        });
    }
    app.on("why", draw);
    app.on("theme", () => diagram.draw()); // at once: it may be for paper
    app.on("lanes", () => {
        diagram.lanes = null;
        draw();
    });
    mountPointer(app, diagram);
    byId("lanes-button").addEventListener("click", () => openPicker(app));
    byId("back").addEventListener("click", () => {
        app.follow = true;
        diagram.center();
        diagram.draw();
    });
    diagram.measure();
    diagram.resize();
    diagram.showMoment();
}

/**
 * Sizes and the position of scrolling are kept here: to ask the page for them while others change it would have
 * it laid out anew each time.
 */
class Diagram {
    /** @param {App} app */
    constructor(app) {
        this.app = app;
        this.view = byId("rows");
        this.size = byId("rows-size");
        this.canvas = /** @type {HTMLCanvasElement} */ (byId("rows-canvas"));
        /** @type {Lanes | null} null: to be laid out anew */
        this.lanes = null;
        /** @type {{rows: Rows, lines: Lines} | null} */
        this.made = null;
        this.width = 0;
        this.room = 0; // height of the window
        this.scroll = 0;
    }

    measure() {
        this.width = this.view.clientWidth;
        this.room = this.view.clientHeight;
        this.scroll = this.view.scrollTop;
        this.lanes = null;
    }

    /** Notes where it was scrolled to; false: that was known. */
    scrolled() {
        const known = this.scroll;
        this.scroll = this.view.scrollTop;
        return this.scroll !== known;
    }

    /** Height of all rows in px, with room below the last. */
    get height() {
        const rows = this.app.rows();
        return (rows.top(rows.at(this.app.last()) + 1) + 2) * this.app.rowHeight;
    }

    /** How many px of rows one px of scrolling is. */
    get scale() {
        const { room } = this;
        return Math.max(1, (this.height - room) / Math.max(1, Math.min(this.height, tallest) - room));
    }

    /** What is at the upper edge, in px from the first row. */
    get top() {
        return this.scroll * this.scale;
    }

    resize() {
        this.size.style.height = `${Math.min(this.height, tallest)}px`;
    }

    /** Arrows of the rows that are shown. */
    lines() {
        const rows = this.app.rows();
        if (this.made === null || this.made.rows !== rows) this.made = { rows, lines: new Lines(this.app.trace, rows) };
        else this.made.lines.grow();
        return this.made.lines;
    }

    /** Scrolls to the moment if it is not in the calm part of the window, and draws. */
    showMoment() {
        const { app, room } = this;
        const y = app.rows().middle(app.n) * app.rowHeight - this.top;
        if (app.follow && (y < calm.top * room || y > calm.bottom * room)) this.center();
        this.draw();
    }

    center() {
        const y = this.app.rows().middle(this.app.n) * this.app.rowHeight;
        const most = Math.min(this.height, tallest) - this.room;
        this.scroll = Math.max(0, Math.min(most, Math.round((y - calm.to * this.room) / this.scale)));
        this.view.scrollTop = this.scroll;
    }

    draw() {
        const { app, width, room: height } = this;
        if (app.table || width === 0 || height === 0) return;
        this.lanes ??= layoutLanes(app, width);
        this.canvas.style.height = `${height}px`;
        const ink = prepare(this.canvas, width, height);
        paintWindow(ink, { app, lanes: this.lanes, lines: this.lines(), top: this.top, height });
        drawLaneHeads(app, this.lanes);
        byId("back").hidden = this.seesMoment();
    }

    /** Is the moment in the window? */
    seesMoment() {
        const { app, room } = this;
        const y = app.rows().middle(app.n) * app.rowHeight - this.top;
        return y > -app.rowHeight && y < room + app.rowHeight;
    }

    /**
     * The record whose row is at a place of the window.
     *
     * @param {MouseEvent} event
     */
    recordAt(event) {
        const y = event.clientY - this.canvas.getBoundingClientRect().top + this.top;
        const rows = this.app.rows();
        return rows.count === 0 ? 1 : rows.shown[rows.rowAt(y / this.app.rowHeight)];
    }
}

/**
 * @param {App} app
 * @param {Diagram} diagram
 */
function mountPointer(app, diagram) {
    const { canvas } = diagram;
    let over = 0;
    canvas.addEventListener("click", (event) => app.go(diagram.recordAt(event), { scroll: false }));
    canvas.addEventListener("dblclick", (event) => app.ask(diagram.recordAt(event)));
    canvas.addEventListener("mousemove", (event) => {
        const n = diagram.recordAt(event);
        if (n === over) return;
        over = n;
        canvas.title = sentence(app.trace, n); // the words of a row may be cut
    });
}
