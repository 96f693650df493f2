/**
 * Who believes what: one line a question, ZooKeeper's answer first, then what each node and each client goes by.
 *
 *     question            ZooKeeper   node 1 (down)   node 2         p1
 *     controller          2           ·               2 (I am)
 *     leader of orders-0  2           ·               own ≠1         ≠1
 *
 * A node may hold three answers: the context of its controller, its broker's own state, its broker's metadata cache.
 * Where they agree they are one button, else one each. ≠ marks what differs from ZooKeeper; that is no
 * error, but news that has not arrived. The memory of a dead process is gone ("·"), its log is not.
 */
import { fill, h } from "../dom.js";
import { term } from "../glossary.js";
import { factButton, grid, idsInWords, leaderInWords, memory, pager, plain, redraw } from "./common.js";
import { shownPartitions } from "./partitions.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */
/** @typedef {import("../model.js").Model["places"][number]} Place */
/** @typedef {{tag: string, key: string, words: (value: any) => string}} Source tag: whose answer within the node */
/** @typedef {Source & {value: any}} Answer */
/** @typedef {{name: Child, truth: Child, text: string | null, node: (id: number) => Source[], client: (id: string) => Source[],
 *   mark?: (id: number, text: string) => string}} Question text: ZooKeeper's answer, null where it has none */

const nodesAtOnce = 5;
const clientsAtOnce = 3;

const aspects = ["leader", "leader epoch", "ISR", "log end, high watermark"];

const remembered = memory(() => ({ aspect: 0, each: false, nodes: { page: 0 }, clients: { page: 0 } }));

/** Producers and consumers, by their names in facts: p.1, u.1. */
/** @param {App} app */
function clientsOf(app) {
    return app.trace.lanes.filter((lane) => /^[pu]\d+$/.test(lane.id)).map((lane) => lane.id);
}

/** @param {App} app @returns {Question} */
function whoControls(app) {
    const id = app.model.controller(app.n);
    const { facts } = app;
    return {
        name: term(app, "controller"),
        truth: factButton(app, "zn:/controller", () => (id < 0 ? "nobody" : `${id}`), {
            ask: "zn:/controller",
            class: id < 0 ? "bad" : "",
        }),
        text: id < 0 ? "nobody" : `${id}`,
        node: (node) => [
            { tag: "ctl", key: `bel.${node}.ctl`, words: (value) => (value === -1 ? "nobody" : plain(value)) },
        ],
        client: () => [],
        mark: (node, text) => (facts.value(`role.${node}`, app.n) === "active" ? `${text} (I am)` : text),
    };
}

/** @param {App} app @returns {Question} */
function controllerEpoch(app) {
    const znode = /** @type {any} */ (app.facts.value("zn:/controller_epoch", app.n));
    const text = typeof znode?.data === "string" ? znode.data : null;
    return {
        name: term(app, "controller epoch"),
        truth: text === null ? "" : factButton(app, "zn:/controller_epoch", (value) => plain(value?.data)),
        text,
        node: (node) => [
            ...(app.facts.value(`role.${node}`, app.n) === "active"
                ? [{ tag: "ctl", key: `ctx.${node}.epoch`, words: plain }]
                : []),
            { tag: "own", key: `b.${node}.ce`, words: plain },
        ],
        client: () => [],
    };
}

/** @param {App} app @returns {Question} */
function liveBrokers(app) {
    const live = app.model.brokers.filter((id) => app.facts.value(`zn:/brokers/ids/${id}`, app.n) !== undefined);
    const newest = live.reduce((best, id) => Math.max(best, app.facts.setter(`zn:/brokers/ids/${id}`, app.n)), 0);
    const key = app.model.brokers.find((id) => app.facts.setter(`zn:/brokers/ids/${id}`, app.n) === newest) ?? live[0];
    const text = idsInWords(live);
    return {
        name: term(app, "live brokers"),
        truth: key === undefined ? text : factButton(app, `zn:/brokers/ids/${key}`, () => text),
        text,
        node: (node) => [
            {
                tag: "ctl",
                key: `ctx.${node}.live`,
                words: (value) => (Array.isArray(value) ? idsInWords([...value].sort((a, b) => a - b)) : "·"),
            },
        ],
        client: () => [],
    };
}

