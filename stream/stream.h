/*
 * Stream jobs, in the manner of Apache Flink's DataStream API: installed as <kcsim/stream.h>, and
 * all that a job needs.
 *
 *     typedef struct { st_str text; int64_t count; } word;
 *     ST_TYPE(word, text, count);
 *
 *     ST_FLAT_MAP(split, st_str, word)
 *     {
 *         for (st_str rest = *in, piece; st_next_token(&rest, " ", &piece);)
 *             st_emit(out, &((word){piece, 1}));
 *     }
 *
 *     int st_job(st_env *env, int argc, char **argv)
 *     {
 *         st_stream *words = st_flat_map(st_read_text(env, argv[1]), split);
 *         st_print(st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count)));
 *         return 0;
 *     }
 *
 * A record is a C value of fixed size whose fields a type names. Text in a record is a view
 * (st_str): inside a call it may point into what the call was given; whatever has to outlive the
 * call (a queue to another thread, state, a window) is copied by the runtime, for it knows where
 * the views are.
 *
 * A function is defined by a macro (ST_MAP …), which wraps its body into a loop over a batch of
 * records. So the compiler sees body and loop together, and a record costs no call. In a body,
 * `ctx` is the context of the subtask, `in` and `out` are what the macro says.
 *
 * Building a graph never fails at once. A mistake is kept with the place in your source, what
 * follows from it is left out, and st_execute refuses the job and prints all of them.
 *
 * Threads: an env is built and executed by one thread. A function runs on the thread of its
 * subtask; its context belongs to that thread and is not to be used by another. No two calls of one
 * subtask overlap.
 */
#ifndef KCSIM_STREAM_H
#define KCSIM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For compilers that know them. */
#if defined(__GNUC__)
#define ST_UNUSED           __attribute__((unused))
#define ST_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#else
#define ST_UNUSED
#define ST_PRINTF(fmt, arg)
#endif

typedef struct st_env st_env;               /* one job being built, then run */
typedef struct st_stream st_stream;         /* a stream of one type; lives as long as its env */
typedef struct st_context st_context;       /* what a function may ask: see "Inside a function" */
typedef struct st_out st_out;               /* where a function puts records */
typedef struct st_collection st_collection; /* what st_collect collects; lives as long as its env */

/* What a call that can fail returns; st_env_error has the words. */
enum st_err {
    ST_OK = 0,
    ST_ERR_GRAPH,     /* the job is not well formed; who acts: its author */
    ST_ERR_CONFIG,    /* a key or value of the configuration is not known */
    ST_ERR_FAILED,    /* a function failed the job (st_fail), and no restart is left */
    ST_ERR_IO,        /* a file or socket refused */
    ST_ERR_RESTORE,   /* a checkpoint is damaged, or does not belong to this job */
    ST_ERR_CANCELLED, /* asked to end at once (kcsim stream cancel) */
    ST_ERR_END
};

#define ST_TIME_MIN INT64_MIN /* "no timestamp", and the watermark before the first */
#define ST_TIME_MAX INT64_MAX /* the watermark at the end of the input */

/* ------------------------------------------------------------------------------------- Records */
/* What a record is to the runtime, and text. Nothing here fails the job or allocates; all of it may
 * be used by any thread, at any time. */

/* Text or bytes: a view, not terminated. In a function's `in` it aliases memory of the runtime and
 * is valid until the function returns. */
typedef struct st_str {
    const char *data; /* [size]; of an empty text anything */
    uint32_t size;    /* bytes, below 2^31 */
    uint32_t zero;    /* always 0, so that no byte of a record is undefined */
} st_str;

/* The view of a literal; it may hold zero bytes. */
#define ST_STR(literal) ((st_str){(literal), (uint32_t)sizeof(literal) - 1, 0})

/* What a field is: found by ST_TYPE from its C type. */
enum st_kind {
    ST_KIND_NONE = 0,
    ST_KIND_BOOL,
    ST_KIND_I8,
    ST_KIND_I16,
    ST_KIND_I32,
    ST_KIND_I64,
    ST_KIND_U8,
    ST_KIND_U16,
    ST_KIND_U32,
    ST_KIND_U64,
    ST_KIND_F32,
    ST_KIND_F64,
    ST_KIND_STR,   /* st_str */
    ST_KIND_CHARS, /* char name[N]: text that ends at its first zero byte or at N */
    ST_KIND_END
};

#define ST_FIELDS_MAX      16   /* of a type */
#define ST_KEY_FIELDS_MAX  4    /* of a key */
#define ST_RECORD_SIZE_MAX 4096 /* bytes of the C struct; text behind views is not counted */

/* A field of a type. */
typedef struct st_field {
    const char *name;  /* borrowed */
    uint16_t offset;   /* bytes */
    uint16_t size;     /* bytes */
    enum st_kind kind; /* decides how it is hashed, printed and written */
} st_field;

/* What the runtime knows of a record. Constant; lives as long as the env that uses it. */
typedef struct st_type {
    const char *name;               /* a checkpoint has it, and refuses another */
    uint32_t size;                  /* bytes, sizeof the struct */
    uint32_t field_count;           /* 1 … ST_FIELDS_MAX */
    st_field fields[ST_FIELDS_MAX]; /* [field_count] in the order in which they print */
} st_type;

/* The kind of a field by its C type; another type does not compile. */
#define ST_KIND_OF(x)                                                                              \
    _Generic((x), st_str: ST_KIND_STR, bool: ST_KIND_BOOL, char: ST_KIND_I8, signed char: ST_KIND_I8, \
        unsigned char: ST_KIND_U8, short: ST_KIND_I16, unsigned short: ST_KIND_U16,                \
        int: ST_KIND_I32, unsigned: ST_KIND_U32, long: ST_KIND_I64, unsigned long: ST_KIND_U64,    \
        long long: ST_KIND_I64, unsigned long long: ST_KIND_U64, float: ST_KIND_F32,               \
        double: ST_KIND_F64, char *: ST_KIND_CHARS, const char *: ST_KIND_CHARS)

/* 1, but for a pointer, which does not compile: an array of chars is a field, a char * is none. */
#define ST_NO_POINTER(x)                                                                           \
    (sizeof(char[_Generic(&(x), char ** : -1, const char ** : -1, default : 1)]))
#define ST_FIELD_ROW(T, f)                                                                         \
    {#f, (uint16_t)offsetof(T, f), (uint16_t)(sizeof(((T *)0)->f) * ST_NO_POINTER(((T *)0)->f)),   \
     ST_KIND_OF(((T *)0)->f)},
#define ST_OFFSET_ROW(T, f) (uint16_t) offsetof(T, f),

/* Names the fields of a typedef'd struct, in the order in which they print. A field of a kind that
 * is not in enum st_kind (a pointer, a struct) does not compile. The macros that define functions
 * have names of their own, which a type is not to have: acc, count, ctx, in, index, out. */
#define ST_TYPE(T, ...)                                                                            \
    static const st_type st_type_##T ST_UNUSED = {                                                 \
        #T, (uint32_t)sizeof(T), ST_COUNT(__VA_ARGS__), {ST_EACH(ST_FIELD_ROW, T, __VA_ARGS__)}};  \
    _Static_assert(sizeof(T) <= ST_RECORD_SIZE_MAX, "a record of this size is not moved by value")

/* Types of one value. */
extern const st_type st_type_st_str;
extern const st_type st_type_int32_t;
extern const st_type st_type_int64_t;
extern const st_type st_type_uint64_t;
extern const st_type st_type_double;

/* A field by its place: st_sum(s, ST_FIELD(word, count)). */
typedef struct st_field_ref {
    const st_type *type; /* of the record */
    uint16_t offset;     /* bytes, of the field in it */
} st_field_ref;
#define ST_FIELD(T, f) ((st_field_ref){&st_type_##T, (uint16_t)offsetof(T, f)})
/* The value itself, where the record is one value (st_type_int64_t …). */
#define ST_VALUE(T) ((st_field_ref){&st_type_##T, 0})

