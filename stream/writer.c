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

struct writer *writer_new(struct task *task, const struct edge *edge, uint32_t ring_count)
{
    struct writer *w = must_calloc(1, sizeof *w);
    w->task = task;
    w->partitioning = edge->partitioning;
    w->ring_count = ring_count;
    w->rings = must_calloc(ring_count, sizeof(struct ring *));
    w->receivers = must_calloc(ring_count, sizeof(struct task *));
    /* Subtasks begin at different receivers; to rescale, each at the first of its own. */
    w->turn = w->partitioning == ST_PART_RESCALE ? 0 : task->subtask % ring_count;
    w->random = UINT64_C(0x9E3779B97F4A7C15) * (task->subtask + 1);
    w->own = OWN_NONE;
    if (w->partitioning == ST_PART_HASH) {
        router_init(&w->router, &edge->key, ring_count, task->job->env->max_parallelism);
    }
    return w;
}

void writer_free(struct writer *w)
{
    free(w->rings);
    free(w->receivers);
    router_free(&w->router);
    free(w->own_records);
    free(w);
}

void writer_set_own(struct writer *w, uint32_t own, uint32_t channel)
{
    w->own = own;
    w->own_channel = channel;
    w->own_records = calloc_apart((size_t)BATCH_SIZE * w->rings[own]->layout.size);
}

static void publish(struct writer *w, uint32_t r)
{
    ring_publish(w->rings[r]);
    if (task_sleeps(w->receivers[r]) && ring_packets(w->rings[r]) >= WAKE_PACKETS) {
        task_wake(w->receivers[r]);
    }
}

void writer_wake(struct writer *w)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < w->ring_count; i++) {
        task_wake(w->receivers[i]);
    }
}

/* The open packet of a ring; may wait for room, which is back-pressure. */
static struct packet *open_packet(struct writer *w, uint32_t r)
{
    struct ring *ring = w->rings[r];
    if (ring->open == NULL && ring_is_full(ring)) {
        writer_wake(w); /* none may sleep on what was published quietly */
        task_await_room(w->task, ring);
        struct packet *p = ring_open(ring);
        w->task->spills |= ring->open_spills;
        return p;
    }
    return ring_open(ring);
}

static inline void append(struct writer *w, uint32_t r, const char *record, bool timed,
                          int64_t time)
{
    struct ring *ring = w->rings[r];
    struct packet *p = ring->open != NULL ? ring->open : open_packet(w, r);
    if (ring->layout.text_count > 0) {
        uint32_t size = record_text_size(&ring->layout, record);
        if (size > RECORD_TEXT_MAX) {
            task_fail(w->task, "a record with %u bytes of text; %u can be sent on", size,
                      RECORD_TEXT_MAX);
        }
        char *text = packet_text(ring, size);
        if (text == NULL) {
            publish(w, r);
            p = open_packet(w, r);
            text = packet_text(ring, size);
        }
        char *to = p->records + (size_t)p->count * ring->layout.size;
        record_copy(to, record, ring->layout.size);
        record_move_text(&ring->layout, to, text, packet_text_read(ring, text));
    } else {
        record_copy(p->records + (size_t)p->count * ring->layout.size, record, ring->layout.size);
    }
    int64_t *times = packet_times(p, 1, timed);
    if (times != NULL) {
        *times = time;
    }
    if (++p->count == BATCH_SIZE) {
        publish(w, r);
    }
}

/* What was put out one by one has an array of timestamps even where no record has one. */
static bool has_times(const struct batch *batch)
{
    uint32_t k = 0;
    while (batch_is_timed(batch) && k < batch->count && batch->times[k] == ST_TIME_MIN) {
        k++;
    }
    return batch_is_timed(batch) && k < batch->count;
}

static inline int64_t time_of(const struct batch *batch, uint32_t k)
{
    return batch->times != NULL ? batch->times[k] : ST_TIME_MIN;
}

/* Those records from `done` on that have one short text each and fit into the open packet as it is.
 * Returns how many have been written, with those before. */
