/**
 * Opens the trace that the page carries and puts the parts together. Whatever goes wrong with the bytes is said in
 * a plain sentence on top of the page; what could be read is shown below it.
 */
import { App } from "./app.js";
import { mountBar } from "./bar.js";
import { mountColumn } from "./column.js";
import { mountDiagram } from "./diagram.js";
import { byId, fill } from "./dom.js";
import { Facts } from "./facts.js";
import { mountHead } from "./head.js";
import { mountHelp } from "./help.js";
import { mountKeys } from "./keys.js";
import { mountLegend } from "./legend.js";
import { mountLesson } from "./lesson_panel.js";
import { isLive, mountLive } from "./live.js";
import { mountLink } from "./link.js";
import { load } from "./load.js";
import { Model } from "./model.js";
import { panes } from "./panes.js";
import { mountPrint } from "./print.js";
import { mountSearch } from "./search.js";
import { mountStrip } from "./strip.js";
import { mountTable } from "./table.js";
import { mountTheme } from "./theme.js";

/** @typedef {import("./trace.js").Trace} Trace */

/** @param {string} text */
function problem(text) {
    const place = byId("problem");
    place.hidden = false;
    fill(place, text);
}

/**
 * All parts, for a trace.
 *
 * @param {Trace} trace
 */
export function mount(trace) {
    const facts = new Facts(trace);
    const app = new App(trace, facts, new Model(trace, facts));
    mountTheme(app);
    mountHead(app);
    mountBar(app);
    mountSearch(app);
    mountStrip(app);
    mountDiagram(app);
    mountLegend();
    mountTable(app);
    mountColumn(app, panes);
    mountHelp(panes);
    mountKeys(app, panes);
    mountPrint(app);
    mountLesson(app);
    mountLink(app);
    if (isLive()) {
        document.documentElement.classList.add("is-live");
        mountLive(app);
    }
    return app;
}

async function open() {
    try {
        const trace = await load(byId("trace").textContent ?? "");
        if (trace.problem !== "" && !isLive()) problem(trace.problem);
        byId("problem").classList.toggle("remark", trace.problem === trace.header.remark);
        Object.assign(window, { app: mount(trace) }); // for the console, and for tests
        document.documentElement.dataset["ready"] = "1";
    } catch (error) {
        problem(error instanceof Error ? error.message : String(error));
        document.documentElement.dataset["ready"] = "failed";
        throw error;
    }
}

void open();
