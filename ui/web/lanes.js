/**
 * Where the lanes of the diagram are, from left to right:
 *
 *     time │ ZooKeeper │ node 1: controller broker │ node 2 … │ producers, consumers │ others │ words
 *
 * Truth first: ZooKeeper is left. Controller and broker of a node stand side by side because they die together.
 * Lanes are as wide as there is room for, up to a comfortable width. Where even narrow ones do not fit, some nodes or
 * clients are left out (those that do least), and what they do is drawn in the lane of the others; the user may pick.
 */

/** @typedef {import("./app.js").App} App */

/**
 * @typedef {object} NodeLanes
 * @property {number} id
 * @property {number} left
 * @property {number} right
 * @property {number} controller middle of its lane
 * @property {number} broker
 *
 * @typedef {object} Lanes
 * @property {number} width of the canvas
 * @property {boolean} narrow a phone
 * @property {number} gutter width of the column of times, 0: there is none
 * @property {number} unit width of a lane
 * @property {number} left of the first lane
 * @property {{left: number, right: number, x: number, sessions: Map<number, number>}} zookeeper x: middle;
 *           sessions: node to the middle of the line of its session
 * @property {NodeLanes[]} nodes
 * @property {{id: string, x: number, name: string}[]} clients
 * @property {number | null} others middle of the lane of those that are left out
 * @property {number} right end of the lanes
 * @property {number} words left of the words
 * @property {number} hidden nodes and clients that are left out
 * @property {(lane: string) => number} x middle of a lane by its name
 */

const widest = 50;
const narrowest = 13;
const othersWidth = 22;

/** The clients of a trace: ids of lanes, with names. @param {App} app */
export function clientLanes(app) {
    return app.trace.lanes.filter((lane) => lane.id[0] === "p" || lane.id[0] === "u");
}

/**
 * @param {App} app
 * @param {number} width in px of what there is for lanes and words
 * @returns {Lanes}
 */
export function layoutLanes(app, width) {
    const narrow = width < 620;
    const gutter = narrow ? 0 : 62;
    const room = narrow ? width * 0.52 : Math.max(width - gutter - 400, width * 0.45 - gutter);
    const pickedNodes = chosen(
        app,
        app.model.brokers.map((id) => `n${id}`),
    );
    const pickedClients = chosen(
        app,
        clientLanes(app).map((lane) => lane.id),
    );
    const { nodes, clients } = fit(app, pickedNodes, pickedClients, room);
    const all = app.model.brokers.length + clientLanes(app).length;
    const hidden = all - nodes.length - clients.length;
    return place(app, { width, narrow, gutter, room, nodes, clients, hidden });
}

/**
 * @param {App} app
 * @param {string[]} names
 */
function chosen(app, names) {
    const { picked } = app;
    return picked === null ? names : names.filter((name) => picked.has(name));
}

/** Width of all lanes, a lane being `unit` wide. @param {number} unit @param {number} nodes @param {number} clients */
function need(unit, nodes, clients) {
    return zookeeperWidth(unit, nodes) + nodes * (2 * unit + gapOf(unit)) + clients * unit + othersWidth;
}

/** @param {number} unit @param {number} nodes */
function zookeeperWidth(unit, nodes) {
    return Math.max(30, Math.min(66, unit * 1.3), Math.min(66, nodes * 6));
}

/** @param {number} unit */
function gapOf(unit) {
    return unit > 30 ? 8 : 4;
}

/**
 * Leaves out clients, then nodes, until narrow lanes fit; at least one node stays.
 *
 * @param {App} app
 * @param {string[]} nodes
 * @param {string[]} clients
 * @param {number} room
 */
function fit(app, nodes, clients, room) {
    const byWork = app.spans.busiest;
    /** @param {string[]} names @param {number} count */
    const most = (names, count) => {
        const kept = new Set([...names].sort((a, b) => (byWork.get(b) ?? 0) - (byWork.get(a) ?? 0)).slice(0, count));
        return names.filter((name) => kept.has(name));
    };
    let [n, c] = [nodes.length, clients.length];
    while (c > 2 && need(narrowest, n, c) > room) c--;
    while (n > 1 && need(narrowest, n, c) > room) n--;
    return { nodes: most(nodes, n), clients: most(clients, c) };
}

/**
 * @param {App} app
 * @param {{width: number, narrow: boolean, gutter: number, room: number, nodes: string[], clients: string[],
 *          hidden: number}} given
 * @returns {Lanes}
 */
function place(app, { width, narrow, gutter, room, nodes, clients, hidden }) {
    let unit = widest;
    while (unit > narrowest && need(unit, nodes.length, clients.length) > room) unit--;
    const gap = gapOf(unit);
    const left = gutter + (narrow ? 8 : 4);
    const zkWidth = zookeeperWidth(unit, nodes.length);
    const ids = nodes.map((name) => Number(name.slice(1)));
    const zookeeper = {
        left,
        right: left + zkWidth,
        x: left + zkWidth / 2,
        sessions: sessionLines(left, zkWidth, ids),
    };
    let x = zookeeper.right + gap;
    const placedNodes = ids.map((id) => {
        const node = { id, left: x, right: x + 2 * unit, controller: x + unit / 2, broker: x + unit * 1.5 };
        x += 2 * unit + gap;
        return node;
    });
    const names = new Map(clientLanes(app).map((lane) => [lane.id, lane.name || lane.id]));
    const placedClients = clients.map((id) => {
        x += unit;
        return { id, x: x - unit / 2, name: names.get(id) ?? id };
    });
    const others = hidden > 0 ? x + othersWidth / 2 : null;
    const right = others === null ? x : x + othersWidth;
    const lanes = {
        width,
        narrow,
        gutter,
        unit,
        left,
        zookeeper,
        nodes: placedNodes,
        clients: placedClients,
        others,
        right,
        words: right + 10,
        hidden,
    };
    return { ...lanes, x: findX(lanes) };
}

/**
 * @param {number} left
 * @param {number} width
 * @param {number[]} ids
 */
function sessionLines(left, width, ids) {
    const step = Math.min(13, (width - 8) / Math.max(1, ids.length));
    const first = left + width / 2 - (step * (ids.length - 1)) / 2;
    return new Map(ids.map((id, i) => [id, first + i * step]));
}

/**
 * @param {Omit<Lanes, "x">} lanes
 * @returns {(lane: string) => number}
 */
function findX(lanes) {
    /** @type {Map<string, number>} */
    const at = new Map([["zk", lanes.zookeeper.x]]);
    for (const node of lanes.nodes) {
        at.set(`c${node.id}`, node.controller);
        at.set(`b${node.id}`, node.broker);
    }
    for (const client of lanes.clients) at.set(client.id, client.x);
    at.set("o", lanes.zookeeper.left - 1); // the operator and the scenario stand at the edge
    at.set("w", lanes.zookeeper.left - 1);
    const elsewhere = lanes.others ?? lanes.right;
    return (lane) => at.get(lane) ?? elsewhere;
}
