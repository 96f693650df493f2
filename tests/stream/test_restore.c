/*
 * What a job goes on with. State that its operators have no more is refused by name, or dropped
 * where that was asked for, and the rest is as it was; the clock of steps goes on; of two
 * checkpoints the newer one is used unless any of its bytes is damaged. And what stays in its
 * folder.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "position.h"
#include "stream/checkpoint.h"
#include "stream/stream.h"

/* ------------------------------------------------------------------- A job and what became of it
 */

static char folder[FOLDER_SIZE], checkpoints[FOLDER_SIZE + 16], first[FOLDER_SIZE + 32];
static char error[1024], told[4096];

enum { KEYS = 40, KEY_WITHOUT_SUM = 7, HALF = 200 };

typedef struct {
    int64_t key, value;
    st_str word;
} event;
ST_TYPE(event, key, value, word);

typedef struct {
    int64_t key, sum;
} total;
ST_TYPE(total, key, sum);

static event event_of(int64_t i)
{
    return (event){i % KEYS, i, i % 3 == 0 ? ST_STR("every third") : ST_STR("")};
}

static void (*before_the_second)(st_context *ctx); /* NULL: nothing */

/* The first half at once, the other behind 30 ms: a checkpoint before that lies between them. */
ST_SOURCE(two_halves, event)
{
    int64_t *sent = ctx->self;
    int64_t until = st_now(ctx) < 30 ? HALF : 2 * HALF;
    if (until > HALF && before_the_second != NULL) {
        before_the_second(ctx);
    }
    for (; *sent < until; ++*sent) {
        event e = event_of(*sent);
        st_emit(out, &e);
    }
    return until == HALF ? ST_IDLE : ST_END;
}

ST_VALUE_STATE(sum, int64_t);
ST_VALUE_STATE(fresh, event);
ST_VALUE_STATE(brief, event, .ttl_ms = 1000000);
ST_LIST_STATE(seen, event, .ttl_ms = 1000000);
ST_LIST_STATE(values, int64_t);
ST_MAP_STATE(by_word, st_str, event);
ST_LIST_STATE(noted, event);
ST_UNION_STATE(counted, int64_t);
ST_BROADCAST_STATE(rules, st_str, event);

static int64_t sums[KEYS], counts;

static void add_to_sum(st_context *ctx, const event *in, st_out *out)
{
    const int64_t *before = st_value_get(ctx, &sum);
    int64_t now = (before != NULL ? *before : 0) + in->value;
    st_value_set(ctx, &sum, &now);
    st_emit(out, &((total){in->key, now}));
}

ST_PROCESS(with_all, event, total)
{
    st_value_set(ctx, &brief, in);
    st_list_add(ctx, &seen, in);
    st_list_add(ctx, &values, &in->value);
    st_map_put(ctx, &by_word, &in->word, in);
    if (in->key == KEY_WITHOUT_SUM) {
        st_set_processing_timer(ctx, st_now(ctx) + 1000);
    } else {
        add_to_sum(ctx, in, out);
    }
}

ST_PROCESS(with_sum, event, total)
{
    st_value_set(ctx, &fresh, in);
    add_to_sum(ctx, in, out);
}

ST_PROCESS(without_state, event, total)
{
    st_emit(out, &((total){in->key, in->value}));
}

static void never(st_context *ctx, int64_t time_ms, st_out *out)
{
    (void)ctx;
    (void)time_ms;
    (void)out;
}

static void note(st_context *ctx, int64_t checkpoint_id)
{
    event e = event_of(checkpoint_id);
    st_list_add(ctx, &noted, &e);
    st_list_add(ctx, &counted, &checkpoint_id);
}

static void look(st_context *ctx)
{
    uint32_t count;
    (void)st_list_get(ctx, &counted, &count);
    counts = count;
}

ST_PROCESS(learn, event, event)
{
    st_map_put(ctx, &rules, &in->word, in);
}

