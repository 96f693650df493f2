/*
 * Keyed state against a naive model: values, lists, maps and folds, with and without a time to
 * live, under random operations; through checkpoints, each restored at another parallelism.
 *
 *     operation i ──► by key ──► does it, then tells a sum of all that its key has ──► compared
 *
 * The model does the same to plain arrays. Values have text, so that who owns it is tried as well.
 * On each backend: with rocksdb rows are few enough in memory to go to the database and back all
 * the time.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"
#include "mix.h"
#include "stream/stream.h"

#define KEYS       24
#define TTL_MS     700
#define SEGMENTS   5
#define OPERATIONS 1500 /* a segment */
#define ENTRIES    512

typedef struct {
    int64_t index, key, what, argument, time;
} operation;
ST_TYPE(operation, index, key, what, argument, time);

typedef struct {
    st_str text;
    int64_t number;
} word;
ST_TYPE(word, text, number);

typedef struct {
    int64_t number;
    st_str text;
} place;
ST_TYPE(place, number, text);

typedef struct {
    int64_t index, sum;
} told;
ST_TYPE(told, index, sum);

static uint64_t seed;
static int64_t gap_ms; /* between the operations of two segments */

static operation operation_of(int64_t index)
{
    uint64_t z = mix(seed << 32 ^ (uint64_t)index);
    return (operation){.index = index,
                       .key = (int64_t)(z % KEYS),
                       .what = (int64_t)(z >> 8 & 0xff) % 11,
                       .argument = (int64_t)(z >> 16 & 0xff) % 24,
                       .time = index * 20 + index / OPERATIONS * gap_ms + (int64_t)(z >> 24 & 15)};
}

/* ----------------------------------------------------------------------------------- The operator
 */

ST_REDUCE(concat, word)
{
    acc->text = st_format(ctx, "%.*s%.*s", (int)(acc->text.size > 40 ? 40 : acc->text.size),
                          acc->text.data, (int)in->text.size, in->text.data);
    acc->number += in->number;
}

ST_VALUE_STATE(value, word);
ST_VALUE_STATE(value_ttl, word, .ttl_ms = TTL_MS);
ST_REDUCING_STATE(fold, concat, word);
ST_LIST_STATE(list, word);
ST_LIST_STATE(list_ttl, word, .ttl_ms = TTL_MS);
ST_MAP_STATE(map, place, word);
ST_MAP_STATE(map_ttl, place, word, .ttl_ms = TTL_MS, .ttl_on_read = true);

static uint64_t sum_of(uint64_t sum, st_str text, int64_t number)
{
    sum = mix(sum ^ (uint64_t)number);
    for (uint32_t i = 0; i < text.size; i++) {
        sum = mix(sum ^ (uint8_t)text.data[i]);
    }
    return sum;
}

static uint64_t sum_of_word(uint64_t sum, const word *w)
{
    return w != NULL ? sum_of(sum, w->text, w->number) : mix(sum + 7);
}

static uint64_t sum_of_list(st_context *ctx, uint64_t sum, const st_state *state)
{
    uint32_t count;
    const word *all = st_list_get(ctx, state, &count);
    for (uint32_t e = 0; e < count; e++) {
        sum = sum_of_word(sum, &all[e]);
    }
    return mix(sum + count);
}

static uint64_t sum_of_map(st_context *ctx, uint64_t sum, const st_state *state)
{
    uint64_t cursor = 0;
    uint32_t count = 0;
    for (const void *k, *v; st_map_next(ctx, state, &cursor, &k, &v); count++) {
        const place *at = k;
        sum = sum_of_word(sum_of(sum, at->text, at->number), v);
        ck_assert_ptr_eq(st_map_get(ctx, state, k), v);
    }
    ck_assert_uint_eq(count, st_map_count(ctx, state));
    return mix(sum + count);
}

static word word_of(st_context *ctx, int64_t argument)
{
    return (word){st_format(ctx, "w%" PRId64, argument * argument), argument};
}

static place place_of(st_context *ctx, int64_t argument)
{
    return (place){argument, st_format(ctx, "p%" PRId64, argument % 3)};
}

