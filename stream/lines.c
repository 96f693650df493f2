/*
 * Lines out of bytes, see lines.h.
 */
#include "stream/lines.h"

#include <stdlib.h>

#include "stream/graph.h"
#include "stream/ring.h"

#define BLOCK_SIZE ((size_t)64 * 1024)

void lines_begin(struct lines *l, const char *delimiter)
{
    *l = (struct lines){.size = BLOCK_SIZE,
                        .buffer = must_calloc(1, BLOCK_SIZE),
                        .delimiter = delimiter,
                        .delimiter_size = strlen(delimiter)};
}

void lines_free(struct lines *l)
{
    free(l->buffer);
    l->buffer = NULL;
}

void lines_restart(struct lines *l, int64_t position)
{
    l->at = l->filled = l->looked_at = 0;
    l->position = position;
}

/* What is there moves to the front; a buffer that is full of one line doubles. */
char *lines_room(struct lines *l, size_t *room)
{
    memmove(l->buffer, l->buffer + l->at, l->filled - l->at);
    l->filled -= l->at;
    l->looked_at -= l->at;
    l->at = 0;
    if (l->filled == l->size) {
        if (l->size * 2 > RECORD_TEXT_MAX) {
            return NULL;
        }
        char *larger = must_calloc(1, l->size * 2);
        memcpy(larger, l->buffer, l->filled);
        free(l->buffer);
        l->buffer = larger;
        l->size *= 2;
    }
    *room = l->size - l->filled;
    return l->buffer + l->filled;
}

void lines_filled(struct lines *l, size_t size)
{
    l->filled += size;
}

/* Where the next delimiter is; NULL, and noted how far was looked, if there is none. */
static const char *find_delimiter(struct lines *l)
{
    const char *from = l->buffer + l->looked_at;
    size_t left = l->filled - l->looked_at;
    const char *end = NULL;
    if (left >= l->delimiter_size) {
        end = l->delimiter_size == 1 ? memchr(from, l->delimiter[0], left)
                                     : memmem(from, left, l->delimiter, l->delimiter_size);
        if (end == NULL) {
            l->looked_at = l->filled - (l->delimiter_size - 1);
        }
    }
    return end;
}

bool lines_next(struct lines *l, bool at_end, st_str *line)
{
    const char *from = l->buffer + l->at, *end = find_delimiter(l);
    size_t left = l->filled - l->at;
    if (end == NULL && !(at_end && left > 0)) {
        return false;
    }
    size_t size = end != NULL ? (size_t)(end - from) : left;
    size_t taken = size + (end != NULL ? l->delimiter_size : 0);
    l->at += taken;
    l->looked_at = l->at;
    l->position += (int64_t)taken;
    if (size > 0 && from[size - 1] == '\r' && l->delimiter_size == 1 && l->delimiter[0] == '\n') {
        size--;
    }
    *line = (st_str){from, (uint32_t)size, 0};
    return true;
}

st_str lines_rest(const struct lines *l)
{
    return (st_str){l->buffer + l->at, (uint32_t)(l->filled - l->at), 0};
}
