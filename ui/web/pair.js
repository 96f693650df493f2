/**
 * Opens the two traces that the page carries, and their alignment, and puts the parts together.
 */
import { loadAlignment } from "./alignment.js";
import { mountColumn } from "./column.js";
import { byId, fill } from "./dom.js";
import { Facts } from "./facts.js";
import { mountHelp } from "./help.js";
import { keys, mountKeys } from "./keys.js";
import { mountPairLink } from "./pair_link.js";
import { load } from "./load.js";
import { Model } from "./model.js";
import { Pair, SideApp } from "./pair_app.js";
import { mountPairBar, mountPairHead } from "./pair_bar.js";
import { pairPanes } from "./pair_panes.js";
import { PairRows, lastAt } from "./pair_rows.js";
import { mountStory } from "./pair_story.js";
import { Pages, endOf, mountStrip } from "./strip.js";
import { mountTheme } from "./theme.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./alignment.js").Alignment} Alignment */
/** @typedef {import("./keys.js").Key} Key */

const reading = [
    "Above: both runs over one time. A band says who is controller, or who leads a partition; the higher it is, the more replicas are in the ISR; hatched: nobody. The dashed line is where they part.",
    "Below: both, row by row. What has the same cause, and is the same thing, stands on one row, whenever it came; a gap is where one of them has nothing. + and − say how much later or earlier it came in the other run.",
    "Right: what differs, how both ended, and the cluster of one of them at the moment. Every value is a button: it tells why it is so.",
];

/** Keys of a report that this page has no use for. */
const without = ["x", "X", "t", "+", "-", "0", "/"];

/** @param {Pair} pair */
function mountStrips(pair) {
    const pages = new Pages(pair.apps);
    const end = Math.max(...pair.apps.map(endOf));
    const { rows } = pair;
    const shown = () => rows.at(pair.level).shown;
    const share = (/** @type {number} */ row) => (lastAt(shown(), row) + 1) / Math.max(1, shown().length);
    for (const { side, trace } of pair.apps) {
        const canvas = /** @type {HTMLCanvasElement} */ (byId(`strip-${side}`));
        mountStrip(pair.apps[side], {
            canvas,
            pages,
            axis: {
                end: () => end,
                share: (n) => share(n > trace.count ? rows.count : rows.rowOf[side][n]),
                at: (share) => {
                    const place = Math.max(0, Math.min(Math.round(share * shown().length), shown().length) - 1);
                    return rows.upTo[side][shown()[place]];
                },
                moment: () => ({ t: rows.time(side, pair.row), share: share(pair.row) }),
                mark: () => (rows.first < 0 ? null : { t: rows.time(side, rows.first), share: share(rows.first) }),
            },
        });
        canvas.addEventListener("pointerdown", () => pair.look(side));
    }
}

/** @param {Pair} pair @returns {Key[]} */
function pairKeys(pair) {
    return [
        { keys: ["g"], shown: "g", says: "the first difference", act: () => pair.first() },
        { keys: ["n"], shown: "n", says: "next difference", act: () => pair.difference(1) },
        { keys: ["N"], shown: "N", says: "difference before", act: () => pair.difference(-1) },
        { keys: ["o"], shown: "o", says: "look at the other run", act: () => pair.look(pair.side === 0 ? 1 : 0) },
    ];
}

/**
 * @param {[Trace, Trace]} traces
 * @param {Alignment} alignment
 */
export function mountPair(traces, alignment) {
    const facts = traces.map((trace) => new Facts(trace));
    const models = /** @type {[Model, Model]} */ (traces.map((trace, i) => new Model(trace, facts[i])));
    const apps = /** @type {[SideApp, SideApp]} */ (
        traces.map((trace, side) => new SideApp(trace, facts[side], models[side], side === 0 ? 0 : 1))
    );
    const pair = new Pair(apps, new PairRows(alignment, traces, models));
    const panes = pairPanes(pair);
    mountTheme(apps[0]);
    apps[0].on("theme", () => apps[1].tell("theme"));
    mountPairHead(pair);
    mountStrips(pair);
    mountPairBar(pair);
    mountStory(pair);
    mountColumn(apps[0], panes, apps, () => pair.now);
    const list = [...pairKeys(pair), ...keys.filter((key) => !without.includes(key.keys[0]))];
    mountHelp(panes, { reading, list });
    mountKeys(apps[0], panes, () => pair.now, list);
    mountPairLink(pair);
    return pair;
}

/** @param {string} text */
function problem(text) {
    const place = byId("problem");
    place.hidden = false;
    fill(place, text);
}

async function open() {
    try {
        const read = (/** @type {string} */ id) => byId(id).textContent ?? "";
        const traces = /** @type {[Trace, Trace]} */ (await Promise.all([load(read("trace")), load(read("other"))]));
        const alignment = await loadAlignment(read("alignment"), traces);
        const problems = traces.map((trace) => trace.problem).filter((text) => text !== "");
        if (problems.length > 0) problem(problems.join(" "));
        Object.assign(window, { pair: mountPair(traces, alignment) }); // for the console, and for tests
        document.documentElement.dataset["ready"] = "1";
    } catch (error) {
        problem(error instanceof Error ? error.message : String(error));
        document.documentElement.dataset["ready"] = "failed";
        throw error;
    }
}

void open();
