/**
 * What can be done to a thing of the live page: a click on the head of a lane, or on the button, opens a menu; each
 * entry is a step as scenarios write it.
 */
import { byId, fill, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {(step: string) => Promise<boolean>} Act */
/** @typedef {{says: string, step: string}} Entry */

/**
 * @param {App} app
 * @param {number} id
 * @returns {Entry[]}
 */
function ofNode(app, id) {
    const state = app.model.node(id, app.trace.count);
    if (state === "down") return [{ says: "start it again", step: `restart: ${id}` }];
    const others = app.model.brokers.filter((other) => other !== id);
    return [
        { says: "kill the process", step: `kill: ${id}` },
        { says: "controlled shutdown", step: `shutdown: ${id}` },
        state === "paused"
            ? { says: "let it go on", step: `resume: ${id}` }
            : { says: "let the process stand still", step: `pause: ${id}` },
        { says: "let its ZooKeeper session expire", step: `expire: ${id}` },
        { says: "break its connection to ZooKeeper", step: `disconnect: ${id}` },
        { says: "cut it off from ZooKeeper for 20 s", step: `{partition: [[${id}], [zookeeper]], for: 20s}` },
        {
            says: "cut it off from the other brokers for 20 s",
            step: `{partition: [[${id}], [${others.join(", ")}]], for: 20s}`,
        },
        {
            says: "hold back what the controller tells it, for 20 s",
            step: `{hold: {from: controller, to: ${id}}, for: 20s}`,
        },
        { says: "replace it so fast that only its epoch shows it", step: `bounce: ${id}` },
    ];
}

/** @returns {Entry[]} */
function ofController() {
    return [
        { says: "delete /controller: another election", step: "move-controller: true" },
        { says: "block the controller's thread for 20 s", step: "{block: controller, for: 20s}" },
        { says: "ZooKeeper answers nobody for 5 s", step: "{lose-quorum: true, for: 5s}" },
    ];
}

/**
 * @param {App} app
 * @param {string} tp
 * @returns {Entry[]}
 */
function ofPartition(app, tp) {
    const partition = app.model.partitions(app.trace.count).find((one) => one.tp === tp);
    const replicas = partition?.replicas ?? [];
    const others = app.model.brokers.filter((id) => !replicas.includes(id));
    const turned = [...replicas.slice(1), ...replicas.slice(0, 1)];
    const moved = others.length > 0 ? [...replicas.slice(1), others[0]] : turned;
    return [
        { says: "kill its leader", step: `kill: leader of ${tp}` },
        { says: "preferred leader election", step: `elect-leaders: ${tp}` },
        { says: "unclean leader election", step: `{elect-leaders: ${tp}, election-type: unclean}` },
        { says: `reassign to ${moved.join(", ")}`, step: `reassign: {${tp}: [${moved.join(", ")}]}` },
        { says: "delete its topic", step: `delete-topic: ${tp.replace(/-\d+$/, "")}` },
    ];
}

/**
 * A click on the head of a node's lanes opens its menu.
 *
 * @param {App} app
 * @param {Act} act
 */
export function mountMenu(app, act) {
    byId("lanes").addEventListener("click", (event) => {
        const head = event.target instanceof Element ? event.target.closest("[data-node]") : null;
        const id = Number(head?.getAttribute("data-node") ?? Number.NaN);
        if (Number.isInteger(id)) open(app, `node ${id}`, act);
    });
}

/**
 * @param {App} app
 * @param {Act} act
 */
export function askWhom(app, act) {
    const leader = app.model.controller(app.trace.count);
    open(app, leader >= 0 ? `node ${leader}` : "controller", act);
}

/**
 * @param {App} app
 * @param {string} whom "node 3", "controller", a partition
 * @param {Act} act
 */
function open(app, whom, act) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("menu"));
    const things = ["controller", ...app.model.brokers.map((id) => `node ${id}`), ...partitions(app)];
    const choice = h(
        "select",
        { "aria-label": "Whom", onChange: () => list(choice.value) },
        things.map((thing) => h("option", { selected: thing === whom }, thing)),
    );
    const entries = h("ul", null);
    /** @param {string} thing */
    function list(thing) {
        const node = /^node (\d+)$/.exec(thing);
        const all = node
            ? ofNode(app, Number(node[1]))
            : thing === "controller"
              ? ofController()
              : ofPartition(app, thing);
        fill(
            entries,
            all.map((entry) =>
                h(
                    "li",
                    null,
                    h(
                        "button",
                        { type: "button", onClick: () => choose(entry) },
                        entry.says,
                        " ",
                        h("code", null, entry.step),
                    ),
                ),
            ),
        );
    }
    /** @param {Entry} entry */
    function choose(entry) {
        dialog.close();
        void act(entry.step);
    }
    fill(
        dialog,
        h("h2", { id: "menu-title" }, "Break something: ", choice),
        entries,
        h("button", { type: "button", onClick: () => dialog.close() }, "Close"),
    );
    list(whom);
    dialog.showModal();
}

/** @param {App} app */
function partitions(app) {
    return app.model
        .partitions(app.trace.count)
        .map((one) => one.tp)
        .filter((tp) => !tp.startsWith("__"))
        .slice(0, 100);
}
