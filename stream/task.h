/*
 * Tasks: what runs.
 *
 *     rings ──► [ operator ─► operator ─► operator ] ──► rings          one task = one subtask of a
 * chain
 *     slot ──► task, task, task …                                    one slot = one thread
 *
 * A chain hands batches on by call. A task advances by steps: poll the source, or take one run of
 * records or one mark from an input; it never waits but for room in a ring. Watermarks, barriers
 * and the end of the input travel with the records and go through the chain as calls, in order: an
 * operator puts out what it holds before it passes one on.
 *
 *     task_step()   by the thread of the task's slot, which has one subtask of each vertex and
 * sleeps when none of them has anything to do; or by one thread for all tasks in turn (steps), on
 * virtual time
 *
 * A batch, and all text it views, is valid during the call that hands it over. What an operator
 * puts out goes on at the latest when that call returns; nothing is held from batch to batch but in
 * state and in rings. Memory from st_alloc lives to the end of the step.
 *
 * Failure: st_fail jumps out to task_step, over frames of the runtime, which therefore hold no lock
 * and own nothing that the operator does not.
 */
#ifndef STREAM_TASK_H
#define STREAM_TASK_H

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include "stream/arena.h"
#include "stream/checkpoint.h"
#include "stream/frozen.h"
#include "stream/graph.h"
#include "stream/ring.h"
#include "stream/route.h"

struct op;
struct task;
struct job;
struct poller;
struct broadcast;

struct batch {
    const void *records;
    const int64_t *times; /* NULL: no timestamps */
    uint32_t count;       /* <= BATCH_SIZE */
};

/* May records of it have timestamps? */
static inline bool batch_is_timed(const struct batch *batch)
{
    return batch->times != NULL && batch->times != no_times;
}

/* What an operator does. Left out: nothing, or pass it on. */
struct op_class {
    size_t size; /* of the struct that begins with a struct op */
    void (*open)(struct op *op);
    void (*ready)(struct op *op); /* after open, restore and the user's open */
    void (*close)(struct op *op); /* after open, once, whatever happened */
    enum st_poll (*poll)(struct op *op);
    void (*batch)(struct op *op, uint32_t input, const struct batch *batch);
    void (*watermark)(struct op *op, int64_t watermark); /* before it is passed on */
    void (*wake)(struct op *op, int64_t now_ms);         /* its wakeup_ms has come */
    void (*end)(struct op *op);                          /* no more input; before it is passed on */
    void (*snapshot)(struct op *op, struct bytes *to); /* all that restore needs; between batches */
    /* After open, for each section that a subtask of this operator once wrote; at the same
     * parallelism only for its own, unless all_sections. */
    void (*restore)(struct op *op, struct section *section);
    bool all_sections;
    void (*barrier)(struct op *op, int64_t checkpoint_id);   /* just before snapshot */
    void (*completed)(struct op *op, int64_t checkpoint_id); /* this checkpoint and all before it */
    bool own_watermarks; /* makes them itself: those from above stop here, but for the last */
};

/* Sends what it is given to the subtasks of an edge. */
struct writer {
    struct task *task;
    enum st_partitioning partitioning;
    struct router router;            /* by key */
    int64_t picked_times[PICKS_MAX]; /* of the records picked for one receiver */
    struct ring **rings;             /* [ring_count], in order of the receiving subtask */
    struct task **receivers;         /* [ring_count] */
    uint32_t ring_count;
    uint32_t turn;   /* rebalance, rescale */
    uint64_t random; /* shuffle */
    /* The receiver that runs on the same thread, to which records go by call (handover.c). */
    uint32_t own;         /* its ring; OWN_NONE: there is none */
    uint32_t own_channel; /* of the receiver */
    char *own_records;    /* [BATCH_SIZE] */
};

#define OWN_NONE UINT32_MAX

/* Where an output leads: to an operator of the same task, or to a writer. */
struct target {
    struct op *op;
    uint32_t input;
    struct writer *writer;
};

struct output {
    struct st_out out; /* first: the user's st_out is this */
    struct op *op;
    const st_tag *tag; /* NULL: the main output */
    struct target *targets;
    uint32_t target_count;
};

/* Elements of a state, each with text of its own. */
struct list {
    char *elements;
    int64_t *times; /* [at least count] when each was touched; NULL: no time to live */
    uint32_t count, capacity;
};

