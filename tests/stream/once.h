/*
 * How often each of the numbers 0 … expected - 1 has come out of a job: the checker of delivery
 * guarantees. That it sees a loss and a repetition is itself tested (test_guarantees.c).
 *
 *     at most once    once.repeated == 0       at least once    once.lost == 0
 *     exactly once    both, and no number that was never put in
 */
#ifndef TESTS_STREAM_ONCE_H
#define TESTS_STREAM_ONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct once {
    int64_t lost, repeated, foreign; /* numbers: absent, there more than once, never put in */
    int64_t first_lost, first_repeated;
};

struct once_numbers {
    int64_t *numbers; /* [count], owned */
    size_t count, capacity;
    bool torn; /* a line that is no number */
};

void once_add(struct once_numbers *n, int64_t number);
/* The lines of a file; of a folder, of all its files whose names begin with `prefix`. */
void once_add_file(struct once_numbers *n, const char *path);
void once_add_folder(struct once_numbers *n, const char *folder, const char *prefix);
void once_free(struct once_numbers *n);
struct once once_count(const struct once_numbers *n, int64_t expected);
bool once_exactly(const struct once *once);
/* In words; valid until the next call. */
const char *once_tell(const struct once *once);

#endif
