/*
 * Event time with disorder: records say when they happened, and may come up to a second late.
 *
 *     kcsim stream run examples/event_time [--input FILE]
 *
 * Lines are KEY,TIME,NUMBER. Each record is told with the watermark that it finds; the sums of
 * windows of 3 seconds come between them, when the watermark has passed their end.
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

ST_PROCESS(tell, event, st_str)
{
    int64_t watermark = st_watermark(ctx);
    st_str line =
        watermark == ST_TIME_MIN
            ? st_format(ctx, "event %" PRId64 ", no watermark yet", in->time)
            : st_format(ctx, "event %" PRId64 ", watermark %" PRId64, in->time, watermark);
    st_emit(out, &line);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(env, argc, argv,
                                     "hello,1645844000,1\nhello,1645845000,2\n"
                                     "hello,1645846000,1\nhello,1645847000,3\n"
                                     "hello,1645848000,1\nhello,1645849000,4\n"
                                     "hello,1645850000,1\nhello,1645851000,5\n");
    st_stream *events =
        st_assign_timestamps(st_map(lines, parse), time_of, .bound_ms = 1000, .every_record = true);
    st_stream *windows = st_window(st_key_by(events, ST_KEY(event, key)), ST_TUMBLING(3000));
    if (strcmp(example_flag(argc, argv, "--tell", "yes"), "yes") == 0) {
        st_print(st_process(events, tell));
    }
    st_print(st_sum(windows, ST_FIELD(event, value)));
    return 0;
}
