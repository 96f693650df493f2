/**
 * The signs of records. Hue = plane: control (blue), ZooKeeper (green), data (grey), clients (brown); shape = kind.
 * What was refused is a hollow square with a cross, red, or grey where refusing is part of normal work.
 */

/** @typedef {import("./theme.js").Colours} Colours */
/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {CanvasRenderingContext2D} Ink */
/** @typedef {(ink: Ink, x: number, y: number, r: number) => void} Shape */

/** @type {Shape} */
function dot(ink, x, y, r) {
    ink.beginPath();
    ink.arc(x, y, r * 0.52, 0, 2 * Math.PI);
    ink.fill();
}

/** @type {Shape} */
function speck(ink, x, y, r) {
    ink.beginPath();
    ink.arc(x, y, r * 0.32, 0, 2 * Math.PI);
    ink.fill();
}

/** @type {Shape} */
function ring(ink, x, y, r) {
    ink.beginPath();
    ink.arc(x, y, r * 0.6, 0, 2 * Math.PI);
    ink.stroke();
}

/** @type {Shape} */
function square(ink, x, y, r) {
    ink.fillRect(x - r, y - r, 2 * r, 2 * r);
}

/** @type {Shape} */
function smallSquare(ink, x, y, r) {
    ink.strokeRect(x - r * 0.6, y - r * 0.6, 1.2 * r, 1.2 * r);
}

/** @type {Shape} */
function pill(ink, x, y, r) {
    ink.beginPath();
    ink.roundRect(x - 1.5 * r, y - 0.62 * r, 3 * r, 1.24 * r, 0.62 * r);
    ink.fill();
}

/** @type {Shape} */
function hollowPill(ink, x, y, r) {
    ink.beginPath();
    ink.roundRect(x - 1.4 * r, y - 0.6 * r, 2.8 * r, 1.2 * r, 0.6 * r);
    ink.stroke();
}

/** @type {(turn: "up" | "down") => Shape} */
const triangle = (turn) => (ink, x, y, r) => {
    const to = turn === "up" ? 1 : -1;
    ink.beginPath();
    ink.moveTo(x, y - to * 1.1 * r);
    ink.lineTo(x + 1.15 * r, y + to * 0.9 * r);
    ink.lineTo(x - 1.15 * r, y + to * 0.9 * r);
    ink.closePath();
};

/** @type {Shape} */
function decision(ink, x, y, r) {
    triangle("up")(ink, x, y, r);
    ink.fill();
}

/** @type {Shape} */
function rise(ink, x, y, r) {
    triangle("up")(ink, x, y, r * 0.7);
    ink.stroke();
}

/** @type {Shape} */
function diamond(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x, y - 1.2 * r);
    ink.lineTo(x + 1.2 * r, y);
    ink.lineTo(x, y + 1.2 * r);
    ink.lineTo(x - 1.2 * r, y);
    ink.closePath();
}

/** @type {Shape} */
function filledDiamond(ink, x, y, r) {
    diamond(ink, x, y, r * 0.85);
    ink.fill();
}

/** @type {Shape} */
function hollowDiamond(ink, x, y, r) {
    diamond(ink, x, y, r);
    ink.stroke();
}

/** @type {Shape} */
function appended(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x - r, y - 0.4 * r);
    ink.lineTo(x + r, y - 0.4 * r);
    ink.moveTo(x - r, y + 0.4 * r);
    ink.lineTo(x + r, y + 0.4 * r);
    ink.stroke();
}

/** @type {Shape} */
function cut(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x - 1.3 * r, y);
    ink.lineTo(x + 1.3 * r, y);
    ink.moveTo(x - 0.8 * r, y + r);
    ink.lineTo(x + 0.8 * r, y - r);
    ink.stroke();
}

/** @type {Shape} */
function tick(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x - r, y);
    ink.lineTo(x - 0.2 * r, y + 0.8 * r);
    ink.lineTo(x + r, y - 0.8 * r);
    ink.stroke();
}

/** @type {Shape} */
export function cross(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x - r, y - r);
    ink.lineTo(x + r, y + r);
    ink.moveTo(x + r, y - r);
    ink.lineTo(x - r, y + r);
    ink.stroke();
}

/** @type {Shape} */
function crossedSquare(ink, x, y, r) {
    ink.strokeRect(x - r, y - r, 2 * r, 2 * r);
    cross(ink, x, y, r * 0.55);
}

