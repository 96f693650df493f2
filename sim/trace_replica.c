/*
 * What a broker makes of its replicas, as records: who leads, what the log gained and lost, how far
 * it is committed. Every one of them is told by the broker's own notes (broker/replicas.h) and sets
 * the facts b.N.TP.*, so that "why is the high watermark 4?" has an answer.
 *
 *     append    a log grew            leo
 *     truncate  a log was cut         leo
 *     hw        committed up to       hw, lso
 *     wait      a produce waits       (none)
 *     replica   its part, its ISR     leader epoch isr pending zkv start fetch, and the three above
 *
 * A replica that begins to lead or to follow sets all, for what a restart has left is not told
 * otherwise. The last stable offset moves only with the high watermark, so it rides on `hw`.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim/trace_store.h"
#include "wire/record_batch.h"

struct note {
    struct sim_trace *trace;
    int32_t broker;
    const struct kb_output *o;
    const struct kb_partition_view *v;
};

static const char *key(const struct note *n, const char *what)
{
    return sim_trace_key(n->trace, "b.%" PRId32 ".%s-%" PRId32 ".%s", n->broker, n->o->topic,
                         n->o->partition, what);
}

static void set(const struct note *n, const char *what, int64_t value)
{
    sim_trace_set_int(n->trace, key(n, what), value);
}

static void unset(const struct note *n, const char *what)
{
    if (sim_trace_last_setter(n->trace, key(n, what)) != 0)
        sim_trace_set_null(n->trace, key(n, what));
}

static void set_isr(const struct note *n, const char *what, const struct sm_list *isr)
{
    sim_trace_set_ids(n->trace, key(n, what), isr->id, (size_t)isr->count);
}

static void set_log(const struct note *n)
{
    set(n, "leo", n->v->log_end);
    set(n, "hw", n->v->hw);
    set(n, "lso", n->v->last_stable);
    set(n, "start", n->v->log_start);
}

static void set_part(const struct note *n, bool leads)
{
    set(n, "leader", n->v->leader);
    set(n, "epoch", n->v->leader_epoch);
    set(n, "zkv", n->v->zk_version);
    unset(n, "pending");
    if (leads) {
        set_isr(n, "isr", &n->v->isr);
        unset(n, "fetch");
    } else {
        unset(n, "isr");
        set(n, "fetch", n->v->leader);
    }
    set_log(n);
}

static void unset_all(const struct note *n, bool with_log)
{
    static const char *const facts[] = {"leader", "epoch", "isr", "pending", "zkv",
                                        "fetch",  "leo",   "hw",  "lso",     "start"};
    for (size_t i = 0; i < (with_log ? sizeof(facts) / sizeof(facts[0]) : 6); i++)
        unset(n, facts[i]);
}

/* ---- a replica's part ---- */

/* Fields and facts of one note of kind `replica`. */
static void tell_part(const struct note *n)
{
    struct sim_trace *t = n->trace;
    switch ((enum kb_fact)n->o->what) {
    case KB_FACT_LEADER:
        sim_trace_int(t, SIM_F_EPOCH, n->o->value);
        sim_trace_int(t, SIM_F_OFFSET, n->o->offset);
        sim_trace_ids(t, SIM_F_ISR, n->v->isr.id, (size_t)n->v->isr.count);
        set_part(n, true);
        return;
    case KB_FACT_FOLLOWER:
        sim_trace_int(t, SIM_F_LEADER, n->o->broker_id);
        sim_trace_int(t, SIM_F_EPOCH, n->o->value);
        sim_trace_int(t, SIM_F_OFFSET, n->o->offset);
        set_part(n, false);
        return;
    case KB_FACT_NO_LEADER:
        sim_trace_int(t, SIM_F_EPOCH, n->o->value);
        set_log(n);
        return;
    case KB_FACT_OFFLINE:
    case KB_FACT_DELETED:
        unset_all(n, true);
        return;
    case KB_FACT_STOPPED:
        unset(n, "fetch");
        return;
    case KB_FACT_START:
        sim_trace_int(t, SIM_F_OFFSET, n->o->offset);
        set(n, "start", n->o->offset);
        if (n->o->value == KB_START_AGE || n->o->value == KB_START_SIZE)
            sim_trace_text(t, SIM_F_WHY, n->o->value == KB_START_AGE ? "age" : "size");
        return;
    case KB_FACT_ROLLED:
        sim_trace_int(t, SIM_F_OFFSET, n->o->offset);
        return;
    case KB_FACT_FORGOTTEN:
        sim_trace_int(t, SIM_F_COUNT, n->o->value);
        return;
    case KB_FACT_FAILED:
        unset(n, "fetch");
        return;
    case KB_FACT_ISR_PENDING:
        sim_trace_ids(t, SIM_F_ISR, n->o->list->id, (size_t)n->o->list->count);
        set_isr(n, "pending", n->o->list);
        return;
    case KB_FACT_ISR:
        sim_trace_ids(t, SIM_F_ISR, n->o->list->id, (size_t)n->o->list->count);
        sim_trace_int(t, SIM_F_ZKVERSION, n->o->value);
        set_isr(n, "isr", n->o->list);
        set(n, "zkv", n->o->value);
        unset(n, "pending");
        return;
    case KB_FACT_UNKNOWN_REPLICA:
        sim_trace_int(t, SIM_F_REPLICA, n->o->broker_id);
        return;
    case KB_FACT_ISR_FAILED:
    case KB_FACT_ISR_NOTIFIED:
    case KB_FACT_DIR_FAILED:
    case KB_FACT_APPENDED:
    case KB_FACT_TRUNCATED:
    case KB_FACT_WAITING:
        return;
    }
}

