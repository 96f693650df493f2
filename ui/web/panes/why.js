/**
 * Why: from a value, or from the record of the moment, back to the fault that it began with; newest first, in words.
 *
 * Steps that only carry a cause on (requests, replies) are folded into one line with their count. Where the cause is
 * that nothing came, the line says so and names what was waited on. A decision shows its candidates.
 */
import { fill, h, recordButton, seconds } from "../dom.js";
import { sentence } from "../narrate.js";
import { term } from "../glossary.js";
import { chain } from "../why.js";
import { whoOf } from "../words.js";
import { fold, grid, memory } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../app.js").Link} Link */
/** @typedef {import("../dom.js").Child} Child */

const refsShown = 5;
const linksShown = 60;

const remembered = memory(() => ({ of: 0, open: /** @type {Set<string>} */ (new Set()) }));

/**
 * The candidates of an election, as it looked at them.
 *
 * @param {App} app
 * @param {any} record
 */
function candidates(app, record) {
    if (!Array.isArray(record.candidates) || record.candidates.length === 0) return null;
    return grid(
        "Candidates in the order of the election",
        ["broker", "alive", term(app, "ISR", "in ISR"), "judged"],
        record.candidates.map((/** @type {any} */ one) => [
            `${one.id}`,
            one.live === 1 ? "yes" : "no",
            one.insync === 1 ? "yes" : "no",
            one.id === record.chosen ? h("b", null, `${one.verdict}`) : `${one.verdict ?? ""}`,
        ]),
        { class: "candidates" },
    );
}

/**
 * What a decision read: the records that had last set it.
 *
 * @param {App} app
 * @param {any} record
 */
function readings(app, record) {
    if (!Array.isArray(record.refs) || record.refs.length === 0) return null;
    const { open } = remembered(app);
    const name = `refs ${record.n}`;
    const some = open.has(name) ? record.refs : record.refs.slice(0, refsShown);
    return h(
        "ul",
        { class: "refs", "aria-label": "What it read" },
        ...some.map((/** @type {number} */ n) =>
            h("li", null, "read ", recordButton(app, n), ` ${sentence(app.trace, n)}`),
        ),
        record.refs.length > refsShown &&
            h("li", null, fold(app, open, name, open.has(name) ? "fewer" : `${record.refs.length - refsShown} more`)),
    );
}

/**
 * A refusal: what was there and what was expected.
 *
 * @param {App} app
 * @param {any} record
 */
function refusal(app, record) {
    if (record.ok !== 0 || record.have === undefined) return null;
    return h(
        "p",
        { class: "detail" },
        `there was ${record.have}, expected was ${record.want ?? "something else"}`,
        record.rule !== undefined && `: ${record.rule}`,
    );
}

/**
 * @param {App} app
 * @param {Link} link
 * @param {boolean} last
 */
function item(app, link, last) {
    const { trace, model } = app;
    const { n, how } = link;
    const fault = model.isFault(n);
    const isAsked = fault && trace.field(1, "inferred") === undefined; // of logs nobody knows
    const record = trace.record(n);
    const because = how === "asked" ? "" : how === "mute" ? "because nothing came, " : "because, ";
    const waited = trace.mute(n) !== 0 && trace.by(n) !== 0 && trace.by(n) !== trace.mute(n);
    return h(
        "li",
        { class: [fault && "fault", last && "root", n === app.n && "here"].filter(Boolean).join(" ") },
        h("span", { class: "when" }, `${because}${seconds(trace.t(n))} · ${whoOf(trace, n)} · record ${n}`),
        h(
            "button",
            { type: "button", class: "step", "data-key": `step ${n}`, "data-record": n, onClick: () => app.reveal(n) },
            model.refused(n) && "✕ ",
            sentence(trace, n),
        ),
        how === "mute" && h("p", { class: "detail" }, "This kept away what was waited for: the absence is the cause."),
        waited && h("p", { class: "detail" }, "It had waited since ", recordButton(app, trace.by(n)), "."),
        refusal(app, record),
        candidates(app, record),
        readings(app, record),
        last && h("p", { class: "detail" }, isAsked ? "Here it began: the scenario asked for it." : "Here it began."),
    );
}

/**
 * The chain as list items; what is folded is one item with its count.
 *
 * @param {App} app
 * @param {Link[]} links
 */
function items(app, links) {
    const { open } = remembered(app);
    /** @type {Child[]} */
    const list = [];
    const shown = open.has("all") ? links.length : Math.min(links.length, linksShown);
    for (let i = 0; i < shown; i++) {
        let end = i;
        while (end < links.length && links[end].fold) end++;
        const name = `hops ${links[i].n}`;
        if (end > i) {
            const steps = end - i === 1 ? "1 step that carried it" : `${end - i} steps that carried it`;
            list.push(h("li", { class: "hops" }, fold(app, open, name, open.has(name) ? `▾ ${steps}` : `▸ ${steps}`)));
            if (open.has(name)) list.push(...links.slice(i, end).map((link) => item(app, link, false)));
            i = end - 1;
        } else list.push(item(app, links[i], i === links.length - 1));
    }
    if (shown < links.length)
        list.push(
            h(
                "li",
                { class: "hops" },
                fold(app, open, "all", `▸ ${links.length - shown} more, down to where it began`),
            ),
        );
    return list;
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const { why, n } = app;
    const state = remembered(app);
    const of = why === null ? n : why.n;
    if (state.of !== of) {
        state.of = of;
        state.open.clear();
    }
    const asked = why !== null && why.key !== null;
    const question = asked ? `Why is ${why.text} = ${why.value}?` : "Why did this happen?";
    fill(
        element,
        h(
            "div",
            { class: "title" },
            h("h2", null, question),
            why !== null &&
                h(
                    "button",
                    {
                        type: "button",
                        class: "close",
                        "data-key": "close chain",
                        "aria-label": "Close this chain",
                        onClick: () => app.stopAsking(),
                    },
                    "×",
                ),
        ),
        why !== null && why.n > n && h("p", { class: "detail" }, `This is later than the moment shown (record ${n}).`),
        h("ol", { class: "chain" }, ...items(app, why === null ? chain(app.trace, n) : why.links)),
    );
}

export default { id: "why", title: "Why", key: "1", render };