static uint32_t write_texts(struct writer *w, uint32_t r, const struct batch *batch,
                            const uint16_t *picks, uint32_t done, uint32_t count)
{
    struct packet *p = open_packet(w, r);
    const struct ring *ring = w->rings[r];
    const uint32_t size = ring->layout.size, at = ring->layout.text[0], first = done;
    const uint32_t room = BATCH_SIZE - p->count, text_capacity = p->text_capacity;
    const char *records = batch->records, *text_read = ring->text_read;
    char *to = p->records + (size_t)p->count * size, *texts = p->text;
    uint32_t text_size = p->text_size;
    count = count - done < room ? count : done + room;
    for (; done < count; done++, to += size) {
        const char *record = records + (size_t)picks[done] * size;
        st_str text;
        memcpy(&text, record + at, sizeof text);
        if ((uint64_t)text_size + text.size + 8 > text_capacity) {
            break;
        }
        text_copy_loosely(texts + text_size, text.data, text.size);
        record_copy(to, record, size);
        text.data = text_read + text_size;
        memcpy(to + at, &text.data, sizeof text.data);
        text_size += text.size;
    }
    int64_t *times = packet_times(p, done - first, batch_is_timed(batch));
    if (times != NULL) {
        memcpy(times, w->picked_times + first, (done - first) * sizeof *times);
    }
    p->count += done - first;
    p->text_size = text_size;
    if (p->count == BATCH_SIZE) {
        publish(w, r);
    }
    return done;
}

static void write_picked_with_text(struct writer *w, uint32_t r, const struct batch *batch,
                                   const uint16_t *picks, uint32_t count)
{
    const struct layout *layout = &w->rings[r]->layout;
    for (uint32_t done = 0; done < count;) {
        uint32_t written =
            layout->text_count == 1 ? write_texts(w, r, batch, picks, done, count) : done;
        if (written == done) { /* several texts, or one that needs a packet that has room */
            append(w, r, (const char *)batch->records + (size_t)picks[done] * layout->size,
                   batch_is_timed(batch), time_of(batch, picks[done]));
            written++;
        }
        done = written;
    }
}

/* Records into the open packet: once the lines begun before are whole, by whole lines; of a staged
 * packet straight into its block, and what is left over waits in the stage. */
static void put_records(struct writer *w, struct ring *ring, const char *records,
                        const uint16_t *picks, uint32_t count)
{
    const uint32_t size = ring->layout.size;
    uint32_t at = ring->open->count, done = 0;
    if (router_streams(&w->router, size) && count > 16) {
        done = -at & 7;
        router_gather(&w->router, ring->open->records + (size_t)at * size, records, size, picks,
                      done);
        if (ring_is_staged(ring)) {
            char *to = ring_stream_records(ring, at + done);
            uint32_t streamed = router_stream(&w->router, to, records, picks + done, count - done);
            ring->streamed += streamed;
            done += streamed;
        }
    }
    router_gather(&w->router, ring->open->records + (size_t)(at + done) * size, records, size,
                  picks + done, count - done);
}

/* Where the timestamps of records for ring r are put: in their packet, if it has room for all. */
static int64_t *place_for_times(struct writer *w, uint32_t r, uint32_t count)
{
    if (r == w->own || w->rings[r]->layout.text_count > 0 ||
        BATCH_SIZE - open_packet(w, r)->count < count) {
        return w->picked_times;
    }
    return packet_times(w->rings[r]->open, count, true);
}

/* Records of a batch to ring r, with their timestamps if they have some. */
static void write_picked(struct writer *w, uint32_t r, const struct batch *batch,
                         const uint16_t *picks, const int64_t *picked_times, uint32_t count)
{
    const struct layout *layout = &w->rings[r]->layout;
    const bool timed = batch_is_timed(batch);
    if (layout->text_count > 0) {
        write_picked_with_text(w, r, batch, picks, count);
        return;
    }
    for (uint32_t done = 0, run; done < count; done += run) {
        struct packet *p = open_packet(w, r);
        uint32_t room = BATCH_SIZE - p->count;
        run = count - done < room ? count - done : room;
        put_records(w, w->rings[r], batch->records, picks + done, run);
        int64_t *times = packet_times(p, run, timed);
        if (times != NULL && times != picked_times + done) {
            memcpy(times, picked_times + done, run * sizeof *times);
        }
        p->count += run;
        if (p->count == BATCH_SIZE) {
            publish(w, r);
        }
    }
}

