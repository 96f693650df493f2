/**
 * The help dialog: how to read the page, its signs, its keys.
 */
import { byId, fill, h, toggleDialog } from "./dom.js";
import { keys } from "./keys.js";
import { signs } from "./legend.js";

/** @typedef {import("./column.js").Pane} Pane */

const reading = [
    "Above: true time, to the right. A band says who is controller, or who leads a partition; the higher it is, the more replicas are in the ISR; hatched: nobody.",
    "Below: order, downwards. One row is one record; where nothing happens for long the silence is folded and labelled.",
    "Right: the cluster at the moment. Every value is a button: it tells why it is so.",
    "Click a row to go there, double-click to ask why. The violet line is the chain of causes.",
];

/**
 * @param {Pane[]} panes
 * @param {{reading: string[], list: import("./keys.js").Key[]}} [other] of a page that is read otherwise
 */
export function mountHelp(panes, other = { reading, list: keys }) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("help"));
    const rows = [
        ...other.list.map((key) => ({
            shown: key.shown,
            says: key.says,
        })),
        ...panes
            .filter((pane) => pane.key && !pane.always)
            .map((pane) => ({ shown: pane.key ?? "", says: pane.title })),
    ];
    fill(
        dialog,
        h("form", { method: "dialog" }, h("button", { class: "close", "aria-label": "Close" }, "✕")),
        h("h2", { id: "help-title" }, "How to read this page"),
        other.reading.map((text) => h("p", null, text)),
        h("h3", null, "Signs"),
        h("div", { class: "signs" }, signs()),
        h("h3", null, "Keys"),
        h(
            "dl",
            { class: "keys" },
            rows.map((row) => h("div", null, h("dt", null, h("kbd", null, row.shown)), h("dd", null, row.says))),
        ),
    );
    dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
        if (event.key === "?") {
            event.preventDefault();
            dialog.close();
        }
    });
    byId("help-button").addEventListener("click", () => toggleDialog("help"));
}
