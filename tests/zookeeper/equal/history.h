/* What one session was told, as lines of text; both sides write them in the same form. */
#ifndef TESTS_ZOOKEEPER_EQUAL_HISTORY_H
#define TESTS_ZOOKEEPER_EQUAL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/coord.h"

enum { HISTORY_LINES = 512 };

struct history {
    int count;
    char *lines[HISTORY_LINES];
};

/* Of one server during one sequence: what makes its numbers comparable. */
struct naming {
    const char *prefix;  /* root of the sequence; cut off of paths */
    int64_t base;        /* czxid of that root */
    int64_t sessions[3]; /* ids */
};

void history_clear(struct history *h);
void history_add(struct history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sorts each run of events that follows a reconnection. */
void history_settle(struct history *h);
bool history_equal(const struct history *a, const struct history *b);
void history_print(const struct history *h);

/* Writes to `to`, which has room for 256 bytes; returns it. */
const char *name_stat(const struct naming *n, const struct wire_zk_stat *stat, char *to);
const char *name_path(const struct naming *n, const char *path);
/* A digest that shows null, empty and contents: "null", "0", "7:ab12cd34". */
const char *name_data(const void *data, int32_t size, char *to);

#endif
