/**
 * What waits: events in the queue of each controller, requests in the purgatory of each broker.
 *
 * Neither is a fact of the trace; both follow from records. A queue is read backwards from the moment until as many
 * waiting events are found as its depth says. A request waits from its `wait` to the answer that names the same
 * message; the pairs are made once.
 */
import { fill, h, recordButton, span } from "../dom.js";
import { term } from "../glossary.js";
import { grid, growing, lastAtMost } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {{n: number, name: string}} Event */

const eventsShown = 12;
const requestsShown = 12;
const waitsLooked = 5000;

/** Records of each controller's queue. */
const queueRecords = growing(
    () => /** @type {Map<string, number[]>} */ (new Map()),
    (app, byLane, from) => {
        const records = app.trace.ofKind("queue");
        for (let i = lastAtMost(records, from - 1) + 1; i < records.length; i++) {
            const lane = app.trace.at(records[i]);
            const list = byLane.get(lane) ?? [];
            list.push(records[i]);
            byLane.set(lane, list);
        }
    },
);

/**
 * The event in work and those that wait, oldest first.
 *
 * @param {App} app
 * @param {string} lane
 * @returns {{work: Event | null, waiting: Event[], depth: number}}
 */
export function queueAt(app, lane) {
    const { trace } = app;
    const records = queueRecords(app).get(lane) ?? [];
    const last = lastAtMost(records, app.n);
    const depth = last < 0 ? 0 : Number(trace.field(records[last], "depth") ?? 0);
    /** @type {Event[]} */
    const waiting = [];
    /** @type {Event | null} */
    let work = null;
    let idle = false;
    const started = new Set();
    for (let i = last; i >= 0 && (waiting.length < depth || (work === null && !idle)); i--) {
        const n = records[i];
        const what = trace.field(n, "what");
        const id = trace.field(n, "id");
        if (what === "clear") break;
        if (what === "start") {
            if (work === null && !idle) work = { n, name: `${trace.field(n, "name")}` };
            started.add(id);
        } else if (what === "done" && work === null) idle = true;
        else if (what === "put" && !started.has(id) && waiting.length < depth)
            waiting.unshift({ n, name: `${trace.field(n, "name")}` });
    }
    return { work, waiting, depth };
}

/** Where each waiting request is answered: `wait` records, and the record of the answer, or 0. */
const waits = growing(
    () => ({
        numbers: /** @type {number[]} */ ([]),
        answered: /** @type {number[]} */ ([]),
        byMessage: /** @type {Map<string, number>} */ (new Map()),
    }),
    ({ trace }, { numbers, answered, byMessage }, from) => {
        const all = trace.ofKind("wait");
        for (let i = lastAtMost(all, from - 1) + 1; i < all.length; i++) {
            byMessage.set(`${trace.at(all[i])} ${trace.field(trace.by(all[i]), "m")}`, numbers.push(all[i]) - 1);
            answered.push(0);
        }
        if (numbers.length === 0) return;
        const sends = trace.ofKind("send");
        for (let i = lastAtMost(sends, from - 1) + 1; i < sends.length; i++) {
            const re = trace.field(sends[i], "re");
            const place = re === undefined ? undefined : byMessage.get(`${trace.at(sends[i])} ${re}`);
            if (place !== undefined) answered[place] = sends[i];
        }
    },
);

/**
 * The requests that wait at the moment.
 *
 * @param {App} app
 * @returns {number[]} records of kind wait
 */
export function waitingRequests(app) {
    const { numbers, answered } = waits(app);
    const { trace, n } = app;
    const now = trace.t(n);
    /** @type {number[]} */
    const list = [];
    const last = lastAtMost(numbers, n);
    for (let i = last; i >= Math.max(0, last - waitsLooked); i--) {
        const wait = numbers[i];
        const until = Number(trace.field(wait, "until") ?? Infinity);
        if (
            (answered[i] === 0 || answered[i] > n) &&
            until > now &&
            app.facts.value(`node.${trace.at(wait).slice(1)}`, n) !== undefined
        )
            list.unshift(wait);
    }
    return list.filter((wait) => !diedSince(app, wait));
}

/**
 * Did the process in whose memory it waits die since?
 *
 * @param {App} app
 * @param {number} wait
 */
function diedSince(app, wait) {
    const key = `node.${app.trace.at(wait).slice(1)}`;
    const [then, now] = [
        /** @type {any} */ (app.facts.value(key, wait)),
        /** @type {any} */ (app.facts.value(key, app.n)),
    ];
    return now?.state === "down" || then?.incarnation !== now?.incarnation;
}

/**
 * @param {App} app
 * @param {number} id
 * @param {string} lane
 */
function queueRow(app, id, lane) {
    const { work, waiting, depth } = queueAt(app, lane);
    const down = app.model.node(id, app.n) === "down";
    const role = app.facts.value(`role.${id}`, app.n);
    return [
        `${id}${role === "active" ? " ★" : ""}`,
        down
            ? h("span", { class: "bad" }, "down")
            : work === null
              ? h("span", { class: "muted" }, "idle")
              : recordButton(app, work.n, work.name),
        down || depth === 0
            ? h("span", { class: "muted" }, "–")
            : h(
                  "ol",
                  { class: "events" },
                  ...waiting
                      .slice(0, eventsShown)
                      .map((event) =>
                          h(
                              "li",
                              null,
                              recordButton(app, event.n, event.name),
                              h("span", { class: "muted" }, ` ${span(app.trace.t(app.n) - app.trace.t(event.n))}`),
                          ),
                      ),
                  depth > eventsShown && h("li", { class: "muted" }, `${depth - eventsShown} more`),
              ),
    ];
}

/**
 * @param {App} app
 * @param {number} n of kind wait
 */
function waitRow(app, n) {
    const { trace } = app;
    const until = Number(trace.field(n, "until") ?? 0);
    return [
        `broker ${trace.at(n).slice(1)}`,
        recordButton(app, n, `${trace.field(n, "what")} ${trace.field(n, "partition")}`),
        `until all in sync have ${trace.field(n, "offset")}`,
        until > 0 ? `at most ${span(until - trace.t(app.n))} more` : "",
    ];
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const controllers = app.model.nodes.filter((node) => node.controller !== null);
    const waiting = waitingRequests(app);
    fill(
        element,
        h(
            "h3",
            null,
            term(app, "controller event queue", "Queue of each controller"),
            h("small", null, "one thread works off one event at a time; oldest first"),
        ),
        grid(
            "Queues of the controllers",
            ["controller", "in work", "waiting, since"],
            controllers.slice(0, 40).map((node) => queueRow(app, node.id, node.controller ?? "")),
        ),
        h(
            "h3",
            null,
            term(app, "purgatory", "Purgatory of each broker"),
            h("small", null, "requests that cannot be answered yet"),
        ),
        waiting.length === 0
            ? h("p", { class: "muted" }, "No request waits.")
            : grid(
                  "Requests in purgatory",
                  ["where", "request", "waits", "gives up"],
                  waiting.slice(0, requestsShown).map((n) => waitRow(app, n)),
              ),
        waiting.length > requestsShown && h("p", { class: "muted" }, `and ${waiting.length - requestsShown} more`),
    );
}

export default { id: "queues", title: "Queues", key: "4", render };