ST_PROCESS(forget, event, event)
{
    (void)ctx;
}

ST_MAP(same, total, total)
{
    *out = *in;
}

/* The numbers of those that are there: "1 2 3 ". */
static const char *there(void)
{
    static char ids[64];
    ids[0] = '\0';
    for (int id = 1; id < 16; id++) {
        char path[FOLDER_SIZE + 64];
        snprintf(path, sizeof path, "%s/chk-%d/_metadata", checkpoints, id);
        if (access(path, F_OK) == 0) {
            snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%d ", id);
        }
    }
    return ids;
}

/* What is in the folder when a checkpoint is complete and sinks commit. */
static char at_commit[16][64];

static void look_at_folder(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx;
    ck_assert_int_lt(checkpoint_id, 16);
    snprintf(at_commit[checkpoint_id], sizeof *at_commit, "%s", there());
}

ST_SINK(keep_sum, total)
{
    sums[in->key] = in->sum;
}

enum version { ALL, WITHOUT_SOME, WITHOUT_ALL, WITH_SUM };

static st_stream *fold(st_stream *s, enum version version)
{
    switch (version) {
    case ALL:
        return st_process(s, with_all, .uid = "fold", .name = "fold", .on_timer = never,
                          .states = ST_STATES(&brief, &seen, &sum, &values, &by_word));
    case WITHOUT_SOME:
    case WITH_SUM:
        return st_process(s, with_sum, .uid = "fold", .name = "fold",
                          .states = ST_STATES(&fresh, &sum));
    case WITHOUT_ALL:
        break;
    }
    return st_process(s, without_state, .uid = "fold", .name = "fold");
}

static void build(st_env *env, enum version version)
{
    st_stream *s =
        st_from_source(env, two_halves, .self_size = sizeof(int64_t), .uid = "source",
                       .parallelism = 1, .operator_states = ST_STATES(&position),
                       .initialize_state = restore_position, .snapshot_state = save_position);
    if (version != WITH_SUM) {
        st_stream *to_all = st_broadcast(s);
        st_discard(version == ALL ? st_process(to_all, learn, .uid = "rules", .name = "rules",
                                               .operator_states = ST_STATES(&rules))
                                  : st_process(to_all, forget, .uid = "rules", .name = "rules"));
    }
    s = fold(st_key_by(s, ST_KEY(event, key)), version);
    if (version == ALL) {
        s = st_map(s, same, .uid = "lists", .name = "lists", .snapshot_state = note,
                   .operator_states = ST_STATES(&noted, &counted));
    } else if (version == WITHOUT_SOME) {
        s = st_map(s, same, .uid = "lists", .name = "lists", .initialize_state = look,
                   .operator_states = ST_STATES(&counted));
    }
    st_sink(s, keep_sum, .uid = "sink", .parallelism = 1,
            .notify_checkpoint_complete = look_at_folder);
}

/* Where a job's state lies, and how it is written. */
static const struct form {
    const char *backend, *incremental;
} forms[] = {{"hashmap", "false"}, {"rocksdb", "false"}, {"rocksdb", "true"}};
enum { HASHMAP, ROCKSDB, FILES, FORMS };

/* What of a run is its own. */
struct settings {
    enum version version;
    int form;
    uint32_t parallelism;                     /* 0: 1 */
    const char *from, *dir;                   /* NULL: from the start; `checkpoints` */
    const char *interval, *retained, *policy; /* NULL: 10ms, 9, none */
    bool drops;
};

static void set(st_env *env, const char *key, const char *value, const char *otherwise)
{
    value = value != NULL ? value : otherwise;
    if (value != NULL) {
        ck_assert_int_eq(st_env_set(env, key, value), ST_OK);
    }
}

