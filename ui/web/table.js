/**
 * The table: the rows of the diagram as text, for screen readers and for who prefers to read. 200 rows round the moment; the rest
 * is counted (aria-rowcount, aria-rowindex) and reached by the buttons at both ends, by keys and jumps.
 */
import { byId, fill, h, seconds } from "./dom.js";
import { json } from "./trace.js";
import { split } from "./words.js";

/** @typedef {import("./app.js").App} App */

const windowRows = 200;
const mostChanges = 6;
const longest = 110; // characters of a value

/** @param {App} app */
export function mountTable(app) {
    const place = byId("table");
    const diagram = byId("diagram");
    let first = -1; // row of the window's first; -1: not drawn

    /** @param {boolean} again even if the window has not moved */
    function draw(again) {
        place.hidden = !app.table;
        diagram.hidden = app.table;
        if (!app.table) return;
        const rows = app.rows();
        const row = rows.at(app.n);
        if (again || first < 0 || row < first + 10 || row >= first + windowRows - 10) {
            first = Math.max(0, Math.min(row - windowRows / 2, rows.count - windowRows));
            fill(place, makeTable(app, first));
        }
        mark(place, app, rows.shown[Math.max(0, row)]);
    }
    app.on("moment", () => draw(false));
    for (const event of /** @type {const} */ (["table", "level", "trace", "limit"])) app.on(event, () => draw(true));
    draw(true);
}

/**
 * @param {App} app
 * @param {number} first row
 */
function makeTable(app, first) {
    const rows = app.rows();
    const shown = [...rows.shown.subarray(first, first + windowRows)].filter((n) => n <= app.last());
    const before = first > 0 ? rows.shown[Math.max(0, first - windowRows / 2)] : 0;
    const after = rows.shown[first + shown.length];
    return h(
        "table",
        { class: "records", "aria-rowcount": rows.at(app.last()) + 2, "aria-label": "Records" },
        h(
            "colgroup",
            null,
            ["record", "time", "where", "what", "set", "cause"].map((name) => h("col", { class: name })),
        ),
        h(
            "thead",
            null,
            h(
                "tr",
                { "aria-rowindex": 1 },
                ["record", "time", "where", "what happens", "changed", "caused by"].map((name) =>
                    h("th", { scope: "col" }, name),
                ),
            ),
        ),
        h(
            "tbody",
            null,
            before > 0 && more(app, before, `${first} earlier`),
            shown.map((n, i) => makeRow(app, n, first + i + 2)),
            after !== undefined &&
                after <= app.last() &&
                more(app, after, `${rows.count - first - shown.length} later`),
        ),
    );
}

/**
 * @param {App} app
 * @param {number} n
 * @param {string} text
 */
function more(app, n, text) {
    return h(
        "tr",
        { class: "more" },
        h("td", { colspan: 6 }, h("button", { type: "button", onClick: () => app.go(n) }, text)),
    );
}

/**
 * @param {App} app
 * @param {number} n
 * @param {number} index
 */
function makeRow(app, n, index) {
    const { who, what } = split(app.trace, n);
    const by = app.trace.mute(n) || app.trace.by(n);
    const refused = app.model.refused(n) || app.model.isViolation(n);
    return h(
        "tr",
        { "aria-rowindex": index, "data-n": n },
        h(
            "td",
            null,
            h(
                "button",
                { type: "button", class: "v", "data-record": n, onClick: () => app.go(n, { scroll: false }) },
                n,
            ),
        ),
        h("td", null, seconds(app.trace.t(n))),
        h("td", null, who),
        h("td", { class: refused && !app.model.benign(n) ? "bad" : null }, refused && "✕ ", what),
        h("td", null, makeChanges(app, n)),
        h("td", null, by > 0 && h("button", { type: "button", class: "v", onClick: () => app.reveal(by) }, by)),
    );
}

/**
 * What a record changed: what merely was set again is left out.
 *
 * @param {App} app
 * @param {number} n
 */
function makeChanges(app, n) {
    const changes = app.facts
        .changes(n)
        .map(({ key, value, old }) => ({ key, now: short(value), was: old === undefined ? null : short(old) }))
        .filter(({ now, was }) => now !== was);
    const list = changes
        .slice(0, mostChanges)
        .map(({ key, now, was }) => h("div", null, change(app, n, key, now, was)));
    if (changes.length > mostChanges)
        list.push(h("div", { class: "muted" }, `and ${changes.length - mostChanges} more`));
    return list;
}

/**
 * @param {App} app
 * @param {number} n
 * @param {string} key
 * @param {string} now
 * @param {string | null} was
 */
function change(app, n, key, now, was) {
    function ask() {
        app.go(n, { scroll: false });
        app.ask(key);
    }
    const button = { type: "button", class: "v", title: `why ${key}?`, "data-key": key, onClick: ask };
    return h("button", button, `${key}: `, was !== null && h("s", null, was), was !== null && " ", now);
}

/**
 * A value in few words; of a znode, its data.
 *
 * @param {any} value
 */
function short(value) {
    if (value === undefined || value === null) return "gone";
    const shown = typeof value === "object" && "mzxid" in value ? value.data : value;
    const text = shown === null ? "(no data)" : typeof shown === "string" ? shown : json(shown);
    return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/**
 * @param {HTMLElement} place
 * @param {App} app
 * @param {number} n
 */
function mark(place, app, n) {
    for (const row of place.querySelectorAll("[aria-current]")) row.removeAttribute("aria-current");
    const row = place.querySelector(`[data-n="${n}"]`);
    if (!(row instanceof HTMLElement)) return;
    row.setAttribute("aria-current", "true");
    if (!app.follow) return;
    const top = row.offsetTop - place.scrollTop;
    if (top < 60 || top > place.clientHeight - 80) place.scrollTop = row.offsetTop - place.clientHeight * 0.4;
}
