/*
 * Text appended to a caller's buffer. The first append that does not fit marks the overflow, and
 * nothing is written after it: callers check once, at the end. Internal to statemachine/.
 */
#ifndef STATEMACHINE_TEXT_H
#define STATEMACHINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sm_text {
    char *out;
    size_t capacity, size;
    bool overflow;
};

static inline struct sm_text sm_text_begin(char *out, size_t capacity)
{
    return (struct sm_text){.out = out, .capacity = capacity};
}

static inline void sm_text_bytes(struct sm_text *t, const char *bytes, size_t size)
{
    if (t->overflow || size > t->capacity - t->size) {
        t->overflow = true;
        return;
    }
    memcpy(t->out + t->size, bytes, size);
    t->size += size;
}

/* Appends a string literal. */
#define SM_TEXT(t, literal) sm_text_bytes((t), "" literal "", sizeof(literal) - 1)

static inline void sm_text_string(struct sm_text *t, const char *string)
{
    sm_text_bytes(t, string, strlen(string));
}

/* Appends `n` in decimal. */
void sm_text_int(struct sm_text *t, int64_t n);

/* Appends `string` as JSON, quotes included, escaped as Jackson escapes. */
void sm_text_json_string(struct sm_text *t, const char *string);

/* Returns the size, or 0 where something did not fit. */
static inline size_t sm_text_end(const struct sm_text *t)
{
    return t->overflow ? 0 : t->size;
}

#endif