/* Every second element stays. */
static void thin_list(st_context *ctx, const st_state *state)
{
    uint32_t count, kept = 0;
    const word *all = st_list_get(ctx, state, &count);
    word *some = st_alloc(ctx, (count + 1) * sizeof *some);
    for (uint32_t e = 0; e < count; e += 2) {
        some[kept++] = all[e];
    }
    st_list_update(ctx, state, some, kept);
}

static void thin_map(st_context *ctx, const st_state *state)
{
    uint64_t cursor = 0;
    for (const void *k, *v; st_map_next(ctx, state, &cursor, &k, &v);) {
        const place *at = k;
        if (at->number % 2 == 0) {
            st_map_remove(ctx, state, at);
        }
    }
}

/* Of a kind: [0] without, [1] with a time to live. */
static const st_state *const values[] = {&value, &value_ttl}, *const lists[] = {&list, &list_ttl},
                             *const maps[] = {&map, &map_ttl};

static void operate(st_context *ctx, const operation *o, int t)
{
    word w = word_of(ctx, o->argument);
    place at = place_of(ctx, o->argument);
    switch (o->what) {
    case 0:
        st_value_set(ctx, values[t], &w);
        break;
    case 1:
        st_state_clear(ctx, values[t]);
        break;
    case 2:
    case 3:
        st_list_add(ctx, lists[t], &w);
        break;
    case 4:
        thin_list(ctx, lists[t]);
        break;
    case 5:
        if (t == 0) {
            st_state_add(ctx, fold, word, &w);
        }
        break;
    case 6:
    case 7:
        st_map_put(ctx, maps[t], &at, &w);
        break;
    case 8:
        st_map_remove(ctx, maps[t], &at);
        break;
    case 9:
        thin_map(ctx, maps[t]);
        break;
    default: /* all of one key */
        if (o->argument < 2) {
            st_state_clear(ctx, values[t]);
            st_state_clear(ctx, lists[t]);
            st_state_clear(ctx, maps[t]);
        }
        if (o->argument < 2 && t == 0) {
            st_state_clear(ctx, &fold);
        }
        break;
    }
}

static uint64_t operate_and_sum(st_context *ctx, const operation *o, int t)
{
    ck_assert_int_eq(st_now(ctx), o->time);
    operate(ctx, o, t);
    uint64_t sum = sum_of_word(0, st_value_get(ctx, values[t]));
    sum = sum_of_list(ctx, sum, lists[t]);
    return sum_of_map(ctx, sum, maps[t]);
}

ST_PROCESS(operate_for_ever, operation, told)
{
    uint64_t sum = operate_and_sum(ctx, in, 0);
    st_emit(out, &((told){in->index, (int64_t)sum_of_word(sum, st_value_get(ctx, &fold))}));
}

/* Rows of nothing but what dies: of these a database takes away what nobody touches. */
ST_PROCESS(operate_for_a_while, operation, told)
{
    st_emit(out, &((told){in->index, (int64_t)operate_and_sum(ctx, in, 1)}));
}

/* -------------------------------------------------------------------------------------- The model
 */

struct entry {
    char key[16];
    int64_t key_number;
    char text[128];
    int64_t number, touched;
};

struct some {
    struct entry entries[ENTRIES];
    uint32_t count;
};

/* Of a key: [0] without, [1] with a time to live. A value is a list of at most one element. */
struct of_key {
    struct some value[2], list[2], map[2], fold;
};

static struct of_key model[KEYS];

static void take(struct some *s, uint32_t at)
{
    memmove(&s->entries[at], &s->entries[at + 1], (s->count - at - 1) * sizeof s->entries[0]);
    s->count--;
}

static void put(struct some *s, const struct entry *e)
{
    ck_assert_uint_lt(s->count, ENTRIES);
    s->entries[s->count++] = *e;
}

static uint32_t entry_at(const struct some *s, const struct entry *e)
{
    uint32_t at = 0;
    while (at < s->count && (s->entries[at].key_number != e->key_number ||
                             strcmp(s->entries[at].key, e->key) != 0)) {
        at++;
    }
    return at;
}

