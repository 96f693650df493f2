/*
 * List state: numbers that are more than 5 away from the mean of all so far, themselves included.
 *
 *     kcsim stream run examples/list_state [--input FILE]
 *
 * Lines are numbers, all under one key. The first one is always let through. The mean is that of
 * whole numbers, as in the note's Scala.
 */
#include "examples/example.h"

typedef struct {
    st_str key;
    int64_t value;
} number;
ST_TYPE(number, key, value);

ST_LIST_STATE(numbers, int64_t);
ST_TAG(means, st_str);

ST_MAP(parse, st_str, number)
{
    *out = (number){st_str_of("key"), example_number(ctx, *in)};
}

ST_FILTER(far_from_mean, number)
{
    uint32_t count;
    st_list_add(ctx, &numbers, &in->value);
    const int64_t *all = st_list_get(ctx, &numbers, &count);
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += all[i];
    }
    int64_t mean = sum / count;
    st_str line = st_format(ctx, "mean of %u: %" PRId64, count, mean);
    st_emit_side(ctx, means, &line);
    return count == 1 || llabs(in->value - mean) > 5;
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(env, argc, argv, "18\n20\n25\n36\n");
    st_stream *keyed = st_key_by(st_map(lines, parse), ST_KEY(number, key));
    st_stream *far = st_filter(keyed, far_from_mean, .states = ST_STATES(&numbers));
    st_print(st_side_output(far, means));
    st_print(far);
    return 0;
}
