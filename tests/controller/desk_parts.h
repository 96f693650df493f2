/*
 * What the files of the desk share: the desk itself and what is on its way.
 *
 *     desk.c         the loop: answers, sessions, the controllers' lives
 *     desk_world.c   ZooKeeper, brokers that come and go, topics, calls
 *     desk_story.c   what a controller says, as text
 *     desk_look.c    what tests ask
 */
#ifndef TESTS_CONTROLLER_DESK_PARTS_H
#define TESTS_CONTROLLER_DESK_PARTS_H

#include "desk.h"

enum {
    BROKERS = 64,
    HELD_MAX = 256,
    SENT = 1024,
    TEXT = 1 << 20,
    CONN_OUTSIDE = 9,
    CONN_BROKER = 10,
    PEERS = 2
};

/* A controller process; its connection to ZooKeeper is its place + 1. */
struct peer {
    struct kc_controller *c;
    bool alive;
    bool expired; /* its session is gone and it has not begun to resign: requests are refused */
    bool waits;   /* … and a new one is yet to be made */
    int64_t balance_due;       /* -1: not armed */
    uint32_t asked, in_flight; /* ZooKeeper requests: delivered, and not answered yet */
    uint32_t beside; /* of these, outside of the window at most (controller/isr_listener.c) */
};

struct held {
    uint64_t correlation;
    int32_t broker, api;
    int who;
    struct wire_batch *batch; /* owned */
};

struct desk {
    struct peer peer[PEERS];
    struct kz_server *z;
    uint8_t *scratch;
    size_t scratch_size;
    int64_t now;
    uint32_t xid;
    int64_t session[BROKERS + CONN_BROKER]; /* by connection */
    uint64_t password[BROKERS + CONN_BROKER];
    /* messages in flight, in order */
    struct message {
        enum kind { ZK_REQUEST, BROKER_REQUEST, ZK_REPLY, ZK_EVENT, SESSION, TIMER } kind;
        int who; /* which controller */
        void *bytes;
        struct held request;
        uint32_t type;
    } * queue;
    size_t head, count, capacity;
    struct behaviour {
        int32_t error, partition_error;
        char partition[64];
        bool held;
        int breaks; /* so many more requests break the connection */
    } behaviour[BROKERS][8];
    struct held held[HELD_MAX];
    size_t held_count;
    char write_path[512];
    int write_nth;
    void (*write_act)(struct desk *);
    char *story, *log, *out;
    size_t story_size, log_size;
    char sent[BROKERS][SENT]; /* names of requests that reached a broker since it was last asked */
    int refused, grown;
    uint64_t call_id;
    long replies, expire_at; /* of ZooKeeper to controllers, and at which the session expires */
    long requests, lose_at;  /* to ZooKeeper, and of which the first answer is lost */
    long kill_at;            /* … of the first controller, at which it dies */
    bool kill_served;
    int largest_group;
    char refusals[4096];
};

/* ---- desk.c ---- */

/* A line of the story. */
void desk_say(struct desk *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Returns a message at the end of the queue, to be filled; lives until the next. */
struct message *desk_push(struct desk *d, enum kind kind, int who);
/* Returns owned. */
void *desk_copy(const void *bytes, size_t size);
/* A broker answers what it holds, or has just got. */
void desk_answers(struct desk *d, const struct held *r);

/* ---- desk_world.c ---- */

void desk_to_server(struct desk *d, const struct kz_input *in);
void desk_connect(struct desk *d, uint32_t conn);
uint32_t desk_conn_of(int who);
/* One operation from outside. */
void desk_write_one(struct desk *d, uint32_t conn, uint8_t opcode, uint8_t flags, const char *path,
                    const char *data);
struct sm_list desk_ids(const char *text); /* "1,2,3" */

/* ---- desk_story.c ---- */

/* Returns "1,2,3"; static. */
const char *desk_text_of(const struct sm_list *l);
/* Outputs of a controller: context is a struct turn. */
struct turn { /* whose outputs are being taken */
    struct desk *d;
    int who;
};
uint64_t desk_from_controller(void *context, const struct kc_output *o);
void *desk_block_of(const struct kc_limits *l);
/* Steps controller `who`, grown where it has to be. */
void desk_to_controller(struct desk *d, int who, struct kc_input *in);
void desk_say_writes(struct desk *d, int who, const struct wire_zk_request *r);

#endif
