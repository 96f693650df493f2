/**
 * The lesson on the page: below the bar, what is told and asked at the stop that the run has come to.
 *
 * While the run is on its way to the stop the panel is one line; there it opens. What may be seen ends at the
 * stop (app.setLimit): the parts of the page hide the rest by themselves.
 */
import { byId, fill, h } from "./dom.js";
import { Lesson, stopsOf } from "./lesson.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./lesson.js").Choice} Choice */
/** @typedef {import("./lesson.js").Show} Show */

const letters = "abcdefghijklmnop";

/** @param {App} app */
export function mountLesson(app) {
    const stops = stopsOf(app.trace.meta);
    if (stops.length === 0) return;
    new Panel(app, new Lesson(stops));
    app.go(stops[0].record);
}

class Panel {
    /**
     * @param {App} app
     * @param {Lesson} lesson
     */
    constructor(app, lesson) {
        this.app = app;
        this.lesson = lesson;
        this.place = byId("lesson");
        this.button = byId("lesson-button");
        this.on = true;
        this.drawn = "";
        this.button.hidden = false;
        this.button.addEventListener("click", () => this.turn(!this.on));
        document.addEventListener("keydown", (event) => this.key(event), true);
        app.on("moment", () => this.draw());
        app.on("limit", () => this.draw());
        app.on("level", () => this.draw());
        this.turn(true);
    }

    /** Has the run come to the stop? Its record may have no row at this level: then the row before it is as good. */
    arrived() {
        const rows = this.app.rows();
        const { record } = this.lesson.stop;
        return this.app.n >= record || rows.at(this.app.n) >= rows.at(record);
    }

    /** @param {boolean} on off: the whole run is open, and the lesson waits where it is */
    turn(on) {
        this.on = on;
        this.button.setAttribute("aria-pressed", String(on));
        this.place.hidden = !on;
        this.app.setLimit(on ? this.lesson.limit() : Infinity);
        this.drawn = "";
        this.draw();
    }

