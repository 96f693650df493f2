/**
 * Clients: what producers were told of their records, what consumers have read, their transactions and groups; and
 * what is lost up to the moment: acknowledged records, by name, and what was cut from logs.
 */
import { fill, h, recordButton, seconds } from "../dom.js";
import { term } from "../glossary.js";
import { Lost, lossWords } from "../lost.js";
import { factButton, grid, growing, index, lastAtMost, memory, pager, plain } from "./common.js";

/** @typedef {import("../app.js").App} App */

const atOnce = 10;
const truncationsShown = 20;
const lossesShown = 20;

const remembered = memory(() => ({ producers: { page: 0 }, consumers: { page: 0 } }));

/** Ids of clients, and the keys of what each has. */
const clients = index((app) => {
    const names = app.trace.lanes.map((lane) => lane.id);
    const ids = (/** @type {string} */ letter) =>
        names.filter((id) => id[0] === letter && /^.\d+$/.test(id)).map((id) => Number(id.slice(1)));
    const keys = new Map(ids("u").map((id) => [id, app.facts.keys(`u.${id}.pos.`)]));
    return { producers: ids("p"), consumers: ids("u"), positions: keys };
});

const lostRecords = growing(
    () => new Lost(),
    ({ trace }, lost, from) => lost.grow(trace, from),
);

/** @param {any} value of node.pN */
function state(value) {
    return value === undefined
        ? "not started"
        : `${value.state}${value.incarnation > 1 ? `, life ${value.incarnation}` : ""}`;
}

/**
 * @param {App} app
 * @param {number} id
 */
function producerRow(app, id) {
    const failed = Number(app.facts.value(`p.${id}.failed`, app.n) ?? 0) > 0;
    return [
        `p${id}`,
        factButton(app, `node.p${id}`, state),
        factButton(app, `p.${id}.sent`, plain),
        factButton(app, `p.${id}.acked`, plain),
        factButton(app, `p.${id}.failed`, plain, { class: failed ? "bad" : "" }),
        factButton(app, `txn.p${id}`, plain),
    ];
}

/**
 * @param {App} app
 * @param {number} id
 */
function consumerRow(app, id) {
    const keys = clients(app).positions.get(id) ?? [];
    const prefix = `u.${id}.pos.`;
    const there = keys.filter((key) => app.facts.value(key, app.n) !== undefined);
    return [
        `u${id}`,
        factButton(app, `node.u${id}`, state),
        factButton(app, `group.u${id}`, plain),
        h(
            "span",
            { class: "positions" },
            ...there
                .slice(0, 8)
                .flatMap((key) => [
                    h("span", { class: "muted" }, key.slice(prefix.length)),
                    factButton(app, key, plain),
                    " ",
                ]),
            there.length > 8 && `and ${there.length - 8} more`,
            there.length === 0 && "·",
        ),
    ];
}

/**
 * Acknowledged records that nobody has any more.
 *
 * @param {App} app
 */
function lostPart(app) {
    const all = lostRecords(app).at(app.n);
    if (all.length === 0) return [];
    const count = all.reduce((sum, loss) => sum + loss.last - loss.first + 1, 0);
    return [
        h("h3", null, "Acknowledged, and lost", h("small", null, ` ${count} up to the moment`)),
        grid(
            "Acknowledged records that are lost",
            ["records", "partition", "offsets", "who leads without them"],
            all
                .slice(-lossesShown)
                .map((loss) => [
                    h("span", { class: "bad" }, lossWords(loss)),
                    loss.partition,
                    `${loss.offset}…${loss.offset + loss.last - loss.first}`,
                    recordButton(
                        app,
                        loss.start,
                        `broker ${app.trace.at(loss.start).slice(1)}, ${seconds(app.trace.t(loss.start))}`,
                    ),
                ]),
        ),
        all.length > lossesShown &&
            h("p", { class: "muted" }, `and ${all.length - lossesShown} runs of records before`),
    ];
}

/** @param {App} app truncations that lost something, up to the moment */
function losses(app) {
    const records = app.trace.ofKind("truncate");
    const last = lastAtMost(records, app.n);
    /** @type {number[]} */
    const list = [];
    for (let i = last; i >= 0 && list.length < truncationsShown; i--) {
        const have = Number(app.trace.field(records[i], "have") ?? 0);
        const offset = Number(app.trace.field(records[i], "offset") ?? 0);
        if (have > offset) list.unshift(records[i]);
    }
    return list;
}

/**
 * @param {App} app
 * @param {number} n of kind truncate
 */
function lossRow(app, n) {
    const { trace } = app;
    const offset = Number(trace.field(n, "offset") ?? 0);
    const have = Number(trace.field(n, "have") ?? offset);
    return [
        `${trace.field(n, "partition")}`,
        `broker ${trace.at(n).slice(1)}`,
        `${offset}…${have - 1} (${have - offset})`,
        recordButton(app, n, seconds(trace.t(n))),
    ];
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const { producers, consumers } = clients(app);
    const memo = remembered(app);
    const turnP = pager(app, memo.producers, producers.length, atOnce, "producers");
    const turnC = pager(app, memo.consumers, consumers.length, atOnce, "consumers");
    const lost = losses(app);
    /** @template T @param {T[]} list @param {{page: number}} at */
    const part = (list, at) => list.slice(at.page * atOnce, (at.page + 1) * atOnce);
    fill(
        element,
        producers.length + consumers.length === 0 && h("p", { class: "muted" }, "This run has no clients."),
        producers.length > 0 && h("h3", null, "Producers", turnP),
        producers.length > 0 &&
            grid(
                "Producers",
                ["", "state", "records", term(app, "acks", "acknowledged"), "failed", "transaction"],
                part(producers, memo.producers).map((id) => producerRow(app, id)),
            ),
        consumers.length > 0 && h("h3", null, "Consumers", turnC),
        consumers.length > 0 &&
            grid(
                "Consumers",
                ["", "state", term(app, "rebalance", "group"), "reads next"],
                part(consumers, memo.consumers).map((id) => consumerRow(app, id)),
            ),
        ...lostPart(app),
        h(
            "h3",
            null,
            term(app, "truncation", "Cut from logs"),
            h("small", null, "up to the moment; lost where nobody else has it"),
        ),
        lost.length === 0
            ? h("p", { class: "muted" }, "No log has been cut.")
            : grid(
                  "Cut from logs",
                  ["partition", "where", "offsets", "when"],
                  lost.map((n) => lossRow(app, n)),
              ),
    );
}

export default { id: "clients", title: "Clients", key: "6", render };
