/* The real side: a ZooKeeper server in a JVM of its own, reached through the C client. */
#ifndef TESTS_ZOOKEEPER_EQUAL_REAL_H
#define TESTS_ZOOKEEPER_EQUAL_REAL_H

#include "history.h"
#include "plan.h"
#include "server.h"

/* One client session and what it was told. */
struct real_session;

struct real_session *real_open(int port, int timeout_ms);
void real_close(struct real_session *r);
int64_t real_id(struct real_session *r);
/* Where lines go from now on, and in whose words. The session must be idle. */
void real_listen(struct real_session *r, struct history *history, const struct naming *naming);

/* Sends one request; `number` names it in the history. */
void real_send(struct real_session *r, const struct plan_step *step, int number);
/* Waits until every request has its answer. */
void real_wait(struct real_session *r);
/* How many requests were answered by the server since the last real_listen. */
int real_answered(struct real_session *r);
/* Waits until the client has noticed that it lost `losses` connections; false after 20 s. */
bool real_wait_lost(struct real_session *r, int losses);
/* Waits until the session is connected again or has expired; false after 20 s. */
bool real_wait_connected(struct real_session *r);
/* Whether it expired, or lost its connection more often than it was cut. */
bool real_expired(struct real_session *r);
int real_losses(struct real_session *r);

/* Plain helpers: create a persistent node and return its czxid; set its data and return the mzxid;
   whether it exists. -1 on failure. */
int64_t real_create(struct real_session *r, const char *path);
int64_t real_probe(struct real_session *r, const char *path);
int real_exists(struct real_session *r, const char *path);

#endif
