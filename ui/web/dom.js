/**
 * Elements without markup in strings. What comes out of a trace (names of topics, texts of authors, data of znodes)
 * reaches the page only as text of a node or as the value of an attribute: there is no innerHTML anywhere, and
 * no style attribute either, which the page's Content-Security-Policy forbids. Positions go through
 * element.style.left and its like, which it allows.
 */

/** @typedef {import("./app.js").App} App */
/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element.
 *
 * Properties: `class`, `data-…`, `aria-…`, `role` and other attributes by their name in HTML; `on…` with a function
 * listens; true sets an attribute without value; false, null and undefined leave it out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown> | null} [properties]
 * @param {...(Child | Child[])} children null and false are left out
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties ?? {})) setProperty(element, name, value);
    append(element, children);
    return element;
}

/**
 * The same for SVG, whose names of attributes are case-sensitive.
 *
 * @param {string} tag
 * @param {Record<string, unknown> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function s(tag, properties, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties ?? {})) setProperty(element, name, value);
    append(element, children);
    return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
function setProperty(element, name, value) {
    if (value === false || value === null || value === undefined) return;
    if (typeof value === "function")
        element.addEventListener(name.slice(2).toLowerCase(), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * @param {Element} element
 * @param {(Child | Child[])[]} children
 */
function append(element, children) {
    for (const child of children.flat()) {
        if (child === null || child === undefined || child === false) continue;
        element.append(child instanceof Node ? child : String(child));
    }
}

/**
 * Replaces what an element holds.
 *
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
    element.replaceChildren();
    append(element, children);
}

/**
 * The element of the page with this id; page.html has it, or the page is broken.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
    const element = document.getElementById(id);
    if (element === null) throw new Error(`page.html has no element ${id}`);
    return element;
}

/**
 * A value that answers "why?": a button with the value as its text. It is marked where this very record set the
 * fact (old value struck out before it), and where the chain that is shown belongs to it.
 *
 * @param {App} app
 * @param {string} key a fact (docs/trace.md), or what why.js understands: "leader of orders-0"
 * @param {string | number} text the value in words
 * @param {{class?: string, title?: string, was?: string | number | null}} [more] was: the value before, if this
 *        record changed it
 */
export function valueButton(app, key, text, more = {}) {
    const changed = more.was !== undefined;
    const classes = ["v", more.class, changed && "changed", app.why?.key != null && app.why.text === key && "asked"];
    return h(
        "button",
        {
            type: "button",
            class: classes.filter(Boolean).join(" "),
            title: more.title ?? `why ${key}?`,
            "data-key": key,
            onClick: () => app.ask(key),
        },
        changed && more.was !== null && h("s", { class: "was" }, String(more.was)),
        changed && more.was !== null && " ",
        String(text),
    );
}

/**
 * A link to a record: moves there.
 *
 * @param {App} app
 * @param {number} n
 * @param {string} [text] default: "record N"
 */
export function recordButton(app, n, text = `record ${n}`) {
    return h("button", { type: "button", class: "jump", "data-record": n, onClick: () => app.reveal(n) }, text);
}

/**
 * A virtual time in words: seconds with as many digits as it needs, at most four behind the point unless it
 * has finer ones.
 *
 * @param {number} us
 */
export function seconds(us) {
    const digits = us % 100 === 0 ? 4 : 6;
    return `${(us / 1e6).toFixed(digits)} s`;
}

/**
 * A span of time in words, rounded: "4.4 s", "20 ms".
 *
 * @param {number} us
 */
export function span(us) {
    if (us >= 60e6) return `${(us / 60e6).toFixed(1)} min`;
    if (us >= 1e6) return `${(us / 1e6).toFixed(1)} s`;
    if (us >= 1e3) return `${(us / 1e3).toFixed(us >= 1e4 ? 0 : 1)} ms`;
    return `${us} µs`;
}

/**
 * Calls `call` soon, once, however often it is asked for: with what stands then.
 *
 * @param {() => void} call
 */
export function once(call) {
    let asked = false;
    return () => {
        if (asked) return;
        asked = true;
        requestAnimationFrame(() => {
            asked = false;
            call();
        });
    };
}

/**
 * Opens a dialog of the page, or closes it.
 *
 * @param {string} id
 */
export function toggleDialog(id) {
    const dialog = /** @type {HTMLDialogElement} */ (byId(id));
    if (dialog.open) dialog.close();
    else dialog.showModal();
}
