/**
 * The overview: the whole run on one line, time to the right.
 *
 *     ⚡ kill 1                       faults, as the scenario calls them
 *     controller  ████ 1 ████▒██ 2 ██  who is in /controller; hatched: nobody
 *     orders-0    ████████▄▄▄▄▄▄█████  who leads; as high as the ISR is large, compared with the largest it ever was
 *     ▪  ▪▪    ✕   ▪                   where something happens; refusals and violations
 *
 * On the axis of true time durations are honest, and a failover of 20 ms is a hair; on that of equal steps (the
 * button) it can be read. All that does not depend on the moment is drawn once onto a canvas of its own; moving the
 * moment copies that and draws one line.
 */
import { hatch, onResize, prepare } from "./canvas.js";
import { byId, fill, h, once, seconds } from "./dom.js";
import { sentence } from "./narrate.js";
import { faultWords } from "./words.js";
import { brokerColour, colours } from "./theme.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {CanvasRenderingContext2D} Ink */
/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} left where time begins
 * @property {number} right
 * @property {number} row height of a band's row
 * @property {string[]} partitions that are shown
 * @property {boolean} steps equal steps instead of true time
 * @property {Axis} axis
 */
/** @typedef {{t: number, share: number}} Place on an axis: in µs, in equal steps */
/**
 * Where records are on the axis: that of the run alone, or one that two runs share.
 *
 * @typedef {object} Axis
 * @property {() => number} end in µs
 * @property {(n: number) => number} share of a record, 0…1, in equal steps
 * @property {(share: number) => number} at the record with a row that is nearest before
 * @property {() => Place} moment
 * @property {() => Place | null} mark where a line is drawn
 */
/** @typedef {{canvas: HTMLCanvasElement, pages: Pages, axis: Axis}} Parts */

const mostRows = { wide: 8, narrow: 4 };
const faultsHeight = 18;
const footHeight = 30;

/**
 * @param {App} app
 * @returns {Parts} of a page with one run
 */
function ownParts(app) {
    const rows = () => app.rows();
    const share = (/** @type {number} */ n) => (rows().at(n) + 1) / Math.max(1, rows().count);
    return {
        canvas: /** @type {HTMLCanvasElement} */ (byId("strip-canvas")),
        pages: new Pages([app]),
        axis: {
            end: () => endOf(app),
            share,
            at: (share) => rows().shown[Math.max(0, Math.min(Math.round(share * rows().count), rows().count) - 1)],
            moment: () => ({ t: app.trace.t(app.n), share: share(app.n) }),
            mark: () => null,
        },
    };
}

/**
 * @param {App} app
 * @param {Parts} [parts] where it stands, and what it shares with the overview of another run
 */
export function mountStrip(app, { canvas, pages, axis } = ownParts(app)) {
    const still = document.createElement("canvas");
    let steps = false;
    /** @type {Layout | null} */
    let layout = null;

    function drawStill() {
        layout = layOut(axis, canvas, pages, steps);
        canvas.style.height = `${layout.height}px`;
        drawBands(prepare(still, layout.width, layout.height), app, layout);
        pages.draw(layout.partitions.length);
        drawMoment();
    }
    function drawMoment() {
        if (layout === null) return;
        const ink = prepare(canvas, layout.width, layout.height);
        ink.drawImage(still, 0, 0, layout.width, layout.height);
        drawHandle(ink, layout);
        tellSlider(app, canvas);
    }
    const redraw = once(drawStill);
    onResize(canvas, redraw);
    pages.turned.push(redraw);
    app.on("moment", drawMoment);
    for (const event of /** @type {const} */ (["theme", "level", "trace", "limit"])) app.on(event, drawStill);
    mountAxisButton(() => {
        steps = !steps;
        redraw();
        return steps;
    });
    mountScrubbing(app, canvas, () => layout);
    drawStill();
}

/**
 * Which partitions are shown, where there are more than rows: those whose leadership changes most come first. Overviews that
 * stand together share it, so that they show the same ones.
 */
