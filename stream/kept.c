/*
 * A checkpoint in memory, see kept.h.
 */
#include "stream/kept.h"

#include <assert.h>
#include <stdlib.h>

#include "stream/graph.h"

struct kept {
    int64_t id;
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

void kept_write(struct kept **kept, int64_t id, const struct bytes *const *parts, uint32_t count)
{
    struct kept *fresh = must_calloc(1, sizeof *fresh);
    *fresh = (struct kept){id, must_calloc(count, sizeof(struct bytes)), count};
    for (uint32_t t = 0; t < count; t++) {
        assert(parts[t]->attached == NULL);
        bytes_put(&fresh->parts[t], parts[t]->data, parts[t]->size);
    }
    kept_free(*kept);
    *kept = fresh;
}

struct checkpoint *kept_load(const struct kept *kept, uint32_t max_parallelism)
{
    struct checkpoint *c = must_calloc(1, sizeof *c);
    c->id = kept->id;
    c->max_parallelism = max_parallelism;
    for (uint32_t t = 0; t < kept->count; t++) {
        bool whole = checkpoint_add_task(c, &kept->parts[t]);
        assert(whole && "what was written by us reads");
        (void)whole;
    }
    return c;
}
