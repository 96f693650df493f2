/*
 * What the group coordinator keeps, and what its parts call of each other. Internal to
 * broker/group*.c.
 *
 *     struct kb_groups | partitions | indexes | groups … | members … | offsets … | appends …
 *
 * A table is rows of one size, each a struct and then its texts, as long as the limits say. Rows
 * are named by index + 1; 0 is none. Freed rows are given out again last in, first out, so that
 * which row is taken does not depend on the limits.
 *
 * Source: see broker/groups.h.
 */
#ifndef BROKER_GROUP_STATE_H
#define BROKER_GROUP_STATE_H

#include <assert.h>
#include <string.h>

#include "broker/groups.h"
#include "wire/bytes.h"
#include "wire/errors.h"
#include "wire/schema.h"

enum kb_group_tables { KB_T_GROUP, KB_T_MEMBER, KB_T_OFFSET, KB_T_APPEND, KB_T_END };

struct kb_table {
    size_t at;
    uint32_t stride, capacity, free, high, used, unused;
};

struct kb_head_of_row {
    uint32_t used, next; /* next: in the list that the row is in, or of free rows */
};

struct kb_owned {
    int32_t epoch; /* -1: never heard of */
    uint8_t owned, loading, unused[2];
    uint32_t first_group, last_group; /* of the partition, as they came */
};

struct kb_group {
    struct kb_head_of_row row;                /* next: in the bucket */
    uint64_t serial;                          /* tells the group from a later one in the same row */
    int64_t state_ms;                         /* since when, -1 unknown */
    int64_t join_due_us, sync_due_us, due_us; /* -1: none; due: the earliest of all of the group */
    int64_t remaining_ms, delay_ms;           /* of the initial delay */
    uint32_t first_member, last_member, leader;
    uint32_t first_offset, last_offset;
    uint32_t next_here, previous_here; /* of the same partition */
    uint32_t heap, unused_b;           /* place + 1 in the heap of what is due, 0: not in it */
    uint32_t members, pending;
    int32_t partition, generation;
    uint8_t state;   /* enum kb_group_state */
    uint8_t initial; /* the join that is awaited is the first after Empty */
    uint8_t new_member_added;
    uint8_t has_type, has_protocol;
    uint8_t from_log; /* a record of the group itself was loaded */
    uint8_t loading;  /* not to be seen yet */
    uint8_t unused;
    /* then id, protocol type, protocol: name bytes each */
};

struct kb_member {
    struct kb_head_of_row row;
    uint64_t serial;
    uint64_t join_call, sync_call;
    int64_t expire_us; /* -1: none */
    uint32_t group;
    int32_t session_ms, rebalance_ms;
    uint32_t protocol_count, protocols_size, assignment_size;
    int16_t join_version, sync_version;
    uint8_t pending;   /* has an id, has not joined */
    uint8_t is_new;    /* has not had its first answer */
    uint8_t owes_sync; /* has not sent SyncGroup for this generation */
    uint8_t has_instance;
    uint8_t joins, syncs; /* a call is parked */
    uint8_t unused[2];
    /* then id, instance, client id, host: name bytes each; protocols; assignment */
};

enum kb_offset_kind { KB_O_COMMITTED, KB_O_STAGED, KB_O_TXN };
struct kb_offset {
    struct kb_head_of_row row;
    int64_t offset, commit_ms, expire_ms; /* expire -1: by retention */
    int64_t log_offset;                   /* -1: not appended yet */
    int64_t producer_id;
    uint32_t group;
    int32_t partition, leader_epoch;
    uint32_t metadata_size;
    uint32_t kind;
    uint32_t previous;   /* in the group's list */
    uint32_t next_alike; /* in its bucket */
    uint32_t unused;
    /* then topic: topic_name bytes; metadata: metadata bytes */
};

enum kb_append_kind { KB_A_ASSIGNMENT, KB_A_STATIC, KB_A_OFFSETS };
struct kb_append {
    struct kb_head_of_row row;
    uint64_t id, call_id, group_serial, member_serial;
    int64_t wall_ms;
    uint32_t group, member;
    int32_t generation;
    uint32_t kind;
    int16_t api, version;
    uint32_t request_size;
    uint32_t has_leader;
    uint32_t unused;
    /* then old id, new id, leader: name bytes each; request, and the bytes of `unknown` */
};

