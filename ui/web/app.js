/**
 * The moment, and who is told when it moves.
 *
 * The page has one moment: a record. Everything on it (strip, diagram, panes, narration) shows the cluster right after
 * that record. Parts do not know each other: they read the moment here, move it here, and draw when they
 * are told. Telling waits for the next frame, so that ten movements within a frame cost one drawing.
 *
 *     app.go(268) ──► n = 268 ──► next frame: every app.on("moment", …)
 *
 * Invariant: 1 ≤ n ≤ last() ≤ trace.count. `limit` hides the future (a lesson sets it); nothing moves beyond it.
 */
import { Rows } from "./rows.js";
import { Spans } from "./spans.js";
import { chain, target } from "./why.js";
import { sentence } from "./narrate.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./facts.js").Facts} Facts */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {"moment" | "level" | "why" | "pane" | "theme" | "table" | "trace" | "limit" | "lanes" | "play" | "zoom" | "say"} Happening */
/** @typedef {{n: number, how: string, fold: boolean}} Link */
/** @typedef {{key: string | null, value: unknown, n: number, text: string, links: Link[], shown: Set<number>}} Why shown: without what is folded */

const usualRow = 19;
const rowHeights = [2, 3, 5, 8, 12, 15, usualRow, 24, 30];
const playMs = 420; // a step: time to read a short sentence

export const levels = ["story", "protocol", "everything"];

export class App {
    /**
     * @param {Trace} trace
     * @param {Facts} facts
     * @param {Model} model
     */
    constructor(trace, facts, model) {
        this.trace = trace;
        this.facts = facts;
        this.model = model;
        /** The moment: a record number. */
        this.n = 1;
        /** Should the diagram follow the moment? False after a movement that came from scrolling in it. */
        this.follow = true;
        /** The last record that may be seen. */
        this.limit = Infinity;
        /** 0 story, 1 protocol, 2 everything. */
        this.level = 0;
        /** @type {Why | null} the chain that is shown */
        this.why = null;
        /** Id of the pane of the right column. */
        this.pane = "why";
        /** Is the table shown instead of the diagram? */
        this.table = false;
        /** Is it playing? */
        this.playing = false;
        /** Height of a row of the diagram in px. */
        this.rowHeight = usualRow;
        /** @type {Set<string> | null} lanes that the user picked: "n3", "p1"; null: as many as there is room for */
        this.picked = null;
        /** What was last said to the user in passing. */
        this.saying = "";
    }

    /** @type {Map<Happening, (() => void)[]>} */
    #calls = new Map();
    /** @type {Set<Happening>} what happened since the last frame */
    #told = new Set();
    /** @type {(Rows | undefined)[]} by level */
    #rows = [];
    /** @type {Spans | null} */
    #spans = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #timer;

    /**
     * @param {Happening} event
     * @param {() => void} call is called in the frame after it happened
     */
    on(event, call) {
        const calls = this.#calls.get(event) ?? [];
        calls.push(call);
        this.#calls.set(event, calls);
    }