static void configure(st_env *env, const struct settings *r)
{
    st_env_set_parallelism(env, r->parallelism);
    set(env, "execution.checkpointing.dir", r->dir, checkpoints);
    set(env, "execution.checkpointing.interval", r->interval, "10ms");
    set(env, "execution.checkpointing.num-retained", r->retained, "9");
    set(env, "execution.checkpointing.externalized-checkpoint-retention", r->policy, NULL);
    set(env, "state.backend", forms[r->form].backend, NULL);
    set(env, "state.backend.incremental", forms[r->form].incremental, NULL);
    set(env, "state.backend.rocksdb.localdir", folder, NULL);
    set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb", NULL);
    set(env, "execution.savepoint.ignore-unclaimed-state", r->drops ? "true" : "false", NULL);
    set(env, "execution.savepoint.path", r->from, NULL);
    st_env_run_in_steps(env);
}

/* What it tells on the standard error is then in `told`. */
static enum st_err execute(st_env *env)
{
    char path[FOLDER_SIZE + 16];
    snprintf(path, sizeof path, "%s/told", folder);
    ck_assert_ptr_nonnull(freopen(path, "w", stderr));
    memset(sums, 0, sizeof sums);
    enum st_err err = st_execute(env, "restore");
    fflush(stderr);
    FILE *file = fopen(path, "r");
    told[fread(told, 1, sizeof told - 1, file)] = '\0';
    fclose(file);
    snprintf(error, sizeof error, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

static enum st_err run(struct settings settings)
{
    st_env *env = st_env_new();
    configure(env, &settings);
    build(env, settings.version);
    return execute(env);
}

static void make_folder(void)
{
    folder_make_in_memory(folder);
    snprintf(checkpoints, sizeof checkpoints, "%s/ck", folder);
    snprintf(first, sizeof first, "%s/chk-1", checkpoints);
}

/* Leaves `first`, a checkpoint of the job with all of its state between the halves. */
static void run_first(int form, uint32_t parallelism)
{
    make_folder();
    ck_assert_msg(run((struct settings){.form = form, .parallelism = parallelism}) == ST_OK, "%s",
                  error);
}

/* ---------------------------------------------------------------------- What is there no more */

/* Each key's sum of both halves; of key `new` of the second only. */
static void expect_sums(int64_t new)
{
    for (int64_t key = 0; key < KEYS; key++) {
        int64_t all = 0;
        for (int64_t i = key == new ? HALF : 0; i < 2 * HALF; i++) {
            all += i % KEYS == key ? i : 0;
        }
        ck_assert_msg(sums[key] == all, "key %ld: %ld, not %ld", (long)key, (long)sums[key],
                      (long)all);
    }
}

static void expect_told(const char *what)
{
    const char *at = strstr(told, what);
    ck_assert_msg(at != NULL, "not told: %s\n%s", what, told);
    ck_assert_ptr_null(strstr(at + 1, what)); /* and once only */
}

/* Every way of writing it, read by each backend at the same parallelism and at others. */
START_TEST(state_that_an_operator_has_no_more_is_dropped_if_asked_for)
{
    static const struct {
        int written, read;
        uint32_t before, after;
    } ways[] = {{HASHMAP, HASHMAP, 1, 1}, {HASHMAP, ROCKSDB, 2, 2}, {ROCKSDB, HASHMAP, 2, 3},
                {ROCKSDB, ROCKSDB, 1, 1}, {FILES, FILES, 2, 2},     {FILES, ROCKSDB, 3, 2},
                {HASHMAP, FILES, 2, 1}};
    struct settings later = {WITHOUT_SOME, ways[_i].read, ways[_i].after, .from = first};
    run_first(ways[_i].written, ways[_i].before);
    ck_assert_int_eq(run(later), ST_ERR_RESTORE);
    ck_assert_msg(strstr(error, "the checkpoint has state ") != NULL &&
                      strstr(error, "execution.savepoint.ignore-unclaimed-state (-n)") != NULL,
                  "%s", error);
    later.drops = true;
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    expect_sums(KEY_WITHOUT_SUM);
    expect_told("fold: the checkpoint has state brief, the operator has none: dropped\n");
    expect_told("fold: the checkpoint has state seen, the operator has none: dropped\n");
    expect_told("fold: the checkpoint has state values, the operator has none: dropped\n");
    expect_told("fold: the checkpoint has state by_word, the operator has none: dropped\n");
    expect_told("fold: the checkpoint has timers, the operator has none: dropped\n");
    expect_told("rules: the checkpoint has state rules, the operator has none: dropped\n");
    expect_told("lists: the checkpoint has state noted, the operator has none: dropped\n");
    ck_assert_int_eq(counts, ways[_i].before);
    folder_remove(folder);
}
END_TEST

START_TEST(operators_without_any_state_and_those_that_are_gone_drop_all_if_asked_for)
{
    struct settings later = {WITHOUT_ALL, _i, 2, .from = first};
    run_first(_i, 2);
    ck_assert_int_eq(run(later), ST_ERR_RESTORE);
    ck_assert_msg(strstr(error, "has state of operator lists, which the job does not") != NULL,
                  "%s", error);
    later.drops = true;
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    expect_told(
        "the checkpoint has state of operator lists, which the job does not have: dropped\n");
    expect_told("fold: the checkpoint has keyed state, the operator has none: dropped\n");
    folder_remove(folder);
}
END_TEST

/* ---------------------------------------------------------------------- What of a folder stays
 */

static void cut(int id)
{
    char path[FOLDER_SIZE + 64];
    snprintf(path, sizeof path, "%s/chk-%d/task-0", checkpoints, id);
    ck_assert_int_eq(truncate(path, 10), 0);
}

START_TEST(a_damaged_checkpoint_does_not_count_in_place_of_a_sound_one)
{
    struct settings later = {
        .version = WITH_SUM, .from = checkpoints, .interval = "1h", .retained = "2"};
    make_folder();
    ck_assert_msg(run((struct settings){.version = WITH_SUM}) == ST_OK, "%s", error);
    ck_assert_str_eq(there(), "1 2 3 ");
    cut(3);
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    expect_told("chk-3/task-0 is damaged; going on from ");
    expect_sums(KEYS);
    ck_assert_str_eq(there(), "2 3 4 ");
    cut(4);
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    expect_sums(KEYS);
    ck_assert_str_eq(there(), "2 3 4 5 ");
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    ck_assert_str_eq(there(), "5 6 ");
    folder_remove(folder);
}
END_TEST

static void fail_job(st_context *ctx)
{
    st_fail(ctx, "as asked for");
}

static void cut_second_and_fail(st_context *ctx)
{
    before_the_second = NULL;
    cut(2);
    fail_job(ctx);
}

START_TEST(nor_does_one_that_a_restart_has_passed_over)
{
    struct settings settings = {.version = WITH_SUM, .retained = "2"};
    make_folder();
    st_env *env = st_env_new();
    configure(env, &settings);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    build(env, WITH_SUM);
    before_the_second = cut_second_and_fail;
    ck_assert_msg(execute(env) == ST_OK, "%s", error);
    expect_told("chk-2/task-0 is damaged; going on from ");
    expect_sums(KEYS);
    ck_assert_str_eq(at_commit[3], "1 2 3 ");
    ck_assert_str_eq(at_commit[4], "3 4 ");
    folder_remove(folder);
}
END_TEST

static const char *const policies[] = {NULL, "RETAIN_ON_CANCELLATION", "DELETE_ON_CANCELLATION",
                                       "NO_EXTERNALIZED_CHECKPOINTS"};
enum { POLICIES = sizeof policies / sizeof *policies };

/* (Of a job that is cancelled: control.sh.) */
START_TEST(when_the_job_has_ended_checkpoints_stay_or_go_as_the_policy_says)
{
    bool when_failed = _i == 3, when_finished = _i > 0;
    struct settings settings = {.version = WITH_SUM, .policy = policies[_i]};
    make_folder();
    ck_assert_msg(run(settings) == ST_OK, "%s", error);
    ck_assert_str_eq(at_commit[3], "1 2 3 ");
    ck_assert_str_eq(there(), when_finished ? "" : "1 2 3 ");
    folder_remove(folder);
    make_folder();
    before_the_second = fail_job;
    ck_assert_int_eq(run(settings), ST_ERR_FAILED);
    ck_assert_str_eq(at_commit[2], "1 2 ");
    ck_assert_str_eq(there(), when_failed ? "" : "1 2 ");
    folder_remove(folder);
}
END_TEST

START_TEST(those_of_earlier_runs_stay_unless_the_job_goes_on_from_them)
{
    struct settings later = {.version = WITH_SUM, .policy = policies[POLICIES - 1]};
    make_folder();
    ck_assert_msg(run((struct settings){.version = WITH_SUM}) == ST_OK, "%s", error);
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    ck_assert_str_eq(at_commit[6], "1 2 3 4 5 6 ");
    ck_assert_str_eq(there(), "1 2 3 ");
    later.from = checkpoints;
    later.version = WITHOUT_ALL; /* state of another job, so to say: it does not begin */
    ck_assert_int_eq(run(later), ST_ERR_RESTORE);
    ck_assert_str_eq(there(), "1 2 3 ");
    later.version = WITH_SUM;
    ck_assert_msg(run(later) == ST_OK, "%s", error);
    ck_assert_str_eq(there(), "");
    folder_remove(folder);
}
END_TEST

/* ------------------------------------------------------------------------------------- The clock
 */

/* What happened when, a line each. */
static char lines[8192];
static bool fails; /* at 33 ms, once */
ST_LIST_STATE(when_set, int64_t);

static void note_line(st_context *ctx, const char *what, int64_t number)
{
    size_t at = strlen(lines);
    snprintf(lines + at, sizeof lines - at, "%ld: %s %ld\n", (long)st_now(ctx), what, (long)number);
}

/* A number each 5 ms, by the clock as it is found. */
ST_SOURCE(each_5_ms, total)
{
    int64_t *sent = ctx->self, *next = sent + 1, now = st_now(ctx);
    if (now == 33 && fails) {
        fails = false;
        st_fail(ctx, "as asked for");
    }
    if (*next == 0) {
        *next = now - now % 5 + 5;
    } else if (now >= *next) {
        st_emit(out, &((total){*sent % 2, *sent}));
        ++*sent;
        *next = now - now % 5 + 5;
    }
    return *sent < 12 ? ST_IDLE : ST_END;
}

ST_PROCESS(set_timer, total, total)
{
    int64_t now = st_now(ctx);
    st_list_add(ctx, &when_set, &now);
    st_set_processing_timer(ctx, now + 12);
    (void)in;
}

static void tell_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    uint32_t count;
    (void)st_list_get(ctx, &when_set, &count);
    note_line(ctx, "timer of", time_ms);
    note_line(ctx, "timers", count);
    (void)out;
}

ST_FOLD(add_up, total, total)
{
    acc->sum += in->sum;
}

ST_SINK(tell_window, total)
{
    note_line(ctx, "window", in->sum);
}

static void tell_begin(st_context *ctx)
{
    note_line(ctx, "begins behind", *(int64_t *)ctx->self);
}

static enum st_err run_clock(const char *from, const char *storage)
{
    struct settings settings = {.from = from, .interval = "7ms", .retained = "20"};
    st_env *env = st_env_new();
    configure(env, &settings);
    st_env_set(env, "execution.checkpointing.storage", storage);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_stream *s = st_from_source(
        env, each_5_ms, .self_size = 2 * sizeof(int64_t), .operator_states = ST_STATES(&position),
        .open = tell_begin, .initialize_state = restore_position, .snapshot_state = save_position);
    st_discard(st_process(st_key_by(s, ST_KEY(total, key)), set_timer, .on_timer = tell_timer,
                          .states = ST_STATES(&when_set), .parallelism = 2));
    st_sink(st_aggregate(st_window_all(s, ST_TUMBLING(20, .processing_time = true)), add_up, same),
            tell_window);
    lines[0] = '\0';
    return execute(env);
}

/* The first of these lines that is of a moment behind that one. */
static const char *behind(const char *all, int64_t moment)
{
    while (*all != '\0' && strtoll(all, NULL, 10) <= moment) {
        all = strchr(all, '\n') + 1;
    }
    return all;
}

/* Each number at the time at which it came without the failure, each timer once and at its time. */
START_TEST(in_steps_the_clock_goes_on_where_the_checkpoint_was_taken)
{
    static char undisturbed[sizeof lines];
    char from[FOLDER_SIZE + 32];
    make_folder();
    ck_assert_msg(run_clock(NULL, "filesystem") == ST_OK, "%s", error);
    memcpy(undisturbed, lines, sizeof lines);
    ck_assert_ptr_nonnull(strstr(lines, "27: timer of 27\n"));
    for (int id = 1; id <= 8; id++) { /* at 7 ms, 14 ms … 56 ms */
        snprintf(from, sizeof from, "%s/chk-%d", checkpoints, id);
        ck_assert_msg(run_clock(from, "filesystem") == ST_OK, "%s", error);
        ck_assert_int_eq(strtoll(lines, NULL, 10), 7 * id);
        ck_assert_str_eq(behind(lines, 7 * id), behind(undisturbed, 7 * id));
    }
    folder_remove(folder);
}
END_TEST

START_TEST(so_it_does_behind_a_failure)
{
    static char undisturbed[sizeof lines];
    char *again;
    make_folder();
    ck_assert_msg(run_clock(NULL, "filesystem") == ST_OK, "%s", error);
    memcpy(undisturbed, lines, sizeof lines);
    fails = true;
    ck_assert_msg(run_clock(NULL, _i == 0 ? "filesystem" : "jobmanager") == ST_OK, "%s", error);
    ck_assert(!fails);
    again = strstr(lines, "28: begins behind 5\n");
    ck_assert_msg(again != NULL, "%s", lines);
    ck_assert_str_eq(behind(again, 28), behind(undisturbed, 28));
    *again = '\0';
    ck_assert_int_eq(strncmp(lines, undisturbed, strlen(lines)), 0);
    folder_remove(folder);
}
END_TEST

/* ----------------------------------------------------------------------- Damage at every byte
 */

enum { FILE_MAX = 4096 };

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* A file of the second checkpoint that is cut off, or has one bit changed, at each of its bytes in
 * turn: each time the job goes on from the first, and what happens then is `expected`. Returns how
 * often. */
static size_t damage_each_byte(const char *path, bool is_cut, const char *expected)
{
    char whole[FILE_MAX], damaged[FILE_MAX];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(whole, 1, sizeof whole, file);
    ck_assert_uint_lt(size, sizeof whole);
    fclose(file);
    for (size_t at = 0; at < size; at++) {
        memcpy(damaged, whole, size);
        damaged[at] = (char)(whole[at] ^ 1 << at % 8);
        write_file(path, damaged, is_cut ? at : size);
        ck_assert_msg(run_clock(checkpoints, "jobmanager") == ST_OK, "%s", error);
        ck_assert_msg(strcmp(lines, expected) == 0, "%s, byte %zu:\n%s", path, at, lines);
        expect_told("; going on from ");
    }
    write_file(path, whole, size);
    return size;
}

START_TEST(a_checkpoint_that_is_damaged_at_any_byte_gives_way_to_the_one_before)
{
    static char expected[sizeof lines];
    static const char *const files[] = {"_metadata", "task-0", "task-1", "task-2"};
    char path[FOLDER_SIZE + 64];
    make_folder();
    ck_assert_msg(run_clock(NULL, "filesystem") == ST_OK, "%s", error);
    checkpoint_prune(checkpoints, 2, INT64_MAX);
    ck_assert_str_eq(there(), "1 2 ");
    ck_assert_msg(run_clock(first, "jobmanager") == ST_OK, "%s", error);
    memcpy(expected, lines, sizeof lines);
    size_t bytes = 0;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        snprintf(path, sizeof path, "%s/chk-2/%s", checkpoints, files[f]);
        bytes += damage_each_byte(path, _i == 0, expected);
    }
    ck_assert_uint_gt(bytes, 500);
    ck_assert_msg(run_clock(checkpoints, "jobmanager") == ST_OK, "%s", error);
    ck_assert_str_ne(lines, expected); /* whole again, it is the one */
    folder_remove(folder);
}
END_TEST

