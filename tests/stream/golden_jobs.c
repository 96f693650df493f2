/*
 * The recorded jobs, see golden_jobs.h. Lines in, lines out.
 */
#include "golden_jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    st_str key;
    int64_t time; /* or a sequence number */
    int64_t value;
} event;
ST_TYPE(event, key, time, value);

typedef struct {
    st_str key;
} keyed_text;
ST_TYPE(keyed_text, key);

static int64_t number(st_context *ctx, st_str text)
{
    int64_t value;
    if (!st_parse_int64(text, &value)) {
        st_fail(ctx, "not a number: %.*s", (int)text.size, text.data);
    }
    return value;
}

ST_MAP(parse, st_str, event)
{
    st_str parts[3];
    if (st_split(*in, ',', parts, 3) != 3) {
        st_fail(ctx, "not key,number,number: %.*s", (int)in->size, in->data);
    }
    *out = (event){parts[0], number(ctx, parts[1]), number(ctx, parts[2])};
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_MAP(as_line, event, st_str)
{
    *out = st_format(ctx, "%.*s,%" PRId64 ",%" PRId64, (int)in->key.size, in->key.data, in->time,
                     in->value);
}

static st_stream *read_text(st_env *env, const char *path)
{
    return st_read_text(env, path);
}

static void write_text(st_stream *s, const char *path)
{
    st_write_text(s, path);
}

st_stream *(*golden_read)(st_env *env, const char *path) = read_text;
void (*golden_write)(st_stream *s, const char *path) = write_text;

static st_stream *file(st_env *env, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return golden_read(env, path);
}

static void write(st_stream *s, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    golden_write(s, path);
}

static st_stream *by_key(st_env *env, const char *in)
{
    return st_key_by(st_map(file(env, in, "input"), parse, .parallelism = 1), ST_KEY(event, key));
}

static st_stream *timed_by_key(st_env *env, const char *in, const char *name, int64_t bound_ms)
{
    st_stream *s = st_assign_timestamps(st_map(file(env, in, name), parse, .parallelism = 1),
                                        time_of, .bound_ms = bound_ms, .every_record = true);
    return st_key_by(s, ST_KEY(event, key));
}

/* ------------------------------------------------------------------------------------------ 01 */

ST_MAP(lower, st_str, st_str)
{
    char *text = st_alloc(ctx, in->size);
    for (uint32_t i = 0; i < in->size; i++) {
        char c = in->data[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    *out = (st_str){text, in->size, 0};
}

ST_FLAT_MAP(words, st_str, st_str)
{
    for (uint32_t i = 0, from = 0; i <= in->size; i++) {
        if (i == in->size || in->data[i] < 'a' || in->data[i] > 'z') {
            if (i > from) {
                st_emit(out, &((st_str){in->data + from, i - from, 0}));
            }
            from = i + 1;
        }
    }
}

ST_FILTER(not_short, st_str)
{
    return in->size >= 4;
}

ST_MAP(with_length, st_str, st_str)
{
    *out = st_format(ctx, "%.*s:%u", (int)in->size, in->data, in->size);
}

static void job_01(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_flat_map(st_map(file(env, in, "input"), lower), words);
    write(st_map(st_filter(s, not_short), with_length), out, "expected");
}

/* ------------------------------------------------------------------------------ 03, 05, 06, 08 */

static void job_03(st_env *env, const char *in, const char *out)
{
    write(st_sum(by_key(env, in), ST_FIELD(event, value)), out, "expected");
}

static void job_05(st_env *env, const char *in, const char *out)
{
    write(st_max(by_key(env, in), ST_FIELD(event, value)), out, "expected");
}

static void job_06(st_env *env, const char *in, const char *out)
{
    write(st_min_by(by_key(env, in), ST_FIELD(event, value)), out, "expected");
}

ST_REDUCE(concat, event)
{
    acc->time = in->time;
    acc->value = acc->value * 10 + in->value;
}

static void job_08(st_env *env, const char *in, const char *out)
{
    write(st_reduce(by_key(env, in), concat), out, "expected");
}

/* ---------------------------------------------------------------------------------- 09, 10, 11 */

ST_MAP(from_a, st_str, st_str)
{
    *out = st_format(ctx, "A:%.*s", (int)in->size, in->data);
}

ST_MAP(from_b, st_str, st_str)
{
    *out = st_format(ctx, "B:%.*s", (int)in->size, in->data);
}

static void job_09(st_env *env, const char *in, const char *out)
{
    st_stream *a = st_map(file(env, in, "input"), from_a);
    st_stream *b = st_map(file(env, in, "input2"), from_b);
    write(st_union(st_union(a, b), a), out, "expected");
}

ST_MAP(to_int64, st_str, int64_t)
{
    *out = number(ctx, *in);
}

ST_MAP(squared, int64_t, st_str)
{
    *out = st_format(ctx, "num %" PRId64, *in * *in);
}

ST_MAP(upper, st_str, st_str)
{
    *out = st_format(ctx, "word %.*s", (int)in->size, in->data);
    char *text = st_alloc(ctx, out->size);
    for (uint32_t i = 0; i < out->size; i++) {
        char c = out->data[i];
        text[i] = (char)(i >= 5 && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    out->data = text;
}

static void job_10(st_env *env, const char *in, const char *out)
{
    st_stream *numbers = st_map(file(env, in, "input"), to_int64);
    st_stream *both = st_connect(numbers, file(env, in, "input2"));
    write(st_co_map(both, squared, upper), out, "expected");
}

ST_TAG(just_18, st_str);
ST_TAG(younger, st_str);

ST_PROCESS(by_age, st_str, st_str)
{
    st_str parts[3], line;
    st_split(*in, ',', parts, 3);
    int64_t age = number(ctx, parts[2]);
    if (age > 18) {
        st_emit(out, in);
    } else if (age == 18) {
        line = st_format(ctx, "%.*s:18", (int)parts[0].size, parts[0].data);
        st_emit_side(ctx, just_18, &line);
    } else {
        st_emit_side(ctx, younger, &parts[0]);
    }
}

static void job_11(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_process(file(env, in, "input"), by_age);
    write(s, out, "expected_main");
    write(st_side_output(s, just_18), out, "expected_side1");
    write(st_side_output(s, younger), out, "expected_side2");
}

/* ------------------------------------------------------------------------------------- Windows */

ST_TAG(late, event);

ST_WINDOW(all_values, event, st_str)
{
    const st_str *key = st_key(ctx);
    int64_t sum = 0;
    char *values = st_alloc(ctx, count * 21 + 1), *at = values;
    for (uint32_t i = 0; i < count; i++) {
        sum += in[i].value;
        at += sprintf(at, "%s%" PRId64, i > 0 ? " " : "", in[i].value);
    }
    st_str line = st_format(ctx, "%.*s [%" PRId64 ",%" PRId64 ") n=%u sum=%" PRId64 " values=%s",
                            (int)key->size, key->data, st_window_start(ctx), st_window_end(ctx),
                            count, sum, values);
    st_emit(out, &line);
}

static void windows_of(st_stream *keyed, const char *out, st_windows w)
{
    st_stream *s = st_process_window(st_window(keyed, w), all_values);
    write(s, out, "expected");
    if (w.late != NULL) {
        write(st_map(st_side_output(s, late), as_line), out, "expected_late");
    }
}

static void windows(st_env *env, const char *in, const char *out, int64_t bound_ms, st_windows w)
{
    windows_of(timed_by_key(env, in, "input", bound_ms), out, w);
}

static void job_12(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_window(timed_by_key(env, in, "input", 1000), ST_TUMBLING(3000));
    write(st_sum(s, ST_FIELD(event, value)), out, "expected");
}

static void job_14a(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 1000, ST_TUMBLING(3000, .late = &late));
}

static void job_15(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 0, ST_TUMBLING(1000, .offset_ms = 250));
}

static void job_16(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 2000, ST_TUMBLING(5000, .late = &late));
}

static void job_18(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 1000, ST_SLIDING(10000, 5000, .late = &late));
}

static void job_20(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 2000, ST_SESSION(3000, .late = &late));
}

