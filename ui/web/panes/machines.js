/**
 * Both state machines as one controller sees them: the legal moves of the run's Kafka, a token for each replica and
 * partition, and what this step moved. A refused move is dashed, with ✕.
 *
 * States and moves come with the trace (statemachine/explain.c prints them from the tables that the simulation itself
 * obeys); here is only how they are drawn. Boxes are elements of the page, so tokens are buttons; arrows are SVG below
 * them. A state that holds more tokens than fit says how many, and lists them when asked.
 */
import { fill, h, recordButton, s, valueButton } from "../dom.js";
import { term } from "../glossary.js";
import { sentence } from "../narrate.js";
import { activeController } from "../why.js";
import { before, fold, index, memory, redraw } from "./common.js";

/** @typedef {import("../app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */
/** @typedef {{name: string, text: string, tone: string, column: number, row: number}} State */
/** @typedef {{name: string, states: State[], moves: [number, number][]}} Machine */
/** @typedef {{key: string, label: string, title: string, state: string, moved: boolean}} Token */
/** @typedef {{n: number, from: string, to: string, refused: boolean}} Move */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */

const columns = 3;
const boxHeight = 74;
const rowGap = 30;
const columnGap = 30;
const margin = 14; // room for loops
const tokenRows = 2;
const letterWidth = 6.6; // of a token, px
const tokenEdge = 16;
const tokensListed = 200;
const movesLooked = 2000;
const lane = 6; // px beside each other where both directions are legal

const remembered = memory(() => ({
    chosen: /** @type {number | null} */ (null),
    open: /** @type {Set<string>} */ (new Set()),
}));

/** Keys of states, by controller: "partition 2" ──► ["ps.2.orders-0", …]. */
const stateKeys = index((app) => {
    /** @type {Map<string, string[]>} */
    const keys = new Map();
    for (const { id } of app.model.nodes) {
        keys.set(`partition ${id}`, app.facts.keys(`ps.${id}.`));
        keys.set(`replica ${id}`, app.facts.keys(`rs.${id}.`));
    }
    return keys;
});

/**
 * The controller whose machines are shown: the chosen one, else the one in office.
 *
 * @param {App} app
 */
function shownController(app) {
    return remembered(app).chosen ?? activeController(app.facts, app.n);
}

/**
 * @param {App} app
 * @param {"partition" | "replica"} what
 * @param {number} id of the controller
 * @returns {Token[]}
 */
function tokens(app, what, id) {
    const since = before(app);
    const keys = stateKeys(app).get(`${what} ${id}`) ?? [];
    const topics = new Set(app.model.places.map((place) => place.topic).filter((topic) => !topic.startsWith("__")));
    const oneTopic = topics.size <= 1;
    /** @type {Token[]} */
    const list = [];
    for (const key of keys) {
        const state = app.facts.value(key, app.n);
        if (typeof state !== "string") continue;
        const name = key.slice(key.indexOf(".", 3) + 1);
        list.push({
            key,
            label: label(name, what, oneTopic),
            title: `${what} ${name}`,
            state,
            moved: app.facts.setter(key, app.n) > since,
        });
    }
    return list;
}

/**
 * "orders-0.2" as short as it can be told: "0·2" where there is one topic.
 *
 * @param {string} name
 * @param {string} what
 * @param {boolean} oneTopic
 */
function label(name, what, oneTopic) {
    const dot = what === "replica" ? name.lastIndexOf(".") : name.length;
    const tp = name.slice(0, dot);
    const partition = oneTopic && !tp.startsWith("__") ? tp.slice(tp.lastIndexOf("-") + 1) : tp;
    return partition + name.slice(dot).replace(".", "·");
}

/**
 * What this step moved, or refused to move.
 *
 * @param {App} app
 * @param {"partition" | "replica"} what
 * @param {number} id
 * @returns {Move[]}
 */
function movesOfStep(app, what, id) {
    /** @type {Move[]} */
    const moves = [];
    const { trace, n } = app;
    for (let i = n; i > Math.max(before(app), n - movesLooked); i--) {
        if (trace.kind(i) !== "move" || trace.at(i) !== `c${id}` || trace.field(i, "machine") !== what) continue;
        if (trace.field(i, "direct") !== undefined) continue;
        moves.push({
            n: i,
            from: `${trace.field(i, "from")}`,
            to: `${trace.field(i, "to")}`,
            refused: trace.field(i, "ok") === 0,
        });
    }
    return moves;
}

/**
 * @param {State} state
 * @param {number} width of the chart
 * @returns {Box}
 */
function boxOf(state, width) {
    const each = (width - (columns - 1) * columnGap) / columns;
    return {
        x: state.column * (each + columnGap),
        y: margin + state.row * (boxHeight + rowGap),
        width: each,
        height: boxHeight,
    };
}

/**
 * Where the line from the middle of a box in a direction leaves it.
 *
 * @param {Box} box
 * @param {number} x of the line in the box
 * @param {number} y
 * @param {number} dx
 * @param {number} dy
 */
