/*
 * Windows with a trigger on the backend rocksdb, of which next to nothing fits into memory: what
 * comes out is what comes out with hashmap and no interruption.
 *
 *     events of a seed ──► by key ──► windows ──► lines, as many as a checkpoint has seen
 *         stopped behind a checkpoint, again and again, and restored at another parallelism
 *
 * In steps: the clock is virtual, so windows of processing time give the same lines each time.
 */
#include <check.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mix.h"
#include "position.h"
#include "stream/checkpoint.h"
#include "stream/stream.h"

#define BATCH     256 /* keys that are loaded for their timers at once */
#define KEYS_MAX  400
#define EVENTS    1500
#define BURST     5    /* events that come at one moment of the clock */
#define APART_MS  5    /* two bursts; timers of the clock are never due at the same moment */
#define LATE_MS   80   /* how far an event may be behind its time */
#define QUIET_MS  1000 /* behind the last event, for timers of the clock */
#define LINES_MAX (1 << 16)
#define IDS       64 /* more than the checkpoints under way, and retained */

typedef struct {
    st_str key;
    int64_t time, value;
} event;
ST_TYPE(event, key, time, value);

typedef struct {
    st_str values;
    int64_t sum, count;
} total;
ST_TYPE(total, values, sum, count);

static uint64_t seed, keys;
static char folder[64], checkpoints[80];

static int files_like(const char *pattern)
{
    char path[128];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    int err = glob(path, 0, NULL, &found), count = (int)found.gl_pathc;
    ck_assert(err == 0 || err == GLOB_NOMATCH);
    globfree(&found);
    return count;
}

/* --------------------------------------------------------------------------------------- Events */

static event event_of(int64_t index)
{
    static char names[KEYS_MAX][16];
    uint64_t at = seed << 32 ^ (uint64_t)index << 4;
    uint64_t key = draw(&at, keys);
    key = key < 3 ? 0 : key; /* one has more than the others */
    int size = snprintf(names[key], sizeof names[key], "key %" PRIu64, key);
    return (event){.key = {names[key], (uint32_t)size, 0},
                   .time = index * 2 - (int64_t)draw(&at, LATE_MS),
                   .value = index};
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

static int files_at_end; /* of databases, when the last event has come */

ST_SOURCE(events, event)
{
    int64_t *next = ctx->self;
    int64_t due = *next / BURST * APART_MS + (*next == EVENTS ? QUIET_MS : 0);
    if (st_now(ctx) < due) {
        st_poll_at(ctx, due);
        return ST_IDLE;
    }
    if (*next == EVENTS) {
        files_at_end = files_like("kcsim-rocksdb-*/db/*.sst");
        return ST_END;
    }
    for (int i = 0; i < BURST; i++) {
        event e = event_of((*next)++);
        st_emit(out, &e);
    }
    return ST_MORE;
}

/* ---------------------------------------------------------------------------------------- Lines */

static char *lines[LINES_MAX];
static uint32_t line_count;
static uint32_t seen[IDS]; /* lines before the barrier of a checkpoint, by its number */
static int stops_after;    /* checkpoints; 0: goes on to the end */

static st_str begin_line(st_context *ctx)
{
    const st_str *key = st_key(ctx);
    return st_format(ctx, "%.*s [%" PRId64 ",%" PRId64 ")", (int)key->size, key->data,
                     st_window_start(ctx), st_window_end(ctx));
}

ST_WINDOW(values, event, st_str)
{
    st_str line = begin_line(ctx);
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, in[i].value);
    }
    st_emit(out, &line);
}

static st_str shortened(st_context *ctx, st_str a, st_str b)
{
    uint32_t kept = a.size < 40 ? a.size : 40;
    return st_format(ctx, "%.*s%.*s", (int)kept, a.data + a.size - kept, (int)b.size, b.data);
}

ST_FOLD(add, event, total)
{
    acc->values = shortened(ctx, acc->values, st_format(ctx, " %" PRId64, in->value));
    acc->sum += in->value;
    acc->count++;
}

