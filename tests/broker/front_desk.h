/*
 * A desk for the serving half: one whole node without data (session, controller, broker part), the
 * embedded ZooKeeper, and brokers that answer NONE to whatever the controller says. Messages go to
 * and fro at once; time moves when a test says so.
 *
 * Every response is encoded in its version, decoded again and found equal, so that no test passes
 * on one that could not be sent.
 */
#ifndef TESTS_BROKER_FRONT_DESK_H
#define TESTS_BROKER_FRONT_DESK_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"
#include "wire/codec.h"
#include "wire/flat.h"
#include "wire/schema.h"
#include "zookeeper/server.h"

struct front;

/* A started node 0 with these properties ("a=b\nc=d", may be NULL) and live brokers 1 to `brokers`
   of rack "" each; nothing is left to tell. Returns owned. */
struct front *front_new(const char *properties, int32_t brokers);
/* The same, where the node says that it holds data: automatic assignment may choose it. */
struct front *front_with_data(const char *properties, int32_t brokers);
/* As front_new, but not started: no broker, no session. */
struct front *front_cold(const char *properties);
void front_free(struct front *f);
void front_start(struct front *f);
void front_run(struct front *f); /* until nothing is on its way */

void front_broker(struct front *f, int32_t id, const char *rack, bool without_data);
void front_kill_broker(struct front *f, int32_t id);
void front_block(struct front *f, bool on);      /* the controller's event thread stands still */
void front_advance(struct front *f, int64_t us); /* fires what is due on the way */
void front_expire(struct front *f);              /* the node's session expires */
void front_steal_controller(struct front *f);    /* /controller becomes another node's */

/* Znodes from outside; data NULL: a null payload. */
void front_create(struct front *f, const char *path, const char *data);
void front_set(struct front *f, const char *path, const char *data);
const char *front_znode(struct front *f, const char *path); /* text, "(none)" where absent */
/* Called before the n-th (from 1) request of the broker part that names `path` is served. */
void front_before(struct front *f, const char *path, int nth, void (*act)(struct front *));

/* The request of the node whose first operation is on `path` is served, but its reply is lost, with
   the connection. Once. */
void front_lose_reply(struct front *f, const char *path);
int64_t front_czxid(struct front *f, const char *path);

/* What the node answers to a batch, from whatever controller. */
struct front_answer {
    int32_t count, error, partition_error; /* count: of answers */
};
/* front_tell: only gives it to the node; may be called within front_before. */
void front_tell(struct front *f, int16_t api, const struct wire_batch *batch);
struct front_answer front_hear(struct front *f, int16_t api, const struct wire_batch *batch);

/* Builds a message: head with the defaults, filled in by the test. */
void *front_begin(struct front *f, struct wire_flat *w, int16_t api);
/* Sends what was built and runs. Returns the call. */
uint64_t front_send(struct front *f, struct wire_flat *w, int16_t api, int16_t version);
/* The same for a flat message from elsewhere. */
uint64_t front_put(struct front *f, int16_t api, int16_t version, const void *message, size_t size);
/* The response as one line of JSON, "(waits)" while there is none, "(close)" where the connection
   is to be closed. Valid until the next call on f. */
const char *front_said(struct front *f, uint64_t call);
int front_answers(struct front *f, uint64_t call); /* how often it was answered */
void front_drop(struct front *f, uint64_t call);

struct kn_node *front_node(struct front *f);
const char *front_log(struct front *f); /* all lines so far */

/* One-line requests. `topics`: "t 2 1; u 3 -1; v (0:1,2 1:2,3) {segment.bytes=14}" */
uint64_t front_create_topics(struct front *f, int16_t version, const char *topics,
                             int32_t timeout_ms, bool validate_only);
uint64_t front_metadata(struct front *f, int16_t version, const char *topics); /* NULL: all */

/* Compares a response; prints the actual one where they differ. */
#define ck_said(f, call, expected) front_ck((f), (call), (expected), __FILE__, __LINE__)
void front_ck(struct front *f, uint64_t call, const char *expected, const char *file, int line);

#endif