static void job_22(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_window(by_key(env, in), ST_COUNT_WINDOW(4));
    write(st_sum(s, ST_FIELD(event, value)), out, "expected");
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

ST_WINDOW(sorted, event, st_str)
{
    const st_str *key = st_key(ctx);
    int64_t *values = st_alloc(ctx, count * sizeof *values);
    char *text = st_alloc(ctx, count * 22 + 1), *at = text;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = in[i].value;
    }
    qsort(values, count, sizeof *values, ascending);
    for (uint32_t i = 0; i < count; i++) {
        at += sprintf(at, "%s%" PRId64, i > 0 ? ", " : "", values[i]);
    }
    st_str line = st_format(ctx, "key:%.*s end=%" PRId64 " sorted:[%s]", (int)key->size, key->data,
                            st_window_end(ctx), text);
    st_emit(out, &line);
}

static void job_24(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_window(timed_by_key(env, in, "input", 0), ST_TUMBLING(10000));
    write(st_process_window(s, sorted), out, "expected");
}

typedef struct {
    int64_t sum, count;
} average;
ST_TYPE(average, sum, count);

ST_FOLD(average_add, event, average)
{
    acc->sum += in->value;
    acc->count++;
}

ST_MAP(average_line, average, st_str)
{
    *out = st_format(ctx, "%" PRId64 " %" PRId64, st_window_end(ctx), in->sum * 100 / in->count);
}