/* The same to the own receiver: by call, if nothing of the ring is then overtaken. */
static void write_own(struct writer *w, const struct batch *batch, const uint16_t *picks,
                      uint32_t count)
{
    if (!handover_is_open(w)) {
        write_picked(w, w->own, batch, picks, w->picked_times, count);
        return;
    }
    router_gather(&w->router, w->own_records, batch->records, w->rings[w->own]->layout.size, picks,
                  count);
    handover_batch(w, &(struct batch){w->own_records,
                                      batch_is_timed(batch) ? w->picked_times : no_times, count});
}

static void write_all_to(struct writer *w, uint32_t r, const struct batch *batch);

/* First what another thread waits for. What is the own receiver's and could not be handed on must
 * not lie in an open packet for long: nothing is handed on before it has been read. */
static void write_by_key(struct writer *w, const struct batch *batch)
{
    uint32_t rings[PICKS_MAX];
    uint16_t picks[PICKS_MAX];
    if (w->ring_count == 1 && w->own == 0 && handover_is_open(w)) {
        handover_batch(w, &(struct batch){batch->records,
                                          batch->times != NULL ? batch->times : no_times,
                                          batch->count});
        return;
    }
    if (w->ring_count == 1) {
        write_all_to(w, 0, batch);
    } else {
        slot_foresee(w->task->slot);
        router_choose(&w->router, batch->records, w->rings[0]->layout.size, batch->count, rings);
        for (uint32_t i = 1; i <= w->ring_count; i++) {
            uint32_t r = w->own != OWN_NONE ? (w->own + i) % w->ring_count : i - 1;
            uint32_t count = router_pick(&w->router, rings, batch->count, r, picks);
            int64_t *times = w->picked_times;
            if (count > 0 && batch_is_timed(batch)) {
                times = place_for_times(w, r, count);
                router_pick_times(&w->router, rings, batch->count, r, batch->times, picks, count,
                                  times);
            }
            if (r == w->own && count > 0) {
                write_own(w, batch, picks, count);
            } else if (count > 0) {
                write_picked(w, r, batch, picks, times, count);
            }
        }
    }
    if (w->own != OWN_NONE && w->rings[w->own]->open != NULL &&
        ring_packets(w->rings[w->own]) == 0) {
        publish(w, w->own);
    }
}

static void write_all_to(struct writer *w, uint32_t r, const struct batch *batch)
{
    const char *record = batch->records;
    for (uint32_t k = 0; k < batch->count; k++, record += w->rings[r]->layout.size) {
        append(w, r, record, batch_is_timed(batch), time_of(batch, k));
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
        append(w, r, record, batch_is_timed(batch), time_of(batch, k));
    }
}

void writer_write(struct writer *w, const struct batch *given)
{
    const struct batch *batch =
        &(struct batch){given->records, has_times(given) ? given->times : NULL, given->count};
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

static void mark_ring(struct writer *w, uint32_t r, enum mark_kind kind, int64_t value)
{
    struct packet *p = open_packet(w, r);
    if (p->mark_count == PACKET_MARKS) {
        publish(w, r);
        p = open_packet(w, r);
    }
    p->marks[p->mark_count++] = (struct mark){kind, p->count, value};
}

void writer_mark(struct writer *w, enum mark_kind kind, int64_t value)
{
    for (uint32_t r = 0; r < w->ring_count; r++) {
        if (r != w->own) {
            mark_ring(w, r, kind, value);
        }
    }
    if (w->own == OWN_NONE) {
        return;
    }
    if ((kind == MARK_WATERMARK || kind == MARK_IDLE) && handover_is_open(w)) {
        handover_mark(w, kind, value);
    } else {
        mark_ring(w, w->own, kind, value);
    }
}

bool writer_flush(struct writer *w)
{
    bool some = false;
    for (uint32_t r = 0; r < w->ring_count; r++) {
        some |= ring_publish(w->rings[r]);
    }
    writer_wake(w);
    return some;
}
