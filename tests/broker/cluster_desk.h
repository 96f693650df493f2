/*
 * A desk for whole nodes with data: each with its session, controller, broker part and disks, one
 * embedded ZooKeeper, one keeper of payloads. Whoever of them wins the election is the controller;
 * nothing is scripted. Time is virtual; messages arrive at once, in the order in which they were
 * sent.
 *
 *     nodes ◄── batches, answers ──► nodes        (a controller and the brokers)
 *     nodes ◄── Fetch, … ──────────► nodes        (followers and leaders: encoded and decoded)
 *     test  ──► requests ──► node ──► responses   (encoded and decoded, too)
 *     nodes ◄── ZooKeeper
 */
#ifndef TESTS_BROKER_CLUSTER_DESK_H
#define TESTS_BROKER_CLUSTER_DESK_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"
#include "sim/keeper.h"
#include "wire/codec.h"
#include "wire/flat.h"
#include "wire/schema.h"

enum { DESK_NODES = 4 };

struct desk;

struct desk *desk_new(int nodes); /* 1..nodes started, the first is the controller; owned */
/* The same; `settings`: Kafka's keys and values of every node in pairs, until NULL. */
struct desk *desk_new_with(int nodes, const char *const *settings);
void desk_free(struct desk *d);
void desk_run(struct desk *d, int64_t for_us);

/* The process dies, its session with it; the disks stay. */
void desk_kill(struct desk *d, int node);
void desk_start(struct desk *d, int node);
bool desk_is_alive(const struct desk *d, int node);

/* Requests between nodes stay on their way from now on, or (false) arrive. */
void desk_hold_peers(struct desk *d, bool hold);

/* Builds a request: head with the defaults. */
void *desk_begin(struct desk *d, struct wire_flat *w, int16_t api);
/* Sends it to a node. Returns the call. */
uint64_t desk_send(struct desk *d, int node, struct wire_flat *w, int16_t api, int16_t version);
/* The decoded response, NULL while there is none; aliases until the desk goes. */
const void *desk_response(struct desk *d, uint64_t call);
size_t desk_response_size(const struct desk *d, uint64_t call);
bool desk_closed(struct desk *d, uint64_t call);

/* Requests of that API between brokers are lost from now on, or no more. */
void desk_mute(struct desk *d, int16_t api, bool is_mute);

/* Znodes, "(none)" where absent; static. */
const char *desk_znode(struct desk *d, const char *path);
struct kn_node *desk_node(struct desk *d, int node);
const struct sim_keeper *desk_keeper(const struct desk *d);
uint64_t desk_peer_requests(const struct desk *d, int16_t api); /* that came to be delivered */

#endif