static void job_33(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_assign_timestamps(st_map(file(env, in, "input"), parse, .parallelism = 1),
                                        time_of, .bound_ms = 1000, .every_record = true);
    s = st_window_all(s, ST_TUMBLING(4000));
    write(st_aggregate(s, average_add, average_line), out, "expected");
}

/* ---------------------------------------------------------------------------- State and timers */

typedef struct {
    int64_t key, value;
} keyed_number;
ST_TYPE(keyed_number, key, value);

ST_MAP(under_one_key, st_str, keyed_number)
{
    *out = (keyed_number){0, number(ctx, *in)};
}

ST_VALUE_STATE(last, int64_t);

ST_MAP(difference, keyed_number, int64_t)
{
    const int64_t *had = st_value_get(ctx, &last);
    *out = had != NULL && *had != 0 ? in->value - *had : in->value;
    st_value_set(ctx, &last, &in->value);
}

static void job_25(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_map(file(env, in, "input"), under_one_key, .parallelism = 1);
    s = st_map(st_key_by(s, ST_KEY(keyed_number, key)), difference, .states = ST_STATES(&last));
    write(s, out, "expected");
}

static st_str time_text(st_context *ctx, int64_t time)
{
    return time == ST_TIME_MIN   ? ST_STR("-inf")
           : time == ST_TIME_MAX ? ST_STR("inf")
                                 : st_format(ctx, "%" PRId64, time);
}

ST_PROCESS(set_timer, event, st_str)
{
    st_set_event_timer(ctx, in->time / 1000 * 1000 + 1000);
    st_str watermark = time_text(ctx, st_watermark(ctx));
    st_str line = st_format(ctx, "rec %.*s ts=%" PRId64 " wm=%.*s", (int)in->key.size, in->key.data,
                            in->time, (int)watermark.size, watermark.data);
    st_emit(out, &line);
}

static void say_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    const st_str *key = st_key(ctx);
    st_str watermark = time_text(ctx, st_watermark(ctx));
    st_str line = st_format(ctx, "timer %.*s at=%" PRId64 " wm=%.*s", (int)key->size, key->data,
                            time_ms, (int)watermark.size, watermark.data);
    st_emit(out, &line);
    if (time_ms == 3000) {
        st_set_event_timer(ctx, 3500);
    } else if (time_ms == 10000 || time_ms == 11000) {
        st_set_event_timer(ctx, time_ms + 1000);
    }
}

