/*
 * A job with checkpoints: words are counted exactly once, though the job fails on the way.
 *
 *     kcsim stream run examples/checkpointed [--steps] [--output FOLDER] [--fail-at N]
 *
 * With --fail-at the job fails once, at the N-th count that it makes, and begins again with its
 * last checkpoint. Files of --output have each count once; what is printed may come again.
 */
#include "examples/words.h"

static const int64_t lines = 24;
static int64_t fail_at, made;

ST_FILTER(may_fail, word)
{
    if (++made == fail_at) {
        st_fail(ctx, "asked to fail at count %" PRId64, fail_at);
    }
    return true;
}

int st_job(st_env *env, int argc, char **argv)
{
    fail_at = strtoll(example_flag(argc, argv, "--fail-at", "0"), NULL, 10);
    const char *folder = example_flag(argc, argv, "--output", NULL);
    st_env_set(env, "execution.checkpointing.interval", "3s");
    st_env_set(env, "execution.checkpointing.mode", "EXACTLY_ONCE");
    st_env_set(env, "execution.checkpointing.dir",
               example_flag(argc, argv, "--checkpoints", "checkpoints"));
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_stream *counts = st_sum(words_typed(env, &lines), ST_FIELD(word, count), .uid = "count");
    counts = st_filter(counts, may_fail);
    if (folder != NULL) {
        st_write_files(counts, folder, .uid = "files");
    } else {
        st_print(counts);
    }
    return 0;
}