struct kb_groups {
    struct kb_groups_limits limits;
    struct kb_groups_config config;
    struct kb_table tables[KB_T_END];
    size_t partitions_at, buckets_at, offset_buckets_at, heap_at;
    uint64_t serial; /* the last one given */
    int64_t armed_us, cleanup_us;
    uint32_t active, heap_count;
    uint32_t txn_offsets; /* of open transactions */
    uint32_t unused;
};

struct kb_gstep {
    struct kb_groups *g;
    const struct kb_groups_input *in;
    struct kb_groups_outputs *out;
    int64_t now_us;
    int64_t wall_ms;
};

/* ---- rows ---- */

static inline void *kb_grow(const struct kb_groups *g, enum kb_group_tables t, uint32_t row)
{
    const struct kb_table *table = &g->tables[t];
    assert(row >= 1 && row <= table->high);
    return (uint8_t *)(uintptr_t)g + table->at + (size_t)table->stride * (row - 1);
}
static inline struct kb_group *kb_group(const struct kb_groups *g, uint32_t row)
{
    return kb_grow(g, KB_T_GROUP, row);
}
static inline struct kb_member *kb_member(const struct kb_groups *g, uint32_t row)
{
    return kb_grow(g, KB_T_MEMBER, row);
}
static inline struct kb_offset *kb_offset(const struct kb_groups *g, uint32_t row)
{
    return kb_grow(g, KB_T_OFFSET, row);
}
static inline struct kb_owned *kb_owned(const struct kb_groups *g, int32_t partition)
{
    assert(partition >= 0 && (uint32_t)partition < g->limits.partitions);
    return (struct kb_owned *)(void *)((uint8_t *)(uintptr_t)g + g->partitions_at) + partition;
}

/* Texts of rows, in the order in which the structs name them. */
static inline char *kb_group_text(const struct kb_groups *g, const struct kb_group *p, unsigned n)
{
    return (char *)(uintptr_t)(p + 1) + (size_t)n * g->limits.name;
}
enum { KB_ID, KB_TYPE, KB_PROTOCOL };
static inline char *kb_member_text(const struct kb_groups *g, const struct kb_member *m, unsigned n)
{
    return (char *)(uintptr_t)(m + 1) + (size_t)n * g->limits.name;
}
enum { KB_INSTANCE = 1, KB_CLIENT, KB_HOST, KB_MEMBER_TEXTS };
static inline uint8_t *kb_protocols(const struct kb_groups *g, const struct kb_member *m)
{
    return (uint8_t *)kb_member_text(g, m, KB_MEMBER_TEXTS);
}
static inline uint8_t *kb_assignment(const struct kb_groups *g, const struct kb_member *m)
{
    return kb_protocols(g, m) + g->limits.protocols;
}
static inline char *kb_offset_topic(const struct kb_offset *o)
{
    return (char *)(uintptr_t)(o + 1);
}
static inline char *kb_offset_metadata(const struct kb_groups *g, const struct kb_offset *o)
{
    return kb_offset_topic(o) + g->limits.topic_name;
}
static inline char *kb_append_text(const struct kb_groups *g, const struct kb_append *a, unsigned n)
{
    return (char *)(uintptr_t)(a + 1) + (size_t)n * g->limits.name;
}
enum { KB_OLD_ID, KB_NEW_ID, KB_OLD_LEADER, KB_APPEND_TEXTS };
/* Rounded: the request is a flat message, 8-byte aligned. */
static inline void *kb_append_request(const struct kb_groups *g, const struct kb_append *a)
{
    size_t texts = ((size_t)KB_APPEND_TEXTS * g->limits.name + 7) & ~(size_t)7;
    return (uint8_t *)(uintptr_t)(a + 1) + texts;
}

