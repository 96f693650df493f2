/*
 * The job as its author describes it: nodes (operators) and what each of them reads.
 *
 *     source ──► map ──►(by key)──► sum ──► print        a node an operator, an edge an input
 *
 * A stream is a handle on what comes out of nodes; it becomes edges when an operator reads it.
 * Nodes are in an array in the order in which they were made, and a node reads only earlier ones:
 * so the array is a topological order, and there are no cycles.
 */
#ifndef STREAM_GRAPH_H
#define STREAM_GRAPH_H

#include "stream/record.h"
#include "stream/restart.h"
#include "stream/retention.h"

#define MAX_PARALLELISM_DEFAULT 128
#define GENERATOR_SELF_MAX      256 /* bytes */

enum node_kind {
    NODE_SOURCE = 1,
    NODE_GENERATOR,
    NODE_ARRAY,
    NODE_TEXT_FILE,
    NODE_SOCKET,
    NODE_FOLDER,
    NODE_MAP,
    NODE_FILTER,
    NODE_FLAT_MAP, /* and process functions; two functions where two inputs are connected */
    NODE_TIMESTAMPS,
    NODE_FOLD, /* rolling: reduce, sum, min … of a keyed stream */
    NODE_WINDOW,
    NODE_SINK,
    NODE_PRINT,
    NODE_COLLECT,
    NODE_DISCARD,
    NODE_TWO_PHASE,
    NODE_FILES,
    NODE_SOCKET_SINK,
    NODE_KIND_END
};

struct edge {
    uint32_t from;     /* node index */
    uint32_t input;    /* 0, or 1 for the second of two connected streams */
    const st_tag *tag; /* side output, or NULL */
    enum st_partitioning partitioning;
    st_key_spec key; /* with ST_PART_HASH */
    struct edge *next;
};

struct node {
    uint32_t index;
    enum node_kind kind;
    const char *name;
    st_options options;     /* .file and .line say where it was made */
    const st_function *fn;  /* map, fold's add, window's function …; NULL: ingestion time */
    const st_function *fn2; /* of the second input; an aggregate's result */
    const st_type *in, *in2, *out;
    struct edge *inputs;
    bool keyed;
    st_key_spec key, key2;   /* key2: of the second input */
    enum st_builtin builtin; /* 0: fn folds */
    st_field_ref field;
    st_windows windows;
    st_watermarks watermarks;
    bool event_time; /* timestamps and watermarks reach it */
    const void *array;
    uint64_t count;
    uint64_t first; /* of a generator: the number before which there is none */
    bool in_splits; /* each subtask begins with its part of the numbers; else they are dealt out */
    const char *path; /* owned */
    const st_two_phase *two_phase;
    const struct long_transactions *long_transactions; /* NULL: none outlives a checkpoint */
    uint64_t owner; /* name of a sink of files that begins anew: no other has it */
    struct st_collection *collection; /* owned */
    const st_socket *socket;          /* owned, with what it refers to */
    enum st_watch watch;              /* of a folder */
    int64_t watch_interval_ms;
    bool whole_files; /* a record each, not each line */
    char *uid;        /* owned: what a checkpoint knows it by */
    /* Set by the plan. */
    uint32_t parallelism;
    const char *group; /* slot sharing */
    bool chained;      /* runs in the task of the node of its only input */
};

struct st_stream {
    st_env *env;
    struct edge *edges; /* more than one: a union; their .input is 0 */
    const st_type *type;
    bool keyed;
    st_key_spec key;
    st_windows windows;
    bool event_time;
    st_stream *second; /* of two connected streams */
    st_stream *next;   /* all streams of the env, to free them */
};

/* Where keyed state lies: state.backend. */
enum backend { BACKEND_HASHMAP = 0, BACKEND_ROCKSDB };

/* Milliseconds of processing time. */
struct job_clock {
    bool is_virtual;
    int64_t virtual_ms;
};

