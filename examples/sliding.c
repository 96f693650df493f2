/*
 * Sliding windows of processing time: each 5 seconds, how often each word came in the last 10.
 *
 *     kcsim stream run [--steps] examples/sliding
 */
#include "examples/words.h"

static const int64_t lines = 34;

int st_job(st_env *env, int argc ST_UNUSED, char **argv ST_UNUSED)
{
    st_stream *words = words_typed(env, &lines);
    st_stream *windows = st_window(words, ST_SLIDING(10000, 5000, .processing_time = true));
    st_print(st_sum(windows, ST_FIELD(word, count)));
    return 0;
}
