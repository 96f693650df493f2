/**
 * ZooKeeper's tree at the moment: data, version, the session that owns an ephemeral znode, who watches it.
 *
 * The shape of the tree (all paths that ever were) is made once; a rendering visits only what is unfolded, and of
 * a znode with many children a page at a time, so a tree of a million znodes is no slower than one of ten.
 */
import { fill, h, valueButton } from "../dom.js";
import { term } from "../glossary.js";
import { before, index, memory, redraw } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */
/** @typedef {{path: string, name: string, children: Branch[]}} Branch */

const childrenAtOnce = 30;

const remembered = memory(() => ({
    /** Paths that differ from how they stand at first. */
    turned: /** @type {Set<string>} */ (new Set()),
    chosen: "",
    /** How many children of a path are shown. */
    shown: /** @type {Map<string, number>} */ (new Map()),
}));

/** @param {App} app @returns {Branch} */
function makeTree(app) {
    /** @type {Branch} */
    const root = { path: "/", name: "/", children: [] };
    /** @type {Map<string, Branch>} */
    const byPath = new Map([["/", root]]);
    /** @param {string} path @returns {Branch} */
    function at(path) {
        const known = byPath.get(path);
        if (known !== undefined) return known;
        const slash = path.lastIndexOf("/");
        const made = { path, name: path.slice(slash + 1), children: [] };
        byPath.set(path, made);
        at(slash === 0 ? "/" : path.slice(0, slash)).children.push(made);
        return made;
    }
    for (const key of app.facts.keys("zn:/")) at(key.slice("zn:".length));
    for (const branch of byPath.values()) branch.children.sort(byName);
    return root;
}

/** @param {Branch} a @param {Branch} b numbers by their size */
function byName(a, b) {
    const [x, y] = [Number(a.name), Number(b.name)];
    if (Number.isInteger(x) && Number.isInteger(y)) return x - y;
    return a.name < b.name ? -1 : 1;
}

const tree = index(makeTree);

/** Who watches, by path: "/controller" ──► ["watch.1./controller.data", …]. */
const watchKeys = index((app) => {
    /** @type {Map<string, string[]>} */
    const byPath = new Map();
    for (const key of app.facts.keys("watch.")) {
        const match = /^watch\.[^.]+\.(.*)\.(data|child|exists)$/.exec(key);
        if (match === null) continue;
        const keys = byPath.get(match[1]) ?? [];
        keys.push(key);
        byPath.set(match[1], keys);
    }
    return byPath;
});

/**
 * The data of a znode in few words: JSON without its quotation marks.
 *
 * @param {any} data
 */
function inWords(data) {
    if (data === null || data === undefined) return "";
    if (typeof data !== "string") return `0x${data.hex ?? ""}`;
    try {
        return short(JSON.parse(data));
    } catch {
        return data;
    }
}

/** @param {any} value @returns {string} */
function short(value) {
    if (Array.isArray(value)) return `[${value.map(short).join(",")}]`;
    if (value === null || typeof value !== "object") return `${value}`;
    const parts = Object.entries(value).map(
        ([name, item]) =>
            `${name} ${item !== null && typeof item === "object" && !Array.isArray(item) ? `{${short(item)}}` : short(item)}`,
    );
    return parts.join(", ");
}

/**
 * "broker 2", whose session this is.
 *
 * @param {App} app
 * @param {unknown} owner
 */
function ownerInWords(app, owner) {
    for (const { id } of app.model.nodes) {
        const session = /** @type {any} */ (app.facts.value(`sess.${id}`, app.n));
        if (session !== undefined && `${session.id}` === `${owner}`) return `broker ${id}`;
    }
    return "a session";
}

/**
 * Nodes that watch a path.
 *
 * @param {App} app
 * @param {string} path
 */
function watchers(app, path) {
    return (watchKeys(app).get(path) ?? []).filter((key) => app.facts.value(key, app.n) !== undefined);
}

/**
 * Is it unfolded? At first the tree is, but for long lists and what nobody looks at.
 *
 * @param {App} app
 * @param {Branch} branch
 */
function isOpen(app, branch) {
    const first = branch.children.length <= 12 && !/^\/(config|zookeeper|admin|cluster)$/.test(branch.path);
    return first !== remembered(app).turned.has(branch.path);
}

/**
 * @param {App} app
 * @param {Branch} branch
 * @param {number} depth
 * @returns {Child[]}
 */
function lines(app, branch, depth) {
    const since = before(app);
    const key = `zn:${branch.path}`;
    const znode = /** @type {any} */ (app.facts.value(key, app.n));
    const old = app.facts.setter(key, app.n) > since ? app.facts.value(key, since) : znode;
    if (znode === undefined && old === undefined && branch.path !== "/") return [];
    /** @type {Child[]} */
    const list = [
        line(
            app,
            branch,
            znode,
            depth,
            old === znode ? "" : znode === undefined ? "gone" : old === undefined ? "new" : "changed",
        ),
    ];
    if (znode === undefined || !isOpen(app, branch)) return list;
    const limit = remembered(app).shown.get(branch.path) ?? childrenAtOnce;
    let count = 0;
    for (const child of branch.children) {
        const below = lines(app, child, depth + 1);
        if (below.length === 0) continue;
        if (count++ === limit) {
            list.push(moreLine(app, branch, depth + 1, limit));
            break;
        }
        list.push(...below);
    }
    return list;
}

