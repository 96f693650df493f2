/**
 * The heads of the lanes, above the rows: they tell the moment, too. "node 1 down" while it is; ★ for whoever believes to
 * be the controller: two stars at once are a zombie.
 */
import { byId, fill, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./lanes.js").Lanes} Lanes */
/** @typedef {import("./lanes.js").NodeLanes} NodeLanes */

const letterWidth = 7.2; // px, of a head: about

/** @type {{lanes: Lanes, states: string} | null} what the heads show; most moments change nothing */
let drawn = null;

/**
 * @param {App} app
 * @param {Lanes} lanes
 */
export function drawLaneHeads(app, lanes) {
    const place = byId("lanes");
    const active = new Set(app.model.active(app.n));
    const states = lanes.nodes.map((node) => `${app.model.node(node.id, app.n)}${active.has(node.id)}`);
    if (drawn !== null && drawn.lanes === lanes && drawn.states === states.join()) return;
    drawn = { lanes, states: states.join() };
    const heads = [
        ...zookeeperHead(lanes),
        ...lanes.nodes.flatMap((node) => nodeHead(app, lanes, node, active.has(node.id))),
        ...lanes.clients.flatMap((client) => clientHead(lanes, client)),
    ];
    if (lanes.others !== null) heads.push(label(lanes.others, 24, "sub", "…"));
    if (lanes.gutter > 0) heads.push(left(6, "sub left", "time ↓"));
    if (!lanes.narrow) heads.push(left(lanes.words, "sub left", "what happens"));
    fill(place, ...heads);
    showPicker(app, lanes);
}

/**
 * @param {Lanes} lanes
 * @param {{id: string, name: string, x: number}} client
 */
function clientHead(lanes, client) {
    const name = label(client.x, lanes.unit + 4, "sub", client.name);
    if (lanes.unit < 40) return [name];
    return [label(client.x, lanes.unit + 10, "role", client.id[0] === "p" ? "producer" : "consumer"), name];
}

/** @param {Lanes} lanes */
function zookeeperHead(lanes) {
    const { zookeeper } = lanes;
    const width = zookeeper.right - zookeeper.left;
    const heads = [label(zookeeper.x, width + 16, "node plain", width > 54 ? "ZooKeeper" : "ZK")];
    const ids = [...zookeeper.sessions];
    if (ids.length <= 4) {
        for (const [id, x] of ids) heads.push(label(x, 14, "sub", String(id)));
    }
    return heads;
}

/**
 * @param {App} app
 * @param {Lanes} lanes
 * @param {NodeLanes} node
 * @param {boolean} active
 */
function nodeHead(app, lanes, node, active) {
    const state = app.model.node(node.id, app.n);
    const width = node.right - node.left;
    const text = nodeWords(node.id, state, active, width);
    const name = label(node.left + width / 2, width, state === "up" ? "node" : "node down", text);
    name.dataset["node"] = String(node.id);
    const heads = [name];
    const [controller, broker] = lanes.unit > 40 ? ["ctrl", "broker"] : ["c", "b"];
    heads.push(label(node.controller, lanes.unit, "sub", controller), label(node.broker, lanes.unit, "sub", broker));
    return heads;
}

/**
 * The longest of these that fits; that a node does not run is never said by colour alone.
 *
 * @param {number} id
 * @param {string} state
 * @param {boolean} active
 * @param {number} width in px
 */
function nodeWords(id, state, active, width) {
    const star = active ? "★" : "";
    const words = state === "up" ? [`node ${id} ${star}`] : [`node ${id} ${state} ${star}`, `${id} ${state}${star}`];
    const fitting = words.find((text) => text.trim().length * letterWidth <= width);
    return fitting ?? (state === "up" ? `${id}${star}` : `${id}✕${star}`);
}

/**
 * @param {number} x middle
 * @param {number} width
 * @param {string} kind
 * @param {string} text
 */
function label(x, width, kind, text) {
    const head = h("span", { class: kind }, text);
    head.style.left = `${x - width / 2}px`;
    head.style.width = `${width}px`;
    return head;
}

/**
 * @param {number} x
 * @param {string} kind
 * @param {string} text
 */
function left(x, kind, text) {
    const head = h("span", { class: kind }, text);
    head.style.left = `${x}px`;
    return head;
}

/**
 * The button is there only where there is something to pick.
 *
 * @param {App} app
 * @param {Lanes} lanes
 */
function showPicker(app, lanes) {
    const button = byId("lanes-button");
    const few = lanes.nodes.length + lanes.clients.length < 8;
    button.hidden = lanes.hidden === 0 && app.picked === null && few;
    const all = app.model.brokers.length;
    fill(button, lanes.hidden > 0 ? `lanes: ${lanes.nodes.length} of ${all} nodes` : "lanes");
}
