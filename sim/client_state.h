/*
 * Inside the clients of a world. Internal to sim/world_client*.c and sim/client_*.c.
 *
 *     application (client_work.c) ──command──► kl_client ──request──► connection ──► broker
 *            ▲                                     │                                   │
 *            └──────── records, results ◄──────────┘◄──────────── response ◄───────────┘
 *                          └──► book (client_book.c)
 *
 * A client is a process outside of sim_world.processes: `shell` is what links, messages and faults
 * need of one (id, life, incarnation, inbox). It has no ZooKeeper session and no controller.
 *
 * A connection belongs to one life of the client and one of the broker. The broker takes its
 * requests one after another: the next is not looked at before the last is answered (Kafka mutes
 * the channel of a request that it handles: kafka.network.Processor). A connection that is over
 * stays until the last message that names it is gone.
 */
#ifndef SIM_CLIENT_STATE_H
#define SIM_CLIENT_STATE_H

#include "client/client.h"
#include "sim/world_client.h"
#include "sim/world_state.h"

struct sim_client_conn {
    struct sim_client_conn *next; /* of the same client, newest first */
    struct sim_client *client;
    struct sim_process *broker;
    uint32_t broker_incarnation; /* that it was made to */
    uint32_t incarnation;        /* of the client */
    uint32_t references;         /* messages that name it */
    bool open;                   /* the client's end is */
    bool broken;                 /* nothing reaches the broker any more, nor comes from it */
    bool told;                   /* the client has been told, or need not be */
    bool coordinates;            /* it carries what is meant for a coordinator, and nothing else */
    uint64_t correlation;        /* of the last request on it */
    struct sim_message *handled; /* by the broker now, NULL: none */
    struct sim_message *waiting, *waiting_last;
    struct sim_link request, answer;
};

/* What the application of a client waits for. */
enum sim_client_phase {
    SIM_CLIENT_IDLE,    /* down, or nothing left to do */
    SIM_CLIENT_INITS,   /* its transactional id is registered */
    SIM_CLIENT_BEGINS,  /* a transaction is begun */
    SIM_CLIENT_WAITS,   /* a transform: for input */
    SIM_CLIENT_WORKS,   /* gives records, or reads */
    SIM_CLIENT_OFFSETS, /* a transform: its offsets join the transaction */
    SIM_CLIENT_ENDS,    /* a transaction is committed or aborted */
    SIM_CLIENT_FLUSHES, /* all is given; waits for the last acknowledgements */
    SIM_CLIENT_CLOSES,
    SIM_CLIENT_CLOSED,
};

/* Where one group, or one consumer without a group, has got to in one partition. */
struct sim_client_place {
    int32_t topic, partition;
    int64_t next; /* offset after the highest that was handed out, -1: none yet */
};

#define SIM_CLIENT_HOST "/127.0.0.1" /* of every client, as a broker writes it */

/* Who reads together: the members of a group share one audience; any other consumer has its own. */
struct sim_audience {
    const char *group; /* NULL: of one consumer */
    struct sim_client_place *places;
    uint32_t place_count, place_capacity, place_hint;
    uint64_t **seen;    /* [client index of a producer]: a bit per number */
    int64_t *seen_size; /* numbers that fit */
};

/* A record that a transform has read: see client_transform.c. */
struct sim_input {
    struct sim_value_name value;
    int64_t offset;
    uint64_t read; /* index in the book */
    int32_t topic, partition;
    int32_t leader_epoch;
    uint32_t unused;
};
struct sim_inputs {
    struct sim_input *input;
    uint32_t count, capacity;
    uint32_t done; /* so many of them were given in the transaction that is open */
};

struct sim_client {
    struct sim_process shell;
    const struct sim_client_spec *spec;
    uint32_t index;
    struct kl_client *kl; /* NULL: down */
    struct kl_limits limits;
    struct sim_client_conn *conns;
    uint64_t timer;          /* of kl */
    int64_t timer_us;        /* due, -1 none */
    int64_t timer_queued_us; /* the event that stands in the queue, -1 none */
    uint64_t timer_generation;
    uint64_t timer_record;

