/**
 * What the right column has beside the panes of a report: the first difference and how both ended, always; and what this row
 * differs in.
 */
import { fill, h, seconds, span } from "./dom.js";
import { laterWords } from "./pair_story.js";
import beliefs from "./panes/beliefs.js";
import { grid } from "./panes/common.js";
import logs from "./panes/logs.js";
import machines from "./panes/machines.js";
import partitions from "./panes/partitions.js";
import queues from "./panes/queues.js";
import record from "./panes/record.js";
import why from "./panes/why.js";
import zookeeper from "./panes/zookeeper.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./column.js").Pane} Pane */
/** @typedef {import("./pair_app.js").Pair} Pair */
/** @typedef {import("./alignment.js").Side} Side */

const sides = /** @type {const} */ ([0, 1]);

/**
 * The sentences of the first difference.
 *
 * @param {Pair} pair
 */
function firstDifference(pair) {
    const { first, counts, names } = pair.header;
    const total = h(
        "p",
        { class: "detail" },
        `${counts.same} records are the same, ${counts.moved} came at another time, ${counts.changed} differ; only in ${names[0]}: ${counts.only[0]}, only in ${names[1]}: ${counts.only[1]}.`,
    );
    if (first === null) return [h("p", null, "Nothing differs but times and numbers."), total];
    const where = first.n[0] > 0 && first.n[1] > 0 ? "in both, but not the same" : `only in ${names[first.side]}`;
    return [
        h(
            "p",
            { class: "first" },
            `At ${seconds(first.t)}, ${where}: `,
            h("button", { type: "button", class: "jump", "data-key": "first", onClick: () => pair.first() }, first.say),
        ),
        h("p", null, first.why),
        total,
    ];
}

/**
 * Where the runs ended differently: each value answers why, in its run.
 *
 * @param {Pair} pair
 */
function ended(pair) {
    const { ended: rows, names, verdicts, passing } = pair.header;
    /** @param {Side} side @param {string} what @param {string} value */
    const value = (side, what, value) => {
        const app = pair.apps[side];
        if (value === "-") return "–";
        return h(
            "button",
            {
                type: "button",
                class: app.why?.text === what && side === pair.side ? "v asked" : "v",
                title: `why ${what}, in ${names[side]}?`,
                "data-key": `${side} ${what}`,
                onClick: () => askAtEnd(app, what),
            },
            short(value),
        );
    };
    const list = rows.map((row) => [
        row.what,
        value(0, row.what, row.values[0]),
        value(1, row.what, row.values[1]),
        h(
            "button",
            {
                type: "button",
                class: "jump",
                "data-key": `since ${row.what}`,
                title: `record ${row.n} of ${names[row.side]}`,
                onClick: () => pair.apps[row.side].reveal(row.n),
            },
            seconds(row.t),
        ),
    ]);
    if (verdicts[0] !== verdicts[1]) list.unshift(["verdict", verdicts[0], verdicts[1], ""]);
    if (list.length === 0) return [h("p", { class: "detail" }, "Both ended alike.")];
    return [
        grid("How both ended, where it differs", ["", names[0], names[1], "since"], list, { class: "ended" }),
        passing > 0 && h("p", { class: "detail" }, `${passing} more differed on the way and ended alike.`),
    ];
}

/**
 * Why it ended so: asked at the end, and shown at the record that made it so.
 *
 * @param {App} app
 * @param {string} what
 */
function askAtEnd(app, what) {
    app.go(app.last());
    if (app.ask(what) && app.why !== null) app.reveal(app.why.n);
}

/** @param {string} value */
function short(value) {
    return value.length > 40 ? `${value.slice(0, 39)}…` : value;
}

/**
 * What this row differs in, in words.
 *
 * @param {Pair} pair
 */
function here(pair) {
    const { rows, header, row } = pair;
    const [a, b] = sides.map((side) => rows.records[side][row]);
    const how = rows.how(row);
    const only = a > 0 ? 0 : 1;
    switch (how) {
        case "same":
            return h("p", { class: "detail" }, "This is the same in both.");
        case "moved":
            return h("p", { class: "detail" }, `The same in both; in ${header.names[1]} ${when(rows.later(row))}.`);
        case "crossed":
            return h(
                "p",
                { class: "detail" },
                "The same in both, in another order: ",
                h(
                    "button",
                    { type: "button", class: "jump", "data-key": "partner", onClick: () => partner(pair, row) },
                    `its row in ${header.names[1 - only]}`,
                ),
                `, ${when(rows.later(row))}.`,
            );
        case "only":
            return h("p", null, h("b", null, `Only in ${header.names[only]}.`), begins(pair));
        case "changed":
            return [
                h("p", null, h("b", null, "In both, and not the same."), begins(pair)),
                values(pair, a > 0 ? a : rows.alignment.other[1][b]),
            ];
    }
}

/** @param {Pair} pair */
function begins(pair) {
    if (pair.row === pair.rows.first) return " Here they part.";
    return pair.rows.begins.has(pair.row) ? " What it comes of is the same in both." : "";
}

/** @param {number} us */
function when(us) {
    return us === 0 ? "at the same time" : `${span(Math.abs(us))} ${us > 0 ? "later" : "earlier"}`;
}

/** @param {Pair} pair @param {number} row */
function partner(pair, row) {
    const side = pair.rows.records[0][row] > 0 ? 0 : 1;
    const other = side === 0 ? 1 : 0;
    pair.apps[other].reveal(pair.rows.alignment.other[side][pair.rows.records[side][row]]);
}

/** @param {Pair} pair @param {number} n record of the first run */
function values(pair, n) {
    const lines = (pair.rows.alignment.values.get(n) ?? "").split("\n").filter((line) => line !== "");
    if (lines.length === 0) return h("p", { class: "detail" }, "What it comes of differs, and nothing that it says.");
    return h(
        "ul",
        { class: "values", "aria-label": `What differs: ${pair.header.names.join(", then ")}` },
        lines.map((line) => h("li", null, line)),
    );
}

/**
 * Whose cluster stands below.
 *
 * @param {Pair} pair
 */
function chooser(pair) {
    return h(
        "div",
        { class: "choose-side", role: "group", "aria-label": "Whose cluster is shown" },
        sides.map((side) =>
            h(
                "button",
                {
                    type: "button",
                    "aria-pressed": String(side === pair.side),
                    "data-key": `side ${side}`,
                    title: "key o",
                    onClick: () => pair.look(side),
                },
                pair.header.names[side],
            ),
        ),
    );
}

/**
 * The panes of a page of two runs.
 *
 * @param {Pair} pair
 * @returns {Pane[]}
 */
export function pairPanes(pair) {
    return [
        {
            id: "ended",
            title: "What differs",
            always: true,
            render: (element) =>
                fill(
                    element,
                    h("h2", null, "The first difference"),
                    ...firstDifference(pair),
                    h("h2", null, "How it ended"),
                    ...ended(pair),
                ),
        },
        {
            id: "here",
            title: "This row",
            always: true,
            render: (element) => {
                const said = here(pair);
                fill(element, h("h2", null, "At this row"), ...(Array.isArray(said) ? said : [said]), chooser(pair));
            },
        },
        { ...why, key: "1" },
        { ...partitions, always: false, key: "2" },
        { ...beliefs, always: false, key: "3" },
        ...[machines, zookeeper, queues, record, logs].map((pane, i) => ({ ...pane, key: String(i + 4) })),
    ];
}

export { laterWords };