static void job_29(st_env *env, const char *in, const char *out)
{
    write(st_process(timed_by_key(env, in, "input", 500), set_timer, .on_timer = say_timer), out,
          "expected");
}

typedef struct {
    int64_t time;
    st_str text;
} entry;
ST_TYPE(entry, time, text);
ST_LIST_STATE(entries, entry);

static void keep(st_context *ctx, const event *in, char side)
{
    entry e = {in->time, st_format(ctx, "%c:%" PRId64, side, in->value)};
    st_list_add(ctx, &entries, &e);
    st_set_event_timer(ctx, in->time);
}

ST_PROCESS(keep_left, event, st_str)
{
    keep(ctx, in, 'L');
}

ST_PROCESS(keep_right, event, st_str)
{
    keep(ctx, in, 'R');
}

static int by_text(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return st_str_compare(x->text, y->text);
}

static void print_entries(st_context *ctx, int64_t time_ms, st_out *out)
{
    uint32_t count, now = 0, later = 0;
    const entry *all = st_list_get(ctx, &entries, &count);
    entry *due = st_alloc(ctx, count * sizeof *due), *rest = st_alloc(ctx, count * sizeof *rest);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].time == time_ms) {
            due[now++] = all[i];
        } else {
            rest[later++] = all[i];
        }
    }
    qsort(due, now, sizeof *due, by_text);
    const st_str *key = st_key(ctx);
    st_str line = st_format(ctx, "%.*s@%" PRId64, (int)key->size, key->data, time_ms);
    for (uint32_t i = 0; i < now; i++) {
        line = st_format(ctx, "%.*s %.*s", (int)line.size, line.data, (int)due[i].text.size,
                         due[i].text.data);
    }
    st_emit(out, &line);
    st_list_update(ctx, &entries, rest, later);
}

static void job_31(st_env *env, const char *in, const char *out)
{
    st_stream *both =
        st_connect(timed_by_key(env, in, "input", 0), timed_by_key(env, in, "input2", 0));
    write(st_co_process(both, keep_left, keep_right, .states = ST_STATES(&entries),
                        .on_timer = print_entries),
          out, "expected");
}

/* ---------------------------------------------------------------------------- 60 … 69, 72 … 74 */

static void job_60(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 1500, ST_SLIDING(1000, 250, .late = &late));
}

static void job_61(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 0, ST_TUMBLING(5000, .lateness_ms = 2000, .late = &late));
}

static void job_62(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 500,
            ST_SLIDING(4000, 1500, .offset_ms = -100, .lateness_ms = 1000, .late = &late));
}

static void job_63(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 0, ST_SESSION(2000, .lateness_ms = 3000, .late = &late));
}

static void job_64(st_env *env, const char *in, const char *out)
{
    windows_of(by_key(env, in), out, ST_COUNT_WINDOW(4, .slide_count = 2));
}

static void job_65(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 0,
            ST_TUMBLING(2000, .trigger = ST_ON_COUNT(2, .purging = true), .late = &late));
}

static void job_66(st_env *env, const char *in, const char *out)
{
    windows(env, in, out, 500, ST_SESSION(2000, .trigger = ST_ON_INTERVAL(1000)));
}

static void job_67(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_window(timed_by_key(env, in, "input", 1000), ST_TUMBLING(3000));
    write(st_min(s, ST_FIELD(event, value)), out, "expected_min");
    write(st_min_by(s, ST_FIELD(event, value)), out, "expected_min_by");
    write(st_max_by(s, ST_FIELD(event, value)), out, "expected_max_by");
}

/* The sums of windows, keyed again; their timestamps are those that the windows gave them. */
static st_stream *sums_by_key(st_env *env, const char *in, st_windows w)
{
    st_stream *s = st_window(timed_by_key(env, in, "input", 0), w);
    return st_key_by(st_sum(s, ST_FIELD(event, value)), ST_KEY(event, key));
}

