/*
 * A checkpoint in memory, see kept.h.
 */
#include "stream/kept.h"

#include <assert.h>
#include <stdlib.h>

#include "stream/graph.h"

struct kept {
    int64_t id, time_ms;
    uint32_t max_parallelism;
    struct bytes *parts; /* [count] */
    uint32_t count;
};

void kept_free(struct kept *kept)
{
    if (kept != NULL) {
        for (uint32_t t = 0; t < kept->count; t++) {
            bytes_free(&kept->parts[t]);
        }
        free(kept->parts);
        free(kept);
    }
}

void kept_write(struct kept **kept, const struct checkpoint_draft *w)
{
    struct kept *fresh = must_calloc(1, sizeof *fresh);
    *fresh = (struct kept){.id = w->id,
                           .time_ms = w->time_ms,
                           .max_parallelism = w->max_parallelism,
                           .parts = must_calloc(w->count, sizeof(struct bytes)),
                           .count = w->count};
    for (uint32_t t = 0; t < w->count; t++) {
        assert(w->tasks[t]->attached == NULL);
        bytes_put(&fresh->parts[t], w->tasks[t]->data, w->tasks[t]->size);
    }
    kept_free(*kept);
    *kept = fresh;
}

struct checkpoint *kept_load(const struct kept *kept)
{
    struct checkpoint *c = must_calloc(1, sizeof *c);
    c->id = kept->id;
    c->time_ms = kept->time_ms;
    c->max_parallelism = kept->max_parallelism;
    for (uint32_t t = 0; t < kept->count; t++) {
        bool whole = checkpoint_add_task(c, &kept->parts[t]);
        assert(whole && "what was written by us reads");
        (void)whole;
    }
    return c;
}
