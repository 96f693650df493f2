/*
 * A desk for the group coordinator: one broker, its log of groups in memory, clients as calls.
 *
 * Blocks begin as small as they can be and grow when a step says so, so that every test runs
 * through growth. Appends are written at once, or held until the test lets them end.
 */
#ifndef TESTS_BROKER_GROUP_DESK_H
#define TESTS_BROKER_GROUP_DESK_H

#include <check.h>

#include "broker/groups.h"
#include "wire/messages.h"
#include "wire/schema.h"

struct desk_answer {
    uint64_t call;
    int16_t api, version;
    void *message;
};
struct desk_batch {
    int32_t partition;
    struct kb_log_batch batch;
};
struct desk_append {
    uint64_t id;
    struct desk_batch batch;
};

struct desk {
    struct kb_groups *g;
    void *scratch;
    int64_t now_us, timer_us;
    uint64_t call;
    uint32_t uuid;
    bool hold;     /* appends wait for desk_end_append */
    int32_t error; /* what appends end with, where not held */
    struct desk_answer *answers;
    struct desk_batch *log;
    struct desk_append *held;
    uint32_t answer_count, log_count, held_count;
    struct kb_groups_output last_append; /* as it was put; its records are gone */
    int64_t retention_ms;                /* of commits; 0: none is asked for */
};

struct desk *desk_new(void); /* leads all partitions, loaded */
void desk_free(struct desk *d);
void desk_step(struct desk *d, struct kb_groups_input in);
/* Time passes, timers fire. */
void desk_pass(struct desk *d, int64_t ms);
/* Ends the first append that is held. */
void desk_end_append(struct desk *d, int32_t error);
/* Loses leadership of all partitions and gets it back: everything is read from the log. */
void desk_resign(struct desk *d, int32_t epoch);
void desk_elect(struct desk *d, int32_t epoch);
void desk_marker(struct desk *d, const char *group, int64_t producer_id, bool commit);

/* The answer to a call, NULL: none yet. Asserts that there are not two. */
const void *desk_answer(const struct desk *d, uint64_t call);

struct desk_join {
    const char *group, *member, *instance, *protocol, *second, *metadata;
    int32_t session_ms, rebalance_ms, version;
};
uint64_t desk_join(struct desk *d, struct desk_join j);
/* `to`: pairs member, assignment, until NULL. */
uint64_t desk_sync(struct desk *d, const char *group, const char *member, int32_t generation,
                   const char *instance, const char *const *to);
int32_t desk_heartbeat(struct desk *d, const char *group, const char *member, int32_t generation,
                       const char *instance);
int32_t desk_leave(struct desk *d, const char *group, const char *member, const char *instance,
                   int16_t version);
uint64_t desk_commit(struct desk *d, const char *group, const char *member, int32_t generation,
                     const char *topic, int32_t partition, int64_t offset);
uint64_t desk_txn_commit(struct desk *d, const char *group, int64_t producer_id, const char *member,
                         int32_t generation, const char *topic, int32_t partition, int64_t offset);
int32_t desk_commit_error(const struct desk *d, uint64_t call);
/* Returns the offset, -1 none; *error that of the partition, or of all. */
int64_t desk_fetch(struct desk *d, const char *group, const char *topic, int32_t partition,
                   bool stable, int32_t *error);
int32_t desk_delete_group(struct desk *d, const char *group);
const char *desk_state(struct desk *d, const char *group); /* as DescribeGroups says */

static inline const struct wire_join_group_response *desk_joined(const struct desk *d,
                                                                 uint64_t call)
{
    return desk_answer(d, call);
}
static inline const struct wire_sync_group_response *desk_synced(const struct desk *d,
                                                                 uint64_t call)
{
    return desk_answer(d, call);
}

#endif
