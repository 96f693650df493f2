/**
 * What the panes share: which facts this step changed, values as buttons, lists that are too long, and what a pane
 * remembers between two renderings (a page, a filter, what is unfolded).
 *
 * A step is a row of the level that is shown: at "story" it spans the hidden records since the row before, so that a
 * change made by a hidden record is marked, too.
 *
 *     rows     … 214 ───────────── 260 …
 *     records      215 216 … 259          changed at 260: facts set by 215..260; old: their value at 214
 */
import { h, valueButton } from "../dom.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */
/** @typedef {import("../trace.js").Value} Value */

/**
 * The record before the step that is shown: what was set after it, this step changed.
 *
 * @param {App} app
 */
export function before(app) {
    const rows = app.rows();
    const row = rows.at(app.n);
    if (row < 0) return 0;
    return rows.shown[row] < app.n ? rows.shown[row] : row > 0 ? rows.shown[row - 1] : 0;
}

/**
 * The value of a fact as a button, marked if this step changed it.
 *
 * @param {App} app
 * @param {string} key
 * @param {(value: any) => string} words a value in words; undefined is what is not there
 * @param {{class?: string, title?: string, ask?: string}} [more] ask: what is asked for in place of the key
 */
export function factButton(app, key, words, more = {}) {
    const since = before(app);
    const now = words(app.facts.value(key, app.n));
    const setter = app.facts.setter(key, app.n);
    const old = setter > since ? words(app.facts.value(key, since)) : now;
    return valueButton(app, more.ask ?? key, now, {
        class: more.class,
        title: more.title,
        ...(old === now ? {} : { was: old }),
    });
}

/**
 * A list of ids as in Kafka's logs.
 *
 * @param {unknown} ids
 */
export function idsInWords(ids) {
    return Array.isArray(ids) ? (ids.length === 0 ? "none" : ids.join(" ")) : "·";
}

/** @param {unknown} leader */
export function leaderInWords(leader) {
    return leader === undefined || leader === null
        ? "·"
        : leader === -1
          ? "none"
          : leader === -2
            ? "being deleted"
            : `${leader}`;
}

/** @param {unknown} value */
export function plain(value) {
    return value === undefined || value === null ? "·" : `${value}`;
}

/**
 * What a pane remembers for a page: made once by `make`, then the same object.
 *
 * @template T
 * @param {() => T} make
 * @returns {(app: App) => T}
 */
export function memory(make) {
    /** @type {WeakMap<App, T>} */
    const kept = new WeakMap();
    return (app) => {
        let state = kept.get(app);
        if (state === undefined) kept.set(app, (state = make()));
        return state;
    };
}

/**
 * Something that is made from the whole trace, once, and again when the trace has grown.
 *
 * @template T
 * @param {(app: App) => T} make
 * @returns {(app: App) => T}
 */
export function index(make) {
    const kept = memory(
        () => /** @type {{count: number, of: object | null, made: T | null}} */ ({ count: -1, of: null, made: null }),
    );
    return (app) => {
        const state = kept(app);
        if (state.made === null || state.count !== app.trace.count || state.of !== app.facts) {
            state.made = make(app);
            state.of = app.facts;
            state.count = app.trace.count;
        }
        return state.made;
    };
}

/**
 * The same for what goes on where it ended when the trace has grown.
 *
 * @template T
 * @param {() => T} make of nothing yet
 * @param {(app: App, made: T, from: number) => void} extend by the records from `from` on
 * @returns {(app: App) => T}
 */
export function growing(make, extend) {
    const kept = memory(
        () => /** @type {{upTo: number, of: object | null, made: T}} */ ({ upTo: 0, of: null, made: make() }),
    );
    return (app) => {
        const state = kept(app);
        if (state.of !== app.facts) Object.assign(state, { of: app.facts, made: make(), upTo: 0 });
        if (state.upTo < app.trace.count) extend(app, state.made, state.upTo + 1);
        state.upTo = app.trace.count;
        return state.made;
    };
}

/** @param {App} app draws the panes again, because one of them was turned, not the moment */
export function redraw(app) {
    app.tell("pane");
}

/**
 * "◂ 1–8 of 120 ▸"; null where all fit.
 *
 * @param {App} app
 * @param {{page: number}} state is turned
 * @param {number} count
 * @param {number} size of a page
 * @param {string} what "partitions"
 */
export function pager(app, state, count, size, what) {
    const pages = Math.max(1, Math.ceil(count / size));
    state.page = Math.max(0, Math.min(state.page, pages - 1));
    if (pages === 1) return null;
    const from = state.page * size;
    /** @param {number} by @param {string} name @param {string} sign */
    function turn(by, name, sign) {
        return h(
            "button",
            {
                type: "button",
                class: "page",
                "aria-label": `${name} ${what}`,
                "data-key": `${name} ${what}`,
                disabled: state.page + by < 0 || state.page + by >= pages,
                onClick: () => {
                    state.page += by;
                    redraw(app);
                },
            },
            sign,
        );
    }
    return h(
        "span",
        { class: "pager" },
        turn(-1, "previous", "◂"),
        h("span", null, `${from + 1}–${Math.min(count, from + size)} of ${count}`),
        turn(1, "next", "▸"),
    );
}

/**
 * A table with a head, in a box that scrolls sideways where it is too wide.
 *
 * @param {string} name for screen readers
 * @param {Child[]} head
 * @param {Child[][]} rows
 * @param {{class?: string}} [more]
 */
export function grid(name, head, rows, more = {}) {
    return h(
        "div",
        { class: "wide" },
        h(
            "table",
            { class: more.class, "aria-label": name },
            h("thead", null, h("tr", null, ...head.map((cell) => h("th", { scope: "col" }, cell)))),
            h("tbody", null, ...rows.map((row) => h("tr", null, ...row.map(gridCell)))),
        ),
    );
}

/**
 * @param {Child} cell
 * @param {number} column
 */
function gridCell(cell, column) {
    return column === 0 ? h("th", { scope: "row" }, cell) : h("td", null, cell);
}

/**
 * A button that folds and unfolds.
 *
 * @param {App} app
 * @param {Set<string>} open what is unfolded
 * @param {string} name of what it unfolds; its key, too
 * @param {Child[]} children
 */
export function fold(app, open, name, ...children) {
    return h(
        "button",
        {
            type: "button",
            class: "fold",
            "aria-expanded": String(open.has(name)),
            "data-key": `fold ${name}`,
            onClick: () => {
                if (!open.delete(name)) open.add(name);
                redraw(app);
            },
        },
        ...children,
    );
}

/**
 * The last of an ascending list that is at most n, as its place; -1: none.
 *
 * @param {ArrayLike<number>} list
 * @param {number} n
 */
export function lastAtMost(list, n) {
    let low = 0;
    let high = list.length;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (list[middle] <= n) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}
