/**
 * Both runs, row by row: a table of three columns, the run, what is between, the branch. What is the same thing shares a
 * row; a gap is where one has none.
 *
 *     12.0000 s  scenario  kill 3 │ ▶ only here    │ ░░░░░░░░░░░░░░░░░
 *     12.0005 s  elects 3         │ ≠ differs      │ 12.0009 s  elects nobody
 *
 * All rows are as high, so the table holds only those in the window (and some more) between two empty rows that keep the
 * place of the others: a drawing costs the same for a hundred records and for a million. aria-rowcount and aria-rowindex
 * say what is left out. Narrow windows have one list: each row shows whoever has something.
 */
import { fill, byId, h, once, seconds, span } from "./dom.js";
import { onResize } from "./canvas.js";
import { lastAt } from "./pair_rows.js";
import { sentence } from "./narrate.js";
import { rowWords } from "./words.js";

/** @typedef {import("./pair_app.js").Pair} Pair */
/** @typedef {import("./alignment.js").Side} Side */

const rowHeight = 25; // as pair.css has it
const beyond = 30; // rows above and below the window
const tallest = 6e6; // px; browsers stop somewhere above
const calm = { top: 0.12, bottom: 0.8, to: 0.4 }; // where the moment may be without scrolling

/** @param {Pair} pair */
export function mountStory(pair) {
    const story = new Story(pair);
    const draw = once(() => story.draw());
    onResize(story.view, () => {
        story.room = story.view.clientHeight;
        draw();
    });
    story.view.addEventListener("scroll", () => story.scrolled() && draw(), { passive: true });
    pair.on(
        "moment",
        once(() => story.showMoment()),
    );
    pair.on("level", () => story.showMoment());
    pair.on("pane", draw);
    story.showMoment();
}

