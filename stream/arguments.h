/*
 * Flags on a command line, in the forms that Flink's have (Apache Commons CLI): -p 2, -p2, -p=2,
 * --parallelism 2, --parallelism=2.
 */
#ifndef STREAM_ARGUMENTS_H
#define STREAM_ARGUMENTS_H

#include <stdbool.h>

/* Is `word` this flag, which takes a value? `small` has one letter ("-p"), or is NULL. *value: what
 * is joined to it, aliases the word; NULL: its value is the next word. */
bool arguments_is(const char *word, const char *small, const char *large, const char **value);
/* How many words the flag at `word` takes, if it is one that every job has (st_env_take_arguments):
 * 1, or 2 where its value is the next word; 0: it is none of these. */
int arguments_width(const char *word);

#endif