function leave(box, x, y, dx, dy) {
    const tx = dx === 0 ? Infinity : ((dx > 0 ? box.x + box.width : box.x) - x) / dx;
    const ty = dy === 0 ? Infinity : ((dy > 0 ? box.y + box.height : box.y) - y) / dy;
    const t = Math.min(tx, ty);
    return { x: x + dx * t, y: y + dy * t };
}

/**
 * An arrow from box to box; beside its opposite where both are drawn.
 *
 * @param {Box} a
 * @param {Box} b
 * @param {boolean} beside
 * @param {string} className
 * @param {string} title
 */
function arrow(a, b, beside, className, title) {
    const from = { x: a.x + a.width / 2, y: a.y + a.height / 2 };
    const to = { x: b.x + b.width / 2, y: b.y + b.height / 2 };
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    const dx = (to.x - from.x) / length;
    const dy = (to.y - from.y) / length;
    const shift = beside ? lane : 0;
    const begin = leave(a, from.x - dy * shift, from.y + dx * shift, dx, dy);
    const end = leave(b, to.x - dy * shift, to.y + dx * shift, -dx, -dy);
    const tip = { x: end.x - dx * 2, y: end.y - dy * 2 };
    const head = `M${tip.x} ${tip.y}L${tip.x - dx * 8 - dy * 4} ${tip.y - dy * 8 + dx * 4}L${tip.x - dx * 8 + dy * 4} ${tip.y - dy * 8 - dx * 4}z`;
    const middle = { x: (begin.x + tip.x) / 2, y: (begin.y + tip.y) / 2 };
    return s(
        "g",
        { class: className },
        s("title", null, title),
        s("path", { class: "line", d: `M${begin.x} ${begin.y}L${tip.x - dx * 6} ${tip.y - dy * 6}` }),
        s("path", { class: "tip", d: head }),
        className.includes("refused") &&
            s("path", { class: "cross", d: `M${middle.x - 5} ${middle.y - 5}l10 10m0 -10l-10 10` }),
    );
}

/**
 * A move to the same state: a loop over the corner of its box.
 *
 * @param {Box} box
 * @param {string} className
 * @param {string} title
 */
function loop(box, className, title) {
    const x = box.x + box.width - 26;
    const d = `M${x} ${box.y}c0 -14 18 -14 18 -2`;
    const head = `M${x + 18} ${box.y - 1}l-4 -7l8 0z`;
    return s(
        "g",
        { class: className },
        s("title", null, title),
        s("path", { class: "line", d }),
        s("path", { class: "tip", d: head }),
        className.includes("refused") && s("path", { class: "cross", d: `M${x + 4} ${box.y - 16}l10 10m0 -10l-10 10` }),
    );
}

/**
 * The arrows: legal ones, over them those of this step.
 *
 * @param {Machine} machine
 * @param {Move[]} moves
 * @param {number} width
 */
function arrows(machine, moves, width) {
    const legal = new Set(machine.moves.map(([from, to]) => `${from} ${to}`));
    const places = new Map(machine.states.map((state, i) => [state.name, i]));
    const boxes = machine.states.map((state) => boxOf(state, width));
    /** @param {number} from @param {number} to @param {string} className */
    function draw(from, to, className) {
        const title = `${machine.states[from].name} → ${machine.states[to].name}`;
        return from === to
            ? loop(boxes[from], className, title)
            : arrow(boxes[from], boxes[to], legal.has(`${to} ${from}`), className, title);
    }
    const list = machine.moves.map(([from, to]) => draw(from, to, "legal"));
    const seen = new Set();
    for (const move of moves) {
        const from = places.get(move.from);
        const to = places.get(move.to);
        const name = `${from} ${to} ${move.refused}`;
        if (from === undefined || to === undefined || seen.has(name)) continue;
        seen.add(name);
        list.push(draw(from, to, move.refused ? "refused" : "taken"));
    }
    return list;
}

/**
 * @param {App} app
 * @param {Token} token
 */
function tokenButton(app, token) {
    return valueButton(app, token.key, token.label, {
        class: token.moved ? "token moved" : "token",
        title: `why is ${token.title} in ${token.state}?`,
    });
}

/**
 * How many rows the tokens would take, about.
 *
 * @param {Token[]} list
 * @param {number} width
 */
function rowsOf(list, width) {
    let rows = 1;
    let used = 0;
    for (const token of list) {
        const wide = token.label.length * letterWidth + tokenEdge;
        if (used > 0 && used + wide > width) {
            rows++;
            used = 0;
        }
        used += wide;
        if (rows > tokenRows) break;
    }
    return rows;
}

/**
 * The box of a state, with its tokens.
 *
 * @param {App} app
 * @param {State} state
 * @param {Token[]} inIt
 * @param {number} width
 */
