/*
 * Value state: each number less the one before it.
 *
 *     kcsim stream run examples/value_state [--tell yes] [--input FILE]
 *
 * Lines are numbers, all under one key. --tell prints three lines for each.
 */
#include "examples/example.h"

typedef struct {
    st_str key;
    int64_t value;
} number;
ST_TYPE(number, key, value);

ST_VALUE_STATE(last, int64_t);

ST_MAP(parse, st_str, number)
{
    *out = (number){st_str_of("key"), example_number(ctx, *in)};
}

/* One record out for each one in. */
ST_MAP(difference, number, int64_t)
{
    const int64_t *before = st_value_get(ctx, &last);
    *out = before != NULL ? in->value - *before : in->value;
    st_value_set(ctx, &last, &in->value);
}

/* Any number. */
ST_FLAT_MAP(tell, number, st_str)
{
    const int64_t *before = st_value_get(ctx, &last);
    int64_t was = before != NULL ? *before : 0;
    st_str lines[] = {
        st_format(ctx, before != NULL ? "before: %" PRId64 : "at first: %" PRId64, was),
        st_format(ctx, "now: %" PRId64, in->value),
        st_format(ctx, "difference: %" PRId64, in->value - was),
    };
    for (int i = 0; i < 3; i++) {
        st_emit(out, &lines[i]);
    }
    st_value_set(ctx, &last, &in->value);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(env, argc, argv, "18\n20\n25\n28\n");
    st_stream *numbers = st_key_by(st_map(lines, parse), ST_KEY(number, key));
    if (strcmp(example_flag(argc, argv, "--tell", "no"), "yes") == 0) {
        st_print(st_flat_map(numbers, tell, .states = ST_STATES(&last)));
    } else {
        st_print(st_map(numbers, difference, .states = ST_STATES(&last)));
    }
    return 0;
}
