/*
 * Checkpoints that are under way, see pending.h.
 */
#include "stream/pending.h"

#include <stdlib.h>

#include "stream/graph.h"

void pendings_init(struct pendings *p, uint32_t task_count)
{
    *p = (struct pendings){.task_count = task_count,
                           .last = must_calloc(task_count, sizeof(struct bytes)),
                           .is_last = must_calloc(task_count, sizeof(bool))};
}

void pending_free(struct pending *one, uint32_t task_count)
{
    for (uint32_t t = 0; one != NULL && t < task_count; t++) {
        bytes_free(&one->parts[t]);
    }
    if (one != NULL) {
        free(one->parts);
        free(one->is_in);
        free(one);
    }
}

void pendings_free(struct pendings *p)
{
    for (struct pending *one; (one = p->oldest) != NULL;) {
        pendings_unlink(p, one);
        pending_free(one, p->task_count);
    }
    for (uint32_t t = 0; t < p->task_count; t++) {
        bytes_free(&p->last[t]);
    }
    free(p->last);
    free(p->is_last);
}

struct pending *pendings_add(struct pendings *p, int64_t id, enum question why, int64_t now_ms)
{
    struct pending *one = must_calloc(1, sizeof *one), **end = &p->oldest;
    *one = (struct pending){.id = id,
                            .why = why,
                            .began_ms = now_ms,
                            .parts = must_calloc(p->task_count, sizeof(struct bytes)),
                            .is_in = must_calloc(p->task_count, sizeof(bool))};
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = one;
    p->count++;
    return one;
}

struct pending *pendings_find(const struct pendings *p, int64_t id)
{
    struct pending *one = p->oldest;
    while (one != NULL && one->id != id) {
        one = one->next;
    }
    return one;
}

void pendings_take(struct pendings *p, uint32_t task, int64_t id, struct bytes *part)
{
    struct pending *one = id != 0 ? pendings_find(p, id) : NULL;
    if (id == 0) {
        bytes_free(&p->last[task]);
        p->last[task] = *part;
        p->is_last[task] = true;
    } else if (one != NULL && !one->is_in[task]) {
        one->parts[task] = *part;
        one->is_in[task] = true;
    } else {
        bytes_free(part);
    }
    *part = (struct bytes){0};
}

bool pendings_gather(const struct pendings *p, const struct pending *one,
                     const struct bytes **parts)
{
    bool all = true;
    for (uint32_t t = 0; t < p->task_count; t++) {
        all &= one->is_in[t] || p->is_last[t];
        parts[t] = one->is_in[t] ? &one->parts[t] : &p->last[t];
    }
    return all;
}

void pendings_unlink(struct pendings *p, struct pending *one)
{
    struct pending **at = &p->oldest;
    while (*at != one) {
        at = &(*at)->next;
    }
    *at = one->next;
    p->count--;
}