/* ------------------------------------------------------------------------- Types of nobody
 */

static bool reads_as_layout(const char *words, struct layout *layout)
{
    struct bytes b = {0};
    bytes_text(&b, words);
    struct reader r = {b.data, b.data + b.size, false};
    bool ok = read_layout(&r, layout);
    ck_assert(ok == !r.bad);
    bytes_free(&b);
    return ok;
}

START_TEST(a_type_that_is_written_is_read_back_as_where_its_text_lies)
{
    struct layout layout, expected = layout_of(&st_type_event);
    struct bytes b = {0};
    bytes_type(&b, &st_type_event);
    struct reader r = {b.data, b.data + b.size, false};
    ck_assert(read_layout(&r, &layout) && r.at == r.end);
    ck_assert_mem_eq(&layout, &expected, sizeof layout);
    bytes_free(&b);
}
END_TEST

START_TEST(words_that_are_no_type_are_told)
{
    static const char *const words[] = {
        "",
        "t",
        "t 8",
        "t 8{",
        "t 8{}",
        "t 8{v i64 0 8",
        "t 16{v i64 0 8,",
        "t 16{v i64 0 8;w i64 8 8}",
        "t 0{v i64 0 0}",
        "t 5000{v i64 0 8}",
        "t 8{v i64 4 8}",
        "t 8{v i64 -1 8}",
        "t 16{v str 8 16}",
        "t 16{v str 0 8}",
        "t 16{a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,"
        "a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,a str 0 16,"
        "a str 0 16,a str 0 16,a str 0 16}",
    };
    struct layout layout;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        ck_assert_msg(!reads_as_layout(words[w], &layout), "%s", words[w]);
    }
    ck_assert(reads_as_layout("t 24{v i64 0 8,w str 8 16}", &layout));
    ck_assert(layout.size == 24 && layout.text_count == 1 && layout.text[0] == 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream restore");
    TCase *tc = tcase_create("restore");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, state_that_an_operator_has_no_more_is_dropped_if_asked_for, 0, 7);
    tcase_add_loop_test(
        tc, operators_without_any_state_and_those_that_are_gone_drop_all_if_asked_for, 0, FORMS);
    tcase_add_test(tc, a_damaged_checkpoint_does_not_count_in_place_of_a_sound_one);
    tcase_add_test(tc, nor_does_one_that_a_restart_has_passed_over);
    tcase_add_loop_test(tc, when_the_job_has_ended_checkpoints_stay_or_go_as_the_policy_says, 0,
                        POLICIES);
    tcase_add_test(tc, those_of_earlier_runs_stay_unless_the_job_goes_on_from_them);
    tcase_add_test(tc, in_steps_the_clock_goes_on_where_the_checkpoint_was_taken);
    tcase_add_loop_test(tc, so_it_does_behind_a_failure, 0, 2);
    tcase_add_loop_test(tc, a_checkpoint_that_is_damaged_at_any_byte_gives_way_to_the_one_before, 0,
                        2);
    tcase_add_test(tc, a_type_that_is_written_is_read_back_as_where_its_text_lies);
    tcase_add_test(tc, words_that_are_no_type_are_told);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
