/*
 * Inside the checks. Internal to sim/check*.c.
 *
 *     struct sim_checks ── topics (by name) ── rows (partitions) ── hosts (brokers with a replica)
 *          │                                      │ touched ──► list, worked off after the event
 *          └── processes, by id
 *
 * A row is what the checks remember of a partition: its state in ZooKeeper before the write that is
 * applied now, its assignment, who led it in which epoch, and the committed records. Rows of a
 * topic come into being when anything first touches the topic, from what ZooKeeper says at that
 * moment. Topics, rows and processes are never moved and never freed before the whole is.
 */
#ifndef SIM_CHECK_STATE_H
#define SIM_CHECK_STATE_H

#include "sim/allocate.h"
#include "sim/check.h"
#include "sim/world_state.h"
#include "statemachine/znode.h"

enum { CHECK_EPOCHS = 8, CHECK_REGISTRATIONS = 8, CHECK_LIST_TEXT = 200 };

/* A batch of records that a leader has committed, or that a log holds. */
struct check_batch {
    int64_t base, last;
    uint64_t payload;
    int32_t epoch;
    uint32_t unused;
};

struct check_batches {
    struct check_batch *list; /* ascending by base */
    uint32_t count, capacity;
};

struct check_host {
    int32_t id;
    uint32_t life; /* of its process, that `epoch` and `leads` are of */
    int32_t epoch; /* leader epoch that it has followed last in this life, -1 none */
    int32_t lost_version, lost_epoch; /* of its ISR write that was refused last, -1 none */
    uint64_t lost_data;               /* hash of what it would have written */
    bool leads, touched;
    bool led;     /* touched: it has begun to lead */
    bool stopped; /* touched: it follows, or hosts nothing any more */
    bool settled; /* leads or follows in `epoch`: to be told the same again changes nothing */
    uint32_t incarnation; /* of the topic, when it was last told to lead or to follow: nobody may
                             have told it that the topic is gone and a namesake there */
    int64_t late_registration; /* a late request made it host a topic that was deleted: what the
                                  broker was registered as, 0 none */
    int64_t looked_to;         /* its log has been read below it */
    int64_t marked;            /* touched: the high watermark that it set as a leader, -1 none */
    int64_t checkpointed; /* its high watermark on disk when it was first named in its last life, or
                             the least of it since */
    uint32_t named_life;  /* the last life in which a LeaderAndIsr named the partition, 0 none */
};

struct check_topic;

struct check_row {
    struct check_topic *topic;
    struct check_row *next_of_topic, *next_in_bucket;
    int32_t partition;
    uint32_t number; /* 1 … in the order in which rows were made */
    bool exists;     /* its state znode */
    bool assigned;   /* the topic znode names it */
    bool touched;
    int32_t moved_by; /* in the list of that process, -1 none */
    bool unclean;     /* the last election was, and was allowed */
    struct sm_leader_and_isr z;
    struct sm_assignment a;
    struct sm_list before; /* the replicas before the last change: its leader may not know yet */
    struct {
        int32_t epoch, id;
    } led[CHECK_EPOCHS]; /* who led, newest first; id -1: free */
    struct check_host *hosts;
    uint32_t host_count;
    struct check_batches committed;
    int64_t committed_end; /* of `committed`: the highest mark of a leader since an unclean one */
    int64_t shown_end;     /* the highest mark that any leader has ever shown */
    int64_t readable_end;  /* the highest mark of whoever leads, or does not know yet that it leads
                              no  more: consumers may have read below it */
    int64_t acked_end;     /* of what clients were told with acks=all, 0 nothing */
    int32_t unclean_epoch; /* of the last unclean election, -1 none */
    bool unclean_pending;  /* and its leader has not begun yet */
    int64_t shown_before;  /* the most that was shown of a deleted namesake */
    bool cut;              /* touched: a log of it grew shorter */
    bool left_over;        /* a log of an earlier topic of that name has become a replica of it */
    struct sm_list asked;  /* target asked for last through the znode, empty none */
    struct sm_list asked_before; /* replaced in controller epoch asked_epoch */
    int32_t asked_epoch;
    bool asked_by_call;     /* a call has named it: what it asks for is not known here */
    uint64_t batch_mark[3]; /* the batch that named it last, by kind of record */
};