/* What a stream is keyed by: one to four fields. */
typedef struct st_key_spec {
    const st_type *type;                /* of the record */
    uint32_t count;                     /* fields; 1 … ST_KEY_FIELDS_MAX */
    uint16_t offset[ST_KEY_FIELDS_MAX]; /* [count] bytes, of the fields in it */
} st_key_spec;
/* ST_KEY(word, text): by these fields; ST_KEY_VALUE(int64_t): by the value that a record is. */
#define ST_KEY(T, ...)                                                                             \
    ((st_key_spec){&st_type_##T, ST_COUNT(__VA_ARGS__), {ST_EACH(ST_OFFSET_ROW, T, __VA_ARGS__)}})
#define ST_KEY_VALUE(T) ((st_key_spec){&st_type_##T, 1, {0}})

/* Takes the next piece of *rest that holds none of `separators` (bytes of a C string) and is not
 * empty, and moves *rest behind it; returns false when there is none, *piece unchanged. *piece
 * aliases what *rest views. */
bool st_next_token(st_str *rest, const char *separators, st_str *piece);
/* Cuts at each `separator` into at most `parts_max` parts (empty ones count; the last takes the
 * rest); returns their number. The parts alias `text`. */
uint32_t st_split(st_str text, char separator, st_str *parts, uint32_t parts_max);
/* Reads a whole decimal number, with sign; returns false, *value unchanged, on anything else. */
bool st_parse_int64(st_str text, int64_t *value);
/* Are the bytes equal? */
bool st_str_equal(st_str a, st_str b);
/* Below, equal or above 0 as a stands before, with or behind b, bytewise. */
int st_str_compare(st_str a, st_str b);
/* The view of a C string (below 2^31 bytes); aliases it. */
st_str st_str_of(const char *text);

/* Java's hashCode of the key that `spec` takes from `record` (a String, Integer, Long …; of several
 * fields as a Tuple has it): what decides the key group. */
int32_t st_key_hash(const st_key_spec *spec, const void *record);
/* The key group of a hash, 0 … max_parallelism - 1.
 * Source: Flink KeyGroupRangeAssignment.computeKeyGroupForKeyHash, MathUtils.murmurHash. */
uint32_t st_key_group(int32_t hash, uint32_t max_parallelism);
/* Which of `parallelism` subtasks owns a key group.
 * Source: Flink KeyGroupRangeAssignment.computeOperatorIndexForKeyGroup. */
uint32_t st_key_group_owner(uint32_t group, uint32_t parallelism, uint32_t max_parallelism);

/* --------------------------------------------------------------------------- Inside a function */
/* For the functions of a job, with the ctx (and out) that they were given: on the thread of their
 * subtask, until they return. What is used against its rules (state without a key at hand, a record
 * of another type than the operator's) fails the job, as st_fail does: no call here returns an
 * error. */

/* The first members are read by the loops of the macros; they are not for a body to touch. */
struct st_context {
    const int64_t *times; /* [record of the batch], or NULL where the stream has no timestamps */
    uint32_t index;       /* of the record at hand */
    uint32_t subtask;     /* 0 … parallelism - 1 */
    uint32_t parallelism; /* of the operator */
    void *self;      /* [.self_size] bytes of this subtask, zeros at first; not in checkpoints */
    const void *arg; /* the operator's .arg; borrowed, shared by all subtasks */
};

/* Where records go that a function puts out; st_emit writes into it. */
struct st_out {
    char *records;        /* [capacity] of record_size bytes */
    int64_t *times;       /* [capacity] */
    uint32_t count;       /* records so far */
    uint32_t capacity;    /* records; then they are handed on */
    uint32_t record_size; /* bytes */
    int64_t time;         /* what the next record gets */
    bool timed;           /* some of the records may have one */
};

/* Ends the job, or this attempt at it (restart strategy), with a message of at most 383 bytes,
 * which st_env_error has then; does not return: it jumps out of the function, so memory of one's
 * own that is not in ctx->self is lost. */
_Noreturn void st_fail(st_context *ctx, const char *format, ...) ST_PRINTF(2, 3);
/* Hands on what `out` holds; st_emit does it when there is no room, the runtime at the end. */
void st_flush(st_out *out);
/* Fails the job: a record of `size` bytes is not what the operator puts out. For st_emit. */
_Noreturn void st_emit_mismatch(const st_out *out, uint32_t size);

/* What st_emit calls: copies a record of `size` bytes, with the timestamp out->time. */
static inline void st_emit_bytes(st_out *out, const void *record, uint32_t size)
{
    if (out->record_size != size) {
        st_emit_mismatch(out, size);
    }
    if (out->count == out->capacity) {
        st_flush(out);
    }
    memcpy(out->records + (size_t)out->count * size, record, size);
    out->times[out->count++] = out->time;
}
/* Puts out a record (a pointer to one; copied). It has the timestamp of the record at hand, in a
 * timer of event time the timer's, in one of processing time none, in a window its end - 1. */
#define st_emit(out, record) st_emit_bytes((out), (record), (uint32_t)sizeof *(record))
/* What st_emit_at calls. */
static inline void st_emit_bytes_at(st_out *out, const void *record, uint32_t size, int64_t time)
{
    int64_t of_record_at_hand = out->time;
    out->time = time;
    st_emit_bytes(out, record, size);
    out->time = of_record_at_hand;
    out->timed = true;
}
/* The same with a timestamp of one's own. */
#define st_emit_at(out, record, timestamp)                                                         \
    st_emit_bytes_at((out), (record), (uint32_t)sizeof *(record), (timestamp))

/* The timestamp of the record at hand, ms; ST_TIME_MIN if it has none; in .on_timer the timer's. */
static inline int64_t st_timestamp(const st_context *ctx)
{
    return ctx->times != NULL ? ctx->times[ctx->index] : ST_TIME_MIN;
}
/* The watermark of the operator, ms; that of the record at hand, which follows it, not included.
 * ST_TIME_MIN before the first, ST_TIME_MAX behind the last record. */
int64_t st_watermark(const st_context *ctx);
/* Processing time, milliseconds since the epoch (or of the clock that was injected). */
int64_t st_now(const st_context *ctx);
/* The key at hand: a pointer to the value of the key's field; of several fields, to a struct of
 * them in the order of ST_KEY; NULL where the stream has no key. Aliases; valid until the function
 * returns. */
const void *st_key(const st_context *ctx);
/* The window at hand, in st_process_window, in a result function and in a trigger, ms; ends are
 * exclusive. Of a global or count window ST_TIME_MIN and ST_TIME_MAX. */
int64_t st_window_start(const st_context *ctx);
int64_t st_window_end(const st_context *ctx);
/* `size` bytes for what one puts out, valid until what was put out is handled (so longer than the
 * call); never NULL, aligned to 16, not cleared. The runtime frees it. */
void *st_alloc(st_context *ctx, size_t size);
/* printf into such memory; a text of at most 2^31 - 1 bytes. */
st_str st_format(st_context *ctx, const char *format, ...) ST_PRINTF(2, 3);

/* A side output: ST_TAG(late, event); then st_emit_side(ctx, late, &record) in a function, and
 * st_side_output(stream, late) for the stream of them. A record nobody asked for is dropped. */
typedef struct st_tag {
    const char *name;    /* shown */
    const st_type *type; /* of its records */
} st_tag;
#define ST_TAG(tag, T) static const st_tag tag ST_UNUSED = {#tag, &st_type_##T}
/* What st_emit_side calls. The record is copied; its timestamp is st_timestamp(ctx). Fails the job
 * if its size is not that of the tag's type. */
void st_emit_side_bytes(st_context *ctx, const st_tag *tag, const void *record, uint32_t size);
/* Puts out a record (a pointer to one) under a tag. */
#define st_emit_side(ctx, tag, record)                                                             \
    st_emit_side_bytes((ctx), &(tag), (record), (uint32_t)sizeof *(record))

/* Keyed state, one value (list, map) a key, of functions on a keyed stream and of those that its
 * windows call when they fire: see .states. A state is declared at file scope and given to the
 * operator in .states; its name is what a checkpoint knows it by. */
enum st_state_kind {
    ST_STATE_VALUE_OF = 1,
    ST_STATE_LIST_OF,
    ST_STATE_UNION_OF,
    ST_STATE_MAP_OF = 5,
    ST_STATE_BROADCAST_OF
};
/* A state as it is declared; its address is what operators and calls know it by. Constant. */
typedef struct st_state {
    const char *name;               /* what a checkpoint knows it by */
    const st_type *type;            /* of a map, broadcast: its values' */
    enum st_state_kind kind;        /* value, list, map … */
    const struct st_function *fold; /* reducing, aggregating: what st_state_add does; else NULL */
    bool begins_with_first;         /* reducing: the first value is taken as it is */
    const st_type *key_type;        /* of a map, broadcast; else NULL */
    /* Keyed state: > 0: how long, in ms of processing time, a value, an element of a list, an entry
     * of a map is there after it was last written; or, with ttl_on_read, written or read. What is
     * over is never returned, and goes in time. Source: Flink StateTtlConfig (OnCreateAndWrite,
     * OnReadAndWrite; NeverReturnExpired). */
    int64_t ttl_ms;
    bool ttl_on_read; /* reading counts as writing */
} st_state;
/* Behind the type named members may follow: ST_VALUE_STATE(last, event, .ttl_ms = 60000). */
#define ST_STATE_DEFINE(state, T, ...)                                                             \
    static const st_state state ST_UNUSED = {.name = #state, .type = &st_type_##T, __VA_ARGS__}
#define ST_VALUE_STATE(state, T, ...)                                                              \
    ST_STATE_DEFINE(state, T, .kind = ST_STATE_VALUE_OF, __VA_ARGS__)
#define ST_LIST_STATE(state, T, ...)                                                               \
    ST_STATE_DEFINE(state, T, .kind = ST_STATE_LIST_OF, __VA_ARGS__)
/* Values of type V by keys of type K, of at most three fields. Source: Flink MapState. */
#define ST_MAP_STATE(state, K, V, ...)                                                             \
    ST_STATE_DEFINE(state, V, .kind = ST_STATE_MAP_OF, .key_type = &st_type_##K, __VA_ARGS__)
/* A value that others are folded into by st_state_add, read by st_value_get. Reducing: fn is an
 * ST_REDUCE(fn, T). Aggregating: fn is an ST_FOLD(fn, In, Acc) on an accumulator that begins as
 * zero bytes; the result is made where it is read. To a checkpoint both are values. Source: Flink
 * ReducingState, AggregatingState. */
#define ST_REDUCING_STATE(state, fn, T, ...)                                                       \
    ST_STATE_DEFINE(state, T, .kind = ST_STATE_VALUE_OF, .fold = &(fn), .begins_with_first = true, \
                    __VA_ARGS__)
#define ST_AGGREGATING_STATE(state, fn, Acc, ...)                                                  \
    ST_STATE_DEFINE(state, Acc, .kind = ST_STATE_VALUE_OF, .fold = &(fn), __VA_ARGS__)
/* Operator state: a list of the subtask, not of a key; given in .operator_states, used through
 * st_list_…. When a job is restored at another parallelism, the elements of all subtasks are dealt
 * out in turn; of a union list each subtask gets all. */
#define ST_UNION_STATE(state, T) ST_STATE_DEFINE(state, T, .kind = ST_STATE_UNION_OF)
/* The same map in every subtask, of what st_broadcast sends to each; given in .operator_states of
 * an operator that has such an input, used through st_map_…, with or without a key at hand. All
 * read it; only the function of the st_broadcast input changes it (and those that are called
 * without a record: .initialize_state …), from another input or a timer that fails the job. When a
 * job is restored, each subtask gets all entries of one subtask: what differs between subtasks may
 * be lost when the parallelism changes. Source: Flink BroadcastState, ReadOnlyBroadcastState. */
#define ST_BROADCAST_STATE(state, K, V)                                                            \
    ST_STATE_DEFINE(state, V, .kind = ST_STATE_BROADCAST_OF, .key_type = &st_type_##K)
#define ST_STATES(...) ((const st_state *const[]){__VA_ARGS__, NULL})

/* The value under the key at hand, or NULL if there is none. Aliases; valid until state of this key
 * changes or the function returns. All that ask of keyed state fail the job if no key is at hand or
 * `state` is not in the operator's .states. */
const void *st_value_get(st_context *ctx, const st_state *state);
/* Copies *value (of the state's type), with the text that it views, under the key at hand; it may
 * alias what st_value_get returned. */
void st_value_set(st_context *ctx, const st_state *state, const void *value);
/* Folds *value into a reducing or aggregating state under the key at hand; value_type is the type
 * that the macro finds by its name. Fails the job if the state folds nothing or another type. */
void st_state_add_at(st_context *ctx, const st_state *state, const st_type *value_type,
                     const void *value);
#define st_state_add(ctx, state, T, value) st_state_add_at((ctx), &(state), &st_type_##T, (value))
/* The elements under the key at hand, in the order of adding; *count is 0 if there are none.
 * Aliases; [*count] of the state's type; valid until state of this key changes or the function
 * returns. Operator state: the elements of the subtask. */
const void *st_list_get(st_context *ctx, const st_state *state, uint32_t *count);
/* Copies one element, with its text, behind the others. */
void st_list_add(st_context *ctx, const st_state *state, const void *element);
/* Replaces all elements by `count` copies; these may alias what st_list_get returned. */
void st_list_update(st_context *ctx, const st_state *state, const void *elements, uint32_t count);
/* Maps: of the key at hand; broadcast state: of the subtask.
 *
 * The value of *key, or NULL. Aliases; valid until the step ends or the entry changes. */
const void *st_map_get(st_context *ctx, const st_state *state, const void *key);
/* Copies both, with their text; an entry that is there keeps its place. */
void st_map_put(st_context *ctx, const st_state *state, const void *key, const void *value);
/* Takes an entry away; nothing happens if there is none. */
void st_map_remove(st_context *ctx, const st_state *state, const void *key);
/* How many entries there are. */
uint32_t st_map_count(st_context *ctx, const st_state *state);
/* Walks over the entries in the order in which they were put in; the returned one may be removed on
 * the way. False behind the last:
 *
 *     uint64_t cursor = 0;
 *     for (const void *key, *value; st_map_next(ctx, &counts, &cursor, &key, &value);)
 */
bool st_map_next(st_context *ctx, const st_state *state, uint64_t *cursor, const void **key,
                 const void **value);
/* Takes away what the key at hand has in this state: value, list or map. Operator state: all. */
void st_state_clear(st_context *ctx, const st_state *state);

/* Timers of the key at hand; one (key, time) is one timer however often it is set. .on_timer runs
 * when the watermark (processing time) reaches `time_ms` (ms of the epoch); if it has already, at
 * its next advance. To delete one that is not set does nothing. Fails the job where no key is at
 * hand or the operator has no .on_timer; in a trigger the timers are those of the window. */
void st_set_event_timer(st_context *ctx, int64_t time_ms);
void st_set_processing_timer(st_context *ctx, int64_t time_ms);
void st_delete_event_timer(st_context *ctx, int64_t time_ms);
void st_delete_processing_timer(st_context *ctx, int64_t time_ms);
/* In .on_timer: has the watermark brought the timer, or the clock (false)? Source: Flink
 * OnTimerContext.timeDomain. */
bool st_timer_is_of_event_time(const st_context *ctx);

/* -------------------------------------------------------------------------- Defining functions */
/* Macros for file scope. Each defines a constant, fn, which lives as long as the program (or the
 * shared object) and is given to an operator; several operators may have the same. The body is that
 * of one record; it is called by the thread of its subtask. A body that wants to fail calls
 * st_fail. */

/* What a source says. */
enum st_poll { ST_MORE = 1, ST_IDLE, ST_END }; /* what a source says: call again, later, no more */
/* In a source that then returns ST_IDLE: when to call again, ms of processing time, unless
 * something else comes up before; ST_TIME_MAX: only then. Without it, a millisecond later. */
void st_poll_at(st_context *ctx, int64_t time_ms);
/* In a source that then returns ST_IDLE: to be called again when `fd` is readable (or at its end,
 * or broken). For one descriptor or several, until the next call; it may be called sooner, and
 * finds nothing then. A source does not block: it would hold up the other operators of its slot. */
void st_poll_fd(st_context *ctx, int fd);
/* What another thread wakes an idle source by; valid until the source's .close. st_wake may be
 * called by any thread, at any time before that: the source is called again soon. What is waited
 * for (a queue) is to be locked by its users. */
typedef struct st_waker st_waker;
st_waker *st_waker_of(st_context *ctx);
void st_wake(st_waker *waker);

/* What a function does. */
enum st_function_kind {
    ST_FN_MAP = 1,
    ST_FN_FILTER,
    ST_FN_FLAT_MAP,
    ST_FN_FOLD,
    ST_FN_WINDOW,
    ST_FN_SINK,
    ST_FN_SOURCE,
    ST_FN_GENERATOR,
    ST_FN_TIMESTAMP
};

/* What the macros below define. `acc`: [record] accumulator; fresh[k]: it has no value yet. */
typedef struct st_function {
    const char *name;           /* shown, where the operator has none */
    const st_type *in;          /* of a source: NULL */
    const st_type *out;         /* of a sink: NULL */
    enum st_function_kind kind; /* which member of `call` it has */
    int line;                   /* where it was defined */
    const char *file;           /* likewise */
    /* The loop over a batch: [count] records of the types above. */
    union {
        void (*map)(st_context *, const void *in, void *out, uint32_t count);
        uint32_t (*filter)(st_context *, const void *in, void *out, int64_t *times, uint32_t count);
        void (*flat_map)(st_context *, const void *in, uint32_t count, st_out *out);
        void (*fold)(st_context *, void *const *acc, const void *in, uint32_t count);
        void (*window)(st_context *, const void *elements, uint32_t count, st_out *out);
        void (*sink)(st_context *, const void *in, uint32_t count);
        enum st_poll (*source)(st_context *, st_out *out);
        void (*generator)(st_context *, uint64_t first, void *out, uint32_t count);
        void (*timestamp)(const void *in, int64_t *times, uint32_t count);
    } call;
} st_function;

/* What the macros below end with. */
#define ST_DEFINE(fn, k, I, O, member)                                                             \
    static const st_function fn ST_UNUSED = {.name = #fn,                                          \
                                             .in = (I),                                            \
                                             .out = (O),                                           \
                                             .kind = (k),                                          \
                                             .line = __LINE__,                                     \
                                             .file = __FILE__,                                     \
                                             .call.member = fn##_all}

/* in: const In *, out: Out * (set every field). */
#define ST_MAP(fn, In, Out)                                                                        \
    static inline void fn##_one(st_context *ctx, const In *in, Out *out);                          \
    static void fn##_all(st_context *ctx, const void *in_, void *out_, uint32_t count)             \
    {                                                                                              \
        const In *restrict in = in_;                                                               \
        Out *restrict out = out_;                                                                  \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            ctx->index = k;                                                                        \
            fn##_one(ctx, in + k, out + k);                                                        \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_MAP, &st_type_##In, &st_type_##Out, map);                                  \
    static inline void fn##_one(st_context *ctx ST_UNUSED, const In *in ST_UNUSED,                 \
                                Out *out ST_UNUSED)

/* in: const In *; returns whether the record stays. */
#define ST_FILTER(fn, In)                                                                          \
    static inline bool fn##_one(st_context *ctx, const In *in);                                    \
    static uint32_t fn##_all(st_context *ctx, const void *in_, void *out_, int64_t *times,         \
                             uint32_t count)                                                       \
    {                                                                                              \
        const In *restrict in = in_;                                                               \
        In *restrict out = out_;                                                                   \
        uint32_t kept = 0;                                                                         \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            ctx->index = k;                                                                        \
            out[kept] = in[k];                                                                     \
            if (ctx->times != NULL) {                                                              \
                times[kept] = ctx->times[k];                                                       \
            }                                                                                      \
            kept += fn##_one(ctx, in + k) ? 1 : 0;                                                 \
        }                                                                                          \
        return kept;                                                                               \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_FILTER, &st_type_##In, &st_type_##In, filter);                             \
    static inline bool fn##_one(st_context *ctx ST_UNUSED, const In *in ST_UNUSED)

/* in: const In *, out: st_out *; puts out any number of Out. ST_PROCESS is the same, by the name
 * that one uses with state, timers and side outputs. */
#define ST_FLAT_MAP(fn, In, Out)                                                                   \
    static inline void fn##_one(st_context *ctx, const In *in, st_out *out);                       \
    static void fn##_all(st_context *ctx, const void *in_, uint32_t count, st_out *out)            \
    {                                                                                              \
        const In *in = in_;                                                                        \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            ctx->index = k;                                                                        \
            out->time = ctx->times != NULL ? ctx->times[k] : ST_TIME_MIN;                          \
            fn##_one(ctx, in + k, out);                                                            \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_FLAT_MAP, &st_type_##In, &st_type_##Out, flat_map);                        \
    static inline void fn##_one(st_context *ctx ST_UNUSED, const In *in ST_UNUSED,                 \
                                st_out *out ST_UNUSED)
#define ST_PROCESS(fn, In, Out) ST_FLAT_MAP(fn, In, Out)

/* acc: Acc *, in: const In *; takes the record into the accumulator. */
#define ST_FOLD(fn, In, Acc)                                                                       \
    static inline void fn##_one(st_context *ctx, Acc *acc, const In *in);                          \
    static void fn##_all(st_context *ctx, void *const *acc, const void *in_, uint32_t count)       \
    {                                                                                              \
        const In *in = in_;                                                                        \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            fn##_one(ctx, acc[k], in + k);                                                         \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_FOLD, &st_type_##In, &st_type_##Acc, fold);                                \
    static inline void fn##_one(st_context *ctx ST_UNUSED, Acc *acc ST_UNUSED,                     \
                                const In *in ST_UNUSED)
/* acc: T *, what the earlier records gave; in: const T *. The first record of a key is not given.
 */
#define ST_REDUCE(fn, T) ST_FOLD(fn, T, T)

/* in: const In *, [count] elements of one window of one key in the order in which they came;
 * out: st_out *. */
#define ST_WINDOW(fn, In, Out)                                                                     \
    static void fn##_one(st_context *ctx, const In *in, uint32_t count, st_out *out);              \
    static void fn##_all(st_context *ctx, const void *in, uint32_t count, st_out *out)             \
    {                                                                                              \
        fn##_one(ctx, in, count, out);                                                             \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_WINDOW, &st_type_##In, &st_type_##Out, window);                            \
    static void fn##_one(st_context *ctx ST_UNUSED, const In *in ST_UNUSED,                        \
                         uint32_t count ST_UNUSED, st_out *out ST_UNUSED)

/* in: const In *. */
#define ST_SINK(fn, In)                                                                            \
    static inline void fn##_one(st_context *ctx, const In *in);                                    \
    static void fn##_all(st_context *ctx, const void *in_, uint32_t count)                         \
    {                                                                                              \
        const In *in = in_;                                                                        \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            ctx->index = k;                                                                        \
            fn##_one(ctx, in + k);                                                                 \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_SINK, &st_type_##In, NULL, sink);                                          \
    static inline void fn##_one(st_context *ctx ST_UNUSED, const In *in ST_UNUSED)

/* out: st_out *; puts out some records (about 512 a call, so that checkpoints are not held up) and
 * returns an enum st_poll. */
#define ST_SOURCE(fn, Out)                                                                         \
    static enum st_poll fn##_all(st_context *ctx, st_out *out);                                    \
    ST_DEFINE(fn, ST_FN_SOURCE, NULL, &st_type_##Out, source);                                     \
    static enum st_poll fn##_all(st_context *ctx ST_UNUSED, st_out *out ST_UNUSED)

/* index: uint64_t, out: Out *; the record of that number. */
#define ST_GENERATOR(fn, Out)                                                                      \
    static inline void fn##_one(st_context *ctx, uint64_t index, Out *out);                        \
    static void fn##_all(st_context *ctx, uint64_t first, void *out_, uint32_t count)              \
    {                                                                                              \
        Out *restrict out = out_;                                                                  \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            fn##_one(ctx, first + k, out + k);                                                     \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_GENERATOR, NULL, &st_type_##Out, generator);                               \
    static inline void fn##_one(st_context *ctx ST_UNUSED, uint64_t index ST_UNUSED, Out *out)

/* in: const In *; returns the record's event time in milliseconds. */
#define ST_TIMESTAMP(fn, In)                                                                       \
    static inline int64_t fn##_one(const In *in);                                                  \
    static void fn##_all(const void *in_, int64_t *times, uint32_t count)                          \
    {                                                                                              \
        const In *in = in_;                                                                        \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            times[k] = fn##_one(in + k);                                                           \
        }                                                                                          \
    }                                                                                              \
    ST_DEFINE(fn, ST_FN_TIMESTAMP, &st_type_##In, NULL, timestamp);                                \
    static inline int64_t fn##_one(const In *in ST_UNUSED)

/* ------------------------------------------------------------------ Options and the environment */
/* A job from its beginning to its end. All by one thread, that which builds the job. */

/* Does an operator run in the task of the one before it? Always where it can; begins a task, to
 * which those behind it may be chained; is alone in its task. */
enum st_chaining { ST_CHAIN_ALWAYS = 0, ST_CHAIN_HEAD, ST_CHAIN_NEVER };

/* Named arguments of an operator: st_map(s, f, .name = "lower", .parallelism = 2). Borrowed until
 * the env is freed, the functions and .arg too. The first two are filled by the macros. What an
 * operator has no use for is a mistake. */
typedef struct st_options {
    const char *file;          /* of the call */
    int line;                  /* likewise */
    const char *name;          /* shown; the function's name by default */
    const char *uid;           /* what a checkpoint knows the operator by; by default its place */
    uint32_t parallelism;      /* 0: the environment's, or 1 where it can only be 1 */
    enum st_chaining chaining; /* whether its task is one of its own */
    /* One thread runs one subtask of each operator of a group; NULL: the group of all its inputs,
     * or else "default". A group of its own buys an operator threads of its own. Borrowed. */
    const char *slot_sharing_group;
    size_t self_size;               /* bytes of ctx->self, zeroed, one a subtask */
    const void *arg;                /* ctx->arg, shared by the subtasks: read only */
    void (*open)(st_context *ctx);  /* before the first record */
    void (*close)(st_context *ctx); /* at the end of the input, and after a failure */
    /* ST_FLAT_MAP and ST_PROCESS; ST_MAP and ST_FILTER with state or timers: the input has ended;
     * may still put out. */
    void (*end)(st_context *ctx, st_out *out);
    /* st_map, st_process and their kin on a keyed stream: a timer of st_set_event_timer or
     * st_set_processing_timer has come; st_key is its key. */
    void (*on_timer)(st_context *ctx, int64_t time_ms, st_out *out);
    /* Keyed: ST_STATES(&a, &b); of st_map, st_process and their kin and of st_sink on a keyed
     * stream; of st_process_window and st_aggregate, whose function (the result function) is called
     * when a window fires: of the key at hand, over all of its windows. Source: Flink
     * ProcessWindowFunction.Context.globalState. */
    const st_state *const *states;
    const st_state *const *operator_states; /* of the subtask, no key; of any operator */
    /* After operator state has been restored, before open. */
    void (*initialize_state)(st_context *ctx);
    /* Before each snapshot, to bring operator state up to date. */
    void (*snapshot_state)(st_context *ctx, int64_t checkpoint_id);
    /* This checkpoint, and so all before it, is complete. A few may be left out. */
    void (*notify_checkpoint_complete)(st_context *ctx, int64_t checkpoint_id);
    /* This checkpoint has been given up (too slow, or the disk refused): its snapshot is nobody's.
     */
    void (*notify_checkpoint_aborted)(st_context *ctx, int64_t checkpoint_id);
    const st_function *merge; /* folds of windows: ST_FOLD(merge, Acc, Acc), see st_aggregate */
    /* st_generate, st_from_sequence: records a second, all subtasks together; 0: no limit */
    uint64_t rate_per_s;
    uint64_t collected_max; /* st_collect: bytes, see there; 0: ST_COLLECTED_MAX */
    int64_t max_part_size;  /* st_write_files: when a file is rolled, see there; bytes */
    int64_t rollover_ms;    /* likewise: how long it is written to */
    int64_t inactivity_ms;  /* likewise: how long nothing came */
} st_options;

/* Named arguments, with the place in the source. */
#define ST_WITH(...) (&(st_options){.file = __FILE__, .line = __LINE__, __VA_ARGS__})

/* A new job without operators; returns owned, never NULL. */
st_env *st_env_new(void);
/* Frees it with all its streams; not while it executes. NULL: nothing. */
void st_env_free(st_env *env);
/* Sets a key of Flink's configuration ("parallelism.default"), in text as in its file. Returns
 * ST_ERR_CONFIG, with st_env_error telling why, for a key or value that is not known; the job can
 * then not be executed. Both texts are copied. */
enum st_err st_env_set(st_env *env, const char *key, const char *value);
/* The parallelism of operators that do not say: 1 … 32768; 0: that of the command line, then of the
 * configuration. */
void st_env_set_parallelism(st_env *env, uint32_t parallelism);
/* Takes the flags that every job has out of a command line, as `kcsim stream run` does, and leaves
 * the others: -D KEY=VALUE (--define), -p N (--parallelism), -s PATH (--fromSavepoint), -n
 * (--allowNonRestoredState), --steps (st_env_run_in_steps), --progress (st_env_show_progress). A
 * value may be joined to its flag: -p2, -p=2, --parallelism=2. Behind "--" nothing is taken.
 * argv[0] stays; argv[*argc] is NULL then. Returns ST_ERR_CONFIG, with st_env_error telling why,
 * for a value that is not known; the job can then not be executed. Source: Flink
 * CliFrontendParser. */
enum st_err st_env_take_arguments(st_env *env, int *argc, char **argv);
/* While the job runs, `kcsim stream list`, savepoint, stop … find it by a socket of the user's
 * runtime folder; SIGINT and SIGTERM cancel it as `kcsim stream cancel` does, and a second one ends
 * the process. A signal that the program handles or ignores when st_execute is called stays the
 * program's; behind st_execute all are again what they were. Source: Flink CliFrontend; FLIP-34,
 * FLIP-203 (a savepoint commits nothing but at a stop). Of jobs that run at a time in a process one
 * listens. */
void st_env_listen(st_env *env);
/* The signal that came while the last st_execute of a job that listens ran, 0: none. For the exit
 * code of one that was cancelled: 128 + the signal. */
int st_env_signal(const st_env *env);
/* While the job runs, tells each second on the standard error what it does: records a second,
 * watermark, what is back-pressured, the last checkpoint. On a terminal one line is written over.
 * It also listens, as st_env_listen. Not in steps. */
void st_env_show_progress(st_env *env);
/* Runs the job on the calling thread, one step of one subtask at a time, always in the same order,
 * on virtual time: it starts at 0, or where the checkpoint was taken that the job begins with, and
 * jumps to the next timer when nothing else is left to do. */
void st_env_run_in_steps(st_env *env);
/* What was wrong, a line each ("" if nothing was), with file:line of your source where there is
 * one. Aliases; valid until the next call on the env. */
const char *st_env_error(const st_env *env);
/* Runs the job to the end of its inputs, or until it is stopped from outside.
 * Returns ST_OK, also after a stop with a savepoint; ST_ERR_GRAPH before anything has run;
 * ST_ERR_FAILED when a function failed and no restart is left; ST_ERR_RESTORE, ST_ERR_IO,
 * ST_ERR_CANCELLED; then st_env_error tells why. The name, borrowed for the call, is what
 * commands know the job by; NULL: that of pipeline.name, else "stream job". Blocks the calling
 * thread, which takes care of checkpoints; the threads of the subtasks, and that which writes a
 * checkpoint, end before it returns. Of the process it changes one thing: glibc's malloc is told to
 * keep no fastbins (M_MXFAST 0), so that no free takes long. */
enum st_err st_execute(st_env *env, const char *job_name);
/* The graph of the job in one of "text", "dot", "json"; owned by the caller (free). NULL with
 * st_env_error set if the job is not well formed. */
char *st_env_plan(st_env *env, const char *format);

/* -------------------------------------------------------------------------------------- Sources */
/* What an env reads. As with operators, building does not fail at once: see there. A file that
 * cannot be read fails the job when it runs. Paths are copied. */

/* The records of a function of one's own. */
st_stream *st_from_source_at(st_env *, const st_function *, const st_options *);
#define st_from_source(env, fn, ...) st_from_source_at((env), &(fn), ST_WITH(__VA_ARGS__))
/* Records number 0 … count - 1, made by an ST_GENERATOR. Each subtask takes the next numbers, up to
 * 2,048, whenever it has put out what it had; with a rate, what is due. So its numbers rise, and
 * which subtask makes a record is nobody's to know. Restored it goes on where the checkpoint was;
 * restored from a drained savepoint, whose input had ended, it has nothing. Source: FLIP-27. */
st_stream *st_generate_at(st_env *, const st_function *, uint64_t count, const st_options *);
#define st_generate(env, fn, count, ...) st_generate_at((env), &(fn), (count), ST_WITH(__VA_ARGS__))
/* The numbers from … to, both included, as int64_t; `from` above INT64_MIN, `to` not below it.
 * Subtask i begins with the i-th part of as many equal ones as there are subtasks, and puts it out
 * in order
 * (.rate_per_s: as st_generate). Restored it goes on with what was left of the parts, each of which
 * stays whole. Source: Flink StreamExecutionEnvironment.fromSequence. */
st_stream *st_from_sequence_at(st_env *, int64_t from, int64_t to, const st_options *);
#define st_from_sequence(env, from, to, ...)                                                       \
    st_from_sequence_at((env), (from), (to), ST_WITH(__VA_ARGS__))
/* `count` records of an array, borrowed until the job has ended. */
st_stream *st_from_array_at(st_env *, const st_type *, const void *, uint32_t, const st_options *);
#define st_from_array(env, T, array, count, ...)                                                   \
    st_from_array_at((env), &st_type_##T, (array), (count), ST_WITH(__VA_ARGS__))
/* The lines of a file, as st_str without their ends ("\n" or "\r\n"); parallelism 1. */
st_stream *st_read_text_at(st_env *, const char *path, const st_options *);
#define st_read_text(env, path, ...) st_read_text_at((env), (path), ST_WITH(__VA_ARGS__))

/* The files of a folder, their lines as st_str; parallelism 1. Once: those that are there, then the
 * end. Continuously: the folder is looked at again each `interval_ms` (at least 1), and a file
 * whose time of change is later than all that were seen is read, from its beginning; so a file that
 * grows is read again whole: put files into the folder by a rename. In the order of those times,
 * then of names. Hidden files (.x, _x) and folders within are passed over. A checkpoint knows which
 * file was read how far: exactly once. The path is copied. Source: Flink FileProcessingMode,
 * ContinuousFileMonitoringFunction. */
enum st_watch { ST_PROCESS_ONCE = 1, ST_PROCESS_CONTINUOUSLY };
st_stream *st_read_folder_at(st_env *, const char *path, enum st_watch, int64_t interval_ms,
                             const st_options *);
#define st_read_folder(env, path, watch, interval_ms, ...)                                         \
    st_read_folder_at((env), (path), (watch), (interval_ms), ST_WITH(__VA_ARGS__))
/* The same files, each as one record of any bytes; the name is that in its folder. A file of more
 * than ST_FILE_SIZE_MAX bytes fails the job. Exactly once, as the lines: a file that was being read
 * is read again. Source: Flink FileSource, with a format that reads a file at once. */
#define ST_FILE_SIZE_MAX (UINT32_C(32) << 20)
typedef struct st_file {
    st_str name;    /* in its folder */
    st_str content; /* its bytes; may be empty */
} st_file;
extern const st_type st_type_st_file;
st_stream *st_read_whole_files_at(st_env *, const char *path, enum st_watch, int64_t interval_ms,
                                  const st_options *);
#define st_read_whole_files(env, path, watch, interval_ms, ...)                                    \
    st_read_whole_files_at((env), (path), (watch), (interval_ms), ST_WITH(__VA_ARGS__))
/* A host and port that lines come from or go to: ST_SOCKET("localhost", 9999, .retries = -1). What
 * it points to is copied. */
typedef struct st_socket {
    const char *host;       /* looked up when the job begins, and at each restart */
    uint16_t port;          /* 1 … 65535 */
    const char *delimiter;  /* what ends a line; NULL: "\n", and a "\r" before it goes too */
    int32_t retries;        /* to connect, one behind the other; < 0: for ever */
    int64_t retry_delay_ms; /* between attempts; 0: 500 */
    bool answered;          /* sinks: the other side answers each line with a line */
} st_socket;
#define ST_SOCKET(h, p, ...) ((st_socket){.host = (h), .port = (p), __VA_ARGS__})
/* The lines that a socket sends, as st_str; parallelism 1. When the other side closes, it connects
 * again as long as retries are left (data sets the count back), else the input ends; what is left
 * without a delimiter is then the last line. Refused or broken off without a retry left: the job
 * fails. What was read is not read again after a failure: at most once.
 * Source: Flink DataStream.socketTextStream; op_socket.c says where that is another. */
st_stream *st_read_socket_at(st_env *, st_socket, const st_options *);
#define st_read_socket(env, socket, ...) st_read_socket_at((env), (socket), ST_WITH(__VA_ARGS__))

/* ------------------------------------------------------------------------------------ Operators */
/* A macro names an operator; the function with _at behind it is what the macro calls, with the
 * place in your source, and has the same arguments, options by pointer.
 *
 * All are called by the thread that builds the env. Streams that they return are never NULL and
 * live as long as their env. A mistake (types that do not fit, state without a key …) is kept with
 * its place, the returned stream is then one on which all is allowed, and st_execute refuses the
 * job. What options point to is borrowed until the env is freed. */

/* One record in, one, none or one, any number out. */
st_stream *st_map_at(st_stream *, const st_function *, const st_options *);
#define st_map(s, fn, ...)      st_map_at((s), &(fn), ST_WITH(__VA_ARGS__))
#define st_filter(s, fn, ...)   st_map_at((s), &(fn), ST_WITH(__VA_ARGS__))
#define st_flat_map(s, fn, ...) st_map_at((s), &(fn), ST_WITH(__VA_ARGS__))
/* The same; on a keyed stream with state and timers. */
#define st_process(s, fn, ...) st_map_at((s), &(fn), ST_WITH(__VA_ARGS__))

/* Two inputs of different types to one operator: fn1 sees the first, fn2 the second; both put out
 * the same type. Keyed if both are; or if the first is and the second is st_broadcast: then fn2
 * runs in each subtask, with no key at hand, and hands on what it learns by ST_BROADCAST_STATE.
 * Source: Flink KeyedBroadcastProcessFunction. */
st_stream *st_connect_at(st_stream *, st_stream *, const st_options *);
#define st_connect(a, b) st_connect_at((a), (b), ST_WITH(0))
st_stream *st_co_process_at(st_stream *, const st_function *, const st_function *,
                            const st_options *);
#define st_co_process(s, fn1, fn2, ...)  st_co_process_at((s), &(fn1), &(fn2), ST_WITH(__VA_ARGS__))
#define st_co_map(s, fn1, fn2, ...)      st_co_process_at((s), &(fn1), &(fn2), ST_WITH(__VA_ARGS__))
#define st_co_flat_map(s, fn1, fn2, ...) st_co_process_at((s), &(fn1), &(fn2), ST_WITH(__VA_ARGS__))

/* All records of both; a stream united with itself doubles. */
st_stream *st_union_at(st_stream *, st_stream *, const st_options *);
#define st_union(a, b) st_union_at((a), (b), ST_WITH(0))
/* What the operator behind `s` put out under the tag. */
st_stream *st_side_output_at(st_stream *, const st_tag *, const st_options *);
#define st_side_output(s, tag) st_side_output_at((s), &(tag), ST_WITH(0))

/* How records find the subtask of the next operator. By default forward, or rebalance where the
 * parallelism changes. Keyed by key group; the others as Flink has them. */
enum st_partitioning {
    ST_PART_DEFAULT = 0,
    ST_PART_FORWARD,
    ST_PART_HASH,
    ST_PART_REBALANCE,
    ST_PART_RESCALE,
    ST_PART_BROADCAST,
    ST_PART_SHUFFLE,
    ST_PART_GLOBAL,
    ST_PART_END
};
st_stream *st_partition_at(st_stream *, enum st_partitioning, const st_options *);
#define st_forward(s)   st_partition_at((s), ST_PART_FORWARD, ST_WITH(0))
#define st_rebalance(s) st_partition_at((s), ST_PART_REBALANCE, ST_WITH(0))
#define st_rescale(s)   st_partition_at((s), ST_PART_RESCALE, ST_WITH(0))
#define st_broadcast(s) st_partition_at((s), ST_PART_BROADCAST, ST_WITH(0))
#define st_shuffle(s)   st_partition_at((s), ST_PART_SHUFFLE, ST_WITH(0))
#define st_global(s)    st_partition_at((s), ST_PART_GLOBAL, ST_WITH(0))
st_stream *st_key_by_at(st_stream *, st_key_spec, const st_options *);
#define st_key_by(s, ...) st_key_by_at((s), (__VA_ARGS__), ST_WITH(0))

/* Of a keyed stream: one record out for each one in. Of a windowed one: one for each firing.
 * sum, min, max replace one field and keep the others of the first record; min_by, max_by keep the
 * whole record, on ties the first. Source: Flink SumAggregator, ComparableAggregator. */
enum st_builtin { ST_SUM = 1, ST_MIN, ST_MAX, ST_MIN_BY, ST_MAX_BY };
st_stream *st_builtin_at(st_stream *, enum st_builtin, st_field_ref, const st_options *);
#define st_sum(s, field, ...)    st_builtin_at((s), ST_SUM, (field), ST_WITH(__VA_ARGS__))
#define st_min(s, field, ...)    st_builtin_at((s), ST_MIN, (field), ST_WITH(__VA_ARGS__))
#define st_max(s, field, ...)    st_builtin_at((s), ST_MAX, (field), ST_WITH(__VA_ARGS__))
#define st_min_by(s, field, ...) st_builtin_at((s), ST_MIN_BY, (field), ST_WITH(__VA_ARGS__))
#define st_max_by(s, field, ...) st_builtin_at((s), ST_MAX_BY, (field), ST_WITH(__VA_ARGS__))
st_stream *st_reduce_at(st_stream *, const st_function *, const st_options *);
#define st_reduce(s, fn, ...) st_reduce_at((s), &(fn), ST_WITH(__VA_ARGS__))

/* ---------------------------------------------------------------------------- Time and windows */
/* Times are signed milliseconds of the epoch, durations milliseconds. A window [start, end) has the
 * records of start … end - 1. As with operators, building does not fail at once: see there. */

/* Watermarks: the largest timestamp so far less the bound, less 1 ms. */
typedef struct st_watermarks {
    int64_t bound_ms;  /* how far records may be out of order; 0: ascending timestamps */
    int64_t idle_ms;   /* > 0: after so long without a record the source does not hold others up */
    bool every_record; /* a rising watermark goes out behind its record, not at each interval */
    bool without_the_ms; /* max - bound, as Flink's assigners of 2017 had it */
    const struct st_watermark_generator *generator; /* NULL: the bound rules */
} st_watermarks;
/* Watermarks of one's own: what each function returns goes out if it is above the last one;
 * ST_TIME_MIN: nothing. `self`: of the subtask, zero bytes at first, kept in checkpoints as it
 * lies: numbers only, at most 256 bytes. Source: Flink WatermarkGenerator. */
typedef struct st_watermark_generator {
    size_t self_size; /* bytes */
    /* At each record, whose timestamp is time_ms; NULL: not. */
    int64_t (*on_event)(void *self, const void *record, int64_t time_ms);
    /* At each pipeline.auto-watermark-interval of processing time; NULL: not. */
    int64_t (*periodic)(void *self);
} st_watermark_generator;
/* Timestamps by an ST_TIMESTAMP, and watermarks: st_assign_timestamps(s, time_of, .bound_ms =
 * 1000). Without timestamps there are no windows of event time. At the parallelism of what is read.
 */
st_stream *st_assign_timestamps_at(st_stream *, const st_function *, st_watermarks,
                                   const st_options *);
#define st_assign_timestamps(s, fn, ...)                                                           \
    st_assign_timestamps_at((s), &(fn), (st_watermarks){__VA_ARGS__}, ST_WITH(0))
/* Ingestion time: a record has the time at which it comes here; the watermark follows the clock.
 * Source: Flink TimeCharacteristic.IngestionTime. */
st_stream *st_assign_ingestion_time_at(st_stream *, const st_options *);
#define st_assign_ingestion_time(s) st_assign_ingestion_time_at((s), ST_WITH(0))

/* Which windows. */
enum st_window_kind {
    ST_WINDOW_NONE = 0,
    ST_WINDOW_TUMBLING,
    ST_WINDOW_SLIDING,
    ST_WINDOW_SESSION,
    ST_WINDOW_COUNT,
    ST_WINDOW_GLOBAL, /* one window for ever; fires when its trigger says so */
    ST_WINDOW_END
};

/* When a window fires, where it is not at its end: after each record, and at timers that the
 * trigger sets by st_set_event_timer and its kin, which are then those of the window. What is not
 * purged fires again, with all that has come; an empty window does not fire. Source: Flink Trigger.
 */
enum st_trigger_result { ST_CONTINUE = 0, ST_FIRE, ST_PURGE, ST_FIRE_AND_PURGE };
/* `state`: of the window at hand, zero bytes at first, kept in checkpoints as it lies: numbers
 * only, at most 256 bytes. `argument` is the st_trigger's. */
typedef struct st_trigger_functions {
    const char *name;  /* what a checkpoint knows it by */
    size_t state_size; /* bytes */
    /* A record has come into the window; st_timestamp is its own. */
    enum st_trigger_result (*on_element)(st_context *ctx, void *state, int64_t argument,
                                         const void *record);
    /* A timer of the window: the watermark has reached time_ms. */
    enum st_trigger_result (*on_event_time)(st_context *ctx, void *state, int64_t argument,
                                            int64_t time_ms);
    /* Likewise: the clock has. */
    enum st_trigger_result (*on_processing_time)(st_context *ctx, void *state, int64_t argument,
                                                 int64_t time_ms);
    /* Sessions only, which need it: the window at hand has come from others, `merged` is the state
     * of one of them. Called for each; `state` begins as zero bytes. May set timers. */
    void (*on_merge)(st_context *ctx, void *state, int64_t argument, const void *merged);
    /* The window goes, or has gone into another: may delete its timers. NULL: those that are left
     * are passed over. */
    void (*clear)(st_context *ctx, void *state, int64_t argument);
} st_trigger_functions;
/* A trigger of a window: functions and their argument. */
typedef struct st_trigger {
    const st_trigger_functions *functions; /* borrowed; NULL: at the window's end */
    int64_t argument;                      /* a count, an interval … above 0 */
    bool purging;                          /* what fires is purged (PurgingTrigger) */
} st_trigger;
/* Those that come with us, used by the macros below. Source: Flink CountTrigger, EventTimeTrigger,
 * ProcessingTimeTrigger, ContinuousEventTimeTrigger, ContinuousProcessingTimeTrigger. */
extern const st_trigger_functions st_count_trigger;
extern const st_trigger_functions st_event_time_trigger;
extern const st_trigger_functions st_processing_time_trigger;
extern const st_trigger_functions st_continuous_event_time_trigger;
extern const st_trigger_functions st_continuous_processing_time_trigger;
/* ST_TUMBLING(5000, .trigger = ST_ON_COUNT(3)), ST_GLOBAL(.trigger = ST_ON_COUNT(3, .purging =
 * true)). A trigger takes the place of the one that fires at the window's end. */
#define ST_ON_COUNT(n, ...)                                                                        \
    ((st_trigger){.functions = &st_count_trigger, .argument = (n), __VA_ARGS__})
/* At the window's end and at each multiple of the interval, of event time, of processing time. */
#define ST_ON_INTERVAL(ms, ...)                                                                    \
    ((st_trigger){.functions = &st_continuous_event_time_trigger, .argument = (ms), __VA_ARGS__})
#define ST_ON_CLOCK_INTERVAL(ms, ...)                                                              \
    ((st_trigger){                                                                                 \
        .functions = &st_continuous_processing_time_trigger, .argument = (ms), __VA_ARGS__})
#define ST_ON_EVENT_TIME(...) ((st_trigger){.functions = &st_event_time_trigger, __VA_ARGS__})
#define ST_ON_PROCESSING_TIME(...)                                                                 \
    ((st_trigger){.functions = &st_processing_time_trigger, __VA_ARGS__})
/* One's own: ST_ON(my_functions, argument). */
#define ST_ON(f, n, ...) ((st_trigger){.functions = &(f), .argument = (n), __VA_ARGS__})

/* Windows of event time unless `processing_time`; aligned to the epoch plus offset. A record is
 * late when window end - 1 + lateness <= watermark for each of its windows; it goes to `late`, if
 * given, and is counted. */
typedef struct st_windows {
    enum st_window_kind kind; /* set by the macros below */
    bool processing_time;     /* by the clock; records need no timestamps, none is late */
    int64_t size_ms;          /* tumbling and sliding; above 0 */
    int64_t slide_ms;         /* sliding; above 0 */
    int64_t offset_ms;        /* tumbling and sliding; smaller than the slide, may be negative */
    int64_t gap_ms;           /* session; above 0 */
    uint32_t count;           /* count windows: elements, above 0 */
    uint32_t slide_count;     /* count windows: fires each so many; 0: tumbling */
    int64_t lateness_ms;      /* how much longer a window of event time waits; 0 or more */
    const st_tag *late;       /* where late records go; NULL: they are counted only */
    st_trigger trigger;       /* all but count windows; of none: the window's end */
} st_windows;
#define ST_TUMBLING(ms, ...)                                                                       \
    ((st_windows){.kind = ST_WINDOW_TUMBLING, .size_ms = (ms), __VA_ARGS__})
#define ST_SLIDING(ms, slide, ...)                                                                 \
    ((st_windows){.kind = ST_WINDOW_SLIDING, .size_ms = (ms), .slide_ms = (slide), __VA_ARGS__})
#define ST_SESSION(ms, ...)     ((st_windows){.kind = ST_WINDOW_SESSION, .gap_ms = (ms), __VA_ARGS__})
#define ST_GLOBAL(...)          ((st_windows){.kind = ST_WINDOW_GLOBAL, __VA_ARGS__})
#define ST_COUNT_WINDOW(n, ...) ((st_windows){.kind = ST_WINDOW_COUNT, .count = (n), __VA_ARGS__})

/* Windows of each key; of all records together at parallelism 1. */
st_stream *st_window_at(st_stream *, st_windows, const st_options *);
#define st_window(s, ...)     st_window_at((s), (__VA_ARGS__), ST_WITH(0))
#define st_window_all(s, ...) st_window_at(st_global(s), (__VA_ARGS__), ST_WITH(0))
/* add: ST_FOLD(add, In, Acc) on an accumulator that begins as zero bytes; result: ST_MAP(result,
 * Acc, Out). Sessions need .merge; with it sliding windows are merged from panes, one for each
 * slide, so the order in which records and accumulators come together must then not matter. */
st_stream *st_aggregate_at(st_stream *, const st_function *, const st_function *,
                           const st_options *);
#define st_aggregate(s, add, result, ...)                                                          \
    st_aggregate_at((s), &(add), &(result), ST_WITH(__VA_ARGS__))
/* All elements of a window at once. */
st_stream *st_process_window_at(st_stream *, const st_function *, const st_options *);
#define st_process_window(s, fn, ...) st_process_window_at((s), &(fn), ST_WITH(__VA_ARGS__))

/* --------------------------------------------------------------------------------------- Sinks */
/* The ends of a stream. As with operators, building does not fail at once: see there. What cannot
 * be written while the job runs fails the job (restart strategy). */

/* Each record to a function of one's own (ST_SINK): at least once. */
void st_sink_at(st_stream *, const st_function *, const st_options *);
#define st_sink(s, fn, ...) st_sink_at((s), &(fn), ST_WITH(__VA_ARGS__))
/* Prints each record as Flink prints a Tuple, (a,1,0.5), or the value alone if the type has one
 * field; to the standard output, or to a new file, a line each; at parallelism 1. A path is copied.
 */
void st_print_at(st_stream *, const char *path, const st_options *);
#define st_print(s, ...)            st_print_at((s), NULL, ST_WITH(__VA_ARGS__))
#define st_write_text(s, path, ...) st_print_at((s), (path), ST_WITH(__VA_ARGS__))
/* Into memory, for the program that built the env; at parallelism 1, without timestamps. Exactly
 * once: records come out when a checkpoint that has them is complete, those of a job that has come
 * to its end, or was stopped with a savepoint, all. A checkpoint has what was collected, so a job
 * that goes on with it gives the records of earlier runs too. More than .collected_max bytes of
 * records with their text (ST_COLLECTED_MAX) fail the job. NULL after a mistake in the graph.
 * Source: Flink DataStream.executeAndCollect. */
#define ST_COLLECTED_MAX (UINT64_C(1) << 28)
st_collection *st_collect_at(st_stream *, const st_options *);
#define st_collect(s, ...) st_collect_at((s), ST_WITH(__VA_ARGS__))
/* The records that have come out, [*count] of the stream's type in the order in which they came;
 * behind st_execute, by its thread. Aliases, text too; valid until the env is executed again or
 * freed. */
const void *st_collected(const st_collection *, uint64_t *count);
/* Exactly once into something that can commit later. A transaction is a record of the type
 * `transaction` (a handle: a file's name, an id), kept in the state from its beginning until it is
 * committed. Each checkpoint ends the current one:
 *
 *     begin … write … pre_commit | checkpoint N written | complete: commit
 *
 * After a restore recover_and_commit is called for those that the checkpoint has as pre-committed
 * (it may find one committed already: that is no error), recover_and_abort for the one that was
 * open. The functions run on the subtask's thread; txn may be changed by begin, write and
 * pre_commit, its text is copied. With checkpoints off there is one transaction, committed at the
 * end of the input. Source: Flink TwoPhaseCommitSinkFunction. */
typedef struct st_two_phase {
    const st_type *in;                         /* of the records */
    const st_type *transaction;                /* of txn */
    void (*begin)(st_context *ctx, void *txn); /* txn: zero bytes */
    /* [count] records of type `in`, borrowed for the call. */
    void (*write)(st_context *ctx, void *txn, const void *records, uint32_t count);
    void (*pre_commit)(st_context *ctx, void *txn);   /* what was written is safe, but not seen */
    void (*commit)(st_context *ctx, const void *txn); /* what was pre-committed is seen */
    void (*abort)(st_context *ctx, const void *txn);  /* of the open one: it is as if never begun */
    void (*recover_and_commit)(st_context *ctx, const void *txn); /* NULL: commit */
    void (*recover_and_abort)(st_context *ctx, const void *txn);  /* NULL: abort */
} st_two_phase;
void st_two_phase_sink_at(st_stream *, const st_two_phase *, const st_options *);
#define st_two_phase_sink(s, spec, ...) st_two_phase_sink_at((s), &(spec), ST_WITH(__VA_ARGS__))
/* Lines as st_print has them, exactly once, into files of a folder, which is made if need be. A
 * file is written to under the name .part-SUBTASK-NUMBER.inprogress.OWNER; when it is rolled it
 * becomes .part-SUBTASK-NUMBER.pending.OWNER, and when the next checkpoint is complete
 * part-SUBTASK-NUMBER. Numbers rise, whoever else writes into the folder; a file without lines is
 * not made.
 *
 * It is rolled at each checkpoint. Or, if one of the limits is given, not at checkpoints, but when
 * it is larger than .max_part_size (128 MiB) and another record comes, .rollover_ms (a minute)
 * after it was begun, or .inactivity_ms (a minute) after its last record; the others are then what
 * is in brackets. Its lines are to be seen when it is committed, so later than they are safe. At a
 * savepoint, and at the end, it is rolled in any case.
 *
 * A job that goes on with a checkpoint of its own folder (execution.checkpointing.dir) removes the
 * hidden files that were made behind it; other hidden files stay.
 * Source: Flink FileSink, DefaultRollingPolicy, OnCheckpointRollingPolicy. */
void st_write_files_at(st_stream *, const char *folder, const st_options *);
#define st_write_files(s, folder, ...) st_write_files_at((s), (folder), ST_WITH(__VA_ARGS__))
/* Lines as st_print has them into a socket, each subtask over a connection of its own; at least
 * once. A line is sent again over a new connection until the other side has acknowledged it: its
 * system, or, with .answered, the other side itself by any line for each. Without .answered a line
 * that a receiver's system had taken is lost when the receiver dies before it reads it. A slow
 * receiver holds up the slot. Source: Flink DataStream.writeToSocket, which keeps nothing. */
void st_write_socket_at(st_stream *, st_socket, const st_options *);
#define st_write_socket(s, socket, ...) st_write_socket_at((s), (socket), ST_WITH(__VA_ARGS__))
/* Looks at no record. */
void st_discard_at(st_stream *, const st_options *);
#define st_discard(s, ...) st_discard_at((s), ST_WITH(__VA_ARGS__))

/* -------------------------------------------------------------------- Counting macro arguments */

#define ST_COUNT(...)                                                                              \
    ST_COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define ST_COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, N, ...) N
#define ST_EACH(M, T, ...)                                                ST_EACH_(ST_COUNT(__VA_ARGS__), M, T, __VA_ARGS__)
#define ST_EACH_(N, M, T, ...)                                            ST_EACH__(N, M, T, __VA_ARGS__)
#define ST_EACH__(N, M, T, ...)                                           ST_EACH_##N(M, T, __VA_ARGS__)
#define ST_EACH_1(M, T, a)                                                M(T, a)
#define ST_EACH_2(M, T, a, ...)                                           M(T, a) ST_EACH_1(M, T, __VA_ARGS__)
#define ST_EACH_3(M, T, a, ...)                                           M(T, a) ST_EACH_2(M, T, __VA_ARGS__)
#define ST_EACH_4(M, T, a, ...)                                           M(T, a) ST_EACH_3(M, T, __VA_ARGS__)
#define ST_EACH_5(M, T, a, ...)                                           M(T, a) ST_EACH_4(M, T, __VA_ARGS__)
#define ST_EACH_6(M, T, a, ...)                                           M(T, a) ST_EACH_5(M, T, __VA_ARGS__)
#define ST_EACH_7(M, T, a, ...)                                           M(T, a) ST_EACH_6(M, T, __VA_ARGS__)
#define ST_EACH_8(M, T, a, ...)                                           M(T, a) ST_EACH_7(M, T, __VA_ARGS__)
#define ST_EACH_9(M, T, a, ...)                                           M(T, a) ST_EACH_8(M, T, __VA_ARGS__)
#define ST_EACH_10(M, T, a, ...)                                          M(T, a) ST_EACH_9(M, T, __VA_ARGS__)
#define ST_EACH_11(M, T, a, ...)                                          M(T, a) ST_EACH_10(M, T, __VA_ARGS__)
#define ST_EACH_12(M, T, a, ...)                                          M(T, a) ST_EACH_11(M, T, __VA_ARGS__)
#define ST_EACH_13(M, T, a, ...)                                          M(T, a) ST_EACH_12(M, T, __VA_ARGS__)
#define ST_EACH_14(M, T, a, ...)                                          M(T, a) ST_EACH_13(M, T, __VA_ARGS__)
#define ST_EACH_15(M, T, a, ...)                                          M(T, a) ST_EACH_14(M, T, __VA_ARGS__)
#define ST_EACH_16(M, T, a, ...)                                          M(T, a) ST_EACH_15(M, T, __VA_ARGS__)

#endif
