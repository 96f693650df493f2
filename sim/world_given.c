/*
 * Logs that a scenario gives: put on the disks of brokers before the first process starts, as a
 * clean stop would have left them. Each record is a batch of its own, with equal bytes on every
 * broker, and is told by the trace (append, at time 0).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/world_state.h"
#include "wire/record_batch.h"

enum { BATCH_ROOM = 128 };

/* Returns the batch of one record, its bytes kept. */
static struct kb_batch batch_of(struct sim_world *w, const struct sim_given_record *record,
                                int64_t offset)
{
    const struct wire_record_batch head = {.base_offset = offset,
                                           .leader_epoch = record->epoch,
                                           .producer_id = -1,
                                           .producer_epoch = -1,
                                           .base_sequence = -1};
    const size_t length = strlen(record->value), room = BATCH_ROOM + length;
    struct wire_record_batch_writer writer;
    uint8_t *bytes = sim_alloc(room);
    wire_record_batch_begin(&writer, bytes, room, &head);
    wire_record_batch_add(&writer,
                          &(struct wire_log_record){.offset = offset,
                                                    .key_size = -1,
                                                    .value = (const uint8_t *)record->value,
                                                    .value_size = (int32_t)length},
                          NULL);
    const size_t size = wire_record_batch_end(&writer);
    struct kb_batch batch = {.base_offset = offset,
                             .payload = w->payloads.keep(w->payloads.context, bytes, size),
                             .producer_id = -1,
                             .leader_epoch = record->epoch,
                             .base_sequence = -1,
                             .size = (uint32_t)size,
                             .record_count = 1,
                             .producer_epoch = -1};
    sim_free(bytes);
    return batch;
}

struct given_turn {
    struct sim_world *w;
    struct sim_process *p;
};

static void put(void *context, const struct kb_output *o)
{
    struct given_turn *turn = context;
    struct sim_world *w = turn->w;
    struct kb_partition_view view = {0};
    if (o->kind == KB_OUT_PAYLOAD)
        w->payloads.refer(w->payloads.context, o->payload, o->value);
    if (o->kind != KB_OUT_FACT || !w->trace->on)
        return;
    kb_partition(turn->p->replicas, o->topic, o->partition, &view);
    sim_trace_replica(w->trace, 0, turn->p->id, 0, 0, o, &view);
}

/* No replica has committed what its leader does not have. */
static int64_t committed_of(const struct sim_given *g, const struct sim_given_log *log)
{
    const struct sim_given_log *leader = NULL;
    uint32_t same = 0;
    for (uint32_t i = 0; i < g->log_count; i++)
        if (g->logs[i].broker == g->leader)
            leader = &g->logs[i];
    if (leader == NULL)
        return g->hw;
    while (same < log->count && same < leader->count &&
           log->records[same].epoch == leader->records[same].epoch)
        same++;
    return g->hw < same ? g->hw : same;
}

static void put_log(struct sim_world *w, const struct sim_given *g, const struct sim_given_log *log)
{
    struct given_turn turn = {.w = w, .p = sim_find(w, log->broker)};
    struct kb_batch *batches = sim_alloc(log->count * sizeof(*batches));
    struct kb_outputs out = {.put = put, .context = &turn};
    sim_full_disks(w, turn.p);
    for (uint32_t i = 0; i < log->count; i++)
        batches[i] = batch_of(w, &log->records[i], i);
    struct kb_found_log found = {.topic = g->topic_name,
                                 .partition = g->partition,
                                 .count = log->count,
                                 .batches = batches,
                                 .hw = committed_of(g, log)};
    struct kb_input in = {.kind = KB_IN_LOG, .request = &found};
    turn.p->node.id = turn.p->id;
    turn.p->node.replicas = turn.p->replicas;
    sim_touch(turn.p->replicas);
    while (kb_replicas_step(turn.p->replicas, 0, &in, &out) == SM_ERR_LIMIT)
        sim_full_grow(w, &turn.p->node, KN_BLOCK_REPLICAS, out.short_of, 0);
    sim_free(batches);
}

void sim_world_put_logs(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->scenario->given_count; i++)
        for (uint32_t j = 0; j < w->scenario->given[i].log_count; j++)
            put_log(w, &w->scenario->given[i], &w->scenario->given[i].logs[j]);
}