struct op {
    struct st_context ctx; /* first: the user's st_context is this */
    const struct op_class *class;
    const struct node *node;
    struct task *task;
    struct output *outputs; /* [output_count], 0 is the main one */
    uint32_t output_count;
    int64_t watermark, input_watermark; /* the last one that it put out, that came to it */
    int64_t wakeup_ms;                  /* ST_TIME_MAX: none */
    int64_t poll_ms; /* of an idle source of the user's: when to ask it again; 0: soon */
    int64_t window_start, window_end;
    const void *key;    /* at hand */
    struct list *lists; /* one for each of the node's operator states */
    struct op *states;  /* of a window's function: what its .states lie in; owned, or NULL */
    struct broadcast *broadcasts; /* likewise, of those that are broadcast state */
    bool reads_only; /* broadcast state: what is at hand did not come by st_broadcast */
    bool is_open;
    uint64_t records_in, records_out, late_records;
    _Atomic uint64_t shown_in, shown_out, shown_late; /* see metrics.h */
    _Atomic int64_t shown_watermark, shown_input_watermark;
};

struct channel {
    struct ring *ring;
    struct task *sender;
    const struct op *from; /* of the sender; its thread writes to it all the time */
    uint32_t input;
    int64_t watermark;
    int64_t barrier;           /* the last checkpoint whose barrier has come */
    bool aligned;              /* it takes part in the least of the input's watermarks */
    bool idle, ended, blocked; /* blocked: its barrier has come, others' have not */
};

/* What the channels of an input give together. */
struct valve {
    int64_t watermark; /* never going back */
    bool idle;         /* all of them are */
};

/* What a task does, for those who look from outside (monitor.h): a plain store by its thread. */
enum task_state {
    TASK_IDLE = 0,
    TASK_BUSY,
    TASK_FULL /* waits for those behind it: for room, or in a call */
};

enum step { STEP_WORKED = 1, STEP_NOTHING, STEP_FULL, STEP_DONE, STEP_FAILED };

struct task {
    /* As planned; other threads read these. */
    struct job *job;
    struct slot *slot;
    struct op **ops; /* [op_count] in order of the chain: 0 is the head */
    struct channel *channels;
    struct writer **writers;
    uint32_t op_count, channel_count, writer_count;
    uint32_t vertex, subtask;
    /* What changes from step to step. */
    _Alignas(64) uint32_t next_channel;
    uint32_t turn;  /* in_turn: the input that is read next, 0 or 1 */
    uint32_t turns; /* how often something has been read */
    bool in_turn;   /* two inputs are read a record or mark each: see slot.c */
    bool is_open;   /* its operators are */
    bool in_step;   /* is being run, perhaps waiting within: is not to be run again */
    bool ended;     /* has put out all, part of which may still be spilled */
    bool done;      /* ended, and all of it has gone */
    bool full;      /* its last step found no room */
    bool spills;    /* a writer has packets that are not in its ring */
    bool finished;  /* done, and no thread of its own touches it; guarded by job->lock */
    struct memory_pool memory;
    struct arena arena;
    struct frozen *frozen; /* tables that a snapshot still reads */
    int64_t watermark;     /* the least of the inputs', never going back */
    struct valve valves[2];
    _Atomic int64_t shown_inputs[2]; /* the valves' watermarks, see metrics.h */
    _Atomic int64_t aligns_since_ns; /* the first barrier of a checkpoint came; 0: none waits */
    _Atomic int64_t aligned_ns;      /* how long it waited for the others, the last time */
    int64_t barrier;                 /* the last checkpoint that it took part in */
    int64_t notified;                /* the last completed one that its operators know of */
    uint32_t aborted;                /* how many have been given up that they know of */
    _Atomic int state;               /* enum task_state */
    /* Threads: until when inputs are read in turn, at the latest and when one is silent. */
    int64_t turns_until_ms, turns_quiet_ms;
    _Atomic int woken; /* its source is to be polled: see source.c */
    /* Records that enter it at a time, and the clock of that: see pace.c. */
    uint32_t pace; /* 1 … BATCH_SIZE; 0: has not run yet */
    int64_t step_began_ms, paced_ms;
    jmp_buf failure;
    jmp_buf *escape; /* where a failure jumps to: `failure`, or that of who runs it by call */
};