/* group_rows.c */
uint32_t kb_row_take(struct kb_groups *g, enum kb_group_tables t);
void kb_row_give(struct kb_groups *g, enum kb_group_tables t, uint32_t row);
uint32_t kb_rows_left(const struct kb_groups *g, enum kb_group_tables t);
uint32_t kb_group_add(struct kb_groups *g, const char *id, int64_t wall_ms);
void kb_group_drop(struct kb_groups *g, uint32_t group); /* with all that it has */
uint32_t kb_member_find(const struct kb_groups *g, uint32_t group, const char *id, bool pending);
uint32_t kb_member_static(const struct kb_groups *g, uint32_t group, const char *instance);
/* The member after `row` (0: the first), pending ones left out; 0 behind the last. */
uint32_t kb_member_after(const struct kb_groups *g, uint32_t group, uint32_t row);
uint32_t kb_member_add(struct kb_groups *g, uint32_t group, const char *id, bool pending);
void kb_member_drop(struct kb_groups *g, uint32_t row);
/* The row with that name, made where there is none. */
uint32_t kb_offset_put(struct kb_groups *g, uint32_t group, enum kb_offset_kind kind,
                       int64_t producer_id, const char *topic, int32_t partition);
void kb_offset_drop(struct kb_groups *g, uint32_t row);
void kb_offset_copy_value(const struct kb_groups *g, struct kb_offset *to,
                          const struct kb_offset *from);

/* group_index.c */
uint32_t kb_group_find(const struct kb_groups *g, const char *id);
void kb_group_index(struct kb_groups *g, uint32_t row);
void kb_group_unindex(struct kb_groups *g, uint32_t row);
uint32_t kb_offset_find(const struct kb_groups *g, uint32_t group, enum kb_offset_kind kind,
                        int64_t producer_id, const char *topic, int32_t partition);
void kb_offset_index(struct kb_groups *g, uint32_t row);
void kb_offset_unindex(struct kb_groups *g, uint32_t row);
/* Sets due_us; < 0: nothing is due. */
void kb_group_schedule(struct kb_groups *g, uint32_t row, int64_t due_us);
uint32_t kb_group_earliest(const struct kb_groups *g); /* 0: nothing is due */
void kb_index_check(const struct kb_groups *g);

/* group_members.c: protocols and answers that many have in common */
void kb_member_set_protocols(const struct kb_groups *g, struct kb_member *m,
                             const struct wire_join_group_request *r);
uint32_t kb_protocols_size_of(const struct wire_join_group_request *r);
bool kb_member_matches(const struct kb_groups *g, const struct kb_member *m,
                       const struct wire_join_group_request *r);
bool kb_member_metadata(const struct kb_groups *g, const struct kb_member *m, const char *protocol,
                        struct kb_log_record *out); /* into value, value_size */
bool kb_group_supports(const struct kb_groups *g, uint32_t group,
                       const struct wire_join_group_request *r);
const char *kb_group_select(const struct kb_groups *g, uint32_t group);
uint32_t kb_group_waiting(const struct kb_groups *g, uint32_t group);
bool kb_group_fenced(const struct kb_groups *g, uint32_t group, const char *member,
                     const char *instance);
bool kb_group_reads(const struct kb_groups *g, uint32_t group, const char *topic);

/* group_answers.c */
void kb_answer(const struct kb_gstep *s, uint64_t call_id, int16_t api, int16_t version,
               struct wire_flat *f);
void kb_flat_begin(const struct kb_gstep *s, struct wire_flat *f, int16_t api, void **head);
void kb_join_refuse(const struct kb_gstep *s, uint64_t call, int16_t version, const char *member,
                    int32_t error);
/* What members of the group are told of the generation; members are listed for the leader where
   `list`. leader NULL: as the group has it. */
void kb_join_tell(const struct kb_gstep *s, uint64_t call, int16_t version, uint32_t group,
                  const char *member, const char *leader, bool list, int32_t error);
/* Answers the parked calls, where there are such. */
void kb_member_end_join(const struct kb_gstep *s, struct kb_member *m, int32_t error);
bool kb_member_end_sync(const struct kb_gstep *s, struct kb_member *m, int32_t error);
void kb_sync_tell(const struct kb_gstep *s, uint64_t call, int16_t version, uint32_t group,
                  const struct kb_member *m, int32_t error);

