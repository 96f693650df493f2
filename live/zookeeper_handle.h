/*
 * A handle of the C client, and the queue from its threads to the loop.
 *
 *   completion thread ──┐ copy                                   loop
 *   I/O thread (log) ───┴──────► queue (mutex) ──uv_async_send──► live_zk_queue_take, in order
 *
 * One handle is one session. The client reconnects by itself and says so with states; it goes on
 * arming the watches.
 *
 *   close ──► LINGER: answers still come (5 s at most) ──► zookeeper_close, on libuv's pool ──►
 * freed
 *
 * It lingers because zookeeper_close hangs up at the first byte that comes after its own request;
 * with answers under way the server would lose that request with them, and the session live on
 * until it expires. It closes on another thread because it blocks: it joins threads, and waits some
 * seconds for a silent server. Until that is over the calls and the handle stay, since completions
 * still come; then no thread knows them any more.
 *
 * Internal to live/.
 */
#ifndef LIVE_ZOOKEEPER_HANDLE_H
#define LIVE_ZOOKEEPER_HANDLE_H

#include "live/zookeeper_call.h"

#include <uv.h>

STAILQ_HEAD(live_zk_items, live_zk_item);
TAILQ_HEAD(live_zk_calls, live_zk_call);

struct live_zk_queue {
    uv_mutex_t lock;
    struct live_zk_items items;
    uv_async_t *wake;
};

void live_zk_queue_put(struct live_zk_queue *q, struct live_zk_item *item); /* any thread */
/* Moves everything to `to`, an empty list. */
void live_zk_queue_take(struct live_zk_queue *q, struct live_zk_items *to);

enum live_zk_link {
    LIVE_ZK_TRYING,
    LIVE_ZK_UP,
    LIVE_ZK_READ_ONLY,
    LIVE_ZK_EXPIRED,
    LIVE_ZK_AUTH_FAILED
};

struct live_zk_event {
    struct live_zk_item item;
    uint32_t type; /* enum wire_zk_event_type */
    char path[];
};

struct live_zk_state {
    struct live_zk_item item;
    enum live_zk_link link;
    int32_t timeout_ms;
    clientid_t client;
};

struct live_zk_line {
    struct live_zk_item item;
    int level; /* ZooLogLevel */
    char text[];
};

struct live_zk_handle {
    zhandle_t *zh;
    struct live_zk_queue *queue;
    /* The rest belongs to the loop. */
    struct live_zk_calls issued;
    uint32_t issued_count;  /* in requests of the client */
    enum live_zk_link link; /* as far as the loop has heard */
    int64_t session;        /* 0: none yet */
    uint64_t password;      /* what the node was given in place of the real one */
    int64_t timeout_us;
    bool is_told;               /* the node knows the session */
    bool is_closing, has_ended; /* … and lingers no longer */
    uv_loop_t *loop;
    uv_timer_t linger;
    uv_work_t work;
    void (*closed)(struct live_zk_handle *h, void *context); /* then the handle is freed */
    void *context;
};

/* Starts a client for `hosts` (numbers, and the chroot). NULL with errno where it cannot. */
struct live_zk_handle *live_zk_handle_new(uv_loop_t *loop, struct live_zk_queue *queue,
                                          const char *hosts, int timeout_ms);
/* Hands a call to the client; false where it takes none any more. */
bool live_zk_handle_issue(struct live_zk_handle *h, struct live_zk_call *call);
/* The completion of a call of this handle was taken out of the queue. */
void live_zk_handle_took(struct live_zk_handle *h, struct live_zk_call *call);

/* Closes session and handle; `closed` comes from the loop when the client's threads are gone. What
   they have put is in the queue by then and must be taken before it returns; afterwards the calls
   still issued, and the handle, are freed. */
void live_zk_handle_close(struct live_zk_handle *h,
                          void (*closed)(struct live_zk_handle *h, void *context), void *context);

/* ---- log of the C client ---- */

/* From now on lines of the client go into `queue`, unless an older one is there; the oldest says up
   to which `level`. */
void live_zk_log_attach(struct live_zk_queue *queue, ZooLogLevel level);
void live_zk_log_detach(struct live_zk_queue *queue);

#endif