static void put_by_key(struct some *s, const struct entry *e)
{
    uint32_t at = entry_at(s, e);
    if (at < s->count) {
        s->entries[at] = *e;
    } else {
        put(s, e);
    }
}

static void expire(struct some *s, int64_t now)
{
    for (uint32_t e = s->count; e-- > 0;) {
        if (s->entries[e].touched + TTL_MS <= now) {
            take(s, e);
        }
    }
}

static void expire_all(struct of_key *k, int64_t now)
{
    expire(&k->value[1], now);
    expire(&k->list[1], now);
    expire(&k->map[1], now);
}

static void model_fold(struct some *s, const struct entry *e)
{
    if (s->count == 0) {
        put(s, e);
        return;
    }
    struct entry *had = &s->entries[0];
    had->text[strlen(had->text) > 40 ? 40 : strlen(had->text)] = '\0';
    strcat(had->text, e->text);
    had->number += e->number;
}

static void model_operate(struct of_key *k, const operation *o)
{
    struct entry e = {.key_number = o->argument, .number = o->argument, .touched = o->time};
    snprintf(e.key, sizeof e.key, "p%" PRId64, o->argument % 3);
    snprintf(e.text, sizeof e.text, "w%" PRId64, o->argument * o->argument);
    expire_all(k, o->time);
    for (int t = 0; t < 2; t++) {
        uint32_t at = entry_at(&k->map[t], &e);
        switch (o->what) {
        case 0:
            k->value[t].count = 0;
            put(&k->value[t], &e);
            break;
        case 1:
            k->value[t].count = 0;
            break;
        case 2:
        case 3:
            put(&k->list[t], &e);
            break;
        case 4: /* those that stay are written anew */
            for (uint32_t i = k->list[t].count; i-- > 0;) {
                k->list[t].entries[i].touched = o->time;
                if (i % 2 == 1) {
                    take(&k->list[t], i);
                }
            }
            break;
        case 6:
        case 7:
            put_by_key(&k->map[t], &e);
            break;
        case 8:
            if (at < k->map[t].count) {
                take(&k->map[t], at);
            }
            break;
        case 9:
            for (uint32_t i = k->map[t].count; i-- > 0;) {
                if (k->map[t].entries[i].key_number % 2 == 0) {
                    take(&k->map[t], i);
                }
            }
            break;
        default:
            break;
        }
    }
    if (o->what == 5) {
        model_fold(&k->fold, &e);
    } else if (o->what == 10 && o->argument < 2) {
        memset(k, 0, sizeof *k);
    }
}

static uint64_t model_word(uint64_t sum, const struct entry *e)
{
    return sum_of(sum, st_str_of(e->text), e->number);
}

static uint64_t model_sum(struct of_key *k, int64_t now, int t)
{
    uint64_t sum = k->value[t].count > 0 ? model_word(0, &k->value[t].entries[0]) : mix(7);
    for (uint32_t e = 0; e < k->list[t].count; e++) {
        sum = model_word(sum, &k->list[t].entries[e]);
    }
    sum = mix(sum + k->list[t].count);
    for (uint32_t e = 0; e < k->map[t].count; e++) {
        struct entry *one = &k->map[t].entries[e];
        sum = model_word(sum_of(sum, st_str_of(one->key), one->key_number), one);
        one->touched = now; /* it has been read */
    }
    sum = mix(sum + k->map[t].count);
    if (t == 0) {
        sum = k->fold.count > 0 ? model_word(sum, &k->fold.entries[0]) : mix(sum + 7);
    }
    return sum;
}

/* ---------------------------------------------------------------------------------------- The jobs
 */

static int64_t first, last; /* the operations of this run */
static bool breaks_off;     /* it fails once a checkpoint with all of them is complete */
static int64_t sums[2][SEGMENTS * OPERATIONS]; /* of those without, with a time to live */

struct progress {
    int64_t next;
    int completed; /* checkpoints since the last operation */
};

ST_SOURCE(operations, operation)
{
    struct progress *p = ctx->self;
    while (first + p->next < last) {
        operation o = operation_of(first + p->next);
        if (o.time > st_now(ctx)) {
            st_poll_at(ctx, o.time);
            return ST_IDLE;
        }
        st_emit(out, &o);
        p->next++;
    }
    st_poll_at(ctx, st_now(ctx) + 1000);
    return breaks_off ? ST_IDLE : ST_END;
}

