/**
 * controller.log and state-change.log as they stand at the moment, as an operator would see them: the last lines of one
 * node or of all. A line is a button that goes to the record that wrote it.
 */
import { fill, h, seconds } from "../dom.js";
import { before, lastAtMost, memory, redraw } from "./common.js";

/** @typedef {import("../app.js").App} App */

const linesShown = 80;
const linesLooked = 20000;

const remembered = memory(() => ({ stream: "", node: "" }));

/** @param {App} app the last lines that the choice leaves, oldest first */
function lines(app) {
    const { stream, node } = remembered(app);
    const { trace } = app;
    const records = trace.ofKind("log");
    /** @type {number[]} */
    const list = [];
    const last = lastAtMost(records, app.n);
    for (let i = last; i >= Math.max(0, last - linesLooked) && list.length < linesShown; i--) {
        const n = records[i];
        if (node !== "" && trace.at(n).slice(1) !== node) continue;
        if (stream !== "" && trace.field(n, "stream") !== stream) continue;
        list.unshift(n);
    }
    return list;
}

/**
 * @param {App} app
 * @param {"stream" | "node"} what
 * @param {string} name
 * @param {[string, string][]} options value, words
 */
function choice(app, what, name, options) {
    const state = remembered(app);
    return h(
        "select",
        {
            id: `log-${what}`,
            "aria-label": name,
            onChange: (/** @type {Event} */ event) => {
                state[what] = /** @type {HTMLSelectElement} */ (event.target).value;
                redraw(app);
            },
        },
        ...options.map(([value, words]) => h("option", { value, selected: value === state[what] }, words)),
    );
}

/**
 * @param {App} app
 * @param {number} n
 * @param {number} since
 */
function line(app, n, since) {
    const { trace } = app;
    const level = `${trace.field(n, "level")}`;
    return h(
        "li",
        { class: [n > since && "changed", (level === "ERROR" || level === "WARN") && "bad"].filter(Boolean).join(" ") },
        h(
            "button",
            { type: "button", class: "step", "data-key": `log ${n}`, onClick: () => app.reveal(n) },
            h("span", { class: "muted" }, `${seconds(trace.t(n))} ${trace.at(n)} `),
            `${level} ${trace.field(n, "text")}`,
        ),
    );
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const since = before(app);
    const nodes = app.model.nodes.map((node) => /** @type {[string, string]} */ ([`${node.id}`, `node ${node.id}`]));
    const list = lines(app);
    fill(
        element,
        h(
            "p",
            { class: "choose" },
            choice(app, "stream", "Log", [
                ["", "both logs"],
                ["controller", "controller.log"],
                ["state-change", "state-change.log"],
            ]),
            " ",
            choice(app, "node", "Node", [["", "all nodes"], ...nodes]),
            h("small", null, "newest below; this step's lines are boxed"),
        ),
        list.length === 0
            ? h("p", { class: "muted" }, "Nothing has been logged by now.")
            : h("ul", { class: "log" }, ...list.map((n) => line(app, n, since))),
    );
    const end = element.querySelector(".log li:last-child");
    if (end !== null && list.length > 0) requestAnimationFrame(() => element.scrollTo({ top: element.scrollHeight }));
}

export default { id: "logs", title: "Logs", key: "8", render };