export class Pages {
    /** @param {App[]} apps */
    constructor(apps) {
        this.apps = apps;
        this.page = 0;
        this.size = mostRows.wide;
        this.order = this.#sort();
        /** @type {(() => void)[]} who draws when it was turned */
        this.turned = [];
        for (const app of apps) app.on("trace", () => (this.order = this.#sort()));
    }

    #sort() {
        /** @type {Map<string, number>} */
        const bands = new Map();
        for (const { model } of this.apps)
            for (const [tp, list] of Object.entries(model.bands.leaders))
                bands.set(tp, (bands.get(tp) ?? 0) + list.length);
        return [...bands]
            .map(([tp, count], place) => ({ tp, place, bands: count }))
            .sort((a, b) => b.bands - a.bands || a.place - b.place);
    }

    /** @param {number} size @returns {string[]} */
    take(size) {
        this.size = size;
        const pages = Math.max(1, Math.ceil(this.order.length / size));
        this.page = ((this.page % pages) + pages) % pages;
        return this.order
            .slice(this.page * size, (this.page + 1) * size)
            .sort((a, b) => a.place - b.place)
            .map((one) => one.tp);
    }

    /** @param {number} by */
    #turn(by) {
        this.page += by;
        for (const redraw of this.turned) redraw();
    }

