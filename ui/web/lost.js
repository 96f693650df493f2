/**
 * Which acknowledged records are lost, by the trace alone:
 *
 *     ack p1#50 at offset 49 ──► the append of offset 49 before it, of epoch 1
 *     lost: somebody begins to lead in a later epoch, or again in that one, with a log that ends at 49 or before
 *
 * A leader's log is what its epoch begins with, and followers are cut to it: what it does not have then comes back from
 * nowhere (sim/lesson_records.c says the same to learners; tests/ui/lost.test.js compares with what the run was told).
 */

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {{start: number, n: number, partition: string, producer: number, first: number, last: number, offset: number}} Loss
 *   start: the record in which a leader begins without them; n: the one from which on they are acknowledged and lost */
/** @typedef {{n: number, epoch: number, producer: number, first: number, offset: number, count: number}} Ack */
/** @typedef {{appends: {base: number, end: number, epoch: number}[], acks: Ack[], starts: {n: number, epoch: number, end: number}[]}} Log */

export class Lost {
    constructor() {
        /** @type {Map<string, Log>} by partition */
        this.logs = new Map();
        /** @type {Loss[]} by n */
        this.losses = [];
    }

    /**
     * Goes on with the records from `from` to the end.
     *
     * @param {Trace} trace
     * @param {number} from
     */
    grow(trace, from) {
        for (let n = from; n <= trace.count; n++) {
            const kind = trace.kind(n);
            if (kind === "append") this.#append(trace, n);
            else if (kind === "ack") this.#ack(trace, n);
            else if (kind === "replica" && trace.field(n, "what") === "leader") this.#start(trace, n);
        }
    }

    /** @param {Trace} trace @param {number} n */
    #log(trace, n) {
        const name = String(trace.field(n, "partition"));
        const log = this.logs.get(name) ?? { appends: [], acks: [], starts: [] };
        this.logs.set(name, log);
        return log;
    }

    /** @param {Trace} trace @param {number} n */
    #append(trace, n) {
        const { appends } = this.#log(trace, n);
        const base = Number(trace.field(n, "base") ?? -1);
        const epoch = Number(trace.field(n, "epoch") ?? -1);
        const end = base + Number(trace.field(n, "count") ?? 0);
        const last = appends[appends.length - 1];
        if (last !== undefined && last.epoch === epoch && base >= last.base && base <= last.end)
            last.end = Math.max(last.end, end);
        else appends.push({ base, end, epoch });
    }

    /** @param {Trace} trace @param {number} n */
    #ack(trace, n) {
        const label = /^p(\d+)#(\d+)/.exec(String(trace.field(n, "value")));
        const offset = Number(trace.field(n, "offset") ?? -1);
        if (label === null || offset < 0 || trace.field(n, "ok") === 0) return;
        const log = this.#log(trace, n);
        const epoch = log.appends.findLast((one) => one.base <= offset && offset < one.end)?.epoch ?? -1;
        const count = Number(trace.field(n, "count") ?? 1);
        const ack = { n, epoch, producer: Number(label[1]), first: Number(label[2]), offset, count };
        const start = log.starts.find((one) => one.epoch > epoch && one.end < offset + count);
        if (start === undefined) log.acks.push(ack);
        else this.#lose(trace, start, ack, n);
    }

    /** @param {Trace} trace @param {number} n */
    #start(trace, n) {
        const log = this.#log(trace, n);
        const start = {
            n,
            epoch: Number(trace.field(n, "epoch") ?? -1),
            end: Number(trace.field(n, "offset") ?? Infinity),
        };
        log.starts.push(start);
        const isKept = (/** @type {Ack} */ ack) => ack.epoch > start.epoch || ack.offset + ack.count <= start.end;
        for (const ack of log.acks) if (!isKept(ack)) this.#lose(trace, start, ack, n);
        log.acks = log.acks.filter(isKept);
    }

    /**
     * @param {Trace} trace
     * @param {{n: number, end: number}} start
     * @param {Ack} ack
     * @param {number} n
     */
    #lose(trace, start, ack, n) {
        const kept = Math.max(0, start.end - ack.offset);
        const one = {
            start: start.n,
            n,
            partition: String(trace.field(start.n, "partition")),
            producer: ack.producer,
            first: ack.first + kept,
            last: ack.first + ack.count - 1,
            offset: ack.offset + kept,
        };
        const before = this.losses[this.losses.length - 1];
        const isNext =
            before?.start === one.start &&
            before.n === n &&
            before.producer === one.producer &&
            before.last + 1 === one.first &&
            before.offset + before.last - before.first + 1 === one.offset;
        if (isNext) before.last = one.last;
        else this.losses.push(one);
    }

    /** @param {number} n @returns {Loss[]} those that are lost at record n */
    at(n) {
        return this.losses.filter((loss) => loss.n <= n);
    }
}

/** "p1#50..199", "p1#3". @param {Loss} loss */
export function lossWords({ producer, first, last }) {
    return `p${producer}#${first}${last > first ? `..${last}` : ""}`;
}
