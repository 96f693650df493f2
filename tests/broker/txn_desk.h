/*
 * A desk for the transaction coordinator: one broker, its log of transactions in memory, producers
 * as calls, brokers as a list of requests that they were sent.
 *
 * Blocks begin as small as they can be and grow when a step says so, so that every test runs
 * through growth. Appends end at once, or are held until the test lets them end; so are markers.
 */
#ifndef TESTS_BROKER_TXN_DESK_H
#define TESTS_BROKER_TXN_DESK_H

#include <check.h>

#include "broker/transactions.h"
#include "wire/errors.h"
#include "wire/messages.h"
#include "wire/schema.h"

enum { DESK_PARTITIONS = 5, DESK_LEADERS = 8 };

struct desk_answer {
    uint64_t call;
    int16_t api, version;
    void *message;
};
struct desk_batch {
    int32_t partition;
    struct kb_log_batch batch;
};
struct desk_append {
    uint64_t id;
    int32_t timeout_ms, unused;
    struct desk_batch batch;
};
struct desk_request {
    uint64_t correlation;
    int32_t broker, unused;
    struct wire_write_txn_markers_request *message;
};

struct desk {
    struct kb_txns *x;
    void *scratch;
    int64_t now_us, timer_us, next_id;
    uint64_t call;
    bool hold;         /* appends wait for desk_end_append */
    bool hold_markers; /* requests wait for desk_end_markers */
    bool no_id;        /* no producer id is at hand */
    bool starved;      /* the last step lacked one */
    int32_t error;     /* what appends end with, where not held */
    int32_t marker_error;
    /* leader of topic "a", partition i; of any other topic: leader[0] */
    int32_t leader[DESK_LEADERS];
    struct desk_answer *answers;
    struct desk_batch *log;
    struct desk_append *held;
    struct desk_request *sent;
    uint32_t answer_count, log_count, held_count, sent_count;
    struct kb_txns_config config;
};

struct desk *desk_new(void); /* leads all partitions, loaded, epoch 0 */
void desk_free(struct desk *d);
void desk_step(struct desk *d, struct kb_txns_input in);
/* Time passes, timers fire. */
void desk_pass(struct desk *d, int64_t ms);
/* Ends the first append that is held; with lost it is not in the log, whatever the error. */
void desk_end_append(struct desk *d, int32_t error, bool lost);
/* Ends the first request of markers that is held, every partition with `error`; -1: it breaks. */
void desk_end_markers(struct desk *d, int32_t error);
void desk_resign(struct desk *d, int32_t epoch);
void desk_elect(struct desk *d, int32_t epoch);
void desk_elect_begin(struct desk *d, int32_t partition, int32_t epoch);
void desk_elect_end(struct desk *d, int32_t partition);

/* The answer to a call, NULL: none yet. Asserts that there are not two. */
const void *desk_answer(const struct desk *d, uint64_t call);

struct desk_producer {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
};
uint64_t desk_init(struct desk *d, const char *id, int32_t timeout_ms, int64_t producer_id,
                   int16_t epoch, int16_t version);
/* Its result: returns the error. */
int32_t desk_inited(const struct desk *d, uint64_t call, struct desk_producer *to);
/* `partitions` of topic, ended by -1. */
uint64_t desk_add(struct desk *d, const struct desk_producer *p, const char *topic,
                  const int32_t *partitions, int16_t version);
int32_t desk_added(const struct desk *d, uint64_t call); /* the error of all partitions */
uint64_t desk_add_offsets(struct desk *d, const struct desk_producer *p, const char *group,
                          int16_t version);
uint64_t desk_end(struct desk *d, const struct desk_producer *p, bool commit, int16_t version);
int32_t desk_error(const struct desk *d, uint64_t call); /* of AddOffsetsToTxn, EndTxn */

/* The transaction of that id; false: none. */
bool desk_see(const struct desk *d, const char *id, struct kb_txn_view *view);
/* "Ongoing", "Ongoing>PrepareCommit", "none"; static. */
const char *desk_state(const struct desk *d, const char *id);

#endif