    /* the application */
    bool begun;           /* its time has come once */
    uint32_t phase;       /* enum sim_client_phase */
    uint32_t command;     /* enum kl_input_kind that is to be given next, 0 none */
    bool aborts;          /* ENDS: by an abort */
    bool rebalances;      /* the group waits for it to take up, or give up, partitions */
    int64_t rate_from_us; /* records are given from here on … */
    int64_t rate_given;   /* … and so many were */
    uint64_t work_generation;
    int64_t txn_due_us;
    uint8_t *txns; /* [txn_count]: enum sim_txn_end */
    uint64_t txn_count, txn_capacity;
    struct kl_offset *assigned; /* offsets of an assignment */
    uint32_t assigned_count;
    int32_t error;             /* that ended its work, 0 none */
    struct sim_inputs inputs;  /* producer half of a transform */
    struct sim_input *origins; /* [number]: where the record of an output came from */
    uint64_t origin_capacity;

    struct sim_client_counts counts;
    struct sim_audience *audience;
    uint64_t last_record; /* of the trace: what it did last */
};

/* A broker began to lead. */
struct sim_client_lead {
    int32_t topic, partition;
    int32_t broker, epoch;
    int64_t start; /* where its log ended */
    int64_t time_us;
    uint64_t record;
};

struct sim_clients {
    struct sim_client **client; /* by index */
    uint32_t count;
    uint32_t *producers, *consumers; /* [number - 1]: index */
    struct sim_audience **audiences;
    uint32_t audience_count;
    void *scratch;
    size_t scratch_size;
    char *padding;    /* for values that are longer than their names */
    int32_t *brokers; /* ids that clients ask first */
    uint32_t broker_count;

    /* the book */
    struct sim_acked *acked;
    struct sim_read *reads;
    uint64_t acked_count, acked_capacity, read_count, read_capacity;
    struct sim_client_marks *marks; /* client_marks.c */
    struct sim_client_lead *leads;
    uint64_t lead_count, lead_capacity;
    char **topics;
    uint32_t topic_count;
};

/* Neighbouring records of one partition: told once, when the run ends. count 0: none. */
struct sim_client_run {
    bool is_read;
    int32_t topic, partition;
    int32_t error;
    uint32_t persisted; /* enum kl_persisted */
    int64_t first;      /* offset, -1 unknown */
    int64_t count;
    struct sim_value_name from, to;
    uint64_t at;                  /* index in the book of the first */
    const struct kb_batch *batch; /* of the last one, NULL unknown */
};

/* One step of a client, and what its outputs have come to so far. */
struct sim_client_turn {
    struct sim_world *w;
    struct sim_client *c;
    uint64_t record;   /* cause of what the step puts */
    int32_t broker_id; /* whose response it is, -1 */
    struct sim_client_run run;
};

struct sim_client_texts {
    char name[SIM_VALUE_TEXT], key[24];
};

/* ---- world_client.c ---- */
/* Gives what the application wants next, if it wants anything. */
void sim_client_step_commands(struct sim_world *w, struct sim_client *c, uint64_t record);
/* Steps the client; what its application does then is done, too. Ends the turn's run. */
void sim_client_step(struct sim_world *w, struct sim_client *c, struct kl_input in,
                     uint64_t record);
/* Ends its life: connections close, the block is freed. */
void sim_client_gone(struct sim_world *w, struct sim_client *c, uint64_t by);

/* ---- client_work.c: what applications do ---- */
struct sim_client_command {
    struct kl_input in;
    struct kl_member member;
};
void sim_client_work_start(struct sim_world *w, struct sim_client *c);
void sim_client_work_stop(struct sim_client *c);
void sim_client_work_resume(struct sim_world *w, struct sim_client *c);
void sim_client_work_close(struct sim_world *w, struct sim_client *c, uint64_t by);
void sim_client_work_due(struct sim_world *w, struct sim_client *c);
/* DONE, ASSIGN, REVOKE, ERROR, FACT; within a step, so what it wants waits for work_next. */
void sim_client_work_hears(struct sim_client_turn *t, const struct kl_output *o);
/* The consumer half of a transform was handed a record. */
void sim_client_work_transforms(struct sim_client_turn *t, struct sim_input input);
/* The command that the application gives next; false: none now. Lives until the next call. */
bool sim_client_work_next(struct sim_world *w, struct sim_client *c,
                          struct sim_client_command *out);
