/*
 * A node's session at a desk: node/session.c over the adapter on a loop of its own, and everything
 * it is told, as text and as replies.
 *
 *   desk_create, desk_get … ──► kn_session ──► live_zookeeper ──► server
 *   desk_until ◄── lines, answers ◄── kn_session ◄──
 *
 * Requests are numbered from 0 in their order; the answers must come in that order, which is
 * checked here for every test. An expired session answers what waits with SESSION_EXPIRED, as a
 * node does; the next one is asked for by desk_open.
 */
#ifndef TESTS_LIVE_ZOOKEEPER_DESK_H
#define TESTS_LIVE_ZOOKEEPER_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "live/zookeeper.h"
#include "wire/coord.h"

struct desk;

/* Ends the program with a message where `condition` does not hold. */
#define CHECK(condition) desk_check(condition, #condition, __FILE__, __LINE__)
void desk_check(bool holds, const char *text, const char *file, int line);

struct desk *desk_new(const char *servers, int timeout_ms, bool bulk);
struct desk *desk_new_configured(const struct live_zookeeper_config *config, int timeout_ms);
/* Waits until everything has ended and nothing of the loop is left. */
void desk_free(struct desk *d);
/* Asks for a (new) session; desk_open waits for it as well. */
void desk_start(struct desk *d);
void desk_open(struct desk *d);

/* ---- requests; each returns its number ---- */
uint32_t desk_create(struct desk *d, const char *path, const char *data, int flags);
uint32_t desk_delete(struct desk *d, const char *path, int version);
uint32_t desk_set(struct desk *d, const char *path, const char *data, int version);
uint32_t desk_exists(struct desk *d, const char *path, bool watch);
uint32_t desk_get(struct desk *d, const char *path, bool watch);
uint32_t desk_children(struct desk *d, const char *path, bool watch);
uint32_t desk_sync(struct desk *d, const char *path);
/* A multi, or whatever: begin, some operations, send. */
void desk_begin(struct desk *d, bool multi);
void desk_op(struct desk *d, struct wire_zk_op op, const char *path, const void *data);
uint32_t desk_send(struct desk *d);

/* ---- waiting: false after 30 s ---- */
bool desk_until_answered(struct desk *d);                           /* everything asked so far */
bool desk_until_lines(struct desk *d, const char *line, int count); /* told so often */
void desk_run(struct desk *d, int ms);

/* ---- what was told ---- */
const struct wire_zk_reply *desk_reply(struct desk *d, uint32_t number); /* NULL: not yet */
int32_t desk_err(struct desk *d, uint32_t number);
/* Result `i` of a reply. */
struct wire_zk_result_view desk_result(struct desk *d, uint32_t number, uint32_t i);
/* Lines but those of replies: "connected", "disconnected", "expired", "created",
   "event NodeCreated /a", "reply 3" after an event only. */
int desk_count(const struct desk *d, const char *line);
int desk_position(const struct desk *d, const char *line); /* of the first; -1 */
bool desk_logged(const struct desk *d, const char *part);
int desk_logged_count(const struct desk *d, const char *part);
uint32_t desk_answered(const struct desk *d);
struct live_zookeeper *desk_adapter(struct desk *d);
int64_t desk_session(const struct desk *d);
void desk_print(const struct desk *d);

#endif