/* A thread with the tasks that it runs: one subtask of each vertex of a slot sharing group. */
struct slot {
    struct job *job;
    const char *group;
    uint32_t index;      /* the subtask */
    struct task **tasks; /* [task_count] in topological order */
    uint32_t task_count;
    struct task *waiting; /* in the middle of its step, for room in `awaited`; NULL: none */
    struct ring *awaited;
    struct ring *into; /* one of those that other threads fill, to be foreseen; NULL: none */
    int64_t flushed_ms;
    /* Sleeping: whoever changes something that a task of it waits for wakes it. */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic int sleeping;
};

struct job {
    st_env *env;
    const struct checkpoint *restored; /* what the tasks begin with, or NULL; borrowed */
    struct coordinator *coordinator;   /* NULL: no checkpoints */
    struct task **tasks;
    uint32_t task_count;
    struct slot **slots;
    uint32_t slot_count;
    uint32_t processors; /* that this process may use */
    struct ring **rings;
    uint32_t ring_count, ring_capacity;
    struct job_clock clock;
    struct poller *poller; /* NULL: no source waits for a descriptor; guarded by lock */
    bool in_steps;
    _Atomic int cancelled;
    pthread_mutex_t lock;
    uint32_t opened;        /* tasks whose operators are open; guarded by lock */
    bool stopped;           /* ended by a question: not a failure; by the coordinator's thread */
    uint64_t changes;       /* counts what `changed` tells */
    pthread_cond_t changed; /* a task is done, has failed, has acknowledged */
    enum st_err error;      /* of the first task that failed; failure: what it said */
    char failure[512];
};

/* Makes the tasks of a job whose graph has no mistakes; returns owned. */
struct job *job_new(st_env *env);
void job_free(struct job *job);
/* Runs to the end; ST_ERR_FAILED with job->failure set. */
enum st_err job_run(struct job *job);
int64_t job_now(struct job *job);
/* Has the task's thread let go of it? */
bool job_is_finished(struct job *job, const struct task *task);
void job_set_finished(struct task *task);
/* Begins and awaits the threads of all slots; between them `watch` runs on the calling thread,
 * until all tasks have finished. Returns whether all are done. */
bool job_run_slots(struct job *job, void (*watch)(struct job *job));
/* Makes all tasks stop. */
void job_cancel(struct job *job);
/* Notes why the job does not end well; what was noted first stays. Its end returns `err`, unless an
 * error has been set already. Of any thread. */