/* The first one may have begun before the last operation. */
static void break_off(st_context *ctx, int64_t checkpoint_id)
{
    struct progress *p = ctx->self;
    (void)checkpoint_id;
    if (breaks_off && first + p->next == last && ++p->completed == 2) {
        st_fail(ctx, "enough");
    }
}

ST_SINK(note, told)
{
    sums[0][in->index] = in->sum;
}

ST_SINK(note_mortals, told)
{
    sums[1][in->index] = in->sum;
}

/* Of a seed: which backend each segment runs on. Those whose checkpoints are files of databases
 * stay with it. */
enum mix { ON_HASHMAP, ON_ROCKSDB, ON_BOTH_IN_TURN, ON_ROCKSDB_INCREMENTAL, MIX_END };

static void choose_backend(st_env *env, const char *folder, enum mix mix, int segment)
{
    bool rocksdb = mix != ON_HASHMAP && (mix != ON_BOTH_IN_TURN || segment % 2 == 0);
    st_env_set(env, "state.backend", rocksdb ? "rocksdb" : "hashmap");
    st_env_set(env, "state.backend.incremental", mix == ON_ROCKSDB_INCREMENTAL ? "true" : "false");
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
}

static void run_segment(const char *folder, enum mix mix, int segment, uint32_t parallelism)
{
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    st_env_set_parallelism(env, parallelism);
    breaks_off = mix == ON_ROCKSDB_INCREMENTAL;
    bool seldom = segment % 2 == 0 && !breaks_off;
    st_env_set(env, "execution.checkpointing.interval",
               seldom       ? "100h"
               : breaks_off ? "40s"
                            : "3s");
    st_env_set(env, "execution.checkpointing.dir", folder);
    choose_backend(env, folder, mix, segment);
    if (segment > 0) {
        st_env_set(env, "execution.savepoint.path", folder);
    }
    first = (int64_t)segment * OPERATIONS;
    last = first + OPERATIONS;
    st_stream *s = st_from_source(env, operations, .self_size = sizeof(struct progress),
                                  .parallelism = 1, .notify_checkpoint_complete = break_off);
    s = st_key_by(s, ST_KEY(operation, key));
    st_sink(st_process(s, operate_for_ever, .states = ST_STATES(&value, &list, &fold, &map)), note,
            .parallelism = 1);
    st_sink(
        st_process(s, operate_for_a_while, .states = ST_STATES(&map_ttl, &value_ttl, &list_ttl)),
        note_mortals, .parallelism = 1);
    enum st_err err = st_execute(env, "state");
    ck_assert_msg(err == (breaks_off ? ST_ERR_FAILED : ST_OK), "%s", st_env_error(env));
    ck_assert(!breaks_off || strstr(st_env_error(env), "enough") != NULL);
    st_env_free(env);
}

START_TEST(states_are_what_a_naive_model_has)
{
    char folder[FOLDER_SIZE];
    folder_make_in_memory(folder);
    seed = (uint64_t)_i / MIX_END;
    memset(model, 0, sizeof model);
    gap_ms = _i % MIX_END == ON_ROCKSDB_INCREMENTAL ? 100000 : 0; /* its last checkpoint is late */
    for (int segment = 0; segment < SEGMENTS; segment++) {
        run_segment(folder, (enum mix)(_i % MIX_END), segment,
                    (uint32_t)(1 + mix(seed * 100 + (uint64_t)segment) % 4));
        for (int64_t i = first; i < last; i++) {
            operation o = operation_of(i);
            model_operate(&model[o.key], &o);
            for (int t = 0; t < 2; t++) {
                ck_assert_msg(sums[t][i] == (int64_t)model_sum(&model[o.key], o.time, t),
                              "seed %d, operation %" PRId64 " (%" PRId64 ", %d)", _i, i, o.what, t);
            }
        }
    }
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed state");
    TCase *tc = tcase_create("state");
    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, states_are_what_a_naive_model_has, 0, 4 * MIX_END);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