/* Of several count windows' subtasks, one's record may come before another's first watermark, and
 * is not late then. */
static void job_68(st_env *env, const char *in, const char *out)
{
    st_env_set_parallelism(env, 1);
    windows_of(sums_by_key(env, in, ST_COUNT_WINDOW(2)), out,
               ST_SESSION(1000, .lateness_ms = 500, .late = &late));
}

static void job_69(st_env *env, const char *in, const char *out)
{
    windows_of(sums_by_key(env, in, ST_TUMBLING(1000)), out, ST_TUMBLING(3000));
}

ST_MAP(count_line, average, st_str)
{
    const st_str *key = st_key(ctx);
    *out = st_format(ctx, "%.*s %" PRId64 " n=%" PRId64 " sum=%" PRId64, (int)key->size, key->data,
                     st_window_end(ctx), in->count, in->sum);
}

static void job_72(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_assign_timestamps(st_map(file(env, in, "input"), parse, .parallelism = 1),
                                        time_of, .every_record = true);
    st_stream *t = st_assign_timestamps(st_map(file(env, in, "input2"), parse, .parallelism = 1),
                                        time_of, .bound_ms = 1000, .every_record = true);
    s = st_window(st_key_by(st_union(s, t), ST_KEY(event, key)), ST_TUMBLING(2000));
    write(st_aggregate(s, average_add, count_line), out, "expected");
}

static void job_73(st_env *env, const char *in, const char *out)
{
    st_stream *s =
        st_assign_timestamps(st_map(file(env, in, "input"), parse, .parallelism = 1), time_of,
                             .bound_ms = 1000, .every_record = true, .without_the_ms = true);
    windows_of(st_key_by(s, ST_KEY(event, key)), out, ST_TUMBLING(3000, .late = &late));
}

static int64_t at_multiples_of_3(void *self, const void *record, int64_t time_ms)
{
    const event *e = record;
    (void)self;
    return e->value % 3 == 0 ? time_ms - 500 : ST_TIME_MIN;
}

static const st_watermark_generator punctuated = {.on_event = at_multiples_of_3};

static void job_74(st_env *env, const char *in, const char *out)
{
    st_stream *s = st_assign_timestamps(st_map(file(env, in, "input"), parse, .parallelism = 1),
                                        time_of, .generator = &punctuated);
    windows_of(st_key_by(s, ST_KEY(event, key)), out, ST_TUMBLING(2000, .late = &late));
}

static int64_t never(void *self, const void *record, int64_t time_ms)
{
    (void)self, (void)record, (void)time_ms;
    return ST_TIME_MIN;
}

static const st_watermark_generator silent = {.on_event = never};

static st_stream *sums_without_watermarks(st_env *env, const char *in)
{
    st_stream *s = st_assign_timestamps(st_map(file(env, in, "input"), parse, .parallelism = 1),
                                        time_of, .generator = &silent);
    s = st_window(st_key_by(s, ST_KEY(event, key)), ST_COUNT_WINDOW(2));
    return st_key_by(st_sum(s, ST_FIELD(event, value)), ST_KEY(event, key));
}

static void job_75(st_env *env, const char *in, const char *out)
{
    windows_of(sums_without_watermarks(env, in), out, ST_TUMBLING(1000, .late = &late));
}

static void job_76(st_env *env, const char *in, const char *out)
{
    windows_of(sums_without_watermarks(env, in), out, ST_SLIDING(1000, 500, .late = &late));
}

static void job_77(st_env *env, const char *in, const char *out)
{
    windows_of(sums_without_watermarks(env, in), out,
               ST_SESSION(1000, .trigger = ST_ON_COUNT(1), .late = &late));
}

/* -------------------------------------------------------------------------------------- 70, 71 */

