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
 * by one binary search. A span is from ≤ record < to; one that lasts has no end (Infinity). Of a trace that grows, each
 * list goes on where it ended.
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
        this.model = model;
        /** @type {Map<string, {spans: Span[], seen: number, extend: () => void}>} by key */
        this.lists = new Map();
        for (const id of model.brokers) this.#addNode(id);
    }

    /** @param {number} id */
    #addNode(id) {
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
        /** @type {Map<string, Span[]>} */
        const leads = new Map();
        this.leads.set(id, leads);
        for (const key of this.facts.keys(`b.${id}.`)) this.#addLeads(id, leads, key);
    }

    /**
     * @param {number} id
     * @param {Map<string, Span[]>} leads of the node
     * @param {string} key
     */
    #addLeads(id, leads, key) {
        const prefix = `b.${id}.`;
        if (!key.endsWith(".leader") || !key.startsWith(prefix) || key.startsWith(`${prefix}md.`)) return;
        const spans = this.#history(key, String, (value) => value === String(id));
        if (spans.length > 0) leads.set(key.slice(prefix.length, -".leader".length), spans);
    }

    /**
     * Takes what is new in the trace.
     *
     * @param {{touched: Set<string>}} news of facts.js
     */
    grow({ touched }) {
        for (const id of this.model.brokers) if (!this.state.has(id)) this.#addNode(id);
        for (const key of touched) {
            const node = /^b\.(\d+)\..*\.leader$/.exec(key);
            this.lists.get(key)?.extend();
            if (node === null) continue;
            const id = Number(node[1]);
            const leads = this.leads.get(id);
            if (leads !== undefined) this.#addLeads(id, leads, key);
            this.#counts = null;
        }
    }

    /** @type {Map<number, Span[]> | null} */
    #work = null;
    /** @type {Map<number, Span[]> | null} */
    #waiting = null;
    /** @type {Map<string, number> | null} by lane */
    #records = null;
    #recordsUpTo = 0;
    /** @type {Map<number, Span[]> | null} */
    #counts = null;

    /**
     * @param {string} key
     * @param {(value: unknown) => string} read
     * @param {(value: string) => boolean} keep
     * @returns {Span[]}
     */
    #history(key, read, keep) {
        const known = this.lists.get(key);
        if (known !== undefined) return known.spans;
        /** @type {Span[]} */
        const spans = [];
        const list = { spans, seen: 0, extend: () => {} };
        list.extend = () => {
            const history = this.facts.history(key);
            if (list.seen > 0 && list.seen < history.count) endAt(spans, history.n(list.seen));
            for (; list.seen < history.count; list.seen++) {
                const i = list.seen;
                const raw = history.value(i);
                const value = raw === null ? "" : read(raw);
                if (value === "" || !keep(value)) continue;
                const to = i + 1 < history.count ? history.n(i + 1) : Infinity;
                const last = spans[spans.length - 1];
                if (last !== undefined && last.to === history.n(i) && last.value === value) last.to = to;
                else spans.push({ from: history.n(i), to, value });
            }
        };
        this.lists.set(key, list);
        list.extend();
        return spans;
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

    #queuesSeen = 0;

    #readQueues() {
        const work = (this.#work ??= new Map());
        const waiting = (this.#waiting ??= new Map());
        const records = this.trace.ofKind("queue");
        if (this.#queuesSeen === records.length && this.#queuesUpTo === this.trace.count) return;
        const known = [lengths(work), lengths(waiting)];
        for (; this.#queuesSeen < records.length; this.#queuesSeen++) {
            const n = records[this.#queuesSeen];
            const id = Number(this.trace.at(n).slice(1));
            const what = this.trace.field(n, "what");
            const events = list(work, id);
            const depths = list(waiting, id);
            const open = events[events.length - 1];
            if (what === "start") events.push({ from: n, to: Infinity, value: String(this.trace.field(n, "name")) });
            else if (what === "done" && open !== undefined && open.to === Infinity) open.to = n;
            const depth = Number(this.trace.field(n, "depth") ?? 0);
            const before = depths[depths.length - 1];
            if (before !== undefined) before.to = n;
            depths.push({ from: n, to: Infinity, value: depth });
        }
        this.#queuesUpTo = this.trace.count;
        this.#cutAtDeath(work, known[0]);
        this.#cutAtDeath(waiting, known[1]);
    }

    #queuesUpTo = 0;

    /**
     * What a process had in work ends with it.
     *
     * @param {Map<number, Span[]>} lists
     * @param {Map<number, number>} known how long the lists were before
     */
    #cutAtDeath(lists, known) {
        for (const [id, spans] of lists) {
            const deaths = (this.state.get(id) ?? []).filter((span) => span.value === "down");
            for (let i = Math.max(0, (known.get(id) ?? 0) - 1); i < spans.length; i++) {
                const span = spans[i];
                const death = deaths.find((one) => one.from > span.from && one.from < span.to);
                if (death !== undefined) span.to = death.from;
            }
        }
    }

    /** How many partitions a broker thinks it leads, by node; value: the number. */
    get leadCounts() {
        if (this.#counts !== null) return this.#counts;
        const counts = (this.#counts = new Map());
        for (const [id, partitions] of this.leads) counts.set(id, countOver([...partitions.values()].flat()));
        return counts;
    }

    /** How much a node ("n3") or a client ("p1") does that is worth seeing: who must be left out does least. */
    get busiest() {
        const records = (this.#records ??= new Map());
        for (let n = this.#recordsUpTo + 1; n <= this.trace.count; n++) {
            const lane = this.trace.at(n);
            const name = lane[0] === "c" || lane[0] === "b" ? `n${lane.slice(1)}` : lane;
            records.set(name, (records.get(name) ?? 0) + 1);
        }
        this.#recordsUpTo = this.trace.count;
        const busy = new Map(records);
        for (const [id, spans] of this.state) {
            const more = 1e9 * Math.min(spans.length, 1) + 1e8 * (this.active.get(id) ?? []).length;
            busy.set(`n${id}`, (busy.get(`n${id}`) ?? 0) + more);
        }
        return busy;
    }
}

/** The last span ends, if it lasts. @param {Span[]} spans @param {number} to */
function endAt(spans, to) {
    const last = spans[spans.length - 1];
    if (last !== undefined && last.to === Infinity) last.to = to;
}

/** @param {Map<number, Span[]>} lists */
function lengths(lists) {
    return new Map([...lists].map(([id, spans]) => [id, spans.length]));
}

/**
 * How many of these spans hold, over time: they may overlap.
 *
 * @param {Span[]} spans
 * @returns {Span[]}
 */
function countOver(spans) {
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
        if (n < Infinity) counts.push({ from: n, to: Infinity, value: count });
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