/** @type {Shape} */
export function bolt(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x + 0.3 * r, y - 1.6 * r);
    ink.lineTo(x - 0.9 * r, y + 0.2 * r);
    ink.lineTo(x - 0.1 * r, y + 0.2 * r);
    ink.lineTo(x - 0.4 * r, y + 1.6 * r);
    ink.lineTo(x + 0.9 * r, y - 0.3 * r);
    ink.lineTo(x + 0.1 * r, y - 0.3 * r);
    ink.closePath();
    ink.fill();
}

/** @type {Shape} */
function flag(ink, x, y, r) {
    ink.beginPath();
    ink.moveTo(x - 0.7 * r, y + 1.2 * r);
    ink.lineTo(x - 0.7 * r, y - 1.2 * r);
    ink.lineTo(x + r, y - 0.5 * r);
    ink.lineTo(x - 0.7 * r, y + 0.2 * r);
    ink.stroke();
}

/** @type {Shape} */
function nothing() {}

/** @type {Record<string, {shape: Shape, plane: "control" | "zookeeper" | "data" | "client" | "muted" | "bad" | "lane"}>} */
const kinds = {
    send: { shape: dot, plane: "lane" },
    recv: { shape: nothing, plane: "lane" },
    zreq: { shape: speck, plane: "zookeeper" },
    zrep: { shape: nothing, plane: "zookeeper" },
    watch: { shape: hollowDiamond, plane: "zookeeper" },
    notify: { shape: filledDiamond, plane: "zookeeper" },
    znode: { shape: square, plane: "zookeeper" },
    queue: { shape: speck, plane: "control" },
    flow: { shape: speck, plane: "control" },
    learn: { shape: ring, plane: "control" },
    batch: { shape: speck, plane: "control" },
    close: { shape: speck, plane: "control" },
    timer: { shape: speck, plane: "muted" },
    log: { shape: speck, plane: "muted" },
    decide: { shape: decision, plane: "control" },
    move: { shape: pill, plane: "control" },
    replica: { shape: hollowPill, plane: "data" },
    append: { shape: appended, plane: "data" },
    truncate: { shape: cut, plane: "bad" },
    hw: { shape: rise, plane: "data" },
    wait: { shape: ring, plane: "data" },
    ack: { shape: tick, plane: "client" },
    read: { shape: dot, plane: "client" },
    txn: { shape: smallSquare, plane: "client" },
    group: { shape: smallSquare, plane: "client" },
    client: { shape: speck, plane: "client" },
    mark: { shape: flag, plane: "control" },
    fault: { shape: bolt, plane: "bad" },
};

/** The plane that a lane belongs to. @param {string} lane */
export function planeOf(lane) {
    if (lane === "zk") return "zookeeper";
    return lane[0] === "c" ? "control" : lane[0] === "p" || lane[0] === "u" ? "client" : "data";
}

/**
 * Draws the sign of a record.
 *
 * @param {Ink} ink
 * @param {Trace} trace
 * @param {number} n
 * @param {{x: number, y: number, r: number, refused: boolean, benign: boolean, colours: Colours}} how r: half the height
 */
export function drawMark(ink, trace, n, { x, y, r, refused, benign, colours }) {
    const kind = trace.kind(n);
    if (refused) {
        const lost = kind === "drop";
        paint(ink, benign ? colours.muted : colours.bad, lost ? 2 : 1.6);
        ink.fillStyle = colours.page;
        if (!lost) ink.fillRect(x - r, y - r, 2 * r, 2 * r);
        (lost ? cross : crossedSquare)(ink, x, y, lost ? r * 0.8 : r);
        return;
    }
    if (kind === "zap") {
        const wrote = trace.field(n, "zxid") !== undefined;
        paint(ink, colours.zookeeper, 1.4);
        (wrote ? square : smallSquare)(ink, x, y, wrote ? r * 0.9 : r * 0.8);
        return;
    }
    const sign = kinds[kind];
    if (sign === undefined) return;
    const plane = sign.plane === "lane" ? planeOf(trace.at(n)) : sign.plane;
    paint(ink, colours[plane], 1.6);
    if (sign.shape === hollowDiamond) {
        ink.fillStyle = colours.page;
        diamond(ink, x, y, r);
        ink.fill();
    }
    sign.shape(ink, x, y, r);
}

/**
 * @param {Ink} ink
 * @param {string} colour
 * @param {number} width
 */
function paint(ink, colour, width) {
    ink.fillStyle = colour;
    ink.strokeStyle = colour;
    ink.lineWidth = width;
    ink.setLineDash([]);
}