function stateBox(app, state, inIt, width) {
    const { open } = remembered(app);
    const box = boxOf(state, width);
    const first = [...inIt.filter((token) => token.moved), ...inIt.filter((token) => !token.moved)];
    const fits = rowsOf(inIt, box.width - 14) <= tokenRows;
    const shown = fits
        ? first
        : first.slice(0, first.length > 0 && first[0].moved && first[0].label.length <= 14 ? 1 : 0);
    const element = h(
        "div",
        {
            class: `state ${state.tone}${inIt.some((token) => token.moved) ? " changed" : ""}${inIt.length > 0 ? "" : " empty"}`,
            title: `${state.name}: ${state.text}`,
        },
        h("span", { class: "name" }, shortName(state.name)),
        h(
            "span",
            { class: "tokens" },
            ...shown.map((token) => tokenButton(app, token)),
            shown.length < inIt.length &&
                fold(app, open, state.name, shown.length > 0 ? `+${inIt.length - shown.length}` : `${inIt.length}×`),
        ),
    );
    element.style.left = `${box.x}px`;
    element.style.top = `${box.y}px`;
    element.style.width = `${box.width}px`;
    element.style.height = `${box.height}px`;
    return element;
}

/** @param {string} name of a state */
function shortName(name) {
    return name.replace(/^(New|Online|Offline|NonExistent)(Replica|Partition)$/, "$1").replace(/^Replica/, "");
}

/**
 * @param {App} app
 * @param {"partition" | "replica"} what
 * @param {number} id of the controller
 * @param {number} width
 */
function chart(app, what, id, width) {
    const machine = /** @type {Machine | undefined} */ (/** @type {any} */ (app.trace).tables?.machines?.[what]);
    if (machine === undefined) return h("p", { class: "muted" }, "This trace does not say which moves are legal.");
    const all = tokens(app, what, id);
    const moves = movesOfStep(app, what, id);
    const rows = 1 + Math.max(...machine.states.map((state) => state.row));
    const height = margin + rows * boxHeight + (rows - 1) * rowGap + 4;
    const { open } = remembered(app);
    const lists = machine.states.filter(
        (state) => open.has(state.name) && all.some((token) => token.state === state.name),
    );
    const picture = h(
        "div",
        { class: "chart", role: "group", "aria-label": machine.name },
        s(
            "svg",
            { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
            ...arrows(machine, moves, width),
        ),
        ...machine.states.map((state) =>
            stateBox(
                app,
                state,
                all.filter((token) => token.state === state.name),
                width,
            ),
        ),
    );
    picture.style.height = `${height}px`;
    return h(
        "section",
        null,
        h(
            "h3",
            null,
            term(app, what === "partition" ? "partition state machine" : "replica state machine", machine.name),
            h("small", null, what === "partition" ? "a token a partition" : "a token a replica: partition·broker"),
        ),
        picture,
        ...lists.map((state) =>
            listOf(
                app,
                state,
                all.filter((token) => token.state === state.name),
            ),
        ),
        h(
            "ul",
            { class: "moves-of-step" },
            ...moves
                .slice(0, 8)
                .map((move) =>
                    h(
                        "li",
                        { class: move.refused ? "bad" : "" },
                        recordButton(app, move.n),
                        ` ${move.refused ? "✕ " : ""}${sentence(app.trace, move.n)}`,
                    ),
                ),
            moves.length > 8 && h("li", null, `and ${moves.length - 8} more moves in this step`),
        ),
    );
}

/**
 * @param {App} app
 * @param {State} state
 * @param {Token[]} inIt
 */
function listOf(app, state, inIt) {
    return h(
        "p",
        { class: "token-list" },
        h("b", null, state.name),
        " ",
        ...inIt.slice(0, tokensListed).flatMap((token) => [tokenButton(app, token), " "]),
        inIt.length > tokensListed && `and ${inIt.length - tokensListed} more`,
    );
}

/**
 * @param {HTMLElement} element
 * @param {App} app
 */
function render(element, app) {
    const id = shownController(app);
    const state = remembered(app);
    const active = app.model.active(app.n);
    const width = Math.max(300, Math.min(560, (element.clientWidth || 448) - 4));
    const choose = (/** @type {number} */ node) =>
        h(
            "button",
            {
                type: "button",
                "aria-pressed": String(node === id),
                "data-key": `machines of ${node}`,
                onClick: () => {
                    state.chosen = state.chosen === node ? null : node;
                    redraw(app);
                },
            },
            `${node}${active.includes(node) ? " ★" : ""}`,
        );
    const controllers = app.model.nodes.filter((node) => node.controller !== null);
    fill(
        element,
        h(
            "p",
            { class: "choose" },
            "as controller ",
            ...(controllers.length <= 12
                ? controllers
                : controllers.filter((node) => active.includes(node.id) || node.id === id)
            ).map((node) => choose(node.id)),
            " sees them",
            h("small", null, "★ believes that it is in office"),
        ),
        chart(app, "partition", id, width),
        chart(app, "replica", id, width),
    );
}

export default { id: "machines", title: "States", key: "2", render };
