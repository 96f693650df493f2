/**
 * What the parts of the page ask of a trace beyond single facts: partitions and nodes at a moment, bands of time for the
 * strip, and for each record its level of detail and its marks (levels.js).
 *
 * Values at a moment are asked of facts.js each time; what was parsed of a znode is kept by the record that set it.
 *
 * Of a trace that grows, flags and bands go on where they ended: the last band of a key has no end until one comes.
 */
import { BENIGN, CHANGE, FAULT, LEVEL, REFUSED, VIOLATION, flagsOf } from "./levels.js";
import { longer } from "./trace.js";
import { dataOf } from "./why.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./facts.js").Facts} Facts */
/**
 * @typedef {{id: number, controller: string | null, broker: string | null}} Node
 * @typedef {{tp: string, topic: string, partition: number, leader: number, epoch: number, isr: number[],
 *   replicas: number[], adding: number[], removing: number[], key: string, topicKey: string,
 *   changed: {[field: string]: any} | null}} Partition changed: what this record changed, with the old values
 * @typedef {{from: number, to: number}} Band from the record `from` to the one before `to`; Infinity: it lasts
 * @typedef {{controllers: (Band & {id: number})[], active: {[node: string]: Band[]},
 *   leaders: {[tp: string]: (Band & {leader: number, isr: number[]})[]},
 *   down: {[node: string]: (Band & {state: string})[]},
 *   sessions: {[node: string]: (Band & {state: string})[]}}} Bands
 * @typedef {{text: string, met: boolean | undefined, n: number, say: string, want: string}} Expectation
 *   met: undefined where it was not decided; n: the record that decided it, 0: none; say: what was instead of `want`
 */

/**
 * The bands of one key so far.
 * @typedef {{bands: any[], seen: number, open: string, of: (value: any, n: number) => any}} Stretch seen: entries of its
 *   history; open: what the last band says, as JSON, "": it has ended
 */

const TOPIC_KEY = /^zn:\/brokers\/topics\/([^/]+)$/;
const STATE_KEY = /^zn:\/brokers\/topics\/([^/]+)\/partitions\/([0-9]+)\/state$/;

export class Model {
    /**
     * @param {Trace} trace
     * @param {Facts} facts
     */
    constructor(trace, facts) {
        this.trace = trace;
        this.facts = facts;
        this.flags = flagsOf(trace);
        this.upTo = trace.count; // of the records that have flags
        /** @type {number[]} records that were refused and should not have been, and checks that failed */
        this.bad = [];
        this.noteBad(1);
        for (const prefix of ["zn:/controller", "zn:/brokers/topics/", "zn:/brokers/ids/", "node."])
            for (const key of facts.keys(prefix)) this.markChanges(key, 1);
        this.lanes = trace.lanes;
        this.nodes = nodesOf(trace);
        this.brokers = brokersOf(this.nodes);
        /** @type {Place[]} */
        this.places = placesOf(facts);
        /** @type {Map<string, Map<number, any>>} */
        this.parsed = new Map();
        /** @type {Map<string, Stretch>} */
        this.stretched = new Map();
        /** @type {Bands | null} */
        this.made = null;
    }

    /**
     * @param {string} key
     * @param {number} from changes before this record are marked already
     */
    markChanges(key, from) {
        if (!isChanging(key)) return;
        const history = this.facts.history(key);
        for (let i = history.count - 1; i >= 0 && history.n(i) >= from; i--) this.flags[history.n(i)] |= CHANGE;
    }

    /** @param {number} from */
    noteBad(from) {
        for (let n = from; n <= this.trace.count; n++)
            if (this.isViolation(n) || (this.refused(n) && !this.benign(n))) this.bad.push(n);
    }

