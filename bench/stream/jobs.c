/*
 * The jobs of the measurement as programs against the public header: no operator here is made for
 * it.
 *
 *     jobs JOB EVENTS KEYS [KEY=VALUE…]        JOB: a b c d f
 *
 * Prints events a second, CPU ns an event, and a check sum that loops.c prints as well.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "event.h"
#include "stream/stream.h"

ST_TYPE(event, key, value, time);

static uint64_t keys = 1000;
static _Atomic uint64_t check_sum;

ST_GENERATOR(generate, event)
{
    event_make(index, keys, out);
}

ST_MAP(tripled, event, event)
{
    *out = (event){in->key, in->value * 3 + 1, in->time};
}

ST_FILTER(even, event)
{
    return (in->value & 1) == 0;
}

/* Sinks add up what they see, each subtask for itself. */
static void add_up(st_context *ctx)
{
    atomic_fetch_add(&check_sum, *(uint64_t *)ctx->self);
}

ST_SINK(look, event)
{
    *(uint64_t *)ctx->self += (uint64_t)in->value;
}

typedef struct {
    int64_t key, end, count;
} counted;
ST_TYPE(counted, key, end, count);

ST_FOLD(add_one, event, int64_t)
{
    *acc += 1;
}

ST_FOLD(merge_counts, int64_t, int64_t)
{
    *acc += *in;
}

ST_MAP(with_window, int64_t, counted)
{
    *out = (counted){*(const int64_t *)st_key(ctx), st_window_end(ctx), *in};
}

ST_SINK(look_counted, counted)
{
    *(uint64_t *)ctx->self += (uint64_t)(in->count * in->count) + (uint64_t)in->end;
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

typedef struct {
    st_str text;
    int64_t count;
} word;
ST_TYPE(word, text, count);

ST_GENERATOR(make_line, st_str)
{
    char *line = st_alloc(ctx, LINE_SIZE_MAX + 8);
    *out = (st_str){line, line_make(index, line), 0};
}

ST_FLAT_MAP(split, st_str, word)
{
    for (st_str rest = *in, piece; st_next_token(&rest, " ", &piece);) {
        st_emit(out, &((word){piece, 1}));
    }
}

ST_SINK(look_word, word)
{
    *(uint64_t *)ctx->self += (uint64_t)in->count;
}

static void build(st_env *env, char job, uint64_t events)
{
    if (job == 'f') {
        words_make();
        st_stream *words = st_flat_map(st_generate(env, make_line, events), split);
        st_sink(st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count)), look_word,
                .self_size = 8, .close = add_up);
        return;
    }
    st_stream *s = st_generate(env, generate, events);
    switch (job) {
    case 'a':
        st_sink(st_filter(st_map(s, tripled), even), look, .self_size = 8, .close = add_up);
        break;
    case 'b':
        st_sink(st_sum(st_key_by(s, ST_KEY(event, key)), ST_FIELD(event, value)), look,
                .self_size = 8, .close = add_up);
        break;
    case 'd':
        s = st_assign_timestamps(s, time_of, .bound_ms = 1000);
        s = st_window(st_key_by(s, ST_KEY(event, key)), ST_SLIDING(10000, 1000));
        st_sink(st_aggregate(s, add_one, with_window, .merge = &merge_counts), look_counted,
                .self_size = 8, .close = add_up);
        break;
    default:
        s = st_assign_timestamps(s, time_of, .bound_ms = 1000);
        s = st_window(st_key_by(s, ST_KEY(event, key)), ST_TUMBLING(keys > 100000 ? 5000 : 1000));
        st_sink(st_aggregate(s, add_one, with_window), look_counted, .self_size = 8,
                .close = add_up);
        break;
    }
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: jobs a|b|c|d|f EVENTS KEYS [CONFIGURATION-KEY=VALUE…]\n", stderr);
        return 64;
    }
    uint64_t events = strtoull(argv[2], NULL, 10);
    keys = strtoull(argv[3], NULL, 10);
    st_env *env = st_env_new();
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value++ = '\0';
            st_env_set(env, argv[i], value);
        }
    }
    build(env, argv[1][0], events);
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    enum st_err err = st_execute(env, "bench");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (err != ST_OK) {
        fputs(st_env_error(env), stderr);
        return 1;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double wall =
        (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    double cpu = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    printf("ours  job %s  keys %-8lu  %8.2f M/s  %7.2f CPU ns/event  check %016lx\n", argv[1],
           (unsigned long)keys, (double)events / wall / 1e6, cpu * 1e9 / (double)events,
           (unsigned long)check_sum);
    st_env_free(env);
    return 0;
}
