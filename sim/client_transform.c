/*
 * Transforms: applications that read a topic, write another, and commit the offsets of what they
 * read within the transaction of what they wrote.
 *
 *     consumer half ──record──► inputs[]  ──► producer half: one output per input
 *                               0 … done:  given in the transaction that is open
 *                               done …  :  not yet
 *
 *     WAITS ──input──► BEGINS ─► WORKS ──due──► OFFSETS ─► ENDS ──committed──► inputs[0…done) go
 *       ▲                                                   └──aborted──► done = 0: all again
 *       └───────────────────────────────────────────────────────────────────┘
 *
 * One application is two clients of client/, as it is two objects of librdkafka: they share a name,
 * so that steps hit both. What the consumer gives up in a rebalance leaves the inputs, and the
 * transaction that had a part of it is aborted: whoever reads there next begins at the committed
 * offset, and waits for the transaction to be over (KIP-447).
 *
 * Exactly once is judged over the logs, not by what the application believes: each record in the
 * input's log must have one output in a committed transaction in the output's log. Where the record
 * of an output came from is remembered beside the log (origins); a record is known by its place and
 * its value, so that what a retry wrote twice into the input counts as two.
 *
 * Source: KIP-98, KIP-447; examples of librdkafka (transactions.c).
 */
#include <assert.h>

#include "sim/client_report.h"
#include "sim/client_state.h"
#include "sim/records.h"

struct sim_client *sim_transform_other(const struct sim_world *w, const struct sim_client *c)
{
    return c->spec->transforms ? w->clients->client[c->spec->other] : NULL;
}

/* ---- inputs ---- */

bool sim_transform_has_input(const struct sim_client *producer)
{
    return producer->inputs.done < producer->inputs.count;
}

void sim_transform_take(struct sim_client *producer, struct sim_input input)
{
    struct sim_inputs *in = &producer->inputs;
    if (in->count == in->capacity) {
        in->capacity = in->capacity * 2 + 64;
        in->input = sim_realloc(in->input, in->capacity * sizeof(*in->input));
    }
    in->input[in->count++] = input;
}

struct sim_input sim_transform_next(struct sim_client *producer)
{
    assert(sim_transform_has_input(producer));
    struct sim_input input = producer->inputs.input[producer->inputs.done++];
    uint64_t number = producer->counts.sent + 1;
    if (number >= producer->origin_capacity) {
        producer->origin_capacity = number * 2 + 64;
        producer->origins =
            sim_realloc(producer->origins, producer->origin_capacity * sizeof(*producer->origins));
    }
    producer->origins[number] = input;
    return input;
}

void sim_transform_ended(struct sim_client *producer, bool committed)
{
    struct sim_inputs *in = &producer->inputs;
    if (committed) {
        in->count -= in->done;
        if (in->count > 0)
            memmove(in->input, in->input + in->done, in->count * sizeof(*in->input));
    }
    in->done = 0;
}

static bool names(const struct kl_output *o, const char *topic, int32_t partition)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (o->offsets[i].partition == partition && strcmp(o->offsets[i].topic, topic) == 0)
            return true;
    return false;
}

bool sim_transform_revoked(const struct sim_world *w, struct sim_client *producer,
                           const struct kl_output *o)
{
    struct sim_inputs *in = &producer->inputs;
    uint32_t kept = 0, kept_done = 0;
    for (uint32_t i = 0; i < in->count; i++)
        if (!names(o, sim_client_topic(w, in->input[i].topic), in->input[i].partition)) {
            kept_done += i < in->done;
            in->input[kept++] = in->input[i];
        }
    bool hits = kept_done < in->done;
    in->count = kept;
    in->done = kept_done;
    return hits;
}

void sim_transform_forget(struct sim_client *producer)
{
    producer->inputs.count = producer->inputs.done = 0;
}

/* One entry per partition: behind the last record that the transaction has taken there. */
uint32_t sim_transform_offsets(const struct sim_world *w, struct sim_client *producer)
{
    const struct sim_inputs *in = &producer->inputs;
    producer->assigned_count = 0;
    for (uint32_t i = 0; i < in->done; i++) {
        const char *topic = sim_client_topic(w, in->input[i].topic);
        uint32_t at = 0;
        while (at < producer->assigned_count &&
               (producer->assigned[at].partition != in->input[i].partition ||
                strcmp(producer->assigned[at].topic, topic) != 0))
            at++;
        if (at == producer->assigned_count)
            producer->assigned = sim_realloc(producer->assigned, ++producer->assigned_count *
                                                                     sizeof(*producer->assigned));
        producer->assigned[at] = (struct kl_offset){.topic = topic,
                                                    .partition = in->input[i].partition,
                                                    .leader_epoch = in->input[i].leader_epoch,
                                                    .offset = in->input[i].offset + 1};
    }
    return producer->assigned_count;
}

/* ---- walking a log from its end: the marker behind a batch is seen before it ---- */

struct markers {
    struct {
        int64_t producer_id;
        bool commit;
    } * last;
    uint32_t count;
};

static void note_marker(struct markers *m, int64_t producer_id, bool commit)
{
    uint32_t i = 0;
    while (i < m->count && m->last[i].producer_id != producer_id)
        i++;
    if (i == m->count) {
        m->last = sim_realloc(m->last, ++m->count * sizeof(*m->last));
        m->last[i].producer_id = producer_id;
    }
    m->last[i].commit = commit;
}

