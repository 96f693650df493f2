/*
 * Members of a group, as calls to whole nodes (cluster_desk.h): each function sends one request and
 * returns its call, or plays a client's small dialogue to its end.
 */
#ifndef TESTS_BROKER_GROUP_CLIENTS_H
#define TESTS_BROKER_GROUP_CLIENTS_H

#include "tests/broker/cluster_desk.h"

/* The node that FindCoordinator names, asked until it names one; makes the internal topic. */
int group_coordinator(struct desk *d, const char *group);
/* The same, once the coordinator is not `not_this`. */
int group_coordinator_moved(struct desk *d, const char *group, int not_this);
void make_topic(struct desk *d, const char *name, int32_t partitions);

struct member {
    const char *group, *instance, *protocol, *metadata;
    char id[80];
    int32_t generation;
    int32_t session_ms;
};

uint64_t send_join(struct desk *d, int node, const struct member *m);
uint64_t send_sync(struct desk *d, int node, const struct member *m, const char *const *to);
uint64_t send_commit(struct desk *d, int node, const struct member *m, const char *topic,
                     int32_t partition, int64_t offset, const char *text);
int32_t heartbeat(struct desk *d, int node, const struct member *m);
int32_t leave(struct desk *d, int node, const struct member *m);

/* Takes the id and the generation of a JoinGroup response; returns its error, -2: none has come. */
int32_t take_join(struct desk *d, uint64_t call, struct member *m);
bool leads(struct desk *d, uint64_t call);
/* Joins as a client without an id does: is given one, asks again. The second call. */
uint64_t join_anew(struct desk *d, int node, struct member *m);
/* The assignment of a SyncGroup response, "error 27" or "(waits)"; static. */
const char *assigned(struct desk *d, uint64_t call);
/* A commit's error of its first partition, -2: none has come. */
int32_t commit_error(struct desk *d, uint64_t call);
/* The offset committed, -1 none; -100 - error. */
int64_t committed(struct desk *d, int node, const char *group, const char *topic,
                  int32_t partition);
/* "Stable 2 range: a@c b@c": state, members; static. */
const char *described(struct desk *d, int node, const char *group);
int32_t delete_group(struct desk *d, int node, const char *group);
/* The error of the partition, or -100 - that of all. */
int32_t delete_offset(struct desk *d, int node, const char *group, const char *topic,
                      int32_t partition);
/* "g:Stable h:Empty", in the order of the answer; static. */
const char *listed(struct desk *d, int node);

#endif