static void add_handles(const struct note *n, enum sim_field field)
{
    const struct kb_batch *batches = n->o->items;
    sim_trace_list_begin(n->trace, field);
    for (uint32_t i = 0; i < n->o->count; i++)
        sim_trace_int(n->trace, SIM_F_NONE, (int64_t)batches[i].payload);
    sim_trace_list_end(n->trace);
}

/* ---- the log ---- */

static void tell_append(const struct note *n)
{
    const struct kb_batch *batches = n->o->items;
    uint64_t records = 0;
    for (uint32_t i = 0; i < n->o->count; i++)
        records += batches[i].record_count;
    sim_trace_int(n->trace, SIM_F_BASE, batches[0].base_offset);
    sim_trace_int(n->trace, SIM_F_COUNT, (int64_t)records);
    sim_trace_int(n->trace, SIM_F_EPOCH, batches[n->o->count - 1].leader_epoch);
    sim_trace_int(n->trace, SIM_F_OFFSET, n->o->offset);
    add_handles(n, SIM_F_BATCHES);
    const enum wire_codec codec = (enum wire_codec)batches[n->o->count - 1].codec;
    if (codec != WIRE_CODEC_NONE)
        sim_trace_text(n->trace, SIM_F_CODEC, wire_codec_name(codec));
    set(n, "leo", n->o->offset);
}

static void tell_truncation(const struct note *n)
{
    sim_trace_int(n->trace, SIM_F_HAVE, n->v->log_end);
    sim_trace_int(n->trace, SIM_F_OFFSET, n->o->offset);
    if (n->o->count > 0)
        add_handles(n, SIM_F_LOST);
    set(n, "leo", n->o->offset);
}

static void tell_hw(const struct note *n)
{
    sim_trace_int(n->trace, SIM_F_OFFSET, n->o->offset);
    if (n->v->last_stable != n->o->offset)
        sim_trace_int(n->trace, SIM_F_LSO, n->v->last_stable);
    set(n, "hw", n->o->offset);
    set(n, "lso", n->v->last_stable);
}

static void tell_wait(const struct note *n)
{
    sim_trace_text(n->trace, SIM_F_WHAT, "produce");
    sim_trace_int(n->trace, SIM_F_OFFSET, n->o->offset);
    sim_trace_int(n->trace, SIM_F_UNTIL, n->o->due_us);
}

/* ---- all ---- */

static enum sim_kind kind_of(const struct kb_output *o)
{
    if (o->kind == KB_OUT_HW)
        return SIM_K_HW;
    switch ((enum kb_fact)o->what) {
    case KB_FACT_APPENDED:
        return SIM_K_APPEND;
    case KB_FACT_TRUNCATED:
        return SIM_K_TRUNCATE;
    case KB_FACT_WAITING:
        return SIM_K_WAIT;
    case KB_FACT_LEADER:
    case KB_FACT_FOLLOWER:
    case KB_FACT_NO_LEADER:
    case KB_FACT_OFFLINE:
    case KB_FACT_DELETED:
    case KB_FACT_STOPPED:
    case KB_FACT_START:
    case KB_FACT_ROLLED:
    case KB_FACT_FORGOTTEN:
    case KB_FACT_FAILED:
    case KB_FACT_ISR_PENDING:
    case KB_FACT_ISR:
    case KB_FACT_ISR_FAILED:
    case KB_FACT_ISR_NOTIFIED:
    case KB_FACT_UNKNOWN_REPLICA:
    case KB_FACT_DIR_FAILED:
        break;
    }
    return SIM_K_REPLICA;
}

uint64_t sim_trace_replica(struct sim_trace *trace, int64_t t, int32_t broker, uint64_t by,
                           uint64_t mute, const struct kb_output *o,
                           const struct kb_partition_view *view)
{
    struct note n = {.trace = trace, .broker = broker, .o = o, .v = view};
    enum sim_kind kind = kind_of(o);
    assert(o->kind == KB_OUT_HW || o->kind == KB_OUT_FACT);
    if (!sim_trace_begin(trace, kind, t, SIM_LANE_BROKER(broker), by, mute))
        return by;
    if (kind == SIM_K_REPLICA)
        sim_trace_text(trace, SIM_F_WHAT, kb_fact_name((enum kb_fact)o->what));
    if (o->kind == KB_OUT_FACT && o->what == KB_FACT_DIR_FAILED)
        sim_trace_int(trace, SIM_F_ID, o->value);
    if (o->topic != NULL)
        sim_trace_partition(trace, SIM_F_PARTITION, o->topic, o->partition);
    if (kind == SIM_K_APPEND)
        tell_append(&n);
    else if (kind == SIM_K_TRUNCATE)
        tell_truncation(&n);
    else if (kind == SIM_K_HW)
        tell_hw(&n);
    else if (kind == SIM_K_WAIT)
        tell_wait(&n);
    else
        tell_part(&n);
    return sim_trace_end(trace);
}
