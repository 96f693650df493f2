/*
 * Writers: from an operator to the subtasks of the next task, by key group, in turn, to all …
 *
 * A record is copied once, into the packet that its reader will read it in, and its text with it.
 * Source: Flink KeyGroupStreamPartitioner, RebalancePartitioner, RescalePartitioner,
 * BroadcastPartitioner, ShufflePartitioner, GlobalPartitioner.
 */
#include <assert.h>
#include <stdlib.h>

#include "stream/task.h"

#define SCATTER_RINGS 8 /* as many passes over a batch are worth it */

struct writer *writer_new(struct task *task, const struct edge *edge, uint32_t ring_count)
{
    struct writer *w = must_calloc(1, sizeof *w);
    w->task = task;
    w->partitioning = edge->partitioning;
    w->ring_count = ring_count;
    w->rings = must_calloc(ring_count, sizeof(struct ring *));
    w->receivers = must_calloc(ring_count, sizeof(struct task *));
    w->turn = task->subtask % ring_count; /* subtasks begin at different receivers */
    w->random = UINT64_C(0x9E3779B97F4A7C15) * (task->subtask + 1);
    if (w->partitioning == ST_PART_HASH) {
        uint32_t groups = task->job->env->max_parallelism;
        w->reader = key_reader_of(&edge->key);
        w->max_parallelism = groups;
        w->group_mask = (groups & (groups - 1)) == 0 ? groups - 1 : 0;
        w->owner = must_calloc(groups, sizeof *w->owner);
        for (uint32_t g = 0; g < groups; g++) {
            w->owner[g] = (uint16_t)st_key_group_owner(g, ring_count, groups);
        }
    }
    return w;
}

void writer_free(struct writer *w)
{
    free(w->rings);
    free(w->receivers);
    free(w->owner);
    free(w);
}

static void publish(struct writer *w, uint32_t r)
{
    ring_publish(w->rings[r]);
    if (ring_packets(w->rings[r]) >= RING_PACKETS / 2) {
        task_wake(w->receivers[r]);
    }
}

/* The open packet of a ring; may wait for room, which is back-pressure. */
static struct packet *open_packet(struct writer *w, uint32_t r)
{
    struct ring *ring = w->rings[r];
    if (ring->open == NULL && ring_is_full(ring)) {
        for (uint32_t i = 0; i < w->ring_count; i++) {
            task_wake(w->receivers[i]); /* none may sleep on what was published quietly */
        }
        task_await_room(w->task, ring);
    }
    return ring_open(ring);
}

static inline void append(struct writer *w, uint32_t r, const char *record, int64_t time)
{
    struct ring *ring = w->rings[r];
    struct packet *p = ring->open != NULL ? ring->open : open_packet(w, r);
    if (ring->layout.text_count > 0) {
        uint32_t size = record_text_size(&ring->layout, record);
        if (size > RECORD_TEXT_MAX) {
            task_fail(w->task, "a record with %u bytes of text; %u can be sent on", size,
                      RECORD_TEXT_MAX);
        }
        char *text = packet_text(p, size);
        if (text == NULL) {
            publish(w, r);
            p = open_packet(w, r);
            text = packet_text(p, size);
        }
        char *to = p->records + (size_t)p->count * ring->layout.size;
        record_copy(to, record, ring->layout.size);
        record_move_text(&ring->layout, to, &text);
    } else {
        record_copy(p->records + (size_t)p->count * ring->layout.size, record, ring->layout.size);
    }
    p->times[p->count] = time;
    if (++p->count == BATCH_SIZE) {
        publish(w, r);
    }
}

static inline int64_t time_of(const struct batch *batch, uint32_t k)
{
    return batch->times != NULL ? batch->times[k] : ST_TIME_MIN;
}

/* The ring of each record of a batch. */
static void choose_by_key(const struct writer *w, const struct batch *batch, uint16_t *rings)
{
    const uint32_t size = w->rings[0]->layout.size, groups = w->max_parallelism;
    const char *record = batch->records;
    bool number = w->reader.count == 1 &&
                  (w->reader.kind[0] == ST_KIND_I64 || w->reader.kind[0] == ST_KIND_U64);
    if (number && w->group_mask != 0) {
        record += w->reader.from[0];
        for (uint32_t k = 0; k < batch->count; k++, record += size) {
            uint64_t key;
            memcpy(&key, record, 8);
            rings[k] = w->owner[murmur_of((int32_t)(uint32_t)(key ^ key >> 32)) & w->group_mask];
        }
        return;
    }
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    for (uint32_t k = 0; k < batch->count; k++, record += size) {
        key_read(&w->reader, record, key);
        rings[k] = w->owner[murmur_of(key_java_hash(&w->reader, key)) % groups];
    }
}