class Story {
    /** @param {Pair} pair */
    constructor(pair) {
        this.pair = pair;
        this.above = h("tr", { class: "room", role: "presentation", "aria-hidden": "true" }, h("td", { colspan: 3 }));
        this.below = h("tr", { class: "room", role: "presentation", "aria-hidden": "true" }, h("td", { colspan: 3 }));
        this.body = h("tbody", { role: "rowgroup" });
        // The roles are said, for a narrow window lays rows out otherwise, and browsers then forget them.
        this.table = h("table", { class: "story", role: "table", "aria-label": "Both runs" }, this.#head(), this.body);
        this.view = h("div", { id: "story-rows", tabindex: "0", role: "group", "aria-label": "Rows" }, this.table);
        fill(byId("story"), this.view);
        this.room = this.view.clientHeight;
        this.scroll = 0;
        this.body.addEventListener("click", (event) => this.#clicked(event, false));
        this.body.addEventListener("dblclick", (event) => this.#clicked(event, true));
    }

    #head() {
        const [a, b] = this.pair.header.names;
        return h(
            "thead",
            { role: "rowgroup" },
            h(
                "tr",
                { role: "row", "aria-rowindex": 1 },
                h(
                    "th",
                    { role: "columnheader", scope: "col", class: "of-0" },
                    a,
                    h("span", { class: "narrow" }, ` ◀ ▶ ${b}`),
                ),
                h("th", { role: "columnheader", scope: "col", class: "how" }, "difference"),
                h("th", { role: "columnheader", scope: "col", class: "of-1" }, b),
            ),
        );
    }

    get shown() {
        return this.pair.rows.at(this.pair.level).shown;
    }

    /** Rows that one px of scrolling is. */
    get scale() {
        const height = this.shown.length * rowHeight;
        return Math.max(1, (height - this.room) / Math.max(1, Math.min(height, tallest) - this.room)) / rowHeight;
    }

    scrolled() {
        const known = this.scroll;
        this.scroll = this.view.scrollTop;
        return known !== this.scroll;
    }

    showMoment() {
        const place = lastAt(this.shown, this.pair.row);
        const y = place - this.scroll * this.scale;
        const rows = this.room / rowHeight;
        if (this.pair.follow && (y < calm.top * rows || y > calm.bottom * rows)) {
            this.scroll = Math.max(0, Math.round((place - calm.to * rows) / this.scale));
            this.draw(); // first the room for it
            this.view.scrollTop = this.scroll;
            return;
        }
        this.draw();
    }

    draw() {
        const { shown } = this;
        const height = Math.min(shown.length * rowHeight, tallest);
        const top = Math.floor(this.scroll * this.scale);
        const begin = Math.max(0, top - beyond);
        const end = Math.min(shown.length, top + Math.ceil(this.room / rowHeight) + beyond);
        const focus = this.body.contains(document.activeElement)
            ? document.activeElement?.getAttribute("data-cell")
            : null;
        const list = [];
        for (let place = begin; place < end; place++) list.push(this.#row(shown[place], place));
        this.table.setAttribute("aria-rowcount", String(shown.length + 1));
        const drawn = Math.max(
            0,
            Math.min(height - (end - begin) * rowHeight, this.scroll - (top - begin) * rowHeight),
        );
        /** @type {HTMLElement} */ (this.above.firstChild).style.height = `${drawn}px`;
        /** @type {HTMLElement} */ (this.below.firstChild).style.height =
            `${Math.max(0, height - drawn - (end - begin) * rowHeight)}px`;
        this.body.replaceChildren(this.above, ...list, this.below);
        if (focus !== null && focus !== undefined)
            /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-cell="${focus}"]`))?.focus({
                preventScroll: true,
            });
    }

    /** @param {number} row @param {number} place */
    #row(row, place) {
        const { pair } = this;
        const how = pair.rows.how(row);
        const only = how === "only" || how === "crossed" ? (pair.rows.records[0][row] > 0 ? 0 : 1) : -1;
        const classes = [
            how,
            only >= 0 && `only-${only}`,
            row === pair.rows.first && "parts",
            row === pair.row && "here",
        ];
        return h(
            "tr",
            {
                role: "row",
                class: classes.filter(Boolean).join(" "),
                "aria-rowindex": place + 2,
                "aria-current": row === pair.row ? "true" : null,
                "data-row": row,
            },
            this.#cell(row, 0),
            h("td", { role: "cell", class: "how" }, this.#difference(row, how)),
            this.#cell(row, 1),
        );
    }

    /** @param {number} row @param {Side} side */
    #cell(row, side) {
        const { pair } = this;
        const n = pair.rows.records[side][row];
        if (n === 0)
            return h("td", { role: "cell", class: `of-${side} gap` }, h("span", { class: "unseen" }, "nothing"));
        const { trace, model } = pair.apps[side];
        const { who, what } = rowWords(trace, n);
        const refused = (model.refused(n) && !model.benign(n)) || model.isViolation(n);
        const looked = row === pair.row && side === pair.side;
        const kind = refused ? "bad" : model.isFault(n) ? "fault" : "";
        return h(
            "td",
            { role: "cell", class: `of-${side}${looked ? " looked" : ""}` },
            h(
                "button",
                {
                    type: "button",
                    class: `cell ${kind}`,
                    tabindex: "-1",
                    title: sentence(trace, n),
                    "data-side": side,
                    "data-cell": `${side} ${n}`,
                },
                h("span", { class: "when" }, shortTime(trace.t(n))),
                h("span", { class: "who" }, who),
                ` ${model.isFault(n) ? "⚡" : refused ? "✕ " : ""}${what}`,
            ),
        );
    }

    /** @param {number} row @param {import("./pair_rows.js").How} how */
    #difference(row, how) {
        const { rows, header } = this.pair;
        const [side, name] = rows.records[0][row] > 0 ? ["◀", header.names[0]] : ["▶", header.names[1]];
        switch (how) {
            case "same":
                return h("span", { class: "unseen" }, "the same");
            case "moved":
                return laterWords(rows.later(row));
            case "crossed":
                return `${side} ↕ order`;
            case "changed":
                return rows.isFault(row) ? `≠ ${laterWords(rows.later(row))}` : "≠ differs";
            case "only":
                return [`${side} `, h("span", { class: "wide-only" }, "only"), h("span", { class: "narrow" }, name)];
        }
    }

    /** @param {Event} event @param {boolean} ask */
    #clicked(event, ask) {
        const at = event.target instanceof Element ? event.target.closest("[data-row]") : null;
        if (at === null || !(event.target instanceof Element)) return;
        const side = event.target.closest("[data-side]")?.getAttribute("data-side");
        if (side !== undefined && side !== null) this.pair.look(side === "1" ? 1 : 0);
        this.pair.go(Number(at.getAttribute("data-row")), { scroll: false });
        if (ask) this.pair.now.ask(this.pair.now.n);
    }
}

/** "+0.4 s": later in the other run. @param {number} us */
export function laterWords(us) {
    return `${us < 0 ? "−" : "+"}${span(Math.abs(us))}`;
}

/** @param {number} us */
function shortTime(us) {
    return seconds(us).replace(" s", "");
}
