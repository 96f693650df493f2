/**
 * The keyboard: one table, which the help dialog prints.
 *
 * Keys act wherever the focus is, except in a field that takes text; Space and Enter on a button press the button; arrows
 * stay with what uses them itself (tabs, the selection of the level).
 */
import { byId, toggleDialog } from "./dom.js";
import { move } from "./bar.js";
import { levels } from "./app.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./column.js").Pane} Pane */
/** @typedef {{keys: string[], shown: string, says: string, act: (app: App, event: KeyboardEvent) => void}} Key */

/** @type {Key[]} */
export const keys = [
    { keys: [" "], shown: "space", says: "play, pause", act: (app) => move(app, "play") },
    {
        keys: ["ArrowRight", "ArrowDown"],
        shown: "→ ↓",
        says: "one step on; with shift ten",
        act: (app, e) => app.step(e.shiftKey ? 10 : 1),
    },
    {
        keys: ["ArrowLeft", "ArrowUp"],
        shown: "← ↑",
        says: "one step back; with shift ten",
        act: (app, e) => app.step(e.shiftKey ? -10 : -1),
    },
    { keys: ["PageDown"], shown: "PgDn", says: "25 steps on", act: (app) => app.step(25) },
    { keys: ["PageUp"], shown: "PgUp", says: "25 steps back", act: (app) => app.step(-25) },
    { keys: ["Home"], shown: "Home", says: "start of the run", act: (app) => move(app, "first") },
    { keys: ["End"], shown: "End", says: "end of the run", act: (app) => move(app, "last") },
    { keys: ["f"], shown: "f", says: "next fault", act: (app) => move(app, "fault") },
    { keys: ["F"], shown: "F", says: "fault before", act: (app) => move(app, "fault", -1) },
    { keys: ["]"], shown: "]", says: "next change of a state", act: (app) => move(app, "change") },
    { keys: ["["], shown: "[", says: "change of a state before", act: (app) => move(app, "change", -1) },
    { keys: ["x"], shown: "x", says: "next refusal or violation", act: (app) => move(app, "refusal") },
    { keys: ["X"], shown: "X", says: "refusal or violation before", act: (app) => move(app, "refusal", -1) },
    { keys: ["w"], shown: "w", says: "why did this happen?", act: (app) => app.ask(app.n) },
    {
        keys: ["d"],
        shown: "d",
        says: `detail: ${levels.join(", ")}`,
        act: (app) => app.setLevel((app.level + 1) % levels.length),
    },
    { keys: ["t"], shown: "t", says: "table, diagram", act: (app) => app.setTable(!app.table) },
    { keys: ["+", "="], shown: "+", says: "taller rows", act: (app) => app.zoom(1) },
    { keys: ["-"], shown: "-", says: "flatter rows", act: (app) => app.zoom(-1) },
    { keys: ["0"], shown: "0", says: "rows as at first", act: (app) => app.zoom(0) },
    { keys: ["/"], shown: "/", says: "search; Enter next, Shift+Enter before", act: () => byId("search").focus() },
    { keys: ["?"], shown: "?", says: "this help", act: () => toggleDialog("help") },
    { keys: ["Escape"], shown: "Esc", says: "closes; the chain, too", act: (app) => app.stopAsking() },
];

/**
 * @param {App} app
 * @param {Pane[]} panes
 * @param {() => App} [now] whose moment the keys move
 * @param {Key[]} [list] of the page
 */
export function mountKeys(app, panes, now = () => app, list = keys) {
    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || usesKey(event)) return;
        const pane = panes.find((one) => one.key === event.key && !one.always);
        const key = list.find((one) => one.keys.includes(event.key));
        if (pane === undefined && key === undefined) return;
        event.preventDefault();
        if (key !== undefined) key.act(now(), event);
        else if (pane !== undefined) now().show(pane.id);
    });
}

/**
 * Does the element with the focus use this key itself?
 *
 * @param {KeyboardEvent} event
 */
function usesKey(event) {
    const at = event.target;
    if (!(at instanceof HTMLElement)) return false;
    if (at.closest("dialog[open], [popover]") !== null) return true;
    if (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement)
        return (
            !(at instanceof HTMLInputElement && (at.type === "checkbox" || at.type === "radio")) || event.key === " "
        );
    if (at instanceof HTMLSelectElement)
        return event.key.startsWith("Arrow") || event.key === " " || event.key.length === 1;
    return at.closest("button, summary, a") !== null && event.key === " ";
}
