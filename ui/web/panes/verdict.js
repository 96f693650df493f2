/**
 * How the run came out: expectations of the scenario, met or not, with the record that decided; checks that every run
 * is held to, where violated, with Kafka's defect that explains it.
 */
import { fill, h, recordButton, seconds } from "../dom.js";
import { sentence } from "../narrate.js";
import { grid } from "./common.js";

/** @typedef {import("../app.js").App} App */

const checksShown = 50;

/** @param {App} app */
function expectations(app) {
    return app.model.expectations.map((one) =>
        h(
            "li",
            { class: one.met === undefined ? "open" : one.met ? "met" : "failed" },
            h("b", null, one.met === undefined ? "? " : one.met ? "✓ " : "✕ "),
            h("code", null, one.text),
            one.say !== "" && h("p", { class: "detail" }, one.say),
            one.n > 0 &&
                h("p", { class: "detail" }, "decided by ", recordButton(app, one.n), ` ${sentence(app.trace, one.n)}`),
        ),
    );
}

/** @param {App} app */
function violations(app) {
    return [...app.trace.ofKind("check")].filter((n) => app.model.isViolation(n));
}

/**
 * @param {App} app
 * @param {number} n
 */
function violationRow(app, n) {
    const { trace } = app;
    const partition = trace.field(n, "partition");
    const defect = trace.field(n, "defect");
    return [
        `${trace.field(n, "name")}`,
        partition === undefined ? "" : `${partition}`,
        defect === undefined ? h("b", { class: "bad" }, "not explained") : `${defect}`,
        recordButton(app, n, seconds(trace.t(n))),
    ];
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const { verdict } = app.model;
    if (app.limit < app.trace.count) {
        fill(element, h("p", null, "A lesson hides the end of the run."));
        return;
    }
    const found = violations(app);
    const list = expectations(app);
    const words =
        verdict === "met"
            ? "All that was expected came."
            : verdict === "unfinished"
              ? "The run has no end in this trace."
              : `The run's verdict: ${verdict}.`;
    fill(
        element,
        h("h2", { class: verdict === "met" ? "good" : "bad" }, words),
        list.length > 0 && h("h3", null, "Expected"),
        list.length === 0
            ? h("p", { class: "muted" }, "The scenario expects nothing in particular.")
            : h("ul", { class: "expectations" }, ...list),
        h("h3", null, "Checks", h("small", null, "what must hold in every run")),
        found.length === 0
            ? h("p", { class: "muted" }, "None was violated.")
            : grid(
                  "Checks violated",
                  ["check", "partition", "explained by", "when"],
                  found.slice(0, checksShown).map((n) => violationRow(app, n)),
              ),
        found.length > checksShown && h("p", { class: "muted" }, `and ${found.length - checksShown} more`),
    );
}

export default { id: "verdict", title: "Verdict", key: "7", render };
