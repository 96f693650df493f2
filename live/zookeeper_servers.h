/*
 * The servers of a connect string, and their addresses.
 *
 *     "zk1:2181,zk2,[::1]:2183/kafka"  ──►  names and ports, chroot "/kafka"  ──►  addresses
 *
 * Names are resolved here, on libuv's threads, and the C client is given numbers only: it would
 * resolve on whatever thread asks, before every attempt, and in 3.8 go on with uninitialised
 * variables when that fails while it reconnects.
 *
 * Internal to live/. Thread: that of the loop.
 */
#ifndef LIVE_ZOOKEEPER_SERVERS_H
#define LIVE_ZOOKEEPER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

enum { LIVE_ZK_SERVERS_MAX = 64, LIVE_ZK_ADDRESSES_MAX = 128, LIVE_ZK_HOST_MAX = 256 };

struct live_zk_server {
    char host[LIVE_ZK_HOST_MAX];
    uint16_t port;
};

struct live_zk_servers {
    struct live_zk_server list[LIVE_ZK_SERVERS_MAX];
    uint32_t count;
    char chroot[LIVE_ZK_HOST_MAX]; /* "" or "/path" */
};

/* Reads a connect string as org.apache.zookeeper.client.ConnectStringParser does: the port is 2181
   where none is given, an IPv6 address with a port stands in brackets, "/" is no chroot. False with
   the reason in `error` where it makes no sense. */
bool live_zk_servers_parse(struct live_zk_servers *s, const char *text, char *error,
                           size_t error_size);

/* Whether `path` is one that ZooKeeper takes; a sequential one may end in a slash.
   Source: org.apache.zookeeper.common.PathUtils.validatePath, isValidPath of zookeeper.c (which
   refuses more; so does this). */
bool live_zk_path_valid(const char *path, bool sequential);

struct live_zk_addresses {
    struct sockaddr_storage list[LIVE_ZK_ADDRESSES_MAX];
    uint32_t count;
};
bool live_zk_addresses_equal(const struct live_zk_addresses *a, const struct live_zk_addresses *b);
/* Writes "127.0.0.1:2181,…" for the C client (numbers, IPv6 without brackets, as it wants them);
   `size` bytes of room, at least LIVE_ZK_ADDRESSES_TEXT. An even number of them gets the first once
   more: after each attempt that fails the client moves on by two, and of an even number it would
   try one half for ever. */
enum { LIVE_ZK_ADDRESSES_TEXT = (LIVE_ZK_ADDRESSES_MAX + 1) * 64 };
void live_zk_addresses_print(const struct live_zk_addresses *a, char *to, size_t size);
/* "127.0.0.1:2181", into `to` of at least 64 bytes; returns it. */
const char *live_zk_address_name(const struct sockaddr_storage *address, char *to, size_t size);

/* Resolves all names, one after the other. Embedded in its user, which must live until `done` or
   until it has been called off. */
struct live_zk_resolver {
    const struct live_zk_servers *servers;
    struct live_zk_addresses found;
    uint32_t at;
    bool busy, called_off;
    /* A name that cannot be resolved, and why. */
    void (*failed)(void *context, const char *host, const char *reason);
    void (*done)(void *context); /* once; not after a call-off */
    /* After a call-off: the resolver's memory is free. */
    void (*idle)(void *context);
    void *context;
    uv_loop_t *loop;
    uv_getaddrinfo_t request;
};
void live_zk_resolve(struct live_zk_resolver *r);
/* `done` will not come any more; `idle` will, if it was busy (returns true). */
bool live_zk_resolve_call_off(struct live_zk_resolver *r);

#endif
