#define _GNU_SOURCE
#include "history.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_clear(struct history *h)
{
    for (int i = 0; i < h->count; i++)
        free(h->lines[i]);
    h->count = 0;
}

void history_add(struct history *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    assert(h->count < HISTORY_LINES);
    if (vasprintf(&h->lines[h->count++], format, args) < 0)
        abort();
    va_end(args);
}

static bool is_event(const char *line)
{
    return strncmp(line, "event ", 6) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void history_settle(struct history *h)
{
    for (int i = 0; i < h->count; i++) {
        if (strcmp(h->lines[i], "reconnected") != 0)
            continue;
        int end = i + 1;
        while (end < h->count && is_event(h->lines[end]))
            end++;
        qsort(&h->lines[i + 1], (size_t)(end - i - 1), sizeof h->lines[0], by_text);
    }
}

bool history_equal(const struct history *a, const struct history *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->lines[i], b->lines[i]) != 0)
            return false;
    return true;
}

void history_print(const struct history *h)
{
    for (int i = 0; i < h->count; i++)
        printf("    %s\n", h->lines[i]);
}

static const char *name_owner(const struct naming *n, int64_t owner)
{
    static const char *const names[] = {"s0", "s1", "s2"};
    for (int i = 0; i < 3; i++)
        if (owner != 0 && owner == n->sessions[i])
            return names[i];
    return owner == 0 ? "-" : "?";
}

const char *name_stat(const struct naming *n, const struct wire_zk_stat *s, char *to)
{
    snprintf(to, 256,
             "{c %" PRId64 " m %" PRId64 " p %" PRId64 " version %d cversion %d aversion %d "
             "owner %s length %d children %d}",
             s->czxid - n->base, s->mzxid - n->base, s->pzxid - n->base, s->version, s->cversion,
             s->aversion, name_owner(n, s->ephemeral_owner), s->data_length, s->num_children);
    return to;
}

const char *name_path(const struct naming *n, const char *path)
{
    size_t size = strlen(n->prefix);
    return strncmp(path, n->prefix, size) == 0 ? path + size : path;
}

const char *name_data(const void *data, int32_t size, char *to)
{
    uint32_t h = 2166136261u;
    if (data == NULL || size < 0)
        return "null";
    for (int32_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 16777619u;
    snprintf(to, 32, "%d:%08x", size, h);
    return to;
}
