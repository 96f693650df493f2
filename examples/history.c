/*
 * Text in value state: each word with all that was seen of it.
 *
 *     kcsim stream run examples/history [--input FILE]
 */
#include "examples/words.h"

ST_VALUE_STATE(history, st_str);

ST_PROCESS(append, word, st_str)
{
    const st_str *had = st_value_get(ctx, &history);
    st_str before = had != NULL ? *had : st_str_of("");
    st_str now = st_format(ctx, "%.*s-%" PRId64, (int)before.size, before.data, in->count);
    st_value_set(ctx, &history, &now);
    st_str line =
        st_format(ctx, "%.*s%.*s", (int)in->text.size, in->text.data, (int)now.size, now.data);
    st_emit(out, &line);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *words =
        st_flat_map(example_lines(env, argc, argv, "hello world\nhello\nhello\n"), split);
    st_print(
        st_process(st_key_by(words, ST_KEY(word, text)), append, .states = ST_STATES(&history)));
    return 0;
}