/* group_rebalance.c */
void kb_group_go(const struct kb_gstep *s, uint32_t group, enum kb_group_state state);
void kb_expire_in(const struct kb_gstep *s, struct kb_member *m, int64_t us);
void kb_session_restart(const struct kb_gstep *s, struct kb_member *m);
void kb_rebalance(const struct kb_gstep *s, uint32_t group); /* from any state that may */
void kb_rebalance_maybe(const struct kb_gstep *s, uint32_t group);
void kb_join_check(const struct kb_gstep *s, uint32_t group);  /* all there? */
void kb_member_remove(const struct kb_gstep *s, uint32_t row); /* and what follows from it */
void kb_pending_remove(const struct kb_gstep *s, uint32_t row);
void kb_sync_arrived(const struct kb_gstep *s, uint32_t group, struct kb_member *m);
void kb_propagate(const struct kb_gstep *s, uint32_t group, int32_t error);
void kb_groups_expire(const struct kb_gstep *s);
void kb_group_due(struct kb_groups *g, uint32_t group);

/* group_join.c, group_sync.c, group_offsets.c, group_removal.c, group_tools.c: requests */
void kb_on_join(const struct kb_gstep *s);
void kb_on_sync(const struct kb_gstep *s);
void kb_on_heartbeat(const struct kb_gstep *s);
void kb_on_leave(const struct kb_gstep *s);
void kb_on_commit(const struct kb_gstep *s);
void kb_on_txn_commit(const struct kb_gstep *s);
void kb_on_offset_delete(const struct kb_gstep *s);
void kb_on_delete_groups(const struct kb_gstep *s);
/* These change nothing; false: the scratch is too small, nothing was put. */
bool kb_on_offset_fetch(const struct kb_gstep *s);
bool kb_on_describe(const struct kb_gstep *s);
bool kb_on_list(const struct kb_gstep *s);
/* The error of a group that cannot be served here, 0: it can. `named`: "" is no name. */
int32_t kb_group_refused(const struct kb_groups *g, const char *id, bool named);

/* What waits for an append goes on: it has ended with `error` (0: it is in the log). */
void kb_static_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error);
void kb_assignment_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error);
void kb_offsets_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error,
                         int64_t offset);
void kb_txn_ended(struct kb_groups *g, uint32_t group, int64_t producer_id, bool commit);
void kb_offsets_cleanup(const struct kb_gstep *s);

/* group_store.c */
/* The append that a request waits for; the request is kept. */
uint32_t kb_append_find(const struct kb_groups *g, uint64_t id); /* 0: no longer there */
struct kb_append *kb_append_add(const struct kb_gstep *s, enum kb_append_kind kind, uint32_t group);
/* Writes the group as it is; assignments are those of `sync` where it is given. */
void kb_group_store(const struct kb_gstep *s, uint32_t group,
                    const struct wire_sync_group_request *sync, uint64_t append_id);
struct kb_records {
    struct wire_writer w;
    struct kb_log_record *list;
    uint32_t count;
};
struct kb_records kb_records_begin(const struct kb_gstep *s);
void kb_record_offset(struct kb_records *r, const char *group, const char *topic, int32_t partition,
                      const struct kb_offset *value, const char *metadata); /* NULL: tombstone */
void kb_record_group_end(struct kb_records *r, const char *group);
void kb_records_put(const struct kb_gstep *s, const struct kb_records *r, int32_t partition,
                    uint64_t append_id, int64_t producer_id, int16_t producer_epoch,
                    int32_t base_sequence, int16_t acks);

/* group_log.c */
void kb_on_elected(const struct kb_gstep *s);
void kb_on_load(const struct kb_gstep *s);
void kb_on_loaded(const struct kb_gstep *s);
void kb_on_resigned(const struct kb_gstep *s);
/* The field of the limits that the records could exceed, NULL: none. */
const char *kb_load_short(const struct kb_groups *g, const struct kb_groups_input *in);
/* group_needs.c */
uint32_t kb_commit_count(int16_t api, const void *request); /* partitions named */
const char *kb_groups_short(const struct kb_groups *g, const struct kb_groups_input *in);

#endif