/* Which batch: later ones of a controller have larger ids, later controllers larger epochs. */
struct check_place {
    int32_t epoch; /* of the controller */
    uint64_t id;
};
static inline bool check_is_later(struct check_place a, struct check_place b)
{
    return a.epoch > b.epoch || (a.epoch == b.epoch && a.id > b.id);
}

struct check_topic {
    struct check_topic *next_in_bucket, *next;
    struct check_row *rows;
    bool exists;         /* its znode */
    bool deleted;        /* a controller has completed its deletion, and no namesake exists */
    bool is_reassigning; /* counted in c->reassigning */
    bool is_deleting;    /* /admin/delete_topics names it; counted in c->deleting */
    uint32_t incarnation;
    struct check_place begin; /* the last batch when its znode was created or deleted: what came
                                 before is not about the present topic */
    uint32_t number;          /* 0 … in the order in which topics were met */
    char name[];
};

struct check_process {
    int32_t id;
    bool full;
    struct sim_process *process;
    int64_t registrations[CHECK_REGISTRATIONS]; /* czxids, newest first; 0 none */
    int64_t first_registration; /* that was seen being made; older ones are not known */
    uint32_t lives;             /* times that it was started */
    bool disk_lost;             /* a machine, and what was not flushed, has been lost */
    int64_t life_epoch;         /* czxid of the first registration of this life, 0 none yet */
    uint64_t puts, starts;      /* controller events of this life: put; taken up or dropped */
    int64_t last_start_us;
    bool rebalancing;         /* the event that it handles is that of automatic rebalancing */
    struct check_row **moved; /* by its controller, since its last event was done */
    uint32_t moved_count, moved_capacity;
    /* a request of a controller that it handles now */
    struct check_place handles; /* the batch of it; id 0: none, or one of its own process */
    int32_t seen_controller_epoch;
    bool misled;    /* a controller that was deposed has told its cache, in this life */
    char older[96]; /* what it would make older, if it followed it; "": nothing */
    uint64_t *sent; /* [process index]: last request sent there, batch id * 4 + order of the api */
    uint32_t sent_count;
};

/* What ZooKeeper handles now. */
struct check_asking {
    bool is_open;
    int32_t id;    /* -1: an operator */
    int32_t epoch; /* see sim_checks_zk_asks */
    const struct wire_zk_request *request;
};

struct check_ephemeral {
    int64_t session;
    char *path;
};

struct sim_checks {
    struct sim_world *w;
    enum sim_checks_mode mode;
    struct sim_check_result result;

    struct check_topic **topic_buckets, *topics;
    struct check_topic *last_topic; /* that was looked up, NULL none */
    uint32_t topic_count, topic_capacity;
    struct check_row **row_buckets;
    uint32_t row_count, row_capacity;

    struct check_row **touched;
    uint32_t touched_count, touched_capacity;
    struct check_process *processes; /* ascending by id */
    uint32_t process_count;

    struct check_asking asking;
    int64_t zxid;             /* of the last change */
    int32_t controller_epoch; /* /controller_epoch, 0 none yet */
    int64_t controller_owner; /* session of /controller, 0 none */
    bool controller_began;    /* its owner has said that it is active */
    uint32_t deleting;        /* children of /admin/delete_topics */
    uint32_t reassigning;     /* topics with a reassignment */
    struct check_ephemeral *ephemerals;
    uint32_t ephemeral_count, ephemeral_capacity;
    int64_t expired[8]; /* sessions that ended in this event */
    uint32_t expired_count;
    int64_t last_owner; /* of /controller before it was deleted */
    bool last_began;

    /* (row, base, epoch) -> payload, open addressing */
    struct check_canon *canon;
    uint32_t canon_count, canon_capacity;