/* The records of a batch that are for ring r, behind each other into its packets. */
static inline void gather(struct writer *w, uint32_t r, const struct batch *batch,
                          const uint16_t *chosen, uint32_t chosen_count, uint32_t size)
{
    for (uint32_t done = 0, run; done < chosen_count; done += run) {
        struct packet *p = open_packet(w, r);
        const uint16_t *from = chosen + done;
        char *to = p->records + (size_t)p->count * size;
        int64_t *times = p->times + p->count;
        uint32_t room = BATCH_SIZE - p->count;
        run = chosen_count - done < room ? chosen_count - done : room;
        for (uint32_t k = 0; k < run; k++) {
            memcpy(to + (size_t)k * size, (const char *)batch->records + (size_t)from[k] * size,
                   size);
        }
        for (uint32_t k = 0; k < run; k++) {
            times[k] = time_of(batch, from[k]);
        }
        p->count += run;
        if (p->count == BATCH_SIZE) {
            publish(w, r);
        }
    }
}

/* The same for records without text: which are for a ring is found without a branch. */
static inline void scatter(struct writer *w, const struct batch *batch, const uint16_t *rings,
                           uint32_t size)
{
    uint16_t chosen[BATCH_SIZE];
    for (uint32_t r = 0; r < w->ring_count; r++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < batch->count; k++) {
            chosen[count] = (uint16_t)k;
            count += rings[k] == r;
        }
        gather(w, r, batch, chosen, count, size);
    }
}

static void write_by_key(struct writer *w, const struct batch *batch)
{
    const uint32_t size = w->rings[0]->layout.size;
    uint16_t rings[BATCH_SIZE];
    choose_by_key(w, batch, rings);
    if (w->rings[0]->layout.text_count == 0 && w->ring_count <= SCATTER_RINGS) {
        switch (size) { /* sizes that the compiler can see */
        case 16:
            scatter(w, batch, rings, 16);
            break;
        case 24:
            scatter(w, batch, rings, 24);
            break;
        case 32:
            scatter(w, batch, rings, 32);
            break;
        default:
            scatter(w, batch, rings, size);
            break;
        }
        return;
    }
    const char *record = batch->records;
    for (uint32_t k = 0; k < batch->count; k++, record += size) {
        append(w, rings[k], record, time_of(batch, k));
    }
}

static void write_all_to(struct writer *w, uint32_t r, const struct batch *batch)
{
    const char *record = batch->records;
    for (uint32_t k = 0; k < batch->count; k++, record += w->rings[r]->layout.size) {
        append(w, r, record, time_of(batch, k));
    }
}

static uint32_t next_random(struct writer *w)
{
    w->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = (w->random ^ w->random >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(z >> 32);
}

static void write_in_turn(struct writer *w, const struct batch *batch)
{
    const char *record = batch->records;
    bool shuffle = w->partitioning == ST_PART_SHUFFLE;
    for (uint32_t k = 0; k < batch->count; k++, record += w->rings[0]->layout.size) {
        uint32_t r = shuffle ? next_random(w) % w->ring_count : w->turn;
        w->turn = w->turn + 1 == w->ring_count ? 0 : w->turn + 1;
        append(w, r, record, time_of(batch, k));
    }
}

void writer_write(struct writer *w, const struct batch *batch)
{
    switch (w->partitioning) {
    case ST_PART_HASH:
        write_by_key(w, batch);
        break;
    case ST_PART_REBALANCE:
    case ST_PART_RESCALE:
    case ST_PART_SHUFFLE:
        write_in_turn(w, batch);
        break;
    case ST_PART_BROADCAST:
        for (uint32_t r = 0; r < w->ring_count; r++) {
            write_all_to(w, r, batch);
        }
        break;
    case ST_PART_DEFAULT:
    case ST_PART_FORWARD:
    case ST_PART_GLOBAL:
    case ST_PART_END:
        write_all_to(w, 0, batch);
        break;
    }
}

void writer_mark(struct writer *w, enum mark_kind kind, int64_t value)
{
    for (uint32_t r = 0; r < w->ring_count; r++) {
        struct packet *p = open_packet(w, r);
        if (p->mark_count == PACKET_MARKS) {
            publish(w, r);
            p = open_packet(w, r);
        }
        p->marks[p->mark_count++] = (struct mark){kind, p->count, value};
    }
}

bool writer_flush(struct writer *w)
{
    bool some = false;
    for (uint32_t r = 0; r < w->ring_count; r++) {
        some |= ring_publish(w->rings[r]);
        task_wake(w->receivers[r]);
    }
    return some;
}
