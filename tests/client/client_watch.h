/*
 * What clients ask and when, and answers that say otherwise, on the desk for clients.
 *
 *     client ── request ──► noted by API: when, to whom ──► node
 *     client ◄── response ── error changed, so many times ◄── node
 *
 * Where no real broker can be led to an error, it did what it was asked, and its answer lies.
 */
#ifndef TESTS_CLIENT_CLIENT_WATCH_H
#define TESTS_CLIENT_CLIENT_WATCH_H

#include "client_desk.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)

/* The requests of one API, in order. */
struct moments {
    struct kdesk *k;
    int16_t api;
    size_t count;
    int64_t at_us[256];
    int node[256];
    int32_t topics[256]; /* of Metadata: how many it asks about; -1: all */
};

/* Begins to note them; freed by the caller, after the desk. One at a time. */
struct moments *moments_of(struct kdesk *k, int16_t api);
/* Whether one was sent at this time, or in the millisecond behind it. */
bool was_asked_at(const struct moments *of, int64_t at_us);

/* Changes the error of the next `left` answers of an API, and notes when the first came. */
struct forge {
    struct kdesk *k;
    int16_t api;
    int error, left;
    int64_t first_us;
};

/* Begins to change them; freed by the caller, after the desk. One at a time. */
struct forge *forge_next(struct kdesk *k, int16_t api, int error, int left);

/* Gives a command without arguments and waits for its end. */
struct ending call(struct kdesk *k, int client, enum kl_input_kind kind);

/* Three nodes; topic t with three partitions, the first led by node 1, on all of them. */
struct kdesk *three(void);
/* A client with the usual configuration that reads from the beginning. */
int client_of(struct kdesk *k, enum kl_kind kind);
int transactional(struct kdesk *k, const char *id);

#endif
