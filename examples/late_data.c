/*
 * Late data: what comes behind the watermark of its window, and what becomes of it.
 *
 *     kcsim stream run examples/late_data [--lateness MS] [--input FILE]
 *
 * Lines are KEY,TIME,NUMBER. Windows of 5 seconds; a record may be a second out of order. Records
 * that are later still are printed as they are, behind the word "late". With --lateness a window
 * waits so much longer, and fires again for each record.
 */
#include "examples/example.h"

typedef struct {
    st_str key;
    int64_t time, value;
} event;
ST_TYPE(event, key, time, value);

ST_TAG(late, event);

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

ST_MAP(too_late, event, st_str)
{
    *out = st_format(ctx, "late: %.*s,%" PRId64 ",%" PRId64, (int)in->key.size, in->key.data,
                     in->time, in->value);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(
        env, argc, argv, "a,1000,1\na,3000,1\na,2000,1\na,6000,1\na,4000,1\na,8000,1\na,4500,1\n");
    int64_t lateness_ms = strtoll(example_flag(argc, argv, "--lateness", "0"), NULL, 10);
    st_stream *events =
        st_assign_timestamps(st_map(lines, parse), time_of, .bound_ms = 1000, .every_record = true);
    st_stream *sums =
        st_sum(st_window(st_key_by(events, ST_KEY(event, key)),
                         ST_TUMBLING(5000, .lateness_ms = lateness_ms, .late = &late)),
               ST_FIELD(event, value));
    st_print(sums);
    st_print(st_map(st_side_output(sums, late), too_late));
    return 0;
}
