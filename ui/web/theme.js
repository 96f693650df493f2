/**
 * Light or dark: as the system says, until the button is pressed; then as the button says, kept for the next time
 * where the browser keeps anything for this page.
 *
 * Canvases cannot read CSS by themselves: colours() hands them the custom properties of style.css.
 */
import { byId } from "./dom.js";

/** @typedef {import("./app.js").App} App */

const names = /** @type {const} */ ([
    "page",
    "text",
    "muted",
    "rule",
    "card",
    "moment",
    "moment-edge",
    "control",
    "zookeeper",
    "data",
    "client",
    "bad",
    "bad-page",
    "chain",
    "down",
    "active",
    "lane",
    "good",
    "on-band",
]);
const brokers = 10;

/** @typedef {Record<typeof names[number], string> & {brokers: string[], sans: string, mono: string}} Colours */

/** @type {Colours | null} */
let cached = null;

/**
 * The colours of now. Do not keep them over a change of theme.
 *
 * @returns {Colours}
 */
export function colours() {
    if (cached !== null) return cached;
    const style = getComputedStyle(document.documentElement);
    /** @param {string} name */
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    const found = /** @type {Colours} */ (
        /** @type {unknown} */ (Object.fromEntries(names.map((name) => [name, read(name)])))
    );
    found.brokers = Array.from({ length: brokers }, (_, i) => read(`b${i}`)); // by their place
    found.sans = read("sans");
    found.mono = read("mono");
    cached = found;
    return found;
}

/**
 * The colour of a broker: its place among the brokers decides, so that the first three differ most.
 *
 * @param {App} app
 * @param {number} id
 */
export function brokerColour(app, id) {
    const place = app.model.brokers.indexOf(id);
    return colours().brokers[(place < 0 ? id : place) % brokers];
}

/** @param {App} app */
export function mountTheme(app) {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const kept = remembered();
    if (kept !== null) root.dataset["theme"] = kept;

    function changed() {
        cached = null;
        app.tell("theme");
    }
    byId("theme-button").addEventListener("click", () => {
        const isDark = root.dataset["theme"] === "dark" || (root.dataset["theme"] === undefined && dark.matches);
        root.dataset["theme"] = isDark ? "light" : "dark";
        remember(root.dataset["theme"]);
        changed();
    });
    dark.addEventListener("change", changed);
    printLight(root, () => {
        changed();
        app.flush();
    });
}

/**
 * Paper is light, whatever the screen is.
 *
 * @param {HTMLElement} root
 * @param {() => void} redraw at once
 */
function printLight(root, redraw) {
    /** @type {string | undefined} */
    let theme;
    window.addEventListener("beforeprint", () => {
        theme = root.dataset["theme"];
        root.dataset["theme"] = "light";
        root.style.setProperty("--screen", `${window.innerWidth}px`); // canvases are not laid out for paper
        root.style.setProperty("--diagram", `${document.getElementById("rows")?.clientWidth ?? 0}px`);
        redraw();
    });
    window.addEventListener("afterprint", () => {
        if (theme === undefined) delete root.dataset["theme"];
        else root.dataset["theme"] = theme;
        redraw();
    });
}

/** @returns {string | null} */
function remembered() {
    try {
        const theme = localStorage.getItem("kcsim-theme");
        return theme === "dark" || theme === "light" ? theme : null;
    } catch {
        return null; // a page from disk may have no storage
    }
}

/** @param {string} theme */
function remember(theme) {
    try {
        localStorage.setItem("kcsim-theme", theme);
    } catch {
        // it stays for as long as the page is open
    }
}
