/**
 * The live page: a run that goes on at its server (kcsim play) while one looks at it.
 *
 *     server ── /events: state, when it has changed ──► there is more ──► /growth ──► the page shows it
 *     page   ── /do: play, pause, step, speed, act, undo ──► server
 *
 * The page holds no state of the run but what the server has told: several pages may watch, and each sees what
 * another one does. The moment follows the end of the run while it stands at the end, and stays where it is
 * when somebody has gone back to look at something.
 *
 * The page says how much it has, and is told what it lacks: a step costs what is new in it. After an act or an undo it
 * keeps what the two runs have in common, and makes the histories anew.
 */
import { byId, fill, h, seconds } from "./dom.js";
import { Facts } from "./facts.js";
import { openGrowth } from "./load.js";
import { Model } from "./model.js";
import { askWhom, mountMenu } from "./live_menu.js";
import { TraceProblem } from "./trace.js";

/** @typedef {import("./app.js").App} App */
/**
 * What the server tells.
 * @typedef {{run: number, news: number, records: number, version: number, now: number, playing: boolean, speed: number, over: boolean,
 *            stuck?: string, seed: number, acts: string[]}} State
 */

const speeds = [0.1, 1, 10, 100];

/** @returns {number[] | null} run and version that the page begins with; null: it is not the page of a live run */
function beginning() {
    const said = document.querySelector('meta[name="kcsim-live"]')?.getAttribute("content") ?? null;
    return said === null ? null : said.split(" ").map(Number);
}

/** Is this the page of a live run? */
export function isLive() {
    return beginning() !== null;
}

/** @param {App} app */
export function mountLive(app) {
    new Live(app);
}

class Live {
    /** @param {App} app */
    constructor(app) {
        this.app = app;
        /** @type {State | null} */
        this.state = null;
        const [run, version] = beginning() ?? [];
        this.run = run; // another one: another server has come to this address
        this.version = version;
        this.fetching = false;
        this.message = "";
        this.lost = false;
        this.place = byId("live");
        this.place.hidden = false;
        app.go(lastShown(app));
        this.draw();
        mountMenu(app, (step) => this.act(step));
        const events = new EventSource("/events");
        events.onmessage = (event) => this.hear(JSON.parse(event.data));
        events.onerror = () => {
            this.lost = true;
            this.draw();
        };
    }

    /** @param {State} state */
    hear(state) {
        if (state.run !== this.run) return location.reload();
        this.learn(state);
        this.lost = false;
        this.draw();
        void this.catchUp();
    }

    /** What was told earlier may come later: an answer, behind an event. @param {State} state */
    learn(state) {
        if (this.state === null || state.news >= this.state.news) this.state = state;
    }

    /** Fetches until what is shown is what there is. */
    async catchUp() {
        if (this.fetching) return;
        this.fetching = true;
        try {
            while (this.state !== null && this.isBehind(this.state)) await this.fetchMore();
        } catch (problem) {
            if (problem instanceof TraceProblem) return location.reload(); // what it has is of no use any more
            this.lost = true;
            this.draw();
        } finally {
            this.fetching = false;
        }
    }

    /** @param {State} state */
    isBehind(state) {
        return this.version < state.version || (this.version === state.version && this.app.trace.count < state.records);
    }

    async fetchMore() {
        const { app } = this;
        const { count, stringCount } = app.trace;
        const answer = await fetch(`/growth?version=${this.version}&records=${count}&strings=${stringCount}`);
        const frames = await openGrowth(new Uint8Array(await answer.arrayBuffer()));
        const atEnd = app.n >= lastShown(app);
        const { version } = app.trace.grow(frames);
        if (version === this.version) app.grow();
        else this.branch();
        this.version = version;
        if (atEnd) app.go(lastShown(app));
    }

    branch() {
        const { app } = this;
        const facts = new Facts(app.trace);
        app.replace(app.trace, facts, new Model(app.trace, facts));
    }

    /**
     * Asks the server to do something; what is wrong is said on the page.
     *
     * @param {Record<string, unknown>} what
     */
    async ask(what) {
        try {
            const answer = await fetch("/do", { method: "POST", body: JSON.stringify(what) });
            const said = await answer.json();
            this.message = said.error === undefined ? "" : String(said.error);
            if (said.error === undefined) this.learn(said);
        } catch {
            this.lost = true;
        }
        this.draw();
        void this.catchUp();
        return this.message === "" && !this.lost;
    }

    /** @param {string} step as a scenario writes it */
    act(step) {
        return this.ask({ do: "act", step });
    }

    draw() {
        const focused = document.activeElement?.id ?? "";
        const field = /** @type {HTMLInputElement | null} */ (document.getElementById("live-step"));
        const typed = field?.value ?? "";
        const { state } = this;
        const playing = state?.playing ?? false;
        fill(
            this.place,
            h(
                "b",
                { class: playing ? "on" : "" },
                this.lost ? "the server is gone" : `● live ${state === null ? "" : seconds(state.now)}`,
            ),
            this.button("live-play", playing ? "❚❚ Stand still" : "▶ Let it run", () =>
                this.ask({ do: playing ? "pause" : "play" }),
            ),
            this.button("live-next", "Next event", () => this.ask({ do: "step" })),
            this.speed(state?.speed ?? 1),
            this.form(typed),
            this.button("live-menu", "Break something…", () => askWhom(this.app, (step) => this.act(step))),
            this.button("live-undo", "Undo", () => this.ask({ do: "undo" }), (state?.acts.length ?? 0) === 0),
            h(
                "a",
                { href: "/scenario.yaml", download: "played.yaml", title: "the scenario, with all that was done" },
                "Save",
            ),
            state?.over && h("span", { class: "muted" }, "nothing is left to happen by itself"),
            state?.stuck !== undefined && h("span", { class: "bad" }, state.stuck),
            this.message !== "" && h("pre", { role: "alert" }, this.message),
            state !== null &&
                state.acts.length > 0 &&
                h("p", { class: "muted acts" }, "Done so far: ", state.acts.join(" · ")),
        );
        if (focused.startsWith("live-")) document.getElementById(focused)?.focus({ preventScroll: true });
    }

    /**
     * @param {string} id
     * @param {string} text
     * @param {() => void} act
     * @param {boolean} [off]
     */
    button(id, text, act, off = false) {
        return h("button", { type: "button", id, disabled: off, onClick: act }, text);
    }

    /** @param {number} now */
    speed(now) {
        const choice = h(
            "select",
            { id: "live-speed", onChange: () => this.ask({ do: "speed", value: Number(choice.value) }) },
            speeds.map((speed) => h("option", { value: speed, selected: speed === now }, `× ${speed}`)),
        );
        return h("label", null, "Speed ", choice);
    }

    /** @param {string} typed */
    form(typed) {
        const field = h("input", {
            id: "live-step",
            type: "text",
            placeholder: "kill: leader of orders-0",
            "aria-label": "A step, as scenarios write it",
            autocomplete: "off",
            spellcheck: "false",
        });
        field.value = typed;
        /** @param {Event} event */
        async function send(event) {
            event.preventDefault();
            if (field.value.trim() !== "" && (await live.act(field.value))) {
                const now = /** @type {HTMLInputElement | null} */ (document.getElementById("live-step"));
                if (now !== null) now.value = "";
            }
        }
        const live = this;
        return h("form", { onSubmit: send }, field, h("button", { type: "submit" }, "Do"));
    }
}

/**
 * The last record that has a row at the level that is shown.
 *
 * @param {App} app
 */
function lastShown(app) {
    const { shown, count } = app.rows();
    return count === 0 ? app.trace.count : shown[count - 1];
}