/**
 * @param {App} app
 * @param {Branch} branch
 * @param {any} znode
 * @param {number} depth
 * @param {string} change
 */
function line(app, branch, znode, depth, change) {
    const state = remembered(app);
    const watching = watchers(app, branch.path);
    const hasChildren = branch.children.length > 0;
    const data = inWords(znode?.data);
    const element = h(
        "li",
        {
            class: [change, state.chosen === branch.path && "chosen"].filter(Boolean).join(" "),
            role: "treeitem",
            "aria-level": depth + 1,
            "aria-expanded": hasChildren ? String(isOpen(app, branch)) : null,
        },
        hasChildren ? turner(app, branch) : h("span", { class: "leaf" }),
        h(
            "button",
            {
                type: "button",
                class: "name",
                "data-key": `znode ${branch.path}`,
                "aria-pressed": String(state.chosen === branch.path),
                onClick: () => {
                    state.chosen = state.chosen === branch.path ? "" : branch.path;
                    redraw(app);
                },
            },
            branch.name,
        ),
        change === "gone" && h("span", { class: "bad" }, " deleted"),
        znode?.version > 0 && h("span", { class: "muted" }, ` v${znode.version}`),
        znode !== undefined &&
            `${znode.owner}` !== "0" &&
            h("span", { class: "ephemeral" }, ` ephemeral, ${ownerInWords(app, znode.owner)}`),
        watching.length > 0 &&
            h(
                "span",
                { class: "muted", title: "sessions that watch it" },
                ` ◉ ${[...new Set(watching.map((key) => key.split(".")[1]))].join(" ")}`,
            ),
        znode !== undefined &&
            data !== "" &&
            valueButton(app, `zn:${branch.path}`, data.slice(0, 160), { class: "data" }),
    );
    element.style.paddingLeft = `${depth * 13}px`;
    return element;
}

/**
 * @param {App} app
 * @param {Branch} branch
 */
function turner(app, branch) {
    const { turned } = remembered(app);
    const open = isOpen(app, branch);
    return h(
        "button",
        {
            type: "button",
            class: "turn",
            "aria-label": `${open ? "fold" : "unfold"} ${branch.path}`,
            "aria-expanded": String(open),
            "data-key": `turn ${branch.path}`,
            onClick: () => {
                if (!turned.delete(branch.path)) turned.add(branch.path);
                redraw(app);
            },
        },
        open ? "▾" : "▸",
    );
}

/**
 * @param {App} app
 * @param {Branch} branch
 * @param {number} depth
 * @param {number} limit
 */
function moreLine(app, branch, depth, limit) {
    const more = h(
        "button",
        {
            type: "button",
            class: "fold",
            "data-key": `more ${branch.path}`,
            onClick: () => {
                remembered(app).shown.set(branch.path, limit + childrenAtOnce * 4);
                redraw(app);
            },
        },
        `more of ${branch.children.length}`,
    );
    const element = h("li", { role: "treeitem", "aria-level": depth + 1 }, more);
    element.style.paddingLeft = `${depth * 13 + 18}px`;
    return element;
}

/**
 * All of the chosen znode.
 *
 * @param {App} app
 */
function details(app) {
    const path = remembered(app).chosen;
    const znode = /** @type {any} */ (path === "" ? undefined : app.facts.value(`zn:${path}`, app.n));
    if (znode === undefined) return null;
    let data = znode.data;
    try {
        data =
            typeof data === "string"
                ? JSON.stringify(JSON.parse(data), null, 1)
                : data === null
                  ? "no data"
                  : `0x${data.hex}`;
    } catch {
        // no JSON: as it is
    }
    const numbers = ["version", "czxid", "mzxid", "pzxid", "cversion", "ctime", "mtime", "owner"];
    return h(
        "section",
        { class: "znode", "aria-label": path },
        h("h3", null, path, " ", valueButton(app, `zn:${path}`, "why?")),
        h("pre", null, data),
        h(
            "p",
            { class: "stat" },
            ...numbers
                .filter((name) => znode[name] !== undefined)
                .flatMap((name) => [h("span", { class: "muted" }, `${name} `), `${znode[name]}  `]),
        ),
        watchers(app, path).length > 0 &&
            h(
                "p",
                null,
                term(app, "watch", "watched by "),
                ...watchers(app, path).flatMap((key) => [
                    valueButton(app, key, `${key.split(".")[1]} (${key.slice(key.lastIndexOf(".") + 1)})`),
                    " ",
                ]),
            ),
    );
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const list = lines(app, tree(app), 0);
    fill(
        element,
        h(
            "p",
            { class: "detail" },
            term(app, "version of a znode", "v: version"),
            " · ",
            term(app, "ephemeral znode", "ephemeral"),
            ": goes with its session · ◉ ",
            term(app, "watch", "watched by"),
        ),
        details(app),
        h("ul", { class: "tree", role: "tree", "aria-label": "ZooKeeper's tree" }, ...list),
    );
}

export default { id: "zookeeper", title: "ZooKeeper", key: "3", render };
