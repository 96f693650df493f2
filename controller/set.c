/*
 * Sets of partition rows: a bit a row, and above it a bit a word.
 *
 * The upper level lets a walk skip 4,096 rows at a time, so that an event about one partition of a
 * million costs nothing per partition. Members are walked in ascending order only.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

static uint64_t *words_of(const struct kc_controller *c, enum kc_set set)
{
    return (uint64_t *)kc_at(c, c->at.sets) +
           (uint64_t)set * (c->at.set_words + c->at.set_summary_words);
}

static uint64_t *summary_of(const struct kc_controller *c, enum kc_set set)
{
    return words_of(c, set) + c->at.set_words;
}

void kc_set_add(struct kc_controller *c, enum kc_set set, uint32_t row)
{
    uint32_t word = row / 64;

    assert(row < c->limits.partitions);
    words_of(c, set)[word] |= 1ull << row % 64;
    summary_of(c, set)[word / 64] |= 1ull << word % 64;
}

void kc_set_remove(struct kc_controller *c, enum kc_set set, uint32_t row)
{
    uint64_t *words = words_of(c, set);
    uint32_t word = row / 64;

    assert(row < c->limits.partitions);
    words[word] &= ~(1ull << row % 64);
    if (words[word] == 0) {
        summary_of(c, set)[word / 64] &= ~(1ull << word % 64);
    }
}

bool kc_set_has(const struct kc_controller *c, enum kc_set set, uint32_t row)
{
    return (words_of(c, set)[row / 64] >> row % 64 & 1) != 0;
}

/* Returns the first set bit at or after `from` among `count` words, or UINT32_MAX. */
static uint32_t first_bit(const uint64_t *words, uint32_t count, uint32_t from)
{
    uint32_t word = from / 64;

    if (word >= count) {
        return UINT32_MAX;
    }
    uint64_t bits = words[word] & ~0ull << from % 64;
    while (bits == 0) {
        if (++word == count) {
            return UINT32_MAX;
        }
        bits = words[word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

uint32_t kc_set_next(const struct kc_controller *c, enum kc_set set, uint32_t from)
{
    const uint64_t *words = words_of(c, set);
    uint32_t word = from / 64;

    if (word >= c->at.set_words) {
        return KC_NO_ROW;
    }
    uint64_t bits = words[word] & ~0ull << from % 64;
    if (bits == 0) {
        word = first_bit(summary_of(c, set), c->at.set_summary_words, word + 1);
        if (word == UINT32_MAX) {
            return KC_NO_ROW;
        }
        bits = words[word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

void kc_set_clear(struct kc_controller *c, enum kc_set set)
{
    uint64_t *words = words_of(c, set);
    uint64_t *summary = summary_of(c, set);

    for (uint32_t word = first_bit(summary, c->at.set_summary_words, 0); word != UINT32_MAX;
         word = first_bit(summary, c->at.set_summary_words, word + 1)) {
        words[word] = 0;
    }
    memset(summary, 0, 8ull * c->at.set_summary_words);
}

bool kc_set_is_empty(const struct kc_controller *c, enum kc_set set)
{
    return kc_set_next(c, set, 0) == KC_NO_ROW;
}

uint32_t kc_set_count(const struct kc_controller *c, enum kc_set set)
{
    const uint64_t *words = words_of(c, set);
    const uint64_t *summary = summary_of(c, set);
    uint32_t count = 0;

    for (uint32_t word = first_bit(summary, c->at.set_summary_words, 0); word != UINT32_MAX;
         word = first_bit(summary, c->at.set_summary_words, word + 1)) {
        count += (uint32_t)__builtin_popcountll(words[word]);
    }
    return count;
}

void kc_set_copy(struct kc_controller *c, enum kc_set to, enum kc_set from)
{
    kc_set_clear(c, to);
    for (uint32_t row = kc_set_next(c, from, 0); row != KC_NO_ROW;
         row = kc_set_next(c, from, row + 1)) {
        kc_set_add(c, to, row);
    }
}