    /**
     * Takes what is new in the trace.
     *
     * @param {{touched: Set<string>, fresh: string[]}} news of facts.js
     */
    grow({ touched, fresh }) {
        const { trace, facts } = this;
        const from = this.upTo + 1;
        if (this.flags.length <= trace.count)
            this.flags = longer(new Uint8Array(Math.max(trace.count + 1, 2 * this.flags.length)), this.flags);
        flagsOf(trace, this.flags, from);
        this.upTo = trace.count;
        this.noteBad(from);
        for (const key of touched) this.markChanges(key, from);
        if (this.lanes !== trace.lanes) {
            this.lanes = trace.lanes;
            this.nodes = nodesOf(trace);
            this.brokers = brokersOf(this.nodes);
            this.made = null;
        }
        if ([...touched].some((key) => TOPIC_KEY.test(key)) || fresh.some((key) => STATE_KEY.test(key))) {
            this.places = placesOf(facts);
            this.made = null;
        }
        if (touched.has("zn:/controller")) this.made = null;
        for (const key of touched) {
            const stretch = this.stretched.get(key);
            if (stretch !== undefined) this.stretch(key, stretch);
        }
    }

    // ---- records ----

    /** @param {number} n @returns {number} 0 story, 1 protocol, 2 everything */
    level(n) {
        return this.flags[n] & LEVEL;
    }

    /** @param {number} n @returns {boolean} */
    refused(n) {
        return (this.flags[n] & REFUSED) !== 0;
    }

    /** @param {number} n @returns {boolean} a refusal that is part of normal work */
    benign(n) {
        return (this.flags[n] & BENIGN) !== 0;
    }

    /** @param {number} n @returns {boolean} a fault, or something that the scenario asked for */
    isFault(n) {
        return (this.flags[n] & FAULT) !== 0;
    }

    /** @param {number} n @returns {boolean} controller, leaders, ISRs, registrations or a node changed */
    isChange(n) {
        return (this.flags[n] & CHANGE) !== 0;
    }

    /** @param {number} n @returns {boolean} a check that failed */
    isViolation(n) {
        return (this.flags[n] & VIOLATION) !== 0;
    }

    // ---- a moment ----

    /**
     * The JSON in a znode at record n, parsed once.
     * @param {string} key
     * @param {number} n
     * @returns {{[name: string]: any} | null} null: it is not there, or no JSON
     */
    data(key, n) {
        const setter = this.facts.setter(key, n);
        if (setter === 0) return null;
        let known = this.parsed.get(key);
        if (known === undefined) this.parsed.set(key, (known = new Map()));
        let data = known.get(setter);
        if (data === undefined) known.set(setter, (data = dataOf(this.facts.value(key, setter))));
        return data;
    }

    /**
     * @param {number} n
     * @returns {Partition[]} as in ZooKeeper, by topic and number
     */
    partitions(n) {
        /** @type {Partition[]} */
        const list = [];
        for (const place of this.places) {
            const partition = this.partition(place, n);
            if (partition !== null) list.push(partition);
        }
        return list;
    }

    /**
     * @param {Place} place
     * @param {number} n
     * @returns {Partition | null}
     */
    partition(place, n) {
        const now = this.values(place, n);
        if (now === null) return null;
        const touched = this.facts.setter(place.key, n) === n || this.facts.setter(place.topicKey, n) === n;
        return { ...place, ...now, changed: touched ? differences(this.values(place, n - 1), now) : null };
    }

    /**
     * @param {{partition: number, key: string, topicKey: string}} place
     * @param {number} n
     */
    values(place, n) {
        const state = this.data(place.key, n);
        const topic = this.data(place.topicKey, n);
        const replicas = topic?.partitions?.[place.partition];
        if (state === null && replicas === undefined) return null;
        return {
            leader: numberOr(state?.leader, -1),
            epoch: numberOr(state?.leader_epoch, -1),
            isr: listOf(state?.isr),
            replicas: listOf(replicas),
            adding: listOf(topic?.adding_replicas?.[place.partition]),
            removing: listOf(topic?.removing_replicas?.[place.partition]),
        };
    }