/* All that it has to do is done, or it never ends by itself. */
bool sim_client_work_is_over(const struct sim_world *w, const struct sim_client *c);

/* ---- client_book.c ---- */
void sim_client_book_delivered(struct sim_client_turn *t, const struct kl_output *o);
void sim_client_book_read(struct sim_client_turn *t, const struct kl_output *o);
/* A run is over: it is recorded, and checks are told. */
void sim_client_book_run_ends(struct sim_client_turn *t);
void sim_client_book_gone(struct sim_client *c); /* what was open is nobody's knowledge now */
void sim_client_book_free(struct sim_clients *k);
int32_t sim_client_book_topic(struct sim_clients *k, const char *name);
struct sim_audience *sim_client_audience(struct sim_clients *k, const char *group);

/* It has been handed what leaders have for it. */
bool sim_client_book_has_caught_up(const struct sim_world *w, const struct sim_client *c);
/* The log of a broker, also of one that is down; false: none. */
bool sim_client_view(const struct sim_world *w, int32_t broker_id, const char *topic,
                     int32_t partition, struct kb_partition_view *view);
struct sim_value_name sim_client_value_in(const struct sim_world *w, const struct kb_batch *batch,
                                          int64_t offset);
const struct kb_batch *sim_client_batch_at(const struct kb_partition_view *view, int64_t offset);

/* Its audience has been handed the value. */
bool sim_client_has_seen(const struct sim_world *w, uint32_t index, struct sim_value_name value);
bool sim_client_reads_topic(const struct sim_client *c, const struct sim_world *w, int32_t topic);

/* ---- client_transform.c ---- */
/* The other half of a transform; NULL: it is none. */
struct sim_client *sim_transform_other(const struct sim_world *w, const struct sim_client *c);
void sim_transform_take(struct sim_client *producer, struct sim_input input);
bool sim_transform_has_input(const struct sim_client *producer);
/* The next input; its output is the record that the producer is given next. */
struct sim_input sim_transform_next(struct sim_client *producer);
/* The transaction is over: its inputs are done with, or come again. */
void sim_transform_ended(struct sim_client *producer, bool committed);
/* The consumer gives partitions up; returns whether the open transaction has a part of them. */
bool sim_transform_revoked(const struct sim_world *w, struct sim_client *producer,
                           const struct kl_output *o);
void sim_transform_forget(struct sim_client *producer);
/* Sets `assigned` to the offsets that the transaction commits; returns how many. */
uint32_t sim_transform_offsets(const struct sim_world *w, struct sim_client *producer);

/* ---- client_marks.c ---- */
/* A broker told, by `record`, how far a partition is committed and stable. */
void sim_client_marks_add(struct sim_clients *k, int32_t broker, const char *topic,
                          int32_t partition, int64_t hw, int64_t lso, uint64_t record);
/* The record that made the offset readable there, 0 unknown. */
uint64_t sim_client_marks_find(const struct sim_clients *k, int32_t broker, const char *topic,
                               int32_t partition, int64_t offset, bool committed);
void sim_client_marks_free(struct sim_clients *k);

/* ---- client_fate.c ---- */
/* The log that counts for a partition now; false: nobody has it. */
bool sim_client_present_log(const struct sim_world *w, const char *topic, int32_t partition,
                            struct kb_partition_view *view);
struct sim_client_report;
void sim_client_report_fates(struct sim_world *w, struct sim_client_report *r);
/* How many of a producer's acknowledged records are kept, or lost. */
uint64_t sim_client_fates_of(struct sim_world *w, uint32_t index, bool kept);
uint64_t sim_client_unread(struct sim_world *w, uint32_t index);

/* NULL: no such client. */
static inline struct sim_client *sim_client_of(const struct sim_world *w, int32_t id)
{
    uint32_t index = sim_client_index(w, id);
    return index == UINT32_MAX ? NULL : w->clients->client[index];
}

#endif