static bool is_committed(const struct markers *m, const struct kb_batch *b)
{
    if ((b->flags & KB_TRANSACTIONAL) == 0)
        return true;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->last[i].producer_id == b->producer_id)
            return m->last[i].commit;
    return false;
}

typedef void visit(void *context, int64_t offset, struct sim_value_name value);

static void visit_batch(const struct sim_world *w, const struct kb_batch *b, struct markers *m,
                        visit *each, void *context)
{
    struct sim_records records;
    struct wire_log_record record;
    bool is_control = (b->flags & KB_CONTROL) != 0, counts = !is_control && is_committed(m, b);
    if (!sim_records_open(w, b, &records))
        return;
    while (wire_log_record_next(&records.walk, &record) == SM_ERR_OK) {
        bool commit;
        int32_t epoch;
        if (is_control && wire_log_record_is_marker(&record, &commit, &epoch))
            note_marker(m, b->producer_id, commit);
        else if (counts && record.value != NULL)
            each(context, record.offset - records.head.base_offset + b->base_offset,
                 sim_value_read(w, record.value, (size_t)record.value_size));
    }
    sim_records_close(&records);
}

static void visit_log(const struct sim_world *w, const struct kb_partition_view *view, visit *each,
                      void *context)
{
    struct markers m = {0};
    for (uint32_t i = view->batch_count; i-- > 0;)
        visit_batch(w, &view->batches[i], &m, each, context);
    sim_free(m.last);
}

/* ---- exactly once ---- */

struct cell {
    struct sim_value_name value; /* of the input, {-1} none */
    uint32_t outputs;
};

struct part { /* of the input's topic */
    struct cell *cell;
    int64_t size;
};

struct judged {
    const struct sim_world *w;
    const struct sim_client *consumer;
    struct part *part;
    int32_t parts;
    int32_t at; /* the partition that is visited */
    struct sim_transform_counts counts;
};

static void visit_input(void *context, int64_t offset, struct sim_value_name value)
{
    struct judged *j = context;
    struct part *p = &j->part[j->at];
    if (value.producer >= 0 && offset < p->size) {
        p->cell[offset].value = value;
        j->counts.inputs++;
    }
}

/* The input that a value came from, where one of this job's clients wrote it; NULL: not its. */
static const struct sim_input *origin_of(const struct judged *j, struct sim_value_name value)
{
    if (value.producer < 0)
        return NULL;
    const struct sim_client *p = j->w->clients->client[value.producer];
    const struct sim_client *c = sim_transform_other(j->w, p);
    return c != NULL && c->audience == j->consumer->audience && value.number > 0 &&
                   (uint64_t)value.number <= p->counts.sent
               ? &p->origins[value.number]
               : NULL;
}

static void visit_output(void *context, int64_t offset, struct sim_value_name value)
{
    struct judged *j = context;
    const struct sim_input *in = origin_of(j, value);
    (void)offset;
    if (in == NULL)
        return;
    j->counts.outputs++;
    if (in->partition >= j->parts || in->offset >= j->part[in->partition].size)
        return; /* its input is gone, with an unclean leader */
    struct cell *cell = &j->part[in->partition].cell[in->offset];
    if (cell->value.producer != in->value.producer || cell->value.number != in->value.number)
        return;
    cell->outputs++;
    j->counts.doubled += cell->outputs == 2;
}

static void read_inputs(struct judged *j, const char *topic)
{
    struct kb_partition_view view;
    j->parts = (int32_t)sim_partitions_of(j->w, topic);
    j->part = sim_alloc(((size_t)j->parts + 1) * sizeof(*j->part));
    for (j->at = 0; j->at < j->parts; j->at++) {
        struct part *p = &j->part[j->at];
        if (!sim_client_present_log(j->w, topic, j->at, &view))
            continue;
        p->size = view.log_end;
        p->cell = sim_alloc(((size_t)p->size + 1) * sizeof(*p->cell));
        for (int64_t i = 0; i < p->size; i++)
            p->cell[i].value.producer = -1;
        visit_log(j->w, &view, visit_input, j);
    }
}

static void read_outputs(struct judged *j, const char *topic)
{
    struct kb_partition_view view;
    int32_t parts = (int32_t)sim_partitions_of(j->w, topic);
    for (int32_t i = 0; i < parts; i++)
        if (sim_client_present_log(j->w, topic, i, &view))
            visit_log(j->w, &view, visit_output, j);
}

static void count_missing(struct judged *j)
{
    for (int32_t i = 0; i < j->parts; i++) {
        for (int64_t at = 0; at < j->part[i].size; at++) {
            const struct cell *cell = &j->part[i].cell[at];
            j->counts.missing += cell->value.producer >= 0 && cell->outputs == 0;
        }
        sim_free(j->part[i].cell);
    }
    sim_free(j->part);
}

bool sim_transform_is_first(const struct sim_world *w, const struct sim_client *c)
{
    if (!c->spec->transforms || c->spec->kind != SIM_CLIENT_CONSUMES)
        return false;
    for (uint32_t i = 0; i < c->index; i++) {
        const struct sim_client *b = w->clients->client[i];
        if (b->spec->transforms && b->audience == c->audience)
            return false;
    }
    return true;
}

struct sim_transform_counts sim_transform_judge(const struct sim_world *w,
                                                const struct sim_client *consumer)
{
    struct judged j = {.w = w, .consumer = consumer};
    read_inputs(&j, consumer->spec->topics[0]);
    read_outputs(&j, sim_transform_other(w, consumer)->spec->topics[0]);
    count_missing(&j);
    return j.counts;
}