    /**
     * Tells, in the next frame.
     *
     * @param {Happening} event
     */
    tell(event) {
        if (this.#told.size === 0) requestAnimationFrame(() => this.flush());
        this.#told.add(event);
    }

    /** Calls who waits for the next frame now: before printing. */
    flush() {
        const told = [...this.#told];
        this.#told.clear();
        /** @type {Set<() => void>} */
        const calls = new Set(); // who listens to two things that happened is called once
        for (const event of told) {
            for (const call of this.#calls.get(event) ?? []) calls.add(call);
        }
        for (const call of calls) call();
    }

    /** The last record that may be seen. */
    last() {
        return Math.min(this.trace.count, this.limit);
    }

    /**
     * Moves the moment.
     *
     * @param {number} n is cut to what there is
     * @param {{scroll?: boolean}} [how] scroll: false leaves the diagram where it is
     */
    go(n, how = {}) {
        const to = Math.max(1, Math.min(Math.round(n), this.last()));
        this.follow = how.scroll !== false;
        if (to === this.n && !this.follow) return;
        this.n = to;
        this.tell("moment");
    }

    /**
     * Moves the moment, and raises the level of detail until the record has a row.
     *
     * @param {number} n
     */
    reveal(n) {
        const level = this.model.level(n);
        if (level > this.level) this.setLevel(level);
        this.go(n);
    }

    /** The rows of the level that is shown. */
    rows() {
        return (this.#rows[this.level] ??= new Rows(this.trace, this.model, this.level));
    }

    /** What lasts, for the lanes; made when first asked for. */
    get spans() {
        return (this.#spans ??= new Spans(this.trace, this.facts, this.model));
    }

    /** @param {Set<string> | null} lanes that are shown: "n3", "p1"; null: as many as there is room for */
    pick(lanes) {
        this.picked = lanes;
        this.tell("lanes");
    }

    /**
     * Moves by rows.
     *
     * @param {number} count negative: back
     */
    step(count) {
        const rows = this.rows();
        if (rows.count === 0) return;
        const row = rows.at(this.n);
        const between = row < 0 || rows.shown[row] !== this.n; // the first step back goes to the row before
        const to = row + count + (between && count < 0 ? 1 : 0);
        const last = rows.at(this.last());
        this.go(rows.shown[Math.max(0, Math.min(to, last))]);
    }

    /**
     * Moves to the next record of which this is true; returns false, and stays, if there is none.
     *
     * @param {(n: number) => boolean} is
     * @param {1 | -1} direction
     */
    jump(is, direction) {
        for (let n = this.n + direction; n >= 1 && n <= this.last(); n += direction) {
            if (is(n)) {
                this.reveal(n);
                return true;
            }
        }
        return false;
    }

    /** @param {number} level 0 story, 1 protocol, 2 everything */
    setLevel(level) {
        const to = Math.max(0, Math.min(2, level));
        if (to === this.level) return;
        this.level = to;
        this.follow = true;
        this.tell("level");
    }

    /**
     * Asks why: of a fact, why it has its value at the moment; of a record, why it happened. Shows the pane "why".
     * Returns false if there is no such thing.
     *
     * @param {string | number} what a fact, words that why.js understands, or a record number
     */
    ask(what) {
        const found = typeof what === "number" ? this.#askRecord(what) : this.#askFact(what);
        if (found === null) return false;
        this.why = found;
        this.tell("why");
        this.show("why");
        return true;
    }

    /**
     * @param {number} n
     * @returns {Why}
     */
    #askRecord(n) {
        return { key: null, value: undefined, n, text: sentence(this.trace, n), ...this.#chainOf(n) };
    }

    /**
     * @param {string} text
     * @returns {Why | null}
     */
    #askFact(text) {
        const found = target(this.trace, this.facts, text, this.n);
        if (found === null || found.setter === 0) return null;
        return { key: found.key, value: found.value, n: found.setter, text, ...this.#chainOf(found.setter) };
    }

    /** @param {number} n */
    #chainOf(n) {
        const links = chain(this.trace, n);
        return { links, shown: new Set(links.filter((link) => !link.fold).map((link) => link.n)) };
    }

    /** Shows no chain any more. */
    stopAsking() {
        this.why = null;
        this.tell("why");
    }

    /** @param {string} id of a pane */
    show(id) {
        if (id === this.pane) return;
        this.pane = id;
        this.tell("pane");
    }

    /** @param {boolean} shown the table instead of the diagram */
    setTable(shown) {
        this.table = shown;
        this.tell("table");
    }

    /** @param {boolean} on */
    play(on) {
        clearInterval(this.#timer);
        this.playing = on;
        if (on) {
            if (this.rows().at(this.n) >= this.rows().at(this.last())) this.go(1);
            this.#timer = setInterval(() => this.#playStep(), playMs);
        }
        this.tell("play");
    }

    #playStep() {
        this.step(1);
        if (this.rows().at(this.n) >= this.rows().at(this.last())) this.play(false);
    }

    /** @param {number} by 1 taller rows, -1 flatter ones, 0 as at first */
    zoom(by) {
        const place = rowHeights.indexOf(this.rowHeight) + by;
        this.rowHeight = by === 0 ? usualRow : rowHeights[Math.max(0, Math.min(place, rowHeights.length - 1))];
        this.tell("zoom");
    }

    /** @param {string} text is shown for some seconds */
    say(text) {
        this.saying = text;
        this.tell("say");
    }

    /** @param {number} n the last record that may be seen; Infinity: all */
    setLimit(n) {
        this.limit = n;
        this.n = Math.min(this.n, this.last());
        this.tell("limit");
        this.tell("moment");
    }

    /**
     * Shows another run, or one that was changed behind some moment.
     *
     * @param {Trace} trace
     * @param {Facts} facts
     * @param {Model} model
     */
    replace(trace, facts, model) {
        this.trace = trace;
        this.facts = facts;
        this.model = model;
        this.n = Math.min(this.n, this.last());
        if (this.why !== null && this.why.n > trace.count) this.stopAsking();
        this.#rows = [];
        this.#spans = null;
        this.#tellGrowth();
    }

    /** The trace has grown: what is made from it goes on where it ended. */
    grow() {
        const news = this.facts.grow();
        this.model.grow(news);
        for (const rows of this.#rows) rows?.grow();
        this.#spans?.grow(news);
        this.#tellGrowth();
    }

    #tellGrowth() {
        this.tell("trace");
        this.tell("moment");
    }
}
