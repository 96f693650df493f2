/*
 * A function of whole windows: the numbers of each key in each 10 seconds, sorted.
 *
 *     kcsim stream run examples/window_sort [--input FILE]
 *
 * Lines are KEY,TIME,NUMBER; the time is that of the event in milliseconds.
 */
#include "examples/example.h"

typedef struct {
    st_str key;
    int64_t time, value;
} event;
ST_TYPE(event, key, time, value);

ST_MAP(parse, st_str, event)
{
    st_str parts[3];
    if (st_split(*in, ',', parts, 3) != 3) {
        st_fail(ctx, "not KEY,TIME,NUMBER: %.*s", (int)in->size, in->data);
    }
    *out = (event){parts[0], example_number(ctx, parts[1]), example_number(ctx, parts[2])};
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

static int ascending(const void *a, const void *b)
{
    const event *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

ST_WINDOW(sorted, event, st_str)
{
    event *all = st_alloc(ctx, count * sizeof *all);
    memcpy(all, in, count * sizeof *all);
    qsort(all, count, sizeof *all, ascending);
    st_str line = st_format(ctx, "key: %.*s sorted:", (int)in->key.size, in->key.data);
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, all[i].value);
    }
    st_emit(out, &line);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(env, argc, argv,
                                     "a,1000,9\nb,1500,3\na,2000,-4\na,9999,7\nb,9000,1\n"
                                     "a,10000,5\nb,10001,2\na,12000,2\n");
    st_stream *events = st_assign_timestamps(st_map(lines, parse), time_of, .every_record = true);
    st_stream *windows = st_window(st_key_by(events, ST_KEY(event, key)), ST_TUMBLING(10000));
    st_print(st_process_window(windows, sorted));
    return 0;
}
