/**
 * A lesson: a run that stands still at its stops until the learner has guessed what comes.
 *
 *     stop 1 ── asked ── answered ──► stop 2 ── … ──► the last one ──► over: the whole run is open
 *       │                   │
 *       │                   └─ right or wrong, why, what to look at
 *       └─ the run may be seen up to here, and no further
 *
 * All texts and answers come from the first record of the trace (docs/trace.md, "A lesson in meta"), where the
 * tool has put them after reading them from this very run: nothing is known here of what is right.
 *
 * Invariant: at < stops.length, and no answer of a later stop is set; limit() never falls.
 */

import { sameAnswer } from "./answers.js";

/** @typedef {{say: string, value: string, wrong?: string}} Choice */
/** @typedef {{text: string, key: string, record: number}} Show */
/**
 * @typedef {object} Stop
 * @property {number} record the run stands still behind it
 * @property {string} [say]
 * @property {{name: string, text: string}[]} [words]
 * @property {string} [ask]
 * @property {Choice[]} [choices] none: any text is taken
 * @property {{value: string, id: number, record: number}} [answer]
 * @property {string} [because]
 * @property {Show[]} [show]
 */
/** @typedef {{right: boolean, said: string}} Given */

export class Lesson {
    /** @param {Stop[]} stops in the order of the run, at least one */
    constructor(stops) {
        this.stops = stops;
        /** The stop that the run has come to, or goes to. */
        this.at = 0;
        /** @type {(Given | undefined)[]} */
        this.given = [];
        this.over = false;
        this.#shown = stops[0].record;
    }

    #shown;

    get stop() {
        return this.stops[this.at];
    }

    get answered() {
        return this.stop.ask === undefined || this.given[this.at] !== undefined;
    }

    /** The last record that may be seen. */
    limit() {
        return this.over ? Infinity : this.#shown;
    }

    /** How many questions there are, and how many were answered rightly. */
    score() {
        return {
            questions: this.stops.filter((stop) => stop.ask !== undefined).length,
            right: this.given.filter((given) => given?.right).length,
        };
    }

    /**
     * Answers the question of this stop, once.
     *
     * @param {number | string} what index of a choice, or a text where there are none
     * @returns {Given | null} null: there is nothing to answer, or no such choice
     */
    answer(what) {
        const { choices = [], answer } = this.stop;
        if (this.answered || answer === undefined) return null;
        const free = typeof what === "string";
        if (free !== (choices.length === 0) || (!free && choices[what] === undefined)) return null;
        const given = free
            ? { right: sameAnswer(what, answer.value), said: what }
            : { right: what === answer.id, said: choices[what].say };
        this.given[this.at] = given;
        return given;
    }

    /**
     * Opens the run as far as a record that an explanation points to.
     *
     * @param {number} record
     */
    open(record) {
        this.#shown = Math.max(this.#shown, record);
    }

    /** Goes on to the next stop, once this one is answered; behind the last one the lesson is over. */
    go() {
        if (!this.answered || this.over) return;
        if (this.at + 1 === this.stops.length) {
            this.over = true;
            return;
        }
        this.at++;
        this.open(this.stop.record);
    }
}

/**
 * The stops of a trace, none where it is no lesson.
 *
 * @param {Record<string, unknown>} meta
 * @returns {Stop[]}
 */
export function stopsOf(meta) {
    const lesson = meta["lesson"];
    return Array.isArray(lesson) ? /** @type {Stop[]} */ (lesson) : [];
}
