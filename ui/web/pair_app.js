/**
 * The moment of two runs: a row. Each run has its own App, whose moment is the last record at or before that row; what
 * the parts of the page do with either (step, jump, scrub, set the level, ask why) moves both.
 *
 *     part ──► side.go(n) ──► pair.go(row) ──► both sides.place(…) ──► next frame: app.on("moment", …)
 *
 * One of the sides is the one that is looked at: its cluster and its chain of causes stand in the right column.
 */
import { App } from "./app.js";
import { lastAt } from "./pair_rows.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./facts.js").Facts} Facts */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./pair_rows.js").PairRows} PairRows */
/** @typedef {import("./alignment.js").Side} Side */

const playMs = 420;

export class SideApp extends App {
    /**
     * @param {Trace} trace
     * @param {Facts} facts
     * @param {Model} model
     * @param {Side} side
     */
    constructor(trace, facts, model, side) {
        super(trace, facts, model);
        /** @type {Side} */
        this.side = side;
        /** @type {Pair | null} */
        this.pair = null;
    }

    /** @override @param {number} n @param {{scroll?: boolean}} [how] */
    go(n, how = {}) {
        if (this.pair === null) return;
        const to = Math.max(1, Math.min(Math.round(n), this.last()));
        this.pair.go(this.pair.rows.rowOf[this.side][to], how);
    }

    /** Moves this side alone. @param {number} n */
    place(n) {
        super.go(Math.max(1, n));
    }

    /** @override @param {number} count */
    step(count) {
        this.pair?.step(count);
    }

    /** @override @param {(n: number) => boolean} is @param {1 | -1} direction */
    jump(is, direction) {
        return this.pair?.jump(is, direction) ?? false;
    }

    /** @override @param {number} n */
    reveal(n) {
        this.pair?.look(this.side);
        super.reveal(n);
    }

    /** @override @param {string | number} what */
    ask(what) {
        this.pair?.look(this.side);
        return super.ask(what);
    }

    /** @override @param {number} level */
    setLevel(level) {
        this.pair?.setLevel(level);
    }

    /** @param {number} level */
    placeLevel(level) {
        super.setLevel(level);
    }

    /** @override @param {string} id */
    show(id) {
        for (const app of this.pair?.apps ?? []) app.placePane(id);
    }

    /** @param {string} id */
    placePane(id) {
        super.show(id);
    }

    /** @override @param {boolean} on */
    play(on) {
        this.pair?.play(on);
    }
}

export class Pair {
    /**
     * @param {[SideApp, SideApp]} apps
     * @param {PairRows} rows
     */
    constructor(apps, rows) {
        this.apps = apps;
        this.rows = rows;
        this.row = 0;
        /** Is the story to follow the moment? */
        this.follow = true;
        /** @type {Side} the side that is looked at */
        this.side = 0;
        this.timer = 0;
        for (const app of apps) app.pair = this;
    }

    get header() {
        return this.rows.alignment.header;
    }

    /** The side that is looked at. */
    get now() {
        return this.apps[this.side];
    }

    get level() {
        return this.apps[0].level;
    }

    /** Calls in the frame after either side was told. @param {import("./app.js").Happening} event @param {() => void} call */
    on(event, call) {
        for (const app of this.apps) app.on(event, call);
    }

    /** @param {number} row @param {{scroll?: boolean}} [how] */
    go(row, how = {}) {
        this.row = Math.max(0, Math.min(row, this.rows.count - 1));
        this.follow = how.scroll !== false;
        this.apps.forEach((app, side) => {
            app.place(this.rows.upTo[side][this.row]);
            app.tell("moment");
        });
    }

    /** Goes to a row, at a level of detail that shows it, and looks at a side that has something there. @param {number} row */
    reveal(row) {
        const level = this.rows.level(row);
        if (level > this.level) this.setLevel(level);
        if (this.rows.records[this.side][row] === 0) this.look(this.side === 0 ? 1 : 0);
        this.go(row);
    }

    /** @param {Side} side */
    look(side) {
        if (side === this.side) return;
        this.side = side;
        for (const app of this.apps) app.tell("pane");
    }

    /** @param {number} level */
    setLevel(level) {
        for (const app of this.apps) app.placeLevel(level);
        this.follow = true;
    }

    /** @param {number} count rows of the level; negative: back */
    step(count) {
        const { shown } = this.rows.at(this.level);
        if (shown.length === 0) return;
        const place = lastAt(shown, this.row);
        const between = place < 0 || shown[place] !== this.row;
        const to = place + count + (between && count < 0 ? 1 : 0);
        this.go(shown[Math.max(0, Math.min(to, shown.length - 1))]);
    }

    /**
     * To the next row in which this is true of the record of either run.
     *
     * @param {(n: number) => boolean} is asks the model of the side that is looked at
     * @param {1 | -1} direction
     */
    jump(is, direction) {
        for (let row = this.row + direction; row >= 0 && row < this.rows.count; row += direction) {
            const n = this.rows.records[this.side][row];
            if (n > 0 && is(n)) {
                this.reveal(row);
                return true;
            }
        }
        return false;
    }

    /** To the next difference that the level shows. @param {1 | -1} direction */
    difference(direction) {
        const { jumps } = this.rows.at(this.level);
        const place = lastAt(jumps, direction > 0 ? this.row : this.row - 1) + (direction > 0 ? 1 : 0);
        if (place < 0 || place >= jumps.length)
            return this.now.say(`no difference ${direction > 0 ? "after" : "before"} this moment at this detail`);
        this.reveal(jumps[place]);
    }

    first() {
        if (this.rows.first < 0) return this.now.say("nothing differs but times");
        this.reveal(this.rows.first);
    }

    /** @param {boolean} on */
    play(on) {
        clearInterval(this.timer);
        const { shown } = this.rows.at(this.level);
        const last = shown.length > 0 ? shown[shown.length - 1] : 0;
        for (const app of this.apps) app.playing = on;
        if (on && this.row >= last) this.go(0);
        if (on)
            this.timer = setInterval(() => {
                this.step(1);
                if (this.row >= last) this.play(false);
            }, playMs);
        for (const app of this.apps) app.tell("play");
    }
}