    /**
     * Letters choose, Enter goes on; they come first while a question is open.
     *
     * @param {KeyboardEvent} event
     */
    key(event) {
        const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
        if (
            !this.on ||
            this.lesson.over ||
            !this.arrived() ||
            inField ||
            event.ctrlKey ||
            event.metaKey ||
            event.altKey
        )
            return;
        if (document.querySelector("dialog[open]") !== null) return;
        const choice = letters.indexOf(event.key);
        const asks =
            !this.lesson.answered &&
            event.key.length === 1 &&
            choice >= 0 &&
            choice < (this.lesson.stop.choices ?? []).length;
        const onButton = event.target instanceof Element && event.target.closest("button, summary, a") !== null;
        if (asks) this.answer(choice);
        else if (event.key === "Enter" && this.lesson.answered && !onButton) this.go(true);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    /** @param {number | string} what */
    answer(what) {
        if (this.lesson.answer(what) === null) return;
        this.draw();
        this.place.querySelector("button.on")?.scrollIntoView({ block: "nearest" });
    }

    /** @param {boolean} playing to the next stop step by step; else there at once */
    go(playing) {
        const { app, lesson } = this;
        lesson.go();
        app.setLimit(lesson.limit());
        if (lesson.over || (playing && app.n < lesson.stop.record)) app.play(!lesson.over);
        else app.reveal(lesson.stop.record);
        this.draw();
    }

    /** @param {Show} show */
    show(show) {
        this.lesson.open(show.record);
        this.app.setLimit(this.lesson.limit());
        this.app.reveal(show.record);
        this.app.ask(show.key);
    }

    /** Draws only what has changed: the moment moves often, the panel seldom. */
    draw() {
        const { lesson } = this;
        const state = `${lesson.at} ${lesson.over} ${lesson.answered} ${lesson.over || this.arrived()}`;
        if (state === this.drawn) return;
        const arrivedNow = !this.drawn.startsWith(`${lesson.at} `) || this.drawn.endsWith("false");
        this.drawn = state;
        const asked = this.place.contains(document.activeElement);
        if (lesson.over) fill(this.place, this.result());
        else if (this.arrived()) fill(this.place, this.told(), this.question(), this.explanation());
        else fill(this.place, this.onTheWay());
        if (arrivedNow) this.place.scrollTop = 0;
        if (asked) this.place.querySelector("button")?.focus({ preventScroll: true });
    }

    onTheWay() {
        const { lesson } = this;
        return h(
            "p",
            { class: "way" },
            `On the way to stop ${lesson.at + 1} of ${lesson.stops.length}. `,
            h("button", { type: "button", onClick: () => this.app.play(true) }, "▶ Watch"),
            " ",
            h("button", { type: "button", onClick: () => this.app.reveal(lesson.stop.record) }, "Straight there"),
        );
    }

    told() {
        const { say, words = [] } = this.lesson.stop;
        return h(
            "div",
            { class: "told" },
            h("p", { class: "count" }, `Stop ${this.lesson.at + 1} of ${this.lesson.stops.length}`),
            paragraphs(say),
            words.length > 0 &&
                h("dl", null, words.map((word) => [h("dt", null, word.name), h("dd", null, word.text)]).flat()),
            this.lesson.stop.ask === undefined && this.onward(),
        );
    }

    question() {
        const { ask, choices = [] } = this.lesson.stop;
        if (ask === undefined) return null;
        return h(
            "fieldset",
            { class: "question", disabled: this.lesson.answered },
            h("legend", null, ask),
            choices.length > 0 ? choices.map((choice, i) => this.choice(choice, i)) : this.field(),
        );
    }

    /**
     * @param {Choice} choice
     * @param {number} i
     */
    choice(choice, i) {
        const given = this.lesson.given[this.lesson.at];
        const right = this.lesson.stop.answer?.id === i;
        const said = given?.said === choice.say;
        const mark = given === undefined ? null : right ? " ✓" : said ? " ✗" : null;
        const kind = given === undefined ? "" : right ? "right" : said ? "wrong" : "";
        return h(
            "button",
            { type: "button", class: `choice ${kind}`, onClick: () => this.answer(i) },
            h("kbd", null, letters[i]),
            ` ${choice.say}`,
            mark,
        );
    }

    field() {
        const input = h("input", { type: "text", "aria-label": "Your answer", autocomplete: "off" });
        const send = () => this.answer(input.value);
        input.addEventListener("keydown", (event) => event.key === "Enter" && send());
        return [input, h("button", { type: "button", onClick: send }, "Answer")];
    }

    explanation() {
        const { lesson } = this;
        const given = lesson.given[lesson.at];
        const { answer, because, choices = [], show = [] } = lesson.stop;
        const wrong =
            given === undefined || given.right ? undefined : choices.find((choice) => choice.say === given.said)?.wrong;
        const right = answer === undefined ? "" : (choices[answer.id]?.say ?? answer.value);
        return h(
            "div",
            { class: "explanation", role: "status" },
            given !== undefined &&
                [
                    h("p", { class: given.right ? "right" : "wrong" }, given.right ? "✓ Right." : `✗ No: ${right}.`),
                    wrong !== undefined && h("p", null, wrong),
                    paragraphs(because),
                    h(
                        "p",
                        { class: "buttons" },
                        show.map((one) =>
                            h("button", { type: "button", onClick: () => this.show(one) }, `Show me: ${one.text}`),
                        ),
                    ),
                    this.onward(),
                ].flat(),
        );
    }

    onward() {
        const last = this.lesson.at + 1 === this.lesson.stops.length;
        return h(
            "p",
            { class: "buttons" },
            h(
                "button",
                { type: "button", class: "on", onClick: () => this.go(true) },
                last ? "Finish" : "▶ Watch on",
                h("kbd", null, "Enter"),
            ),
            !last && h("button", { type: "button", onClick: () => this.go(false) }, "Straight to the next stop"),
        );
    }

    result() {
        const { right, questions } = this.lesson.score();
        return h(
            "p",
            { class: "way", role: "status" },
            h("b", null, `The lesson is over: ${right} of ${questions} right. `),
            "The whole run is open now: look around, ask why.",
        );
    }
}

/** @param {string | undefined} text paragraphs parted by newlines */
function paragraphs(text) {
    return (text ?? "")
        .split("\n")
        .filter((one) => one.trim() !== "")
        .map((one) => h("p", null, one));
}