ST_PROCESS(set_and_delete, event, st_str)
{
    int64_t time = (in->time - (in->time % 1000 + 1000) % 1000) + 2000;
    if (in->value % 3 == 0) {
        st_delete_event_timer(ctx, time);
    } else {
        st_set_event_timer(ctx, time);
    }
    if (in->value % 5 == 0) {
        st_set_event_timer(ctx, in->time - 5000);
    }
}

static void set_another(st_context *ctx, int64_t time_ms, st_out *out)
{
    const st_str *key = st_key(ctx);
    st_str watermark = time_text(ctx, st_watermark(ctx));
    st_str line = st_format(ctx, "timer %.*s at=%" PRId64 " wm=%.*s", (int)key->size, key->data,
                            time_ms, (int)watermark.size, watermark.data);
    st_emit(out, &line);
    if (time_ms % 3000 == 0) {
        st_delete_event_timer(ctx, time_ms + 1000);
        st_set_event_timer(ctx, time_ms + 500);
    }
}

static void job_70(st_env *env, const char *in, const char *out)
{
    write(st_process(timed_by_key(env, in, "input", 500), set_and_delete, .on_timer = set_another),
          out, "expected");
}

ST_REDUCE(larger, int64_t)
{
    *acc = *in > *acc ? *in : *acc;
}

ST_FOLD(mean_add, int64_t, average)
{
    acc->sum += *in;
    acc->count++;
}

ST_LIST_STATE(all_of, int64_t);
ST_MAP_STATE(by_rest, int64_t, int64_t);
ST_REDUCING_STATE(largest, larger, int64_t);
ST_AGGREGATING_STATE(mean, mean_add, average);

static void keep_number(st_context *ctx, int64_t value)
{
    int64_t rest = value % 3;
    const int64_t *had = st_map_get(ctx, &by_rest, &rest);
    int64_t sum = (had != NULL ? *had : 0) + value;
    st_map_put(ctx, &by_rest, &rest, &sum);
    st_list_add(ctx, &all_of, &value);
    st_state_add(ctx, largest, int64_t, &value);
    st_state_add(ctx, mean, int64_t, &value);
}

static void forget_all(st_context *ctx)
{
    st_state_clear(ctx, &all_of);
    st_state_clear(ctx, &by_rest);
    st_state_clear(ctx, &largest);
    st_state_clear(ctx, &mean);
}

/* `line`, and behind it a number, or "null". */
static st_str with_number(st_context *ctx, st_str line, const int64_t *number)
{
    return number != NULL ? st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, *number)
                          : st_format(ctx, "%.*s null", (int)line.size, line.data);
}

static st_str all_states(st_context *ctx)
{
    const st_str *key = st_key(ctx);
    uint32_t count;
    st_str line = st_format(ctx, "%.*s list", (int)key->size, key->data);
    const int64_t *all = st_list_get(ctx, &all_of, &count);
    for (uint32_t i = 0; i < count; i++) {
        line = with_number(ctx, line, &all[i]);
    }
    line = st_format(ctx, "%.*s map", (int)line.size, line.data);
    for (int64_t rest = 0; rest < 3; rest++) {
        line = with_number(ctx, line, st_map_get(ctx, &by_rest, &rest));
    }
    line = st_format(ctx, "%.*s max", (int)line.size, line.data);
    line = with_number(ctx, line, st_value_get(ctx, &largest));
    line = st_format(ctx, "%.*s mean100", (int)line.size, line.data);
    const average *of = st_value_get(ctx, &mean);
    return with_number(ctx, line, of != NULL ? &(int64_t){of->sum * 100 / of->count} : NULL);
}

ST_MAP(keep_and_tell, event, st_str)
{
    int64_t rest = -in->value % 3;
    if (in->value > 0) {
        keep_number(ctx, in->value);
    } else if (in->value < 0) {
        st_map_remove(ctx, &by_rest, &rest);
    } else {
        forget_all(ctx);
    }
    *out = all_states(ctx);
}

