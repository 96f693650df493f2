/*
 * What a failure does to the output: numbers 0, 1, 2 … on their way from a source to files, by a
 * job that fails once and begins again.
 *
 *     kcsim stream run examples/guarantee --guarantee at-most-once|at-least-once|exactly-once
 *         [--steps] [--output FOLDER] [--count N] [--fail-at N]
 *
 *     at most once    the source takes a number out of a queue, which gives it once: what is under
 *                     way when the job fails is lost
 *     at least once   the source goes back to the checkpoint; the sink has written what came behind
 *                     it, and cannot take it back
 *     exactly once    the same source; the sink commits with the checkpoints
 *
 * Each guarantee is one of source and sink together, and neither is enough alone.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "examples/example.h"

static int64_t number_count, fail_at;
static bool has_failed;
static const char *folder;

/* ------------------------------------------------------------------------------------- Sources */

/* Both put out up to four numbers each 5 ms. */
struct pace {
    int64_t next; /* number */
    int64_t next_ms;
    FILE *queue;
};

/* The end of the numbers that may be put out now. */
static int64_t last_due(st_context *ctx, struct pace *pace)
{
    int64_t now = st_now(ctx), last = pace->next;
    if (now >= pace->next_ms) {
        pace->next_ms = now + 5;
        last = last + 4 < number_count ? last + 4 : number_count;
    }
    st_poll_at(ctx, pace->next_ms);
    return last;
}

ST_LIST_STATE(position, int64_t);

static void restore_position(st_context *ctx)
{
    uint32_t count;
    const int64_t *next = st_list_get(ctx, &position, &count);
    ((struct pace *)ctx->self)->next = count > 0 ? *next : 0;
}

static void save_position(st_context *ctx, int64_t checkpoint_id ST_UNUSED)
{
    st_list_update(ctx, &position, &((struct pace *)ctx->self)->next, 1);
}

/* It can go back: where it is belongs to the checkpoint. */
ST_SOURCE(counted, int64_t)
{
    struct pace *pace = ctx->self;
    for (int64_t last = last_due(ctx, pace); pace->next < last;) {
        st_emit(out, &pace->next);
        pace->next++;
    }
    return pace->next < number_count ? ST_IDLE : ST_END;
}

/* FOLDER.queue has the number that is given next, to whoever asks: nobody gets one twice. */
static void open_queue(st_context *ctx)
{
    struct pace *pace = ctx->self;
    char path[1024];
    snprintf(path, sizeof path, "%s.queue", folder);
    pace->queue = fopen(path, "a+");
    if (pace->queue == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
    rewind(pace->queue);
    for (long long last; fscanf(pace->queue, "%lld", &last) == 1;) {
        pace->next = last + 1;
    }
}

static void close_queue(st_context *ctx)
{
    const struct pace *pace = ctx->self;
    if (pace->queue != NULL) {
        fclose(pace->queue);
    }
}

ST_SOURCE(taken, int64_t)
{
    struct pace *pace = ctx->self;
    for (int64_t last = last_due(ctx, pace); pace->next < last;) {
        fprintf(pace->queue, "%" PRId64 "\n", pace->next); /* it is ours now */
        fflush(pace->queue);
        st_emit(out, &pace->next);
        pace->next++;
    }
    return pace->next < number_count ? ST_IDLE : ST_END;
}

/* ------------------------------------------------------------------------- A failure, and a sink
 */

ST_FILTER(may_fail, int64_t)
{
    if (*in == fail_at && !has_failed) {
        has_failed = true;
        st_fail(ctx, "asked to fail at %" PRId64, *in);
    }
    return true;
}

static void open_file(st_context *ctx)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/part-plain", folder);
    FILE *file = mkdir(folder, 0755) == 0 || errno == EEXIST ? fopen(path, "a") : NULL;
    if (file == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
    *(FILE **)ctx->self = file;
}

static void close_file(st_context *ctx)
{
    if (*(FILE **)ctx->self != NULL) {
        fclose(*(FILE **)ctx->self);
    }
}

/* What is written is written. */
ST_SINK(append, int64_t)
{
    fprintf(*(FILE **)ctx->self, "%" PRId64 "\n", *in);
    fflush(*(FILE **)ctx->self);
}

int st_job(st_env *env, int argc, char **argv)
{
    const char *guarantee = example_flag(argc, argv, "--guarantee", "exactly-once");
    bool most = strcmp(guarantee, "at-most-once") == 0;
    bool exactly = strcmp(guarantee, "exactly-once") == 0;
    static char checkpoints[1024];
    if (!most && !exactly && strcmp(guarantee, "at-least-once") != 0) {
        fprintf(stderr, "%s: at-most-once, at-least-once or exactly-once\n", guarantee);
        return 1;
    }
    folder = example_flag(argc, argv, "--output", "numbers");
    number_count = strtoll(example_flag(argc, argv, "--count", "40"), NULL, 10);
    fail_at = strtoll(example_flag(argc, argv, "--fail-at", "-1"), NULL, 10);
    has_failed = false;
    snprintf(checkpoints, sizeof checkpoints, "%s.checkpoints", folder);
    st_env_set(env, "execution.checkpointing.interval", "17ms");
    st_env_set(env, "execution.checkpointing.dir", checkpoints);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_stream *s = most ? st_from_source(env, taken, .self_size = sizeof(struct pace),
                                         .parallelism = 1, .open = open_queue, .close = close_queue)
                        : st_from_source(env, counted, .self_size = sizeof(struct pace),
                                         .parallelism = 1, .operator_states = ST_STATES(&position),
                                         .initialize_state = restore_position,
                                         .snapshot_state = save_position);
    s = st_filter(s, may_fail);
    if (exactly) {
        st_write_files(s, folder);
    } else {
        st_sink(s, append, .self_size = sizeof(FILE *), .parallelism = 1, .open = open_file,
                .close = close_file);
    }
    return 0;
}
