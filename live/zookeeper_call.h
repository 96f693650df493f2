/*
 * One request on its way through the C client, and the reply that is made of its completion.
 *
 *   | call | request record | operations, results, stats, paths of a multi | room for the reply |
 *
 * One allocation holds what has to live until the completion; a reply that does not fit into the
 * room (data beyond a few hundred bytes, children) gets one of its own. The completion runs on a
 * thread of the C client: it writes the reply, the highest zxid it shows and the time into the
 * call, and hands the call to the queue of its adapter. Nothing else of the call is touched there.
 *
 * Internal to live/.
 */
#ifndef LIVE_ZOOKEEPER_CALL_H
#define LIVE_ZOOKEEPER_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <zookeeper/zookeeper.h>

#include "wire/coord.h"

struct live_zk_handle;

/* What waits in the queue from the C client's threads to the loop. */
enum live_zk_item_kind {
    LIVE_ZK_ITEM_CALL, /* a call is complete */
    LIVE_ZK_ITEM_EVENT,
    LIVE_ZK_ITEM_STATE,
    LIVE_ZK_ITEM_LOG
};
struct live_zk_item {
    STAILQ_ENTRY(live_zk_item) next;
    enum live_zk_item_kind kind;
    struct live_zk_handle *handle; /* NULL: LOG */
};

enum live_zk_way {
    LIVE_ZK_WAY_NONE,    /* not sent yet */
    LIVE_ZK_WAY_MAIN,    /* over the session itself */
    LIVE_ZK_WAY_BULK,    /* over the connection for bulk reads */
    LIVE_ZK_WAY_REFUSED, /* answered here, never sent */
};

/* How many requests of the C client the call is. */
struct live_zk_call;
uint32_t live_zk_call_weight(const struct live_zk_call *call);

struct live_zk_call {
    struct live_zk_item item;         /* first: the queue holds it */
    TAILQ_ENTRY(live_zk_call) order;  /* loop: unanswered requests, in their order */
    TAILQ_ENTRY(live_zk_call) issued; /* loop: what the C client of `item.handle` holds */
    enum live_zk_way way;
    bool is_ordered;  /* in the order of the adapter; else given up */
    bool is_bulk;     /* a multi of reads */
    bool not_bulk;    /* … that goes out as single reads: the other way has failed */
    bool is_answered; /* the loop has taken the reply; until then it belongs to the client's threads
                       */
    bool has_reply;
    uint64_t begun_ns, ended_ns;
    int64_t zxid;               /* highest one seen in the reply */
    _Atomic uint32_t parts_due; /* a bulk read as single reads: how many are to come */
    uint32_t room_size;
    const struct wire_zk_request *request; /* aliases the block */
    struct wire_zk_reply *reply;           /* aliases the block, or allocated: see room */
    uint8_t *room;
    zoo_op_t *ops; /* of a multi that writes */
    zoo_op_result_t *results;
    struct Stat *stats;
    struct live_zk_part *parts; /* of a bulk read */
};

/* Whether it is a multi of GET_DATA and GET_CHILDREN. */
bool live_zk_is_bulk_read(const struct wire_zk_request *request);

/* Returns an owned call with a copy of the request. */
struct live_zk_call *live_zk_call_new(const struct wire_zk_request *request);
/* Not while the C client holds it. */
void live_zk_call_free(struct live_zk_call *call);

/* What is wrong with the request, before it is sent: BADARGUMENTS (a path), MARSHALLING (a multi of
   what does not go together; more than `bytes_max` on the wire), UNIMPLEMENTED; or OK. */
enum wire_zk_err live_zk_call_check(const struct live_zk_call *call, size_t chroot_size,
                                    size_t bytes_max);
/* Answers it with an error. */
void live_zk_call_refuse(struct live_zk_call *call, enum wire_zk_err err);
/* Replaces the reply: takes `reply` (from malloc). */
void live_zk_call_answer(struct live_zk_call *call, struct wire_zk_reply *reply);

/* Hands the call to the C client: `watcher` with the call's handle gets its events. False where the
   client will not take it (it has no session any more); it then holds nothing of it. A bulk read
   goes out as single reads; where only some of them are taken, the completion comes for them. */
bool live_zk_call_issue(struct live_zk_call *call, zhandle_t *zh, watcher_fn watcher);

/* The call is complete: implemented by the handle; on a thread of the C client. */
void live_zk_call_finished(struct live_zk_call *call);

#endif
