/**
 * The moment in the address: #t=6.4385s&e=268&why=KEY&pane=sm&lv=1&table=1, so that a link shows what its sender saw.
 *
 *     e      record; wins over t          lv     level of detail, 0 is left out
 *     t      virtual time: 6.4385s 500ms  pane   pane of the right column
 *     why    fact or record asked for     table  1: table instead of the diagram
 *
 * What a link says and this trace does not have is passed over: a link to a record behind the end opens at the end.
 */

/** @typedef {import("./app.js").App} App */

const restMs = 300; // browsers refuse to have the address changed all the time

/**
 * Applies an address to the page.
 *
 * @param {App} app
 * @param {string} hash with or without #
 */
export function applyLink(app, hash) {
    const at = new URLSearchParams(hash.replace(/^#/, ""));
    const level = Number(at.get("lv") ?? Number.NaN);
    if (Number.isInteger(level)) app.setLevel(level);
    if (at.get("table") !== null) app.setTable(at.get("table") === "1");
    const record = Number(at.get("e") ?? Number.NaN);
    const time = microseconds(at.get("t") ?? "");
    if (Number.isInteger(record) && record >= 1) app.reveal(Math.min(record, app.last()));
    else if (time !== null) app.go(rowBefore(app, app.trace.atTime(time)));
    const why = at.get("why");
    if (why !== null) app.ask(/^\d+$/.test(why) ? Math.min(Number(why), app.last()) : why);
    const pane = at.get("pane");
    if (pane !== null) app.show(pane);
}

/**
 * The record of the last row at or before a record.
 *
 * @param {App} app
 * @param {number} n
 */
function rowBefore(app, n) {
    const rows = app.rows();
    return rows.count === 0 ? 1 : rows.shown[Math.max(0, rows.at(n))];
}

/**
 * Where a page without a link opens: right before the first fault, when the cluster is at work; a lesson at its first stop.
 *
 * @param {App} app
 */
function opening(app) {
    if (app.limit < app.trace.count) return app.limit;
    const first = app.trace.ofKind("fault").find((n) => app.trace.t(n) > 0);
    return first === undefined ? 1 : rowBefore(app, first - 1);
}

/**
 * The address of what the page shows now, beginning with #.
 *
 * @param {App} app
 */
export function currentLink(app) {
    const at = new URLSearchParams();
    at.set("t", `${app.trace.t(app.n) / 1e6}s`);
    at.set("e", String(app.n));
    if (app.why !== null) at.set("why", app.why.key !== null ? app.why.text : String(app.why.n));
    if (app.pane !== "why") at.set("pane", app.pane);
    if (app.level !== 0) at.set("lv", String(app.level));
    if (app.table) at.set("table", "1");
    return `#${at.toString().replace(/%2F/g, "/").replace(/%3A/g, ":")}`;
}

/**
 * "6.4s", "500ms", "250us", plain seconds: in µs; null: no time.
 *
 * @param {string} text
 * @returns {number | null}
 */
export function microseconds(text) {
    const match = /^(\d+(?:\.\d+)?)(s|ms|us|m)?$/.exec(text.trim());
    if (match === null) return null;
    const unit = { s: 1e6, ms: 1e3, us: 1, m: 60e6 }[match[2] ?? "s"] ?? 1e6;
    return Math.round(Number(match[1]) * unit);
}

/**
 * Opens at the address of the page, and keeps the address up to date.
 *
 * @param {App} app
 */
export function mountLink(app) {
    let written = "";
    let rest = 0;
    function write() {
        const link = currentLink(app);
        if (link === written) return;
        written = link;
        try {
            history.replaceState(null, "", link);
        } catch {
            // an embedded page may not; the link is then only what [l] copies
        }
    }
    app.go(opening(app));
    applyLink(app, location.hash);
    window.addEventListener("hashchange", () => {
        if (location.hash !== written) applyLink(app, location.hash);
    });
    for (const event of /** @type {const} */ (["moment", "why", "pane", "level", "table"])) {
        app.on(event, () => {
            clearTimeout(rest);
            rest = setTimeout(write, restMs);
        });
    }
}