struct st_env {
    struct node **nodes; /* [node_count] */
    uint32_t node_count, node_capacity;
    st_stream *streams;
    char *errors;                 /* lines, or NULL */
    st_stream *none;              /* what a mistake returns */
    uint32_t parallelism;         /* the environment's; 0: not set */
    uint32_t parallelism_client;  /* -p on the command line; 0: not given */
    uint32_t parallelism_default; /* the configuration's */
    uint32_t max_parallelism;
    int64_t task_slots; /* that the job may take; 0: as many as it does */
    char *name;         /* owned; what a job is called that st_execute gives no name; or NULL */
    int64_t watermark_interval_ms;
    int64_t buffer_timeout_ms;
    bool chaining;
    bool in_steps;
    bool at_least_once;
    int64_t checkpoint_interval_ms; /* 0: no checkpoints */
    int64_t checkpoint_pause_ms;
    uint32_t checkpoints_at_once;
    bool storage_in_memory;
    struct kept *kept;    /* owned: the newest checkpoint in memory, or NULL */
    char *checkpoint_dir; /* owned */
    bool restores_own;    /* from a checkpoint that nobody else can go on with */
    struct retention retention;
    char *savepoint_dir; /* owned; NULL: the checkpoints' */
    char *restore_path;  /* owned */
    bool listens, shows_progress;
    bool serves_metrics;            /* over HTTP, at the first free port of a range */
    uint16_t prom_first, prom_last; /* 0: any */
    bool filters_labels;            /* of the metrics */
    struct control *control;        /* while it runs, if it listens */
    int signal;                     /* that came meanwhile; 0: none */
    bool allow_non_restored;
    struct restart_strategy restart;
    int64_t checkpoint_timeout_ms;
    uint32_t tolerable_failures; /* of checkpoints, one behind the other */
    enum backend backend;
    bool incremental;       /* checkpoints of databases have their files */
    char *rocksdb_dir;      /* owned; NULL: that of temporary files */
    int64_t rocksdb_memory; /* bytes, of a slot */
};

/* Memory that the process cannot do without; ends the process, and says so, if there is none. */
void *must_have(void *memory); /* returns it if it is not NULL */
void *must_calloc(size_t count, size_t size);
/* A list of `count` elements of `size` bytes with room for twice as many and `more`, *capacity in
 * all; `list` (NULL: none) is freed. */
void *must_grow(void *list, size_t size, uint32_t count, uint32_t *capacity, uint32_t more);
/* Zeroed memory that shares no line of the cache with any other: what a thread writes all the time
 * does not take from another what that one reads. Never NULL; freed with free(). */
void *calloc_apart(size_t size);
/* The clock that only goes forward, of the machine. */
int64_t monotonic_ns(void);
/* The same as of the system's last tick, some milliseconds ago, for a quarter of the price. */
int64_t ticks_ms(void);
char *must_strdup(const char *text);

/* Notes what is wrong with the options of a node whose .keyed is set. */
void check_options(st_env *env, const struct node *node);
/* Does all that comes to this input of it come by st_broadcast? False if it has no such input. */
bool node_input_is_broadcast(const struct node *node, uint32_t input);
/* Is one of the limits by which files are rolled given? */
bool rolls_by_limits(const st_options *o);
/* May it have more than one subtask? */
bool node_is_parallel(const struct node *node);
/* A new source, and the stream of it; *node is the source. */
st_stream *graph_source(st_env *env, enum node_kind kind, const char *name, const st_type *type,
                        const st_options *options, struct node **node);
/* A new sink that reads `s`; NULL, and the mistake is noted, if it cannot. */
struct node *graph_sink(st_stream *s, enum node_kind kind, const char *name,
                        const st_options *options);
/* One that commits in two phases; NODE_TWO_PHASE or NODE_FILES. */
struct node *graph_two_phase(st_stream *s, enum node_kind kind, const st_two_phase *spec,
                             const char *name, const st_options *options);
/* What a mistake in a source returns. */
st_stream *graph_none(st_env *env);
/* Frees what connectors.c put into a node. */
void connector_free(struct node *node);

/* Does an operator print to the standard output? */
bool env_prints(const st_env *env);
/* Notes a mistake at a place of the user's source, a line of st_env_error. */
void env_mistake(st_env *env, const char *file, int line, const char *format, ...) ST_PRINTF(4, 5);

#endif
