/*
 * A proxy on loopback that makes trouble on the way to a server, for tests of what runs live.
 *
 *   clients ──► port | proxy, a thread | ──► server port
 *
 * Any number of connections. What is held or delayed stays in order. All functions may be called
 * from any thread; they return at once.
 */
#ifndef TESTS_LIVE_PROXY_H
#define TESTS_LIVE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct live_proxy;

/* Starts one in front of a port of 127.0.0.1, where a server need not listen yet. Returns owned. */
struct live_proxy *live_proxy_new(int server_port);
void live_proxy_free(struct live_proxy *p);
int live_proxy_port(const struct live_proxy *p);

/* Ends all connections; new ones may come. */
void live_proxy_cut(struct live_proxy *p);
/* New connections beyond `most` at a time are ended at once; 0: all are; < 0: none (at first). */
void live_proxy_limit(struct live_proxy *p, int most);
/* A black hole: connections stay, and what comes waits, in one or both directions. */
void live_proxy_hold(struct live_proxy *p, bool requests, bool replies);
/* What the server says arrives `ms` later from now on. */
void live_proxy_delay(struct live_proxy *p, int ms);
/* ZooKeeper: a request with this opcode ends its connection, as an older server would; 0: none. */
void live_proxy_trap(struct live_proxy *p, int32_t opcode);
/* Connections accepted so far, those ended at once included. */
int live_proxy_accepted(const struct live_proxy *p);

#endif
