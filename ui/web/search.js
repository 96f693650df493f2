/**
 * Search in the sentences of all records, whatever the level of detail: Enter goes to the next hit after the moment,
 * Shift+Enter to the one before. Sentences are made while searching, some thousands at a time, so that a
 * long trace does not hold the page up; what is typed meanwhile ends the search that ran.
 */
import { byId, fill } from "./dom.js";
import { sentence } from "./narrate.js";

/** @typedef {import("./app.js").App} App */

const sliceMs = 12;

/**
 * The records whose sentence, number or lane matches, in slices: yields after each slice how far it is.
 *
 * @param {App} app
 * @param {string} text
 * @param {number[]} hits is filled, ascending
 * @param {number} from the first record
 */
function* find(app, text, hits, from) {
    const wanted = text.toLowerCase();
    let start = performance.now();
    for (let n = from; n <= app.last(); n++) {
        if (sentence(app.trace, n).toLowerCase().includes(wanted)) hits.push(n);
        if (n % 64 === 0 && performance.now() - start > sliceMs) {
            yield n;
            start = performance.now();
        }
    }
}

/** @param {App} app */
export function mountSearch(app) {
    const input = /** @type {HTMLInputElement} */ (byId("search"));
    const found = byId("found");
    /** @type {number[]} */
    let hits = [];
    let running = 0;
    let done = true;
    let searched = 0; // records that the search has seen, once it is done
    let { facts } = app; // of the run that was searched

    function show() {
        if (input.value.trim() === "") return fill(found);
        const place = hits.findIndex((n) => n === app.n) + 1;
        const total = done ? String(hits.length) : `${hits.length} …`;
        fill(found, hits.length === 0 && done ? "none" : place > 0 ? `${place} of ${total}` : total);
    }

    function start() {
        hits = [];
        goOn(1);
    }

    /** A run that has grown is searched from where the search ended. */
    function grew() {
        if (!done || facts !== app.facts) return start();
        goOn(searched + 1);
    }

    /** @param {number} from the first record */
    function goOn(from) {
        running++;
        const mine = running;
        facts = app.facts;
        searched = app.last();
        const text = input.value.trim();
        done = text === "";
        show();
        if (done) return;
        const search = find(app, text, hits, from);
        function more() {
            if (mine !== running) return;
            done = search.next().done === true;
            show();
            if (!done) setTimeout(more, 0);
        }
        more();
    }

    /** @param {boolean} back */
    function next(back) {
        const hit = back ? hits.findLast((n) => n < app.n) : hits.find((n) => n > app.n);
        const around = back ? hits[hits.length - 1] : hits[0];
        if (hit === undefined && around === undefined)
            return app.say(done ? `nothing says "${input.value.trim()}"` : "still searching");
        if (hit === undefined) app.say(back ? "from the end again" : "from the start again");
        app.reveal(hit ?? around);
    }

    input.addEventListener("input", start);
    input.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
            event.preventDefault();
            next(event.shiftKey);
        } else if (event.key === "Escape") {
            input.value = "";
            start();
            input.blur();
        }
    });
    app.on("moment", show);
    app.on("trace", grew);
    app.on("limit", start);
}