/**
 * What is asked of a partition: how each source answers.
 *
 * @type {((app: App, place: Place) => Question)[]}
 */
const ofPartition = [
    (app, place) => ({
        ...partitionTruth(app, place, `leader of ${place.tp}`, (state) => leaderInWords(state?.leader)),
        node: (id) => [
            { tag: "ctl", key: `ctx.${id}.li.${place.tp}`, words: (value) => leaderInWords(value?.leader) },
            { tag: "own", key: `b.${id}.${place.tp}.leader`, words: leaderInWords },
            { tag: "cache", key: `b.${id}.md.${place.tp}`, words: (value) => leaderInWords(value?.leader) },
        ],
        client: (id) => [{ tag: "", key: `${id[0]}.${id.slice(1)}.md.${place.tp}`, words: leaderInWords }],
        mark: (id, text) =>
            text === `${id}` && app.facts.value(`b.${id}.${place.tp}.leader`, app.n) === id ? `${text} (I am)` : text,
    }),
    (app, place) => ({
        ...partitionTruth(app, place, `epoch of ${place.tp}`, (state) => plain(state?.leader_epoch)),
        node: (id) => [
            { tag: "ctl", key: `ctx.${id}.li.${place.tp}`, words: (value) => plain(value?.epoch) },
            { tag: "own", key: `b.${id}.${place.tp}.epoch`, words: plain },
            { tag: "cache", key: `b.${id}.md.${place.tp}`, words: (value) => plain(value?.epoch) },
        ],
        client: () => [],
    }),
    (app, place) => ({
        ...partitionTruth(app, place, `ISR of ${place.tp}`, (state) => (state === null ? "·" : idsInWords(state.isr))),
        node: (id) => [
            { tag: "ctl", key: `ctx.${id}.li.${place.tp}`, words: (value) => idsInWords(value?.isr) },
            { tag: "own", key: `b.${id}.${place.tp}.isr`, words: idsInWords },
            { tag: "asks", key: `b.${id}.${place.tp}.pending`, words: idsInWords },
            { tag: "cache", key: `b.${id}.md.${place.tp}`, words: (value) => idsInWords(value?.isr) },
        ],
        client: () => [],
    }),
    (app, place) => ({
        name: `log of ${place.tp}`,
        truth: "",
        text: null,
        node: (id) => [
            { tag: "end", key: `b.${id}.${place.tp}.leo`, words: plain },
            { tag: "hw", key: `b.${id}.${place.tp}.hw`, words: plain },
        ],
        client: (id) =>
            id.startsWith("u") ? [{ tag: "at", key: `u.${id.slice(1)}.pos.${place.tp}`, words: plain }] : [],
    }),
];

/**
 * @param {App} app
 * @param {Place} place
 * @param {string} name
 * @param {(state: any) => string} words of the JSON in the state znode, null: not there
 */
function partitionTruth(app, place, name, words) {
    const state = app.model.data(place.key, app.n);
    const ask = name.startsWith("epoch") ? place.key : name.replace("ISR", "isr");
    const text = words(state);
    return {
        name,
        truth:
            state === null
                ? h("span", { class: "muted" }, "·")
                : factButton(app, place.key, (value) => words(jsonOf(value)), { ask }),
        text: state === null ? null : text,
    };
}

/** @param {any} znode */
function jsonOf(znode) {
    try {
        return typeof znode?.data === "string" ? JSON.parse(znode.data) : null;
    } catch {
        return null;
    }
}

/**
 * The answers of one party in one cell.
 *
 * @param {App} app
 * @param {Question} question
 * @param {Source[]} sources
 * @param {(text: string) => string} mark
 */
function cell(app, question, sources, mark) {
    const there = sources
        .map((source) => ({ ...source, value: app.facts.value(source.key, app.n) }))
        .filter((source) => source.value !== undefined);
    if (there.length === 0) return h("span", { class: "muted", title: "it holds nothing about this" }, "·");
    const { each } = remembered(app);
    const shown = each ? there : grouped(there);
    // A node of one mind needs no names of sources; what a broker says of itself is what is asked about.
    if (question.text !== null && shown.length === 1)
        shown[0] = { ...(there.find((source) => source.tag === "own") ?? there[0]), tag: "" };
    return h("span", { class: "answers" }, ...shown.map((one) => answer(app, question, one, mark)));
}

