/**
 * The bar between overview and diagram: the moment in one sentence, the clock, and the buttons that move it.
 *
 * The sentence is on screen at once; what a screen reader hears is a second copy that waits until the moment
 * rests, or play and scrubbing would drown it in words.
 */
import { byId, fill, h, seconds } from "./dom.js";
import { sentence } from "./narrate.js";
import { rowWords } from "./words.js";

/** @typedef {import("./app.js").App} App */

const restMs = 350;

/**
 * What a button or a key of this bar does, by its name; `again` is the other direction.
 *
 * @param {App} app
 * @param {string} what
 * @param {1 | -1} [direction]
 */
export function move(app, what, direction = 1) {
    switch (what) {
        case "first":
            return app.go(1);
        case "last":
            return app.go(app.last());
        case "back":
            return app.step(-1);
        case "forth":
            return app.step(1);
        case "play":
            return app.play(!app.playing);
        case "fault":
            return jumpOr(app, (n) => app.model.isFault(n), direction, "fault");
        case "change":
            return jumpOr(app, (n) => app.model.isChange(n), direction, "change of a state");
        case "refusal":
            return jumpOr(app, (n) => isTrouble(app, n), direction, "refusal or violation");
    }
}

/**
 * A refusal that is not part of normal work, or a violation.
 *
 * @param {App} app
 * @param {number} n
 */
function isTrouble(app, n) {
    return app.model.isViolation(n) || (app.model.refused(n) && !app.model.benign(n));
}

/**
 * @param {App} app
 * @param {(n: number) => boolean} is
 * @param {1 | -1} direction
 * @param {string} what
 */
function jumpOr(app, is, direction, what) {
    if (!app.jump(is, direction))
        app.say(direction > 0 ? `no ${what} after this moment` : `no ${what} before this moment`);
}

/** @param {App} app */
export function mountBar(app) {
    const bar = byId("bar");
    for (const button of bar.querySelectorAll("[data-do]"))
        button.addEventListener("click", () => move(app, button.getAttribute("data-do") ?? ""));
    byId("why-button").addEventListener("click", () => app.ask(app.n));
    const play = bar.querySelector("[data-do=play]");
    app.on("play", () => {
        if (play !== null) fill(play, app.playing ? "❚❚ Pause" : "▶ Play");
    });
    let rest = 0;
    function draw() {
        drawClock(app);
        drawSentence(app);
        clearTimeout(rest);
        rest = setTimeout(() => fill(byId("narration"), sentence(app.trace, app.n)), restMs);
    }
    for (const event of /** @type {const} */ (["moment", "level", "trace", "limit"])) app.on(event, draw);
    draw();
}

/** @param {App} app */
function drawClock(app) {
    const rows = app.rows();
    const [time, step] = byId("clock").children;
    fill(time, seconds(app.trace.t(app.n)));
    fill(step, `step ${rows.at(app.n) + 1} of ${rows.at(app.last()) + 1}`);
}

/**
 * Sentences say what was done; what a message or a write carries is added here.
 *
 * @param {App} app
 * @param {number} n
 */
function hasPayload(app, n) {
    const kind = app.trace.kind(n);
    const write = kind === "zap" && app.trace.field(n, "zxid") !== undefined;
    return !app.model.refused(n) && (write || (kind === "send" && app.trace.field(n, "re") === undefined));
}

/** @param {App} app */
function drawSentence(app) {
    const { n, model, trace } = app;
    const text = sentence(trace, n);
    const refused = model.refused(n);
    const bad = (refused && !model.benign(n)) || model.isViolation(n);
    const code = refused ? trace.record(n)["code"] : undefined;
    fill(
        byId("sentence"),
        refused && h("b", { class: bad ? "bad" : "quiet" }, `✕ ${typeof code === "string" ? code : "refused"}`),
        refused && " ",
        model.isFault(n) && h("b", { class: "bad" }, "⚡ "),
        text,
        hasPayload(app, n) && h("span", { class: "muted payload" }, rowWords(trace, n).what),
    );
}