static void job_71(st_env *env, const char *in, const char *out)
{
    write(st_map(by_key(env, in), keep_and_tell,
                 .states = ST_STATES(&all_of, &by_rest, &largest, &mean)),
          out, "expected");
}

/* ------------------------------------------------------------------------------------------ 50 */

ST_MAP(where, st_str, st_str)
{
    const st_key_spec by_text_of = ST_KEY_VALUE(st_str);
    int32_t hash = st_key_hash(&by_text_of, in);
    uint32_t group = st_key_group(hash, 128);
    *out = st_format(ctx, "%.*s,%" PRId32 ",%u,%u,%u", (int)in->size, in->data, hash, group,
                     st_key_group_owner(group, 2, 128), st_key_group_owner(group, 4, 128));
}

static void job_50(st_env *env, const char *in, const char *out)
{
    write(st_map(file(env, in, "input"), where), out, "expected");
}

const struct golden_job golden_jobs[] = {
    {"01_map_flatmap_filter", job_01, true, {"expected"}},
    {"03_rolling_sum", job_03, true, {"expected"}},
    {"05_rolling_max", job_05, true, {"expected"}},
    {"06_rolling_minby", job_06, true, {"expected"}},
    {"08_reduce_concat", job_08, true, {"expected"}},
    {"09_union", job_09, false, {"expected"}},
    {"10_connect_comap", job_10, false, {"expected"}},
    {"11_side_output", job_11, true, {"expected_main", "expected_side1", "expected_side2"}},
    {"12_seed_tumbling3s", job_12, true, {"expected"}},
    {"14a_bound_minus1", job_14a, false, {"expected", "expected_late"}},
    {"15_window_boundaries_offset_negative", job_15, false, {"expected"}},
    {"16_late_side_output", job_16, false, {"expected", "expected_late"}},
    {"18_sliding_10s_5s", job_18, false, {"expected", "expected_late"}},
    {"20_session_gap3s", job_20, false, {"expected", "expected_late"}},
    {"22_count_window_4", job_22, true, {"expected"}},
    {"24_process_window_sort", job_24, false, {"expected"}},
    {"25_valuestate_diff", job_25, true, {"expected"}},
    {"29_event_timers", job_29, false, {"expected"}},
    {"31_two_inputs_min_watermark", job_31, false, {"expected"}},
    {"33_window_all_aggregate_avg", job_33, true, {"expected"}},
    {"50_key_groups", job_50, true, {"expected"}},
    {"60_sliding_out_of_order", job_60, false, {"expected", "expected_late"}},
    {"61_lateness_fires_again", job_61, false, {"expected", "expected_late"}},
    {"62_sliding_lateness", job_62, false, {"expected", "expected_late"}},
    {"63_session_lateness", job_63, false, {"expected", "expected_late"}},
    {"64_sliding_count_4_2", job_64, true, {"expected"}},
    {"65_count_trigger_purging", job_65, false, {"expected", "expected_late"}},
    {"66_session_fires_on_its_way", job_66, false, {"expected"}},
    {"67_window_min_max_ties",
     job_67,
     false,
     {"expected_min", "expected_min_by", "expected_max_by"}},
    {"68_session_behind_count", job_68, false, {"expected", "expected_late"}},
    {"69_window_behind_window", job_69, false, {"expected"}},
    {"70_timers_deleted_and_past", job_70, false, {"expected"}},
    {"71_list_map_reducing_aggregating", job_71, true, {"expected"}},
    {"72_union_least_watermark", job_72, false, {"expected"}},
    {"73_bound_without_the_ms", job_73, false, {"expected", "expected_late"}},
    {"74_punctuated", job_74, false, {"expected", "expected_late"}},
    {"75_tumbling_behind_count", job_75, false, {"expected", "expected_late"}},
    {"76_sliding_behind_count", job_76, false, {"expected", "expected_late"}},
    {"77_session_behind_count_fires_at_once", job_77, false, {"expected", "expected_late"}},
};
const unsigned golden_job_count = sizeof golden_jobs / sizeof golden_jobs[0];