/**
 * Sources that say the same are told together.
 *
 * @param {Answer[]} answers
 * @returns {Answer[]}
 */
function grouped(answers) {
    /** @type {Map<string, Answer>} */
    const byText = new Map();
    for (const one of answers) {
        const text = one.words(one.value);
        const known = byText.get(text);
        byText.set(text, known === undefined ? one : { ...known, tag: `${known.tag} ${one.tag}` });
    }
    return [...byText.values()];
}

/**
 * @param {App} app
 * @param {Question} question
 * @param {Answer} source
 * @param {(text: string) => string} mark
 */
function answer(app, question, source, mark) {
    const text = source.words(source.value);
    const differs = question.text !== null && text !== "·" && text !== question.text;
    /** @param {any} value */
    const words = (value) => mark(source.words(value));
    return h(
        "span",
        null,
        source.tag !== "" && h("small", null, source.tag),
        differs && h("span", { class: "bad", title: "differs from ZooKeeper" }, "≠"),
        factButton(app, source.key, words, { class: differs ? "differs" : "" }),
    );
}

/**
 * @param {App} app
 * @param {number} id
 */
function nodeHead(app, id) {
    const state = app.model.node(id, app.n);
    return h(
        "span",
        { class: state === "up" ? "" : "bad" },
        `node ${id}`,
        state !== "up" && h("br", null),
        state !== "up" && `(${state})`,
    );
}

/** @param {App} app */
function choices(app) {
    const state = remembered(app);
    return h(
        "span",
        { class: "choices-line" },
        h(
            "select",
            {
                id: "belief-aspect",
                "aria-label": "What of each partition",
                onChange: (/** @type {Event} */ event) => {
                    state.aspect = /** @type {HTMLSelectElement} */ (event.target).selectedIndex;
                    redraw(app);
                },
            },
            ...aspects.map((name, i) => h("option", { selected: i === state.aspect }, name)),
        ),
        h(
            "button",
            {
                type: "button",
                id: "belief-each",
                "aria-pressed": String(state.each),
                title: "Controller's context, broker's own state and metadata cache each for itself",
                onClick: () => {
                    state.each = !state.each;
                    redraw(app);
                },
            },
            "each source",
        ),
    );
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const state = remembered(app);
    const all = app.model.nodes.map((node) => node.id);
    const clients = state.aspect === 0 || state.aspect === 3 ? clientsOf(app) : [];
    const turnNodes = pager(app, state.nodes, all.length, nodesAtOnce, "nodes");
    const turnClients = pager(app, state.clients, clients.length, clientsAtOnce, "clients");
    const nodes = all.slice(state.nodes.page * nodesAtOnce, (state.nodes.page + 1) * nodesAtOnce);
    const someClients = clients.slice(state.clients.page * clientsAtOnce, (state.clients.page + 1) * clientsAtOnce);
    const questions = [
        whoControls(app),
        controllerEpoch(app),
        liveBrokers(app),
        ...shownPartitions(app).map((place) => ofPartition[state.aspect](app, place)),
    ];
    fill(
        element,
        h(
            "div",
            { class: "title" },
            h("h2", null, "Who believes what", h("small", null, "≠ differs from ZooKeeper")),
            choices(app),
        ),
        grid(
            "Who believes what",
            ["", term(app, "ZooKeeper"), ...nodes.map((id) => nodeHead(app, id)), ...someClients],
            questions.map((question) => [
                question.name,
                question.truth,
                ...nodes.map((id) =>
                    cell(app, question, question.node(id), (text) => question.mark?.(id, text) ?? text),
                ),
                ...someClients.map((id) => cell(app, question, question.client(id), (text) => text)),
            ]),
            { class: "beliefs" },
        ),
        (turnNodes !== null || turnClients !== null) &&
            h("p", { class: "turns" }, turnNodes && "nodes ", turnNodes, turnClients && " clients ", turnClients),
    );
}

export default { id: "beliefs", title: "Who believes what", always: true, render };
