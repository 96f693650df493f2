/**
 * What lasts: spans of records during which something about a lane is so. They are backgrounds and bars of the
 * diagram, and the marks of its header.
 *
 *     state     node N is down, paused, blocked       fact node.N
 *     active    controller N believes to be it        fact role.N
 *     session   as ZooKeeper has it                   fact sess.N
 *     leads     broker N thinks it leads TP           facts b.N.TP.leader
 *     events    an event in work, and how many wait   records "queue"
 *
 * The spans of one list follow each other and do not overlap, so those that cross the window are found
 * by one binary search. A span is from ≤ record < to.
 */

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {import("./facts.js").Facts} Facts */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {{from: number, to: number, value: string | number}} Span */

export class Spans {
    /**
     * @param {Trace} trace
     * @param {Facts} facts
     * @param {Model} model
     */
    constructor(trace, facts, model) {
        this.trace = trace;
        this.facts = facts;
        /** @type {Map<number, Span[]>} by node; value: down, paused, blocked */
        this.state = new Map();
        /** @type {Map<number, Span[]>} by node */
        this.active = new Map();
        /** @type {Map<number, Span[]>} by node; value: live, expired, closed */
        this.session = new Map();
        /** @type {Map<number, Map<string, Span[]>>} by node, by partition */
        this.leads = new Map();
        for (const id of model.brokers) {
            this.state.set(
                id,
                this.#history(`node.${id}`, stateOf, (value) => value !== "up"),
            );
            this.active.set(
                id,
                this.#history(`role.${id}`, String, (value) => value === "active"),
            );
            this.session.set(
                id,
                this.#history(`sess.${id}`, stateOf, () => true),
            );
            this.leads.set(id, this.#leadsOf(id));
        }
    }

    /** @type {Map<number, Span[]> | null} */
    #work = null;
    /** @type {Map<number, Span[]> | null} */
    #waiting = null;
    /** @type {Map<string, number> | null} */
    #busy = null;
    /** @type {Map<number, Span[]> | null} */
    #counts = null;

    /**
     * @param {string} key
     * @param {(value: unknown) => string} read
     * @param {(value: string) => boolean} keep
     * @returns {Span[]}
     */
    #history(key, read, keep) {
        /** @type {Span[]} */
        const spans = [];
        const history = this.facts.history(key);
        for (let i = 0; i < history.count; i++) {
            const raw = history.value(i);
            const value = raw === null ? "" : read(raw);
            if (value === "" || !keep(value)) continue;
            const to = i + 1 < history.count ? history.n(i + 1) : this.trace.count + 1;
            const last = spans[spans.length - 1];
            if (last !== undefined && last.to === history.n(i) && last.value === value) last.to = to;
            else spans.push({ from: history.n(i), to, value });
        }
        return spans;
    }

    /** @param {number} id */
    #leadsOf(id) {
        /** @type {Map<string, Span[]>} */
        const found = new Map();
        const prefix = `b.${id}.`;
        for (const key of this.facts.keys(prefix)) {
            if (!key.endsWith(".leader") || key.startsWith(`${prefix}md.`)) continue;
            const spans = this.#history(key, String, (value) => value === String(id));
            if (spans.length > 0) found.set(key.slice(prefix.length, -".leader".length), spans);
        }
        return found;
    }

    /** Events in work by node of the controller; value: the name. Made when first asked for. */
    get work() {
        this.#readQueues();
        return /** @type {Map<number, Span[]>} */ (this.#work);
    }

    /** How many events wait, by node of the controller; value: the number. */
    get waiting() {
        this.#readQueues();
        return /** @type {Map<number, Span[]>} */ (this.#waiting);
    }

    #readQueues() {
        if (this.#work !== null) return;
        const work = (this.#work = new Map());
        const waiting = (this.#waiting = new Map());
        const end = this.trace.count + 1;
        for (const n of this.trace.ofKind("queue")) {
            const id = Number(this.trace.at(n).slice(1));
            const record = this.trace.record(n);
            const events = list(work, id);
            const depths = list(waiting, id);
            const open = events[events.length - 1];
            if (record["what"] === "start") events.push({ from: n, to: end, value: String(record["name"]) });
            else if (record["what"] === "done" && open !== undefined && open.to === end) open.to = n;
            const depth = Number(record["depth"] ?? 0);
            const before = depths[depths.length - 1];
            if (before !== undefined) before.to = n;
            depths.push({ from: n, to: end, value: depth });
        }
        this.#cutAtDeath(work);
        this.#cutAtDeath(waiting);
    }

    /**
     * What a process had in work ends with it.
     *
     * @param {Map<number, Span[]>} lists
     */
    #cutAtDeath(lists) {
        for (const [id, spans] of lists) {
            const deaths = (this.state.get(id) ?? []).filter((span) => span.value === "down");
            for (const span of spans) {
                const death = deaths.find((one) => one.from > span.from && one.from < span.to);
                if (death !== undefined) span.to = death.from;
            }
        }
    }

    /** How many partitions a broker thinks it leads, by node; value: the number. */
    get leadCounts() {
        if (this.#counts !== null) return this.#counts;
        const counts = (this.#counts = new Map());
        for (const [id, partitions] of this.leads)
            counts.set(id, countOver([...partitions.values()].flat(), this.trace.count + 1));
        return counts;
    }

    /** How much a node ("n3") or a client ("p1") does that is worth seeing: who must be left out does least. */
    get busiest() {
        if (this.#busy !== null) return this.#busy;
        const busy = (this.#busy = new Map());
        for (const [id, spans] of this.state)
            busy.set(`n${id}`, 1e9 * Math.min(spans.length, 1) + 1e8 * (this.active.get(id) ?? []).length);
        for (let n = 1; n <= this.trace.count; n++) {
            const lane = this.trace.at(n);
            const name = lane[0] === "c" || lane[0] === "b" ? `n${lane.slice(1)}` : lane;
            busy.set(name, (busy.get(name) ?? 0) + 1);
        }
        return busy;
    }
}

/**
 * How many of these spans hold, over time: they may overlap.
 *
 * @param {Span[]} spans
 * @param {number} end
 * @returns {Span[]}
 */
function countOver(spans, end) {
    /** @type {Map<number, number>} */
    const steps = new Map();
    for (const span of spans) {
        steps.set(span.from, (steps.get(span.from) ?? 0) + 1);
        steps.set(span.to, (steps.get(span.to) ?? 0) - 1);
    }
    /** @type {Span[]} */
    const counts = [];
    let count = 0;
    for (const [n, step] of [...steps].sort((a, b) => a[0] - b[0])) {
        count += step;
        const before = counts[counts.length - 1];
        if (before !== undefined) before.to = n;
        if (n < end) counts.push({ from: n, to: end, value: count });
    }
    return counts;
}

/** @param {unknown} value */
function stateOf(value) {
    return typeof value === "object" && value !== null && "state" in value ? String(value.state) : "";
}

/**
 * @param {Map<number, Span[]>} lists
 * @param {number} id
 */
function list(lists, id) {
    const found = lists.get(id) ?? [];
    lists.set(id, found);
    return found;
}

/**
 * The spans of a list that cross the records from…to.
 *
 * @param {Span[] | undefined} spans
 * @param {number} from
 * @param {number} to
 * @returns {Span[]}
 */
export function crossing(spans, from, to) {
    if (spans === undefined) return [];
    let low = 0;
    let high = spans.length;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (spans[middle].to <= from) low = middle + 1;
        else high = middle;
    }
    let end = low;
    while (end < spans.length && spans[end].from <= to) end++;
    return spans.slice(low, end);
}