    uint64_t batch_serial;
    struct check_place last_batch;
    bool has_begun;                  /* what ZooKeeper held at the start has been read */
    bool dynamic_unclean;            /* unclean election was allowed for the cluster by a znode */
    uint64_t acked_seen, reads_seen; /* of the ledger */
    uint64_t judged;                 /* bits: checks that the version is held to */
    int64_t heal_until_us;
    uint64_t *acked_before; /* by client: records acknowledged before the heal, NULL without one */
    int64_t last_epochs_us[3]; /* when controller epochs began, newest first */
    uint64_t unrecorded;       /* bits: checks whose violation has no record yet */
    bool in_whole;
};

/* ---- check.c ---- */
void check_fail(struct sim_checks *c, enum sim_check check, const char *object, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
void check_fail_row(struct sim_checks *c, enum sim_check check, const struct check_row *row,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
static inline void check_seen(struct sim_checks *c, enum sim_sometimes s)
{
    c->result.seen[s]++;
}
/* Writes "[1, 2]"; returns `out`. */
const char *check_list(char out[CHECK_LIST_TEXT], const struct sm_list *list);

/* ---- check_rows.c ---- */
void check_rows_free(struct sim_checks *c);
struct check_topic *check_topic_find(const struct sim_checks *c, const char *name); /* NULL: none */
/* Makes it, with a row for every partition that ZooKeeper names now. */
struct check_topic *check_topic_of(struct sim_checks *c, const char *name);
struct check_row *check_row_of(struct sim_checks *c, const char *topic, int32_t partition);
/* Reads the topic znode (NULL: gone) into the rows. */
void check_topic_read(struct sim_checks *c, struct check_topic *t, const char *data, size_t size);
struct check_host *check_host_of(struct check_row *row, int32_t id);
void check_touch(struct sim_checks *c, struct check_row *row);
struct check_process *check_process_of(const struct sim_checks *c, int32_t id); /* NULL: none */
/* Its log of the row; false where it has none, or its broker hosts nothing. */
bool check_view(const struct sim_checks *c, const struct check_row *row, int32_t id,
                struct kb_partition_view *view);
/* /admin/delete_topics/TOPIC was made, or deleted. */
void check_deletion_asked(struct sim_checks *c, const char *topic, bool asked);
/* Whether its machine has lost what was not flushed: then records may be gone by right. */
bool check_disk_lost(const struct sim_checks *c, int32_t id);
/* Of its hosts; or one of them has the log of a deleted namesake. */
bool check_any_disk_lost(const struct sim_checks *c, const struct check_row *row);
bool check_is_registered(const struct sim_checks *c, int32_t id);

/* ---- check_logs.c ---- */
void check_logs(struct sim_checks *c, struct check_row *row);
void check_logs_free(struct sim_checks *c);
void check_logs_forget(struct check_row *row); /* the topic is gone: nothing binds its namesake */

/* ---- check_znodes.c ---- */
void check_znodes_event(struct sim_checks *c);

/* ---- check_asked.c: reassignments that somebody asks for ---- */
/* /admin/reassign_partitions says so now (size 0: it is gone). */
void check_asked(struct sim_checks *c, const char *data, size_t size);
/* A controller has written an assignment; `was` before it. */
void check_asked_begins(struct sim_checks *c, struct check_row *row,
                        const struct sm_assignment *was);
/* Whether it was asked for, and is neither the case nor under way. */
bool check_asked_forgotten(const struct check_row *row);

/* ---- check_requests.c ---- */
void check_batch(struct sim_checks *c, const struct wire_batch *batch);
void check_send(struct sim_checks *c, struct check_process *p, const struct kc_output *o);

/* ---- check_rest.c: what must be so when nothing is under way ---- */
void check_rest(struct sim_checks *c);

/* ---- check_producers.c: V9 ---- */
void check_producers_healed(struct sim_checks *c); /* counts from now on */
void check_producers(struct sim_checks *c);

/* ---- check_heal.c ---- */
/* Up, and registered. */
bool check_is_well(const struct sim_checks *c, int32_t id);
/* Judges liveness, once, if `heal` has acted. */
void check_heal_end(struct sim_checks *c);

#endif
