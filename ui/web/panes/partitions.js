/**
 * Partitions as they stand in ZooKeeper, for the moment: what a controller that comes to office now would read.
 *
 * The page and the filter chosen here also say which partitions "who believes what" compares.
 */
import { fill, h, valueButton } from "../dom.js";
import { term } from "../glossary.js";
import { before, grid, idsInWords, index, leaderInWords, memory, pager, redraw } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../model.js").Partition} Partition */
/** @typedef {import("../model.js").Model["places"][number]} Place */

const pageSize = 4;

const remembered = memory(() => ({ page: 0, filter: "", input: /** @type {HTMLInputElement | null} */ (null) }));

/** Topics of Kafka itself stand behind those of the user. */
const ordered = index((app) =>
    [...app.model.places].sort((a, b) => Number(isInternal(a.topic)) - Number(isInternal(b.topic))),
);

/** @param {string} topic */
function isInternal(topic) {
    return topic.startsWith("__");
}

/**
 * The places that the filter leaves; all of those that ever were.
 *
 * @param {App} app
 */
function filtered(app) {
    const filter = remembered(app).filter.trim().toLowerCase();
    const all = ordered(app);
    return filter === "" ? all : all.filter((place) => place.tp.toLowerCase().includes(filter));
}

/**
 * The partitions that are shown: those of the page.
 *
 * @param {App} app
 * @returns {Place[]}
 */
export function shownPartitions(app) {
    const { page } = remembered(app);
    return filtered(app).slice(page * pageSize, (page + 1) * pageSize);
}

/**
 * A field as a button; struck out before it what it was when this step changed it.
 *
 * @param {App} app
 * @param {string} ask
 * @param {Partition} now
 * @param {Partition | null} old at the step before
 * @param {(partition: Partition) => string} words
 * @param {string} [className]
 */
function field(app, ask, now, old, words, className) {
    const text = words(now);
    const was = old === null ? null : words(old);
    return valueButton(app, ask, text, { class: className, ...(was === text ? {} : { was: was ?? null }) });
}

/** @param {Partition} partition */
function reassignment({ adding, removing }) {
    const parts = [...adding.map((id) => `+${id}`), ...removing.map((id) => `−${id}`)];
    return parts.join(" ");
}

/**
 * @param {App} app
 * @param {Place} place
 */
function row(app, place) {
    const now = app.model.partition(place, app.n);
    const since = before(app);
    if (now === null) {
        const gone = app.model.partition(place, since) !== null;
        const text = gone ? h("s", { class: "was" }, "gone") : "not there";
        return [h("span", { class: "muted" }, place.tp), text, "", "", ""];
    }
    const { key, topicKey } = place;
    const touched = Math.max(app.facts.setter(key, app.n), app.facts.setter(topicKey, app.n)) > since;
    const old = touched ? app.model.partition(place, since) : now;
    const moving = reassignment(now) !== "" || (old !== null && reassignment(old) !== "");
    return [
        place.tp,
        now.epoch < 0
            ? h("span", { class: "muted" }, "new")
            : field(
                  app,
                  `leader of ${place.tp}`,
                  now,
                  old,
                  (p) => leaderInWords(p.leader),
                  now.leader === -1 ? "bad" : "",
              ),
        field(app, key, now, old, (p) => (p.epoch < 0 ? "–" : `${p.epoch}`)),
        field(app, `isr of ${place.tp}`, now, old, (p) => idsInWords(p.isr)),
        h(
            "span",
            null,
            field(app, topicKey, now, old, (p) => idsInWords(p.replicas)),
            moving && field(app, topicKey, now, old, (p) => reassignment(p) || "–", "moving"),
        ),
    ];
}

/**
 * The field that filters, made once: what is typed into must not be replaced.
 *
 * @param {App} app
 */
function filterField(app) {
    const state = remembered(app);
    state.input ??= h("input", {
        id: "partition-filter",
        type: "search",
        placeholder: "Filter",
        "aria-label": "Filter partitions",
        onInput: () => {
            state.filter = state.input?.value ?? "";
            state.page = 0;
            redraw(app);
        },
    });
    return state.input;
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const found = filtered(app);
    const many = ordered(app).length > pageSize;
    const turn = pager(app, remembered(app), found.length, pageSize, "partitions");
    const rows = shownPartitions(app).map((place) => row(app, place));
    fill(
        element,
        h(
            "div",
            { class: "title" },
            h("h2", null, "Partitions", h("small", null, "as written in ZooKeeper")),
            many && filterField(app),
            turn,
        ),
        rows.length > 0 &&
            grid(
                "Partitions as written in ZooKeeper",
                [
                    "partition",
                    term(app, "leader"),
                    term(app, "leader epoch", "epoch"),
                    term(app, "ISR"),
                    term(app, "replicas", "replicas (adding, removing)"),
                ],
                rows,
            ),
        rows.length === 0 &&
            h(
                "p",
                { class: "muted" },
                ordered(app).length > 0 ? "No partition has this in its name." : "No partition in this run.",
            ),
    );
}

export default { id: "partitions", title: "Partitions", always: true, render };
