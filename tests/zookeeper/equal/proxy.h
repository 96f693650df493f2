/*
 * A loopback proxy that can be told to lose things: one client, one server, one thread.
 *
 *   client <--> listener port | proxy | <--> server port
 *
 * proxy_block stops one or both directions. proxy_cut ends the connection and lets no new one in
 * until proxy_open; it returns only when the server has seen the end, and so has taken in all that
 * was passed on before.
 */
#ifndef TESTS_ZOOKEEPER_EQUAL_PROXY_H
#define TESTS_ZOOKEEPER_EQUAL_PROXY_H

#include <stdbool.h>

struct proxy;

struct proxy *proxy_new(int server_port);
int proxy_port(const struct proxy *p);
void proxy_block(struct proxy *p, bool requests, bool replies);
void proxy_cut(struct proxy *p);
void proxy_open(struct proxy *p);
void proxy_free(struct proxy *p);

#endif
