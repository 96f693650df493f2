/**
 * All of the glossary: Kafka's words with their gloss and where in Kafka they are at home.
 */
import { fill, h } from "../dom.js";
import { words } from "../terms.js";
import { memory, redraw } from "./common.js";

/** @typedef {import("../app.js").App} App */

const remembered = memory(() => ({ filter: "", input: /** @type {HTMLInputElement | null} */ (null) }));

/** @param {App} app */
function field(app) {
    const state = remembered(app);
    state.input ??= h("input", {
        id: "word-filter",
        type: "search",
        placeholder: "Find a word",
        "aria-label": "Find a word",
        onInput: () => {
            state.filter = state.input?.value ?? "";
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
    const filter = remembered(app).filter.trim().toLowerCase();
    const found = words.filter((one) =>
        `${one.word} ${(one.also ?? []).join(" ")} ${one.gloss}`.toLowerCase().includes(filter),
    );
    fill(
        element,
        h("p", { class: "choose" }, field(app), h("small", null, "Kafka's words, as this page uses them")),
        found.length === 0
            ? h("p", { class: "muted" }, "No such word here.")
            : h(
                  "dl",
                  { class: "words" },
                  ...found.flatMap((one) => [
                      h(
                          "dt",
                          null,
                          one.word,
                          (one.also ?? []).length > 0 && h("span", { class: "muted" }, ` ${one.also?.join(", ")}`),
                      ),
                      h("dd", null, one.gloss, " ", h("span", { class: "muted" }, one.home)),
                  ]),
              ),
    );
}

export default { id: "words", title: "Words", key: "9", render };