ST_FOLD(merge, total, total)
{
    acc->values = shortened(ctx, acc->values, in->values);
    acc->sum += in->sum;
    acc->count += in->count;
}

ST_MAP(tell_total, total, st_str)
{
    st_str line = begin_line(ctx);
    *out = st_format(ctx, "%.*s %" PRId64 " of %" PRId64 ":%.*s", (int)line.size, line.data,
                     in->sum, in->count, (int)in->values.size, in->values.data);
}

ST_TAG(late, event);

ST_MAP(tell_late, event, st_str)
{
    *out = st_format(ctx, "late %" PRId64, in->value);
}

ST_SINK(keep_line, st_str)
{
    ck_assert_uint_lt(line_count, LINES_MAX);
    lines[line_count++] = strndup(in->data, in->size);
}

static void note_lines(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx;
    seen[checkpoint_id % IDS] = line_count;
}

static void stop(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    if (stops_after > 0 && --stops_after == 0) {
        st_fail(ctx, "enough");
    }
}

static void forget_lines(uint32_t from)
{
    while (line_count > from) {
        free(lines[--line_count]);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* -------------------------------------------------------------------------- A trigger of one's own
 */

/* Fires `argument` ms behind its first record, and by the clock; changes its mind now and then. It
 * leaves timers where windows merge, and where they end. */
struct moods {
    int64_t due, count;
};

static enum st_trigger_result moody_element(st_context *ctx, void *state, int64_t argument,
                                            const void *record)
{
    struct moods *m = state;
    const event *e = record;
    m->count++;
    if (m->due != 0 && e->value % 7 == 0) {
        st_delete_event_timer(ctx, m->due);
        m->due = 0;
    }
    if (m->due == 0) {
        m->due = st_timestamp(ctx) + argument;
        st_set_event_timer(ctx, m->due);
    }
    st_set_processing_timer(ctx, st_now(ctx) + e->value % 10 * APART_MS + 1);
    return e->value % 61 == 0 ? ST_PURGE : ST_CONTINUE;
}

static enum st_trigger_result moody_time(st_context *ctx, void *state, int64_t argument,
                                         int64_t time_ms)
{
    struct moods *m = state;
    (void)ctx, (void)argument;
    if (time_ms != m->due) {
        return ST_CONTINUE;
    }
    m->due = 0;
    return m->count % 3 == 0 ? ST_FIRE_AND_PURGE : ST_FIRE;
}

static enum st_trigger_result moody_clock(st_context *ctx, void *state, int64_t argument,
                                          int64_t time_ms)
{
    const struct moods *m = state;
    (void)ctx, (void)argument;
    return (m->count + time_ms) % 4 == 0 ? ST_FIRE : ST_CONTINUE;
}

static void moody_merge(st_context *ctx, void *state, int64_t argument, const void *merged)
{
    const struct moods *other = merged;
    struct moods *m = state;
    (void)argument;
    m->count += other->count;
    m->due = m->due == 0 || (other->due != 0 && other->due < m->due) ? other->due : m->due;
    if (m->due != 0) {
        st_set_event_timer(ctx, m->due);
    }
}

static const st_trigger_functions moody = {.name = "moody",
                                           .state_size = sizeof(struct moods),
                                           .on_element = moody_element,
                                           .on_event_time = moody_time,
                                           .on_processing_time = moody_clock,
                                           .on_merge = moody_merge};

/* ----------------------------------------------------------------------------------------- Jobs */

#define KINDS       14
#define OF_ALL_TIME 9 /* fires when all events have come */

struct kind {
    const char *name;
    bool lists;
    st_windows windows;
};

static struct kind kind_of(int number)
{
    const struct kind kinds[KINDS] = {
        {"tumbling, at the end", true,
         ST_TUMBLING(100, .lateness_ms = 70, .trigger = ST_ON_EVENT_TIME())},
        {"tumbling, by count", false, ST_TUMBLING(90, .trigger = ST_ON_COUNT(2))},
        {"tumbling, moody", true, ST_TUMBLING(200, .trigger = ST_ON(moody, 30))},
        {"sliding, at intervals", false, ST_SLIDING(120, 50, .trigger = ST_ON_INTERVAL(30))},
        {"sliding, by count", true,
         ST_SLIDING(100, 40, .lateness_ms = 20, .trigger = ST_ON_COUNT(3, .purging = true))},
        {"sliding, moody", false, ST_SLIDING(150, 60, .trigger = ST_ON(moody, 40))},
        {"sessions, at the end", false,
         ST_SESSION(35, .lateness_ms = 30, .trigger = ST_ON_EVENT_TIME())},
        {"sessions, by count", true, ST_SESSION(40, .trigger = ST_ON_COUNT(2, .purging = true))},
        {"sessions, moody", true, ST_SESSION(40, .lateness_ms = 50, .trigger = ST_ON(moody, 25))},
        {"global, at the end of time", true, ST_GLOBAL(.trigger = ST_ON_EVENT_TIME())},
        {"global, by count", true, ST_GLOBAL(.trigger = ST_ON_COUNT(3, .purging = true))},
        {"global, at intervals", false, ST_GLOBAL(.trigger = ST_ON_INTERVAL(400))},
        {"tumbling, by the clock", false,
         ST_TUMBLING(60, .offset_ms = 3, .processing_time = true,
                     .trigger = ST_ON_PROCESSING_TIME())},
        {"sessions, by the clock", true,
         ST_SESSION(32, .processing_time = true, .trigger = ST_ON_CLOCK_INTERVAL(20))},
    };
    return kinds[number];
}

static st_stream *build(st_env *env, struct kind kind)
{
    st_windows windows = kind.windows;
    windows.late = &late;
    st_stream *s =
        st_from_source(env, events, .self_size = sizeof(int64_t), .parallelism = 1,
                       .operator_states = ST_STATES(&position),
                       .initialize_state = restore_position, .snapshot_state = save_position);
    st_watermarks watermarks = {.bound_ms = LATE_MS / 2, .every_record = true};
    s = st_assign_timestamps_at(s, &time_of, watermarks, ST_WITH(.parallelism = 1));
    s = st_window(st_key_by(s, ST_KEY(event, key)), windows);
    s = kind.lists ? st_process_window(s, values)
                   : st_aggregate(s, add, tell_total, .merge = &merge);
    return st_union(s, st_map(st_side_output(s, late), tell_late));
}

static void run(st_env *env, int kind)
{
    bool stops = stops_after > 0;
    keys = kind_of(kind).windows.kind == ST_WINDOW_GLOBAL ? KEYS_MAX : 24;
    st_env_run_in_steps(env);
    st_sink(build(env, kind_of(kind)), keep_line, .parallelism = 1, .snapshot_state = note_lines,
            .notify_checkpoint_complete = stop);
    enum st_err err = st_execute(env, "windows");
    stops = stops && stops_after == 0;
    ck_assert_msg(err == (stops ? ST_ERR_FAILED : ST_OK), "%s: %s", kind_of(kind).name,
                  st_env_error(env));
    ck_assert_msg(!stops || strstr(st_env_error(env), "enough") != NULL, "%s", st_env_error(env));
    if (stops) {
        forget_lines(seen[checkpoint_newest(checkpoints, CHECKPOINT) % IDS]);
    }
    st_env_free(env);
}

static void run_without_interruption(int kind)
{
    st_env *env = st_env_new();
    st_env_set_parallelism(env, 1);
    st_env_set(env, "state.backend", "hashmap");
    run(env, kind);
}

/* ---------------------------------------------------------------------------------- Interrupted */

/* Checkpoints of files stay with the backend; the others go from one to the other. */
enum mix { ON_HASHMAP, ON_ROCKSDB, ON_ROCKSDB_INCREMENTAL, ON_BOTH_IN_TURN, MIX_END };

static void set_backend(st_env *env, bool rocksdb, bool incremental)
{
    st_env_set(env, "state.backend", rocksdb ? "rocksdb" : "hashmap");
    st_env_set(env, "state.backend.incremental", incremental ? "true" : "false");
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
}

static void configure(st_env *env, enum mix mix, int segment)
{
    bool rocksdb = mix != ON_HASHMAP && (mix != ON_BOTH_IN_TURN || segment % 2 == 0);
    set_backend(env, rocksdb, mix == ON_ROCKSDB_INCREMENTAL);
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    st_env_set(env, "execution.checkpointing.dir", checkpoints);
    if (segment > 0) {
        st_env_set(env, "execution.savepoint.path", checkpoints);
    }
}

/* To the end in some segments. */
static void run_interrupted(int kind, enum mix mix)
{
    uint64_t at = seed << 20 ^ (uint64_t)kind << 8;
    bool goes_on = true;
    for (int segment = 0; goes_on; segment++) {
        st_env *env = st_env_new();
        st_env_set_parallelism(env, 1 + (uint32_t)draw(&at, 3));
        configure(env, mix, segment);
        stops_after = segment < 5 ? 2 + (int)draw(&at, 20) : 0;
        goes_on = stops_after > 0;
        run(env, kind);
        ck_assert(!goes_on || stops_after == 0);
        ck_assert((files_like("ck/chk-*/*.sst") > 0) == (goes_on && mix == ON_ROCKSDB_INCREMENTAL));
    }
}

static void with_folder(void)
{
    bool in_memory = access("/dev/shm", W_OK) == 0; /* databases wait for the disk at each file */
    snprintf(folder, sizeof folder, "%s/kcsim-triggers-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(checkpoints, sizeof checkpoints, "%s/ck", folder);
}

static void without_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(lines_are_those_of_a_job_that_is_not_interrupted)
{
    static char *must[LINES_MAX];
    int kind = _i / MIX_END % KINDS;
    seed = (uint64_t)(_i / MIX_END / KINDS);
    with_folder();
    run_without_interruption(kind);
    uint32_t count = line_count;
    memcpy(must, lines, count * sizeof *must);
    ck_assert_uint_gt(count, keys / 2);
    line_count = 0;
    run_interrupted(kind, (enum mix)(_i % MIX_END));
    qsort(must, count, sizeof *must, by_text);
    qsort(lines, line_count, sizeof *lines, by_text);
    for (uint32_t i = 0; i < count && i < line_count; i++) {
        ck_assert_msg(strcmp(lines[i], must[i]) == 0, "%s, mix %d: %s, not %s", kind_of(kind).name,
                      _i % MIX_END, lines[i], must[i]);
    }
    ck_assert_uint_eq(line_count, count);
    forget_lines(0);
    for (uint32_t i = 0; i < count; i++) {
        free(must[i]);
    }
    without_folder();
}
END_TEST

/* Without checkpoints nothing is written but for want of room. Each key has its line when all come
 * back at once. */
START_TEST(windows_leave_memory)
{
    with_folder();
    run_without_interruption(OF_ALL_TIME);
    uint32_t count = line_count;
    ck_assert_int_eq(files_at_end, 0);
    ck_assert_uint_gt(count, BATCH);
    st_env *env = st_env_new();
    st_env_set_parallelism(env, 1);
    set_backend(env, true, false);
    run(env, OF_ALL_TIME);
    ck_assert_int_gt(files_at_end, 0);
    ck_assert_uint_eq(line_count, 2 * count);
    forget_lines(0);
    without_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stored triggers");
    TCase *tc = tcase_create("triggers");
    int seeds = getenv("KC_DEEP") != NULL ? 20 : 1;
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, windows_leave_memory);
    tcase_add_loop_test(tc, lines_are_those_of_a_job_that_is_not_interrupted, 0,
                        seeds * KINDS * MIX_END);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
