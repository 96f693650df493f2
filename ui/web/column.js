/**
 * The right column: panes that are always there, one under another, and below them one of several, chosen by tabs.
 *
 * A pane is {id, title, key, always, render(element, app)}: it fills its element for the moment app.n and keeps no state of the
 * cluster. It is rendered again whenever the moment, the level or the chain changes. Rendering replaces the
 * elements, so the column puts focus (by data-key, or the place in the pane) and scroll position back.
 */
import { byId, fill, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/**
 * @typedef {object} Pane
 * @property {string} id
 * @property {string} title
 * @property {string} [key] of the keyboard
 * @property {boolean} [always] stands above the tabs
 * @property {(element: HTMLElement, app: App) => void} render
 */

/**
 * How far an element is scrolled; asking the element would have the page laid out anew.
 *
 * @type {WeakMap<Element, number>}
 */
const scrolled = new WeakMap();

/**
 * @param {App} app
 * @param {Pane[]} panes in the order in which they are shown
 * @param {App[]} [apps] all whose moment may be shown
 * @param {() => App} [now] the one whose moment is shown
 */
export function mountColumn(app, panes, apps = [app], now = () => app) {
    const column = byId("column");
    const fixed = panes.filter((pane) => pane.always);
    const tabbed = panes.filter((pane) => !pane.always);
    const sections = fixed.map((pane) =>
        h("section", { id: `pane-${pane.id}`, class: "pane", "aria-label": pane.title }),
    );
    const list = h("div", { role: "tablist", class: "tabs", "aria-label": "Panes" });
    const body = h("div", { id: "pane", class: "pane", role: "tabpanel", tabindex: "0" });
    for (const element of [...sections, body])
        element.addEventListener("scroll", () => scrolled.set(element, element.scrollTop), { passive: true });
    const tabs = tabbed.map((pane) => makeTab(now, pane, tabbed));
    fill(list, ...tabs);
    column.append(...sections, ...(tabbed.length > 0 ? [list, body] : []));

    function draw() {
        fixed.forEach((pane, i) => renderKeeping(sections[i], pane, now()));
        const current = tabbed.find((pane) => pane.id === now().pane) ?? tabbed[0];
        if (current === undefined) return;
        tabbed.forEach((pane, i) => {
            tabs[i].setAttribute("aria-selected", String(pane === current));
            tabs[i].tabIndex = pane === current ? 0 : -1;
        });
        body.setAttribute("aria-labelledby", `tab-${current.id}`);
        body.dataset["pane"] = current.id;
        renderKeeping(body, current, now());
    }
    for (const event of /** @type {const} */ (["moment", "level", "why", "pane", "trace", "limit", "theme"]))
        for (const one of apps) one.on(event, draw);
    draw();
}

/**
 * @param {() => App} now
 * @param {Pane} pane
 * @param {Pane[]} all arrows go round among these
 */
function makeTab(now, pane, all) {
    /** @param {KeyboardEvent} event */
    function turn(event) {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step === 0) return;
        event.preventDefault();
        event.stopPropagation();
        const next = all[(all.indexOf(pane) + step + all.length) % all.length];
        now().show(next.id);
        document.getElementById(`tab-${next.id}`)?.focus();
    }
    return h(
        "button",
        {
            type: "button",
            role: "tab",
            id: `tab-${pane.id}`,
            "aria-controls": "pane",
            title: pane.key ? `key ${pane.key}` : null,
            onClick: () => now().show(pane.id),
            onKeydown: turn,
        },
        pane.title,
    );
}

/**
 * Renders a pane; focus and scroll position stay where they were.
 *
 * @param {HTMLElement} element
 * @param {Pane} pane
 * @param {App} app
 */
function renderKeeping(element, pane, app) {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.getAttribute("data-key") ?? null;
    const id = focused?.id ?? "";
    const place = focused === null ? -1 : focusable(element).indexOf(/** @type {HTMLElement} */ (focused));
    pane.render(element, app);
    const top = scrolled.get(element) ?? 0;
    if (top > 0) element.scrollTop = top;
    if (place < 0) return;
    const all = focusable(element);
    const again = all.find((e) => (key !== null ? e.getAttribute("data-key") === key : id !== "" && e.id === id));
    (again ?? all[Math.min(place, all.length - 1)])?.focus({ preventScroll: true });
}

/**
 * @param {HTMLElement} element
 * @returns {HTMLElement[]}
 */
function focusable(element) {
    return [...element.querySelectorAll("button, select, input, summary, [tabindex]")].map(
        (e) => /** @type {HTMLElement} */ (e),
    );
}
