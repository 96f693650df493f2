/**
 * Head and bar of the page of two runs: names and verdicts, the buttons that move, the moment in a sentence of each run.
 */
import { move } from "./bar.js";
import { byId, fill, h, seconds } from "./dom.js";
import { mountLevel, mountToast } from "./head.js";
import { lastAt } from "./pair_rows.js";
import { sentence } from "./narrate.js";

/** @typedef {import("./pair_app.js").Pair} Pair */

const restMs = 350;
const sides = /** @type {const} */ ([0, 1]);

/** @param {Pair} pair */
export function mountPairHead(pair) {
    const { meta } = pair.apps[0].trace;
    const title = typeof meta["title"] === "string" && meta["title"] !== "" ? meta["title"] : "Two runs";
    fill(byId("title"), title);
    const { names, verdicts } = pair.header;
    fill(byId("question"), `${names[0]} and ${names[1]}, aligned by cause`);
    for (const side of sides) {
        const verdict = verdicts[side];
        const good = verdict === "met";
        fill(
            byId(`name-${side}`),
            names[side],
            h("small", { class: good ? "good" : "bad" }, ` ${good ? "✓" : "✗"} ${verdict}`),
        );
        byId(`strip-${side}`).setAttribute("aria-label", `Moment of ${names[side]}`);
    }
    document.title = `${title}: ${names.join(", ")} – kcsim`;
    mountLevel(pair.apps[0]);
    for (const app of pair.apps) mountToast(app);
    byId("first-button").addEventListener("click", () => pair.first());
    for (const button of byId("tools").querySelectorAll("[data-do]"))
        button.addEventListener("click", () => pair.difference(button.getAttribute("data-do") === "next" ? 1 : -1));
}

/** @param {Pair} pair */
export function mountPairBar(pair) {
    const bar = byId("bar");
    for (const button of bar.querySelectorAll("[data-do]"))
        button.addEventListener("click", () => move(pair.now, button.getAttribute("data-do") ?? ""));
    const play = bar.querySelector("[data-do=play]");
    pair.on("play", () => {
        if (play !== null) fill(play, pair.now.playing ? "❚❚ Pause" : "▶ Play");
    });
    let rest = 0;
    function draw() {
        drawClock(pair);
        drawPlace(pair);
        fill(
            byId("both"),
            sides.map((side) => said(pair, side)),
        );
        clearTimeout(rest);
        rest = setTimeout(() => fill(byId("narration"), spoken(pair)), restMs);
    }
    pair.on("moment", draw);
    pair.on("level", draw);
    pair.on("pane", draw);
    draw();
}

/** @param {Pair} pair */
function drawClock(pair) {
    const { shown } = pair.rows.at(pair.level);
    const [time, step] = byId("clock").children;
    const app = pair.apps[pair.rows.records[0][pair.row] > 0 ? 0 : 1];
    fill(time, seconds(app.trace.t(app.n)));
    fill(step, `row ${lastAt(shown, pair.row) + 1} of ${shown.length}`);
}

/** Which of the differences it is. @param {Pair} pair */
function drawPlace(pair) {
    const { jumps } = pair.rows.at(pair.level);
    const place = lastAt(jumps, pair.row) + 1;
    fill(byId("place"), jumps.length === 0 ? "no difference here" : `${place} of ${jumps.length}`);
}

/** @param {Pair} pair @param {0 | 1} side */
function said(pair, side) {
    const n = pair.rows.records[side][pair.row];
    const app = pair.apps[side];
    return h(
        "p",
        { class: `said of-${side}` },
        h("b", { class: "whose" }, pair.header.names[side]),
        " ",
        n > 0 ? sentence(app.trace, n) : h("span", { class: "muted" }, "nothing of the kind"),
        n > 0 && " ",
        n > 0 &&
            h(
                "button",
                {
                    type: "button",
                    class: "jump",
                    "aria-label": `Why, in ${pair.header.names[side]}?`,
                    onClick: () => app.ask(n),
                },
                "why?",
            ),
    );
}

/** @param {Pair} pair */
function spoken(pair) {
    const how = pair.rows.how(pair.row);
    const [a, b] = sides.map((side) => {
        const n = pair.rows.records[side][pair.row];
        return n > 0 ? sentence(pair.apps[side].trace, n) : "";
    });
    const [first, other] = pair.header.names;
    if (how === "same" || how === "moved") return `In both: ${a}`;
    if (a === "") return `Only in ${other}: ${b}`;
    if (b === "") return `Only in ${first}: ${a}`;
    return `In ${first}: ${a}. In ${other}: ${b}`;
}
