/*
 * A keyed process function with state and timers: who has been silent for 10 seconds.
 *
 *     kcsim stream run examples/keyed_process [--input FILE]
 *
 * Lines are NAME,TIME. Each record moves its name's timer on; a timer that is reached tells how
 * often the name was seen, and forgets it.
 */
#include "examples/example.h"

typedef struct {
    st_str name;
    int64_t time;
} visit;
ST_TYPE(visit, name, time);

typedef struct {
    int64_t count, timer;
} seen;
ST_TYPE(seen, count, timer);

ST_VALUE_STATE(visits, seen);

ST_MAP(parse, st_str, visit)
{
    st_str parts[2];
    if (st_split(*in, ',', parts, 2) != 2) {
        st_fail(ctx, "not NAME,TIME: %.*s", (int)in->size, in->data);
    }
    *out = (visit){parts[0], example_number(ctx, parts[1])};
}

ST_TIMESTAMP(time_of, visit)
{
    return in->time;
}

ST_PROCESS(remember, visit, st_str)
{
    const seen *had = st_value_get(ctx, &visits);
    seen now = {.count = 1, .timer = in->time + 10000};
    if (had != NULL) {
        now.count += had->count;
        st_delete_event_timer(ctx, had->timer);
    }
    st_set_event_timer(ctx, now.timer);
    st_value_set(ctx, &visits, &now);
    st_str line = st_format(ctx, "key: %.*s", (int)in->name.size, in->name.data);
    st_emit(out, &line);
}

static void silent(st_context *ctx, int64_t time_ms, st_out *out)
{
    const st_str *name = st_key(ctx);
    const seen *had = st_value_get(ctx, &visits);
    st_str line = st_format(ctx, "%.*s was seen %" PRId64 " times, last at %" PRId64,
                            (int)name->size, name->data, had->count, time_ms - 10000);
    st_emit(out, &line);
    st_state_clear(ctx, &visits);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(
        env, argc, argv, "tom,1000\nrose,2000\ntom,9000\nrose,20000\nrose,21000\ntom,40000\n");
    st_stream *times = st_assign_timestamps(st_map(lines, parse), time_of, .every_record = true);
    st_print(st_process(st_key_by(times, ST_KEY(visit, name)), remember, .on_timer = silent,
                        .states = ST_STATES(&visits)));
    return 0;
}