    /** @param {number} id @param {number} n @returns {string} up | down | paused | blocked */
    node(id, n) {
        return stateOf(this.facts.value(`node.${id}`, n)) ?? "up";
    }

    /** @param {number} n @returns {number} the id in /controller, -1: nobody's */
    controller(n) {
        return numberOr(this.data("zn:/controller", n)?.brokerid, -1);
    }

    /** @param {number} n @returns {number[]} nodes that believe to be the controller */
    active(n) {
        return this.nodes.filter((node) => this.facts.value(`role.${node.id}`, n) === "active").map((node) => node.id);
    }

    // ---- the run ----

    /** @returns {string} verdict of the run, "unfinished" where it was cut off */
    get verdict() {
        const last = this.trace.count;
        return this.trace.kind(last) === "finish" ? String(this.trace.field(last, "verdict")) : "unfinished";
    }

    /** @returns {Expectation[]} in the order of the scenario */
    get expectations() {
        const { trace } = this;
        const texts = Array.isArray(trace.meta.expect) ? trace.meta.expect : [];
        const came = trace.kind(trace.count) === "finish" ? trace.field(trace.count, "expect") : undefined;
        return texts.map((/** @type {any} */ text, /** @type {number} */ i) => {
            const one = Array.isArray(came) ? came[i] : undefined;
            return {
                text: String(text),
                met: { met: true, failed: false }[String(one?.verdict)],
                n: numberOr(one?.refs?.[0], 0),
                say: one?.have === undefined ? "" : String(one.have),
                want: one?.want === undefined ? "" : String(one.want),
            };
        });
    }

    /** @returns {Bands} */
    get bands() {
        this.made ??= {
            controllers: this.controllerBands(),
            active: this.byNode("role.", (value) => (value === "active" ? {} : null)),
            leaders: this.leaderBands(),
            down: this.byNode("node.", (value) =>
                stateOf(value) === "up" ? null : { state: stateOf(value) ?? "down" },
            ),
            sessions: this.byNode("sess.", (value) =>
                stateOf(value) === undefined ? null : { state: stateOf(value) },
            ),
        };
        return this.made;
    }

    /**
     * The stretches of one key in which `of` gives the same; null: none.
     * @param {string} key
     * @param {(value: any, n: number) => any} of
     * @returns {any[]}
     */
    stretches(key, of) {
        const known = this.stretched.get(key);
        if (known !== undefined) return known.bands;
        /** @type {Stretch} */
        const stretch = { bands: [], seen: 0, open: "", of };
        this.stretched.set(key, stretch);
        this.stretch(key, stretch);
        return stretch.bands;
    }

    /**
     * Goes on to the end of the history.
     * @param {string} key
     * @param {Stretch} stretch
     */
    stretch(key, stretch) {
        const history = this.facts.history(key);
        const { bands } = stretch;
        for (; stretch.seen < history.count; stretch.seen++) {
            const from = history.n(stretch.seen);
            const what = stretch.of(history.value(stretch.seen), from);
            const same = what === null ? "" : JSON.stringify(what);
            if (same === stretch.open && same !== "") continue;
            if (stretch.open !== "") bands[bands.length - 1].to = from;
            if (what !== null) bands.push({ ...what, from, to: Infinity });
            stretch.open = same;
        }
    }

    /**
     * @param {string} prefix
     * @param {(value: any) => any} of
     * @returns {{[node: string]: any[]}}
     */
    byNode(prefix, of) {
        /** @type {{[node: string]: any[]}} */
        const bands = {};
        for (const node of this.nodes) bands[node.id] = this.stretches(`${prefix}${node.id}`, of);
        return bands;
    }

