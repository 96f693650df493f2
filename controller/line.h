/*
 * One log line under construction: text that never overflows, and lists in Scala's notation.
 * Internal to controller/. A line that is full takes nothing more; walks ask kc_line_is_full.
 */
#ifndef CONTROLLER_LINE_H
#define CONTROLLER_LINE_H

#include "controller/state.h"

enum { KC_LINE_BYTES = 12288 }; /* below KC_TEXT_MAX: prefix and words around it fit too */

struct kc_line {
    size_t at;
    char text[KC_LINE_BYTES];
};

/* Empties the line; `text` is left as it is behind the first byte. */
static inline void kc_line_begin(struct kc_line *l)
{
    l->at = 0;
    l->text[0] = '\0';
}
void kc_line_add(struct kc_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool kc_line_is_full(const struct kc_line *l);
/* "1, 2" or, with `separator` ",", "1,2". */
void kc_line_ids(struct kc_line *l, const int32_t *ids, uint32_t count, const char *separator);
/* Ids of the brokers with (flags & mask) == want, ascending. */
void kc_line_brokers(const struct kc_controller *c, struct kc_line *l, const char *separator,
                     uint32_t mask, uint32_t want);
/* "host:port (id: 1 rack: null)" */
void kc_line_node(struct kc_line *l, const struct sm_broker *b);
/* Puts `separator` where the line is longer than at `start`. */
void kc_line_separate(struct kc_line *l, size_t start, const char *separator);

#endif
