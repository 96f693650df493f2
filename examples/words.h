/*
 * Words that are counted, and a stream of them: two lines a second, as if somebody typed.
 */
#ifndef EXAMPLES_WORDS_H
#define EXAMPLES_WORDS_H

#include "examples/example.h"

typedef struct {
    st_str text;
    int64_t count;
} word;
ST_TYPE(word, text, count);

ST_FLAT_MAP(split, st_str, word)
{
    for (st_str rest = *in, piece; st_next_token(&rest, " \t", &piece);) {
        st_emit(out, &((word){piece, 1}));
    }
}

struct typist {
    int64_t next_ms; /* when the next line is due */
    int64_t typed;   /* lines so far */
};
ST_LIST_STATE(typed_so_far, int64_t);

static inline void typist_restore(st_context *ctx)
{
    uint32_t count;
    const int64_t *typed = st_list_get(ctx, &typed_so_far, &count);
    struct typist *t = ctx->self;
    *t = (struct typist){.next_ms = st_now(ctx), .typed = count > 0 ? *typed : 0};
}

static inline void typist_save(st_context *ctx, int64_t checkpoint_id ST_UNUSED)
{
    const struct typist *t = ctx->self;
    st_list_update(ctx, &typed_so_far, &t->typed, 1);
}

/* As many lines as .arg says, one each half second. */
ST_SOURCE(typed, st_str)
{
    struct typist *t = ctx->self;
    if (t->typed == *(const int64_t *)ctx->arg) {
        return ST_END;
    }
    if (st_now(ctx) < t->next_ms) {
        st_poll_at(ctx, t->next_ms);
        return ST_IDLE;
    }
    st_str line = st_str_of(t->typed % 2 == 0 ? "hello world hello" : "hello flink");
    st_emit(out, &line);
    t->typed++;
    t->next_ms += 500;
    return ST_MORE;
}

/* The words of so many lines, keyed by their text. The number is borrowed while the job runs. */
static inline st_stream *words_typed(st_env *env, const int64_t *lines)
{
    st_stream *text = st_from_source(
        env, typed, .parallelism = 1, .self_size = sizeof(struct typist), .arg = lines,
        .initialize_state = typist_restore, .snapshot_state = typist_save,
        .operator_states = ST_STATES(&typed_so_far), .uid = "typed");
    return st_key_by(st_flat_map(text, split, .uid = "split"), ST_KEY(word, text));
}

#endif
