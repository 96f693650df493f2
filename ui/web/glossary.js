/**
 * A gloss for Kafka's words, where they stand: a word with a dotted line under it is a button that shows its gloss beside
 * it; Escape, or a click elsewhere, closes it. The pane "words" has them all.
 */
import { h, fill } from "./dom.js";
import { words } from "./terms.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./terms.js").Word} Word */

/** @type {Map<string, Word>} */
const known = new Map();
for (const word of words) {
    for (const form of [word.word, ...(word.also ?? [])]) known.set(form.toLowerCase(), word);
}

/**
 * The word that this form means; undefined: no word of the glossary.
 *
 * @param {string} form
 */
export function find(form) {
    return known.get(form.toLowerCase());
}

/**
 * A word that can be asked for.
 *
 * @param {App} app
 * @param {string} form of a word; one that the glossary does not have stays text
 * @param {string} [text] what is shown in its place
 * @returns {HTMLElement | string}
 */
export function term(app, form, text = form) {
    const word = find(form);
    if (word === undefined) return text;
    const button = h(
        "button",
        { type: "button", class: "term", "data-key": `term ${form}`, "aria-haspopup": "dialog" },
        text,
    );
    button.addEventListener("click", () => showGloss(app, word, button));
    return button;
}

/** The box that shows a gloss; one for the page. */
function box() {
    const there = document.getElementById("gloss");
    if (there !== null) return there;
    const made = h("div", { id: "gloss", role: "dialog", popover: "auto", tabindex: "-1" });
    document.body.append(made);
    return made;
}

/**
 * @param {App} app
 * @param {Word} word
 * @param {HTMLElement} beside
 */
function showGloss(app, word, beside) {
    const gloss = box();
    gloss.setAttribute("aria-label", word.word);
    const all = h("button", { type: "button" }, "all words");
    all.addEventListener("click", () => {
        gloss.hidePopover();
        app.show("words");
    });
    fill(
        gloss,
        h("p", null, h("b", null, word.word), " ", h("span", { class: "muted" }, word.home)),
        h("p", null, word.gloss),
        all,
    );
    gloss.showPopover();
    const at = beside.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - gloss.offsetWidth - 8));
    const below = at.bottom + 6 + gloss.offsetHeight < innerHeight;
    gloss.style.left = `${left}px`;
    gloss.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - gloss.offsetHeight - 6)}px`;
    gloss.focus();
}
