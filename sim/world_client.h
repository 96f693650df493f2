/*
 * Clients of the world (client/client.h), and the book that is kept of what they did.
 *
 *     sent ──► acknowledged ──► acked[0 … acked_count)   what a broker has promised to keep
 *      │  └──► failed, or nobody knows
 *      └────► handed to a consumer ──► reads[0 … read_count)
 *
 * The book is beside every state: no step reads it. It only grows, in the order in which things
 * happened, so that a check remembers how far it has looked (two numbers) and goes on from there.
 * It is kept with and without a trace.
 *
 * A value is a record by its name: the 17th that producer p1 was given is {producer 0, number 17},
 * and its bytes are "p1#17". So the same record is known wherever it turns up: in a log, in what a
 * consumer was handed, in a story.
 *
 * Memory: the world owns it all; arrays move when they grow. Thread: none.
 */
#ifndef SIM_WORLD_CLIENT_H
#define SIM_WORLD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/trace.h"

struct sim_world;

/* The name of a record: `number` is 1, 2, … in the order in which its producer was given them. */
struct sim_value_name {
    int64_t number;   /* 0: not one of ours (a control record, a foreign value) */
    int32_t producer; /* index of the client, -1 */
    uint32_t unused;
};
enum { SIM_VALUE_TEXT = 40 };
/* Writes "p1#17" into `out` (SIM_VALUE_TEXT bytes); returns its length. */
size_t sim_value_write(const struct sim_world *w, struct sim_value_name name, char *out);
/* Returns the name that the bytes are, {0, -1, 0} where they are none of any producer here. */
struct sim_value_name sim_value_read(const struct sim_world *w, const void *bytes, size_t size);

/* A record that a broker has acknowledged to its producer.. */
struct sim_acked {
    struct sim_value_name value;
    int64_t time_us;  /* when the producer heard of it */
    int64_t offset;   /* -1: acks = 0 or a duplicate, the broker did not say */
    uint64_t payload; /* handle of its batch in the log of `leader`; 0: no longer there */
    uint64_t record;  /* of the trace */
    int32_t topic;    /* sim_client_topic */
    int32_t partition;
    int32_t leader;        /* id of the broker that acknowledged */
    int32_t leader_epoch;  /* of its batch; -1 unknown */
    uint32_t delta;        /* its place in the batch: offset - base offset */
    int16_t acks;          /* 0, 1, -1, as the producer asked */
    uint8_t transactional; /* 1: only a commit makes it visible */
    uint8_t unused;
    uint64_t transaction; /* number (1 …) of the transaction of its producer; 0 none */
};
_Static_assert(sizeof(struct sim_acked) == 80, "no padding");

/* A record that a consumer has handed to its application. */
struct sim_read {
    struct sim_value_name value;
    int64_t time_us;
    int64_t offset;
    uint64_t record; /* of the trace */
    int32_t topic;
    int32_t partition;
    int32_t client;       /* index of the consumer */
    int32_t leader;       /* id of the broker that it was fetched from; -1 unknown */
    int32_t leader_epoch; /* of its batch */
    uint8_t committed;    /* 1: isolation read_committed */
    uint8_t unused[3];
};
_Static_assert(sizeof(struct sim_read) == 64, "no padding");

/* A transaction as its producer knows it. */
enum sim_txn_end { SIM_TXN_OPEN, SIM_TXN_COMMITTED, SIM_TXN_ABORTED, SIM_TXN_UNKNOWN };

/* The book. Pointers live until the world's next step. */
struct sim_ledger {
    const struct sim_acked *acked;
    const struct sim_read *reads;
    uint64_t acked_count, read_count;
};
/* All zero where the world has no clients. */
struct sim_ledger sim_world_ledger(const struct sim_world *w);
/* Name of a topic in the book; static until the world is freed. */
const char *sim_client_topic(const struct sim_world *w, int32_t topic);
/* How transaction `number` of a producer ended, as far as the producer was told. */
enum sim_txn_end sim_client_txn_end(const struct sim_world *w, int32_t producer, uint64_t number);

/* ---- the clients themselves ---- */

uint32_t sim_client_count(const struct sim_world *w);
/* By index (the order of the scenario): the id (sim_client_lane gives its lane: p1, u1, …). */
int32_t sim_client_id_of(const struct sim_world *w, uint32_t index);
/* Returns the index of the client with that id, UINT32_MAX none. */
uint32_t sim_client_index(const struct sim_world *w, int32_t id);
const char *sim_client_name(const struct sim_world *w, uint32_t index); /* as the scenario says */

/* What has become of a client's work so far. */
struct sim_client_counts {
    /* producer; sent = acked + failed + possibly + open */
    uint64_t sent;               /* records that it was given */
    uint64_t acked;              /* a broker has promised to keep */
    uint64_t failed;             /* not in any log, the producer was told */
    uint64_t possibly;           /* failed, but may have been written */
    uint64_t open;               /* no word yet */
    uint64_t retries;            /* batches sent again */
    uint64_t committed, aborted; /* transactions */
    /* consumer */
    uint64_t read;
    uint64_t duplicates; /* of `read`: this client, or its group, had been handed it before */
    uint64_t gaps;       /* offsets passed over that hold records it should have been handed */
    uint64_t unread;     /* records below the last stable offset that it has not been handed */
};
struct sim_client_counts sim_client_counts(const struct sim_world *w, uint32_t index);

#endif