    /** @param {number} shown */
    draw(shown) {
        const place = byId("strip-pages");
        const all = this.order.length;
        if (all <= shown) return fill(place);
        const first = this.page * this.size + 1;
        fill(
            place,
            h("button", { type: "button", "aria-label": "Partitions before", onClick: () => this.#turn(-1) }, "‹"),
            h(
                "span",
                { title: "those whose leadership changes most come first" },
                ` ${first}–${first + shown - 1} of ${all} `,
            ),
            h("button", { type: "button", "aria-label": "More partitions", onClick: () => this.#turn(1) }, "›"),
        );
    }
}

/** @param {() => boolean} turn changes the axis; returns whether it is equal steps now */
function mountAxisButton(turn) {
    const button = byId("axis-button");
    button.addEventListener("click", () => {
        const steps = turn();
        button.setAttribute("aria-pressed", String(steps));
        fill(button, steps ? "equal steps" : "true time");
    });
}

/**
 * @param {App} app
 * @param {HTMLCanvasElement} canvas
 * @param {() => Layout | null} layout
 */
function mountScrubbing(app, canvas, layout) {
    /** @param {PointerEvent} event */
    function scrub(event) {
        const now = layout();
        if (now !== null) app.go(recordAt(app, now, event.clientX - canvas.getBoundingClientRect().left));
    }
    canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        scrub(event);
    });
    canvas.addEventListener("pointermove", (event) => {
        if (canvas.hasPointerCapture(event.pointerId)) scrub(event);
    });
}

/**
 * @param {Axis} axis
 * @param {HTMLCanvasElement} canvas
 * @param {Pages} pages
 * @param {boolean} steps
 * @returns {Layout}
 */
function layOut(axis, canvas, pages, steps) {
    const width = canvas.clientWidth;
    const narrow = width < 620;
    const most = narrow || window.innerHeight < 700 ? mostRows.narrow : mostRows.wide;
    const partitions = pages.take(most);
    const row = partitions.length <= 4 ? 18 : 16;
    const longest = Math.max(10, ...partitions.map((tp) => tp.length));
    const paged = pages.order.length > partitions.length;
    const left = narrow ? 84 : Math.min(190, Math.max(paged ? 118 : 92, longest * 6.6 + 10));
    return {
        width,
        height: faultsHeight + (partitions.length + 1) * row + footHeight,
        left,
        right: width - (narrow ? 6 : 10),
        row,
        partitions,
        steps,
        axis,
    };
}

/** Where a record is on the axis. @param {App} app @param {Layout} layout @param {number} n */
function xOf(app, layout, n) {
    const t = n > app.trace.count ? endOf(app) : app.trace.t(n);
    return xAt(layout, { t, share: layout.steps ? layout.axis.share(n) : 0 });
}

/** @param {Layout} layout @param {Place} place */
function xAt({ left, right, steps, axis }, { t, share }) {
    return left + (right - left) * Math.min(1, Math.max(0, steps ? share : t / axis.end()));
}

/**
 * Where the axis ends, in µs: a little behind the end of the run, so that what the run ended with has a width, too.
 *
 * @param {App} app
 */
export function endOf(app) {
    return Math.max(1, app.trace.t(app.trace.count)) * 1.05;
}

/**
 * The record with a row that is nearest before this place.
 *
 * @param {App} app
 * @param {Layout} layout
 * @param {number} x
 */
function recordAt(app, layout, x) {
    const share = Math.min(1, Math.max(0, (x - layout.left) / (layout.right - layout.left)));
    const rows = app.rows();
    if (rows.count === 0) return 1;
    if (layout.steps) return layout.axis.at(share);
    const row = rows.at(app.trace.atTime(share * layout.axis.end()));
    return rows.shown[Math.max(0, Math.min(row, rows.count - 1))];
}

/** @param {Ink} ink @param {App} app @param {Layout} layout */
function drawBands(ink, app, layout) {
    const { bands } = app.model;
    const bold = `700 ${layout.row > 14 ? 12 : 11}px ${colours().sans}`;
    let y = faultsHeight;
    drawRowName(ink, layout, "controller", y);
    for (const band of bands.controllers)
        drawBand(ink, app, layout, { ...band, who: band.id, y, share: 1, long: `broker ${band.id}`, bold });
    drawDeposed(ink, app, layout, y);
    for (const tp of layout.partitions) {
        y += layout.row;
        drawRowName(ink, layout, tp, y);
        const list = bands.leaders[tp] ?? []; // only the other run may have it
        const largest = Math.max(1, ...list.map((band) => band.isr.length));
        for (const band of list) {
            const long = `leader ${band.leader}, isr ${band.isr.join(" ")}`;
            const share = Math.max(1, band.isr.length) / largest;
            drawBand(ink, app, layout, { ...band, who: band.leader, y, share, long, bold });
        }
    }
    drawFaults(ink, app, layout);
    drawFoot(ink, app, layout, y + layout.row);
    if (!layout.steps) drawEnd(ink, app, layout);
    drawMark(ink, layout);
    if (app.limit < app.trace.count) hideFuture(ink, app, layout);
}

/** Where two runs part. @param {Ink} ink @param {Layout} layout */
function drawMark(ink, layout) {
    const mark = layout.axis.mark();
    if (mark === null) return;
    const x = Math.round(xAt(layout, mark)) + 0.5;
    ink.strokeStyle = colours().chain;
    ink.lineWidth = 2;
    ink.setLineDash([5, 3]);
    ink.beginPath();
    ink.moveTo(x, faultsHeight - 4);
    ink.lineTo(x, layout.height - footHeight + 12);
    ink.stroke();
    ink.setLineDash([]);
}

/**
 * The run ends before the axis does.
 *
 * @param {Ink} ink
 * @param {App} app
 * @param {Layout} layout
 */
function drawEnd(ink, app, layout) {
    const x = Math.round(xOf(app, layout, app.trace.count)) + 0.5;
    ink.strokeStyle = colours().text;
    ink.lineWidth = 1;
    ink.setLineDash([2, 3]);
    ink.beginPath();
    ink.moveTo(x, faultsHeight);
    ink.lineTo(x, layout.height - 4);
    ink.stroke();
    ink.setLineDash([]);
    ink.font = `11px ${colours().sans}`;
    ink.textAlign = "left";
    ink.fillStyle = colours().muted;
    if (layout.right - x > 24) ink.fillText("end", x + 4, layout.height - 4);
}

/** @param {Ink} ink @param {Layout} layout @param {string} name @param {number} y */
function drawRowName(ink, layout, name, y) {
    ink.font = `${layout.row > 14 ? 12 : 11}px ${colours().sans}`;
    ink.fillStyle = colours().muted;
    ink.textAlign = "right";
    ink.textBaseline = "middle";
    let text = name;
    while (text.length > 3 && ink.measureText(text).width > layout.left - 8) text = `…${text.slice(2)}`; // the number of a partition is at its end
    ink.fillText(text, layout.left - 6, y + layout.row / 2);
}

/**
 * @param {Ink} ink
 * @param {App} app
 * @param {Layout} layout
 * @param {{from: number, to: number, who: number, y: number, share: number, long: string, bold: string}} band
 */
function drawBand(ink, app, layout, band) {
    const x = xOf(app, layout, band.from);
    const width = Math.max(0.5, xOf(app, layout, band.to) - x);
    const full = layout.row - 3;
    const height = Math.max(5, full * band.share);
    const top = band.y + 1 + full - height;
    if (band.who < 0) {
        ink.fillStyle = hatch(ink, colours().bad);
        ink.fillRect(x, band.y + 1, width, full);
        return;
    }
    ink.fillStyle = brokerColour(app, band.who);
    ink.fillRect(x, top, Math.max(0.5, width - (width > 3 ? 1 : 0)), height);
    if (width < 12 || height < 8) return;
    ink.font = height < 12 ? `700 10px ${colours().sans}` : band.bold;
    ink.fillStyle = colours()["on-band"];
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    const text = [band.long, String(band.who)].find((one) => ink.measureText(one).width < width - 8);
    if (text !== undefined) ink.fillText(text, x + 4, top + height / 2 + 0.5);
}

/**
 * Who believes to be the controller and is not in /controller: a second, thin line under the first. A zombie is that.
 *
 * @param {Ink} ink
 * @param {App} app
 * @param {Layout} layout
 * @param {number} y
 */
function drawDeposed(ink, app, layout, y) {
    const { active, controllers } = app.model.bands;
    for (const [id, bands] of Object.entries(active)) {
        for (const band of bands) {
            for (const other of controllers) {
                const from = Math.max(band.from, other.from);
                const to = Math.min(band.to, other.to);
                if (other.id === Number(id) || from >= to) continue;
                const x = xOf(app, layout, from);
                const width = Math.max(1.5, xOf(app, layout, to) - x);
                ink.fillStyle = colours().page;
                ink.fillRect(x, y + layout.row - 7, width, 1);
                ink.fillStyle = brokerColour(app, Number(id));
                ink.fillRect(x, y + layout.row - 6, width, 4);
            }
        }
    }
}

/** @param {Ink} ink @param {App} app @param {Layout} layout */
function drawFaults(ink, app, layout) {
    ink.font = `700 12px ${colours().sans}`;
    ink.fillStyle = colours().bad;
    ink.textBaseline = "middle";
    ink.textAlign = "left";
    let free = 0; // no label begins before this
    for (const n of app.trace.ofKind("fault")) {
        const x = xOf(app, layout, n);
        const text = `⚡${faultWords(app.trace, n)}`;
        const width = ink.measureText(text).width;
        const left = Math.min(x - 4, layout.right - width);
        ink.fillRect(x - 0.5, faultsHeight - 4, 1, 4);
        if (left < free) continue;
        ink.fillText(text, left, faultsHeight / 2 - 1);
        free = left + width + 8;
    }
}

/** @param {Ink} ink @param {App} app @param {Layout} layout @param {number} y */
function drawFoot(ink, app, layout, y) {
    drawActivity(ink, app, layout, y);
    if (layout.steps) return;
    ink.font = `11px ${colours().sans}`;
    ink.textAlign = "left";
    ink.textBaseline = "alphabetic";
    const end = layout.axis.end();
    const ended = xOf(app, layout, app.trace.count);
    const step = tickStep(end, (layout.right - layout.left) / 80);
    for (let t = 0; t <= end; t += step) {
        const x = layout.left + ((layout.right - layout.left) * t) / end;
        ink.fillStyle = colours().rule;
        ink.fillRect(x, y + 12, 1, footHeight - 12);
        ink.fillStyle = colours().muted;
        if (Math.abs(x - ended) > 28 && x < layout.right - 28)
            ink.fillText(end >= 2e6 ? `${t / 1e6} s` : `${t / 1e3} ms`, x + 3, y + footHeight - 4);
    }
}

/**
 * The least of 1, 2, 5, 10 … ms that gives at most `most` ticks.
 *
 * @param {number} end µs
 * @param {number} most
 */
function tickStep(end, most) {
    for (let step = 1000; ; step *= 10) {
        for (const times of [1, 2, 5]) {
            if (end / (step * times) <= most) return step * times;
        }
    }
}

/**
 * The first row that is not left of a place: one binary search, however long the run is.
 *
 * @param {App} app
 * @param {Layout} layout
 * @param {number} x from where the axis begins
 */
function firstRow(app, layout, x) {
    const rows = app.rows();
    const share = x / (layout.right - layout.left);
    if (!layout.steps) return rows.at(app.trace.atTime(Math.ceil(share * layout.axis.end()) - 1)) + 1;
    const isLeft = (/** @type {number} */ row) => layout.axis.share(rows.shown[row]) < share;
    let row = Math.max(0, rows.at(layout.axis.at(share))); // it, or one beside it
    while (row > 0 && !isLeft(row - 1)) row--;
    while (row < rows.count && isLeft(row)) row++;
    return row;
}

/** Small bars where something happens, crosses where something is refused. @param {Ink} ink @param {App} app @param {Layout} layout @param {number} y */
function drawActivity(ink, app, layout, y) {
    const cell = 3;
    const cells = Math.ceil((layout.right - layout.left) / cell) + 1;
    const counts = new Uint32Array(cells);
    const bad = new Uint8Array(cells);
    for (let i = 0, row = 0; i < cells; i++) {
        const next = firstRow(app, layout, (i + 1) * cell);
        counts[i] = Math.max(0, next - row);
        row = next;
    }
    for (const n of app.model.bad) {
        if (app.model.level(n) <= app.level) bad[Math.floor((xOf(app, layout, n) - layout.left) / cell)] = 1;
    }
    const most = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
    for (let i = 0; i < cells; i++) {
        if (counts[i] === 0) continue;
        const height = Math.max(2, (8 * Math.log1p(counts[i])) / most);
        ink.fillStyle = bad[i] ? colours().bad : colours().muted;
        ink.fillRect(layout.left + i * cell, y + 10 - height, cell - 0.5, height);
    }
}

/** @param {Ink} ink @param {App} app @param {Layout} layout */
function hideFuture(ink, app, layout) {
    const x = xOf(app, layout, app.limit) + 1;
    ink.fillStyle = colours().page;
    ink.fillRect(x, 0, layout.width - x, layout.height);
    ink.fillStyle = hatch(ink, colours().rule);
    ink.fillRect(x, faultsHeight, layout.right - x, layout.height - faultsHeight - footHeight);
    ink.fillStyle = colours().muted;
    ink.font = `12px ${colours().sans}`;
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    ink.fillText("what comes is hidden", x + 8, 9);
}

/** @param {Ink} ink @param {Layout} layout */
function drawHandle(ink, layout) {
    const x = Math.round(xAt(layout, layout.axis.moment()));
    const bottom = layout.height - footHeight + 12;
    ink.fillStyle = colours().page;
    ink.fillRect(x - 2, 0, 4, bottom);
    ink.fillStyle = colours().text;
    ink.fillRect(x - 1, 0, 2, bottom);
    ink.beginPath();
    ink.arc(x, bottom, 5.5, 0, 2 * Math.PI);
    ink.fill();
}

/** @param {App} app @param {HTMLElement} canvas */
function tellSlider(app, canvas) {
    canvas.setAttribute("aria-valuemax", String(app.last()));
    canvas.setAttribute("aria-valuenow", String(app.n));
    canvas.setAttribute("aria-valuetext", `${seconds(app.trace.t(app.n))}: ${sentence(app.trace, app.n)}`);
}
