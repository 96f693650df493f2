/*
 * Count windows: each word at its fourth, eighth … time.
 *
 *     kcsim stream run examples/count_window
 */
#include "examples/words.h"

static const int64_t lines = 10;

int st_job(st_env *env, int argc ST_UNUSED, char **argv ST_UNUSED)
{
    st_stream *windows = st_window(words_typed(env, &lines), ST_COUNT_WINDOW(4));
    st_print(st_sum(windows, ST_FIELD(word, count)));
    return 0;
}
