/*
 * Tumbling windows of processing time: how often each word came in each 5 seconds.
 *
 *     kcsim stream run [--steps] examples/tumbling
 */
#include "examples/words.h"

static const int64_t lines = 24;

int st_job(st_env *env, int argc ST_UNUSED, char **argv ST_UNUSED)
{
    st_stream *words = words_typed(env, &lines);
    st_stream *windows = st_window(words, ST_TUMBLING(5000, .processing_time = true));
    st_print(st_sum(windows, ST_FIELD(word, count)));
    return 0;
}