    /** @returns {(Band & {id: number})[]} all of the run; -1: nobody is controller */
    controllerBands() {
        const bands = this.stretches("zn:/controller", (value) => ({ id: numberOr(dataOf(value)?.brokerid, -1) }));
        const first = bands.length > 0 ? bands[0].from : Infinity;
        return first > 1 ? [{ id: -1, from: 1, to: first }, ...bands] : bands;
    }

    leaderBands() {
        /** @type {Bands["leaders"]} */
        const bands = {};
        for (const { tp, key } of this.places)
            bands[tp] = this.stretches(key, (value, n) => {
                const state = value === null ? null : this.data(key, n);
                return state === null ? null : { leader: numberOr(state.leader, -1), isr: listOf(state.isr) };
            });
        return bands;
    }
}

// ---- making ----

/** @param {any} value @param {number} otherwise @returns {number} */
function numberOr(value, otherwise) {
    return typeof value === "number" ? value : otherwise;
}

/** @param {any} value @returns {number[]} */
function listOf(value) {
    return Array.isArray(value) ? value.filter((id) => typeof id === "number") : [];
}

/** @param {any} value of node.N or sess.N @returns {string | undefined} */
function stateOf(value) {
    return value !== null && typeof value === "object" && typeof value.state === "string" ? value.state : undefined;
}

/**
 * @param {{[field: string]: any} | null} before
 * @param {{[field: string]: any}} now
 * @returns {{[field: string]: any} | null} the old values of what differs; null: nothing does
 */
function differences(before, now) {
    /** @type {{[field: string]: any}} */
    const old = {};
    for (const [field, value] of Object.entries(now)) {
        const was = before?.[field];
        if (`${was}` !== `${value}`) old[field] = was;
    }
    return Object.keys(old).length > 0 ? old : null;
}

/** @param {string} key @returns {boolean} does the cluster look another way when this changes? */
function isChanging(key) {
    return (
        key === "zn:/controller" || key.startsWith("zn:/brokers/ids/") || key.startsWith("node.") || STATE_KEY.test(key)
    );
}

/** @param {Node[]} nodes */
function brokersOf(nodes) {
    return nodes.filter((node) => node.broker !== null).map((node) => node.id);
}

/** @param {Trace} trace @returns {Node[]} by id */
function nodesOf(trace) {
    /** @type {Map<number, Node>} */
    const nodes = new Map();
    for (const lane of trace.lanes) {
        if (lane.node === null) continue;
        const node = nodes.get(lane.node) ?? { id: lane.node, controller: null, broker: null };
        if (lane.role === "controller") node.controller = lane.id;
        else node.broker = lane.id;
        nodes.set(lane.node, node);
    }
    return [...nodes.values()].sort((a, b) => a.id - b.id);
}

/** @typedef {{tp: string, topic: string, partition: number, key: string, topicKey: string}} Place */

/**
 * Every partition that ever was: one that has a state, and one that its topic names and that never got a state.
 *
 * @param {Facts} facts
 * @returns {Place[]} by topic and number
 */
function placesOf(facts) {
    /** @type {Map<string, Place>} */
    const places = new Map();
    const add = (/** @type {string} */ topic, /** @type {number} */ partition) => {
        const topicKey = `zn:/brokers/topics/${topic}`;
        const key = `${topicKey}/partitions/${partition}/state`;
        if (!places.has(key)) places.set(key, { tp: `${topic}-${partition}`, topic, partition, key, topicKey });
    };
    for (const key of facts.keys("zn:/brokers/topics/")) {
        const state = STATE_KEY.exec(key);
        if (state !== null) add(state[1], Number(state[2]));
        const topic = TOPIC_KEY.exec(key);
        if (topic === null) continue;
        const history = facts.history(key);
        for (let i = 0; i < history.count; i++)
            for (const number of Object.keys(dataOf(history.value(i))?.partitions ?? {}))
                if (/^[0-9]+$/.test(number)) add(topic[1], Number(number));
    }
    return [...places.values()].sort((a, b) =>
        a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
    );
}
