/**
 * The record of the moment, whole: its sentence, its fields, what it is linked with, what it set, what it caused.
 */
import { fill, h, recordButton, seconds, valueButton } from "../dom.js";
import { term } from "../glossary.js";
import { laneInWords, sentence } from "../narrate.js";
import { json } from "../trace.js";
import { grid } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */

const causedShown = 12;
const causedLooked = 20000;
const setShown = 60;

/** Fields whose value is the number of another record, and what that is. */
const links = /** @type {{[field: string]: string}} */ ({
    by: "caused by",
    mute: "silenced by",
    m: "message sent by",
    re: "answer to",
    batch: "body is in",
});

/** Fields that stand elsewhere in the pane. */
const apart = new Set(["n", "t", "at", "k", "set", "refs", ...Object.keys(links)]);

/**
 * @param {App} app
 * @param {any} record
 */
function linkRows(app, record) {
    /** @type {Child[][]} */
    const rows = [];
    for (const [field, words] of Object.entries(links)) {
        const n = record[field];
        if (typeof n !== "number" || n === 0 || n === record.n || n > app.trace.count) continue;
        rows.push([words, h("span", null, recordButton(app, n), ` ${sentence(app.trace, n)}`)]);
    }
    for (const n of Array.isArray(record.refs) ? record.refs : [])
        rows.push(["read", h("span", null, recordButton(app, n), ` ${sentence(app.trace, n)}`)]);
    if (record.by === 0 && record.mute === undefined)
        rows.unshift(["caused by", h("span", { class: "muted" }, "the scenario, or the start")]);
    return rows;
}

/**
 * A value of a field: short ones as they are, long ones on lines of their own.
 *
 * @param {any} value
 */
function fieldValue(value) {
    const text = typeof value === "string" ? value : json(value);
    return text.length > 60 || text.includes("\n")
        ? h("pre", null, typeof value === "string" ? value : pretty(value))
        : h("code", null, text);
}

/** @param {any} value lists of objects one a line */
function pretty(value) {
    return Array.isArray(value) && value.some((item) => item !== null && typeof item === "object")
        ? value.map(json).join("\n")
        : json(value);
}

/** @param {any} value of a fact */
function factValue(value) {
    if (value === undefined) return "gone";
    const data =
        value !== null && typeof value === "object" && typeof value.data === "string"
            ? `${value.data} v${value.version}`
            : null;
    return data ?? (typeof value === "string" ? value : json(value));
}

/** @param {App} app */
function setRows(app) {
    return app.facts
        .changes(app.n)
        .slice(0, setShown)
        .map(({ key, value, old }) => {
            const [now, was] = [factValue(value), factValue(old)];
            return [
                h("code", null, key),
                valueButton(app, key, now, { class: "long", ...(old === undefined || now === was ? {} : { was }) }),
            ];
        });
}

/** @param {App} app */
function caused(app) {
    const { trace, n } = app;
    /** @type {number[]} */
    const list = [];
    const end = Math.min(app.last(), n + causedLooked);
    for (let i = n + 1; i <= end && list.length <= causedShown; i++) {
        if (trace.by(i) === n || trace.mute(i) === n) list.push(i);
    }
    return list;
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const record = app.trace.record(app.n);
    const fields = Object.entries(record).filter(([name]) => !apart.has(name));
    const effects = caused(app);
    const changes = setRows(app);
    fill(
        element,
        h(
            "h2",
            null,
            `Record ${record.n}`,
            h("small", null, `${record.k} · ${laneInWords(record.at)} · ${seconds(record.t)}`),
        ),
        h("p", null, sentence(app.trace, record.n)),
        grid("Links of the record", ["", ""], linkRows(app, record), { class: "pairs" }),
        fields.length > 0 &&
            h("h3", null, "Fields", h("small", null, "as in the trace, ", term(app, "record", "what is a record?"))),
        fields.length > 0 &&
            grid(
                "Fields of the record",
                ["", ""],
                fields.map(([name, value]) => [name, fieldValue(value)]),
                { class: "pairs" },
            ),
        changes.length > 0 && h("h3", null, "It set"),
        changes.length > 0 && grid("Facts that it set", ["", ""], changes, { class: "pairs" }),
        (record.set?.length ?? 0) > setShown &&
            h("p", { class: "muted" }, `and ${record.set.length - setShown} more facts`),
        effects.length > 0 && h("h3", null, "It caused"),
        h(
            "ul",
            { class: "refs" },
            ...effects
                .slice(0, causedShown)
                .map((n) => h("li", null, recordButton(app, n), ` ${sentence(app.trace, n)}`)),
            effects.length > causedShown && h("li", { class: "muted" }, "and more"),
        ),
    );
}

export default { id: "record", title: "Record", key: "5", render };
