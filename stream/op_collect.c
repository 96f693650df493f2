/*
 * The sink of st_collect, whose records the program that built the env reads.
 *
 *     records:  | complete: of a checkpoint that is whole, these come out | collected since |
 *
 * The node has them, so they outlive the attempts at the job. A checkpoint has them all: so a job
 * that goes on in another process gives what the earlier ones had collected, too, and each record
 * once. The price, a checkpoint of all that came, is bounded by .collected_max. (Flink's sink keeps
 * what nobody has fetched yet, for its reader may fetch while the job runs.)
 *
 * Source: Flink DataStream.collectAsync, CollectSinkFunction, CheckpointedCollectResultBuffer.
 */
#include "stream/op_collect.h"

#include <inttypes.h>
#include <stdlib.h>

#include "stream/task.h"

struct st_collection {
    const st_type *type;
    struct layout layout;
    char *records; /* [count], with text of their own */
    uint64_t count, capacity, complete;
    uint64_t size, size_max; /* bytes, of records with their text */
};

/* How many there were at a barrier. */
struct collected_mark {
    int64_t checkpoint_id;
    uint64_t count;
};

struct collect {
    struct op op;
    struct st_collection *to;
    struct collected_mark *marks; /* [mark_count] of checkpoints under way, in order */
    uint32_t mark_count, mark_capacity;
};

static struct collect *collect_of(struct op *op)
{
    return (struct collect *)(void *)op;
}

/* ------------------------------------------------------------------------------ The collection */

struct st_collection *collection_new(const st_type *type, uint64_t size_max)
{
    struct st_collection *c = must_calloc(1, sizeof *c);
    *c = (struct st_collection){.type = type,
                                .layout = layout_of(type),
                                .size_max = size_max > 0 ? size_max : ST_COLLECTED_MAX};
    return c;
}

static void clear(struct st_collection *c)
{
    for (uint64_t k = 0; c->layout.text_count > 0 && k < c->count; k++) {
        record_free_text(&c->layout, c->records + k * c->layout.size);
    }
    c->count = c->complete = c->size = 0;
}

void collection_free(struct st_collection *c)
{
    if (c != NULL) {
        clear(c);
        free(c->records);
        free(c);
    }
}

const void *st_collected(const st_collection *c, uint64_t *count)
{
    *count = c != NULL ? c->complete : 0;
    return c != NULL ? c->records : NULL;
}

static void make_room(struct st_collection *c, uint64_t more)
{
    if (c->count + more > c->capacity) {
        c->capacity = c->capacity * 2 + more;
        char *larger = must_calloc(c->capacity, c->layout.size);
        if (c->count > 0) {
            memcpy(larger, c->records, c->count * c->layout.size);
        }
        free(c->records);
        c->records = larger;
    }
}

/* Copies a record; false if it is one too many. */
static bool add(struct st_collection *c, const void *record)
{
    uint64_t size = (uint64_t)c->layout.size + record_text_size(&c->layout, record);
    if (size > c->size_max - c->size) {
        return false;
    }
    char *copy = c->records + c->count * c->layout.size;
    memcpy(copy, record, c->layout.size);
    if (!record_own_text(&c->layout, copy)) {
        abort();
    }
    c->count++;
    c->size += size;
    return true;
}

/* -------------------------------------------------------------------------------- The operator */

static void collect_open(struct op *op)
{
    collect_of(op)->to = op->node->collection;
    clear(collect_of(op)->to);
}

static void collect_close(struct op *op)
{
    free(collect_of(op)->marks);
}

static void collect_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct st_collection *to = collect_of(op)->to;
    (void)input;
    make_room(to, batch->count);
    for (uint32_t k = 0; k < batch->count; k++) {
        if (!add(to, (const char *)batch->records + (size_t)k * to->layout.size)) {
            task_fail(op->task,
                      "%s: more than %" PRIu64 " bytes of records are not collected "
                      "(.collected_max)",
                      op->node->name, to->size_max);
        }
    }
}

static void mark(struct collect *c, int64_t checkpoint_id)
{
    if (c->mark_count == c->mark_capacity) {
        c->marks = must_grow(c->marks, sizeof *c->marks, c->mark_count, &c->mark_capacity, 4);
    }
    c->marks[c->mark_count++] = (struct collected_mark){checkpoint_id, c->to->count};
}

static void collect_barrier(struct op *op, int64_t checkpoint_id)
{
    mark(collect_of(op), checkpoint_id);
}

/* Every later checkpoint has what there is now; without any, all is complete at the end. */
static void collect_end(struct op *op)
{
    mark(collect_of(op), op->task->barrier + 1);
}

static void collect_completed(struct op *op, int64_t checkpoint_id)
{
    struct collect *c = collect_of(op);
    uint32_t left = 0;
    for (uint32_t m = 0; m < c->mark_count; m++) {
        if (c->marks[m].checkpoint_id <= checkpoint_id) {
            c->to->complete = c->marks[m].count;
        } else {
            c->marks[left++] = c->marks[m];
        }
    }
    c->mark_count = left;
}

static void collect_snapshot(struct op *op, struct bytes *bytes)
{
    const struct st_collection *from = collect_of(op)->to;
    bytes_type(bytes, from->type);
    bytes_i64(bytes, (int64_t)from->count);
    for (uint64_t k = 0; k < from->count; k++) {
        bytes_record(bytes, &from->layout, from->records + k * from->layout.size);
    }
}

static void collect_restore(struct op *op, struct section *section)
{
    struct st_collection *to = collect_of(op)->to;
    struct reader *from = &section->state;
    _Alignas(16) char record[ST_RECORD_SIZE_MAX];
    restore_type(op, from, to->type);
    for (int64_t left = read_i64(from); left > 0 && read_record(from, &to->layout, record);
         left--) {
        make_room(to, 1);
        if (!add(to, record)) {
            restore_fail(op, "it has collected more than %" PRIu64 " bytes (.collected_max)",
                         to->size_max);
        }
    }
    to->complete = to->count;
}

const struct op_class op_collect = {
    .size = sizeof(struct collect),
    .open = collect_open,
    .close = collect_close,
    .batch = collect_batch,
    .end = collect_end,
    .barrier = collect_barrier,
    .completed = collect_completed,
    .snapshot = collect_snapshot,
    .restore = collect_restore,
};
