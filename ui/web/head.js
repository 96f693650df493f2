/**
 * The head of the page: title, question, verdict with its expectations, level of detail, table, and what is said in
 * passing.
 */
import { byId, fill, h, recordButton } from "./dom.js";

/** @typedef {import("./app.js").App} App */

const toastMs = 2600;

/** @param {App} app */
export function mountHead(app) {
    const meta = app.trace.meta;
    const title =
        typeof meta["title"] === "string" && meta["title"] !== "" ? meta["title"] : String(meta["file"] ?? "kcsim");
    fill(byId("title"), title);
    fill(byId("question"), typeof meta["question"] === "string" ? meta["question"] : "");
    document.title = `${title} – kcsim`;
    mountLevel(app);
    mountTableButton(app);
    mountToast(app);
    drawVerdict(app);
    app.on("trace", () => drawVerdict(app));
    app.on("limit", () => drawVerdict(app));
}

/** @param {App} app */
export function mountLevel(app) {
    const level = /** @type {HTMLSelectElement} */ (byId("level"));
    level.addEventListener("change", () => app.setLevel(Number(level.value)));
    app.on("level", () => (level.value = String(app.level)));
}

/** @param {App} app */
function mountTableButton(app) {
    const button = byId("table-button");
    button.addEventListener("click", () => app.setTable(!app.table));
    app.on("table", () => button.setAttribute("aria-pressed", String(app.table)));
}

/** @param {App} app */
export function mountToast(app) {
    const toast = byId("toast");
    let hide = 0;
    app.on("say", () => {
        fill(toast, app.saying);
        toast.classList.add("shown");
        clearTimeout(hide);
        hide = setTimeout(() => toast.classList.remove("shown"), toastMs);
    });
}

/**
 * The verdict, with what was expected behind it. A lesson that hides the future hides the verdict, too.
 *
 * @param {App} app
 */
function drawVerdict(app) {
    const details = byId("verdict");
    const { verdict, expectations } = app.model;
    const violations = findViolations(app);
    details.hidden = app.limit < app.trace.count;
    const failed = expectations.filter((one) => one.met === false).length;
    const met = expectations.filter((one) => one.met === true).length;
    const bad = verdict !== "met" && verdict !== "imported";
    const known = bad ? failed : met;
    const count = known === 0 ? "" : `: ${known} of ${expectations.length}`;
    details.classList.toggle("failed", bad);
    const [summary, sheet] = details.children;
    fill(summary, h("span", { "aria-hidden": "true" }, bad ? "✗ " : verdict === "met" ? "✓ " : ""), verdict + count);
    fill(
        sheet,
        h("h2", null, expectations.length === 0 ? "Nothing was expected of this run" : "What was expected"),
        h(
            "ul",
            null,
            expectations.map((one) => expectation(app, one)),
        ),
        violations.length > 0 && h("h2", null, "Checks that fired"),
        violations.length > 0 &&
            h(
                "ul",
                null,
                violations.map((n) => violation(app, n)),
            ),
    );
}

/**
 * @param {App} app
 * @param {{text: string, met: boolean | undefined, n: number, say: string}} one
 */
function expectation(app, one) {
    const word = one.met === undefined ? "not known" : one.met ? "met" : "failed";
    const sign = one.met === undefined ? "?" : one.met ? "✓" : "✗";
    return h(
        "li",
        { class: one.met === false ? "failed" : one.met ? "met" : "unknown" },
        h("b", null, `${sign} ${word} `),
        h("code", null, one.text),
        one.say !== "" && h("span", { class: "muted" }, ` ${one.say}`),
        one.n > 0 && " ",
        one.n > 0 && recordButton(app, one.n),
    );
}

/**
 * @param {App} app
 * @param {number} n
 */
function violation(app, n) {
    const record = app.trace.record(n);
    const defect = record["defect"];
    return h(
        "li",
        { class: "failed" },
        h("b", null, `✗ ${String(record["name"])} `),
        typeof defect === "string" && h("span", { class: "muted" }, `known defect ${defect} `),
        recordButton(app, n),
    );
}

/**
 * The first record of each check that fired.
 *
 * @param {App} app
 */
function findViolations(app) {
    /** @type {Map<string, number>} */
    const first = new Map();
    for (const n of app.trace.ofKind("check")) {
        if (!app.model.isViolation(n)) continue;
        const record = app.trace.record(n);
        const name = String(record["name"]);
        if (!first.has(name) || record["defect"] !== undefined) first.set(name, n);
    }
    return [...first.values()];
}
