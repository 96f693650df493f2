/**
 * The lanes of the diagram: where something happens, in the order in which they stand side by side.
 */

/** @typedef {import("./trace.js").TraceRecord} TraceRecord */
/** @typedef {{id: string, node: number | null, role: string, name: string}} Lane */

const ROLES = /** @type {{[letter: string]: string}} */ ({
    z: "zookeeper",
    c: "controller",
    b: "broker",
    p: "producer",
    u: "consumer",
    o: "operator",
    w: "scenario",
});
const ORDER = "zcbpuow";

/**
 * The lanes in the order of the diagram: ZooKeeper, controller and broker of each node side by side,
 * producers, consumers, the operator, the scenario.
 * @param {string[]} used
 * @param {TraceRecord} meta
 * @returns {Lane[]}
 */
export function lanesOf(used, meta) {
    const ids = new Set(["zk", ...used]);
    /** @type {Map<string, string>} */
    const names = new Map();
    for (const lane of Array.isArray(meta.lanes) ? meta.lanes : []) {
        if (typeof lane.id === "string") {
            ids.add(lane.id);
            if (typeof lane.name === "string") names.set(lane.id, lane.name);
        } else if (typeof lane.node === "number") {
            const role = String(lane.role);
            if (role.includes("controller")) ids.add(`c${lane.node}`);
            if (role.includes("broker")) ids.add(`b${lane.node}`);
        }
    }
    const lanes = [...ids].map((id) => ({
        id,
        node: "cb".includes(id[0]) ? Number(id.slice(1)) : null,
        role: ROLES[id[0]] ?? id,
        name: names.get(id) ?? "",
    }));
    const place = (/** @type {Lane} */ lane) => {
        const letter = lane.id[0] === "b" ? "c" : lane.id[0];
        return [ORDER.indexOf(letter), Number(lane.id.slice(1)) || 0, ORDER.indexOf(lane.id[0])];
    };
    return lanes.sort((a, b) => {
        const [x, y] = [place(a), place(b)];
        return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
    });
}
