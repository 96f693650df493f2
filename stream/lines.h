/*
 * Lines out of bytes that come piece by piece: of a file, of a socket.
 *
 *     buffer:  | handed out | at … filled: lines, the last of them perhaps in part |  free  |
 *
 * A line handed out views the buffer, and is valid until room is asked for.
 */
#ifndef STREAM_LINES_H
#define STREAM_LINES_H

#include "stream/stream.h"

struct lines {
    char *buffer; /* owned; NULL: not begun */
    size_t size, at, filled;
    size_t looked_at;      /* up to here there is no delimiter behind `at` */
    const char *delimiter; /* borrowed */
    size_t delimiter_size;
    int64_t position; /* how many bytes have been handed out, delimiters included */
};

/* delimiter: what ends a line, at least one byte; borrowed. "\n": a "\r" before it goes too. */
void lines_begin(struct lines *l, const char *delimiter);
void lines_free(struct lines *l);
/* Forgets what is there; the next byte that comes is the one at `position`. */
void lines_restart(struct lines *l, int64_t position);
/* Where more bytes may be put, *room of them at most; NULL: a line is longer than text may be. */
char *lines_room(struct lines *l, size_t *room);
/* Of that room `size` bytes have been filled. */
void lines_filled(struct lines *l, size_t size);
/* The next line that is whole; at the end of the input also what is left, if it is not empty. */
bool lines_next(struct lines *l, bool at_end, st_str *line);
/* All that is there, as a view. */
st_str lines_rest(const struct lines *l);

#endif
