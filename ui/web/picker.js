/**
 * The dialog that picks lanes, for clusters that are wider than the window.
 */
import { byId, fill, h } from "./dom.js";
import { clientLanes } from "./lanes.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app */
export function openPicker(app) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("picker"));
    const nodes = app.model.brokers.map((id) => ({ lane: `n${id}`, text: `node ${id}` }));
    const clients = clientLanes(app).map((lane) => ({ lane: lane.id, text: lane.name || lane.id }));
    const boxes = [...nodes, ...clients].map(({ lane, text }) => ({
        lane,
        text,
        box: h("input", { type: "checkbox", checked: app.picked === null || app.picked.has(lane) }),
    }));
    function change() {
        app.pick(new Set(boxes.filter((one) => one.box.checked).map((one) => one.lane)));
    }
    function all() {
        for (const one of boxes) one.box.checked = true;
        app.pick(null);
    }
    fill(
        dialog,
        h("form", { method: "dialog" }, h("button", { class: "close", "aria-label": "Close" }, "✕")),
        h("h2", { id: "picker-title" }, "Lanes of the diagram"),
        h(
            "p",
            { class: "muted" },
            "Where there is no room for all that are picked, those that do most are shown; what the others do is in the lane “…”.",
        ),
        h(
            "div",
            { class: "choices", onChange: change },
            boxes.map((one) => h("label", null, one.box, " ", one.text)),
        ),
        h("button", { type: "button", onClick: all }, "all"),
    );
    dialog.showModal();
}