void job_note_failure(struct job *job, enum st_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checkpoints. The coordinator belongs to the thread that runs the job; tasks look at two numbers
 * of it and hand in what they wrote. */
struct coordinator *coordinator_new(struct job *job);
void coordinator_free(struct coordinator *c);
/* Begins or completes a checkpoint if it is time. Returns when to be called again; ST_TIME_MAX:
 * when a task has changed. Called with no lock held. */
int64_t coordinator_step(struct coordinator *c);
/* The last one, when all tasks are done: what is still to be committed. After a stop, whose
 * savepoint was the last: tells all tasks of it. */
void coordinator_finish(struct coordinator *c);
/* The job does not end well: what is still being written is not completed. */
void coordinator_give_up(struct coordinator *c);
/* The checkpoint that a source is to begin behind `barrier`, its last one; 0: none. The last one
 * that is complete. The one that was given up behind `seen` others; 0: none. Any thread. */
int64_t coordinator_next(struct coordinator *c, int64_t barrier);
int64_t coordinator_aborted(struct coordinator *c, uint32_t seen);
int64_t coordinator_completed(struct coordinator *c);
/* How many checkpoints and savepoints are under way. Any thread. */
uint32_t coordinator_pending(struct coordinator *c);
/* Is checkpoint `id`, which has begun, a savepoint? Any thread. */
bool coordinator_is_savepoint(struct coordinator *c, int64_t id);
/* Are sources to put out nothing behind barrier `id`? Are they to end? Any thread. */
bool coordinator_stops(struct coordinator *c, int64_t id);
bool coordinator_drains(struct coordinator *c);
/* Where the savepoint of a stop is, once it is complete; "": nowhere. */
const char *coordinator_saved(const struct coordinator *c);
/* A task's part of a checkpoint; takes the bytes. `is_last`: the task is done, and this is its part
 * of all later ones as well. */
void coordinator_take(struct coordinator *c, struct task *task, int64_t id, struct bytes *part,
                      bool is_last);

/* How many records enter a task at a time (task->pace). At the beginning of a step; when `count`
 * of them have been handled, which makes it more or fewer; has the step lasted long enough? */
void pace_begin(struct task *task);
void pace_keep(struct task *task, uint32_t count);
bool pace_is_over(const struct task *task);

/* Gives up memory of malloc that a frozen row may point to. */
static inline void task_free_shared(struct task *task, void *memory)
{
    if (task->frozen != NULL) {
        limbo_take(&task->memory.limbo, memory);
    } else {
        free(memory);
    }
}

/* Copies one element behind the others. */
void list_add(struct task *task, struct list *list, const struct layout *layout,
              const void *element);
/* The time of the last element; from the first one on, or never. */
void list_touch_last(struct task *task, struct list *list, int64_t now_ms);
/* Before elements or times that are there are changed: copies that nobody else looks at. */
void list_own(struct task *task, struct list *list, const struct layout *layout);
/* Empties a list; text goes when the step ends. */
void list_clear(struct task *task, struct list *list, const struct layout *layout);
void list_write(const struct list *list, const struct layout *layout, struct bytes *to);

/* Makes the operator's states that have no key, and frees them with all that they hold. */
void operator_state_open(struct op *op);
void operator_state_close(struct op *op);
/* Operator state of an operator into its section, and out of it. */
void operator_state_write(struct op *op, struct bytes *to);
void operator_state_read(struct op *op, const struct section *section, struct reader *from,
                         uint32_t *dealt);
/* The list, or broadcast state, that an operator state is; NULL if `state` is none of this
 * operator.
 */
struct list *operator_list(struct op *op, const st_state *state);
struct broadcast *operator_broadcast(struct op *op, const st_state *state);

/* Does this subtask own the key (as taken by `reader`)? Without keys the first one owns all. */
bool op_owns(const struct op *op, const struct key_reader *reader, const void *key);
/* Ends the restoring with a message; does not return. */
_Noreturn void restore_fail(struct op *op, const char *format, ...) ST_PRINTF(2, 3);
/* The section has something (what: "timers") that the operator has not. It is dropped, which is
 * told once, or ends the restoring: execution.savepoint.ignore-unclaimed-state. */
void restore_without(struct op *op, const struct section *section, const char *what, ...)
    ST_PRINTF(3, 4);
/* Reads a type that has to be `type`; fails the restoring if it is another. */
void restore_type(struct op *op, struct reader *r, const st_type *type);

/* Sets parallelism and chained of all nodes. */
void plan_nodes(st_env *env);
/* How many slots the job takes; behind plan_nodes. */
uint32_t plan_slots(const st_env *env);

static inline void task_show_state(struct task *task, enum task_state state)
{
    atomic_store_explicit(&task->state, (int)state, memory_order_relaxed);
}
enum step task_step(struct task *task);
/* What all operators of a task have; id: the checkpoint. Calls their snapshot_state. */
void task_snapshot(struct task *task, int64_t id, struct bytes *to);
/* Tells the operators that a checkpoint is complete; false if one failed. */
bool task_notify(struct task *task, int64_t id);
/* The same of one that is given up; its barrier keeps no input waiting any more. */
bool task_notify_aborted(struct task *task, int64_t id);
/* Opens, or closes, all operators; false if one failed. */
bool task_open(struct task *task);
void task_close(struct task *task);
bool task_has_room(struct task *task);
/* The earliest moment at which an operator wants to be woken; ST_TIME_MAX: none. */
int64_t task_wakeup(const struct task *task);
/* Is there a packet to read, or a checkpoint to take or to know of? */
bool task_has_input(struct task *task);
/* Have all of its channels? */
bool task_all_ended(const struct task *task);
/* In the middle of a step: runs the other tasks of the slot until the ring has room. Within that,
 * and in steps, it returns at once: then packets spill. Leaves the step if the job is cancelled. */
void task_await_room(struct task *task, struct ring *ring);
/* Moves spilled packets on; returns whether there are none left. */
bool task_drain(struct task *task);
/* Publishes what the task's writers hold; returns whether there was something. */
bool task_flush(struct task *task);
/* Jumps out to task_step, which says STEP_FAILED. */
_Noreturn void task_fail(struct task *task, const char *format, ...) ST_PRINTF(2, 3);
/* Asks for some of what other threads have sent to tasks of this slot. */
static inline void slot_foresee(struct slot *slot)
{
    if (slot->into != NULL) {
        slot->into = slot->into->next_into;
        ring_foresee(slot->into);
    }
}
/* Wakes the slot of a task, if it sleeps. */
void task_wake(struct task *task);
static inline bool task_sleeps(const struct task *task)
{
    return atomic_load(&task->slot->sleeping) != 0;
}
void slot_free(struct slot *slot);

/* Hands a batch to all targets of an output. */
void output_push(struct output *output, const struct batch *batch);
/* Puts out what an output holds. */
void output_flush(struct output *output);
/* Flushes all outputs of an operator. */
void op_flush(struct op *op);
/* A batch, watermark, end to an operator: what the task does with it and the operator's class. */
void op_batch(struct op *op, uint32_t input, const struct batch *batch);
void op_watermark(struct op *op, int64_t watermark);
void op_emit_watermark(struct op *op, int64_t watermark);
void op_idle(struct op *op);
void op_end(struct op *op);
/* A record to those who take what an operator puts out for a tag; to nobody, if none does. */
void op_emit_side(struct op *op, const st_tag *tag, const void *record, uint32_t size,
                  int64_t time);
static inline struct output *op_output(struct op *op)
{
    return &op->outputs[0];
}
/* Timestamps for the context's st_timestamp, of the batch at hand. */
static inline void op_at(struct op *op, const struct batch *batch)
{
    op->ctx.times = batch->times;
    op->ctx.index = 0;
}

/* a + b, not above ST_TIME_MAX, for b >= 0 */
static inline int64_t time_plus(int64_t a, int64_t b)
{
    return a > ST_TIME_MAX - b ? ST_TIME_MAX : a + b;
}

/* a + b as Java has it: what would lie behind the end of time wraps around to its beginning. */
static inline int64_t time_wrap(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* A writer for an edge; rings and receivers are filled in by the caller. Returns owned. */
struct writer *writer_new(struct task *task, const struct edge *edge, uint32_t ring_count);
void writer_free(struct writer *w);
/* The receiver of ring `own` runs on the sender's thread, where this is its channel. */
void writer_set_own(struct writer *w, uint32_t own, uint32_t channel);
void writer_write(struct writer *w, const struct batch *batch);
void writer_mark(struct writer *w, enum mark_kind kind, int64_t value);
/* Publishes open packets and wakes who reads them; returns whether there were any. */
bool writer_flush(struct writer *w);
/* Wakes those receivers that sleep. A publication alone is a plain store, which may not have been
 * seen yet when a receiver that is about to sleep is asked whether it does; behind the fence in
 * here either it has seen what was published or it is seen to sleep. */
void writer_wake(struct writer *w);

/* Handing on by call instead of through a ring, see handover.c. May what the writer has for its own
 * receiver be handed to it now? */
bool handover_is_open(const struct writer *w);
/* Only then: a batch; a watermark or idleness. A failure of the receiver fails the sender's step.
 */
void handover_batch(struct writer *w, const struct batch *batch);
void handover_mark(struct writer *w, enum mark_kind kind, int64_t value);

/* What a channel brings besides records. */
void task_take_mark(struct task *task, struct channel *channel, const struct mark *mark);
/* Gives back what lives to the end of a step. */
void task_end_step(struct task *task);

/* Frees the text of a record that state held, when the step ends; clears the views. */
void task_free_text(struct task *task, const struct layout *layout, void *record);

/* One class a node kind; operators are in files op_*.c. */
extern const struct op_class op_source, op_generator, op_array, op_text_file;
extern const struct op_class op_map, op_filter, op_process, op_timestamps;
extern const struct op_class op_fold, op_slices, op_sessions, op_counts, op_triggered;
extern const struct op_class op_sink, op_print, op_discard, op_two_phase, op_collect;
const struct op_class *op_class_of(const struct node *node);

#endif
