/*
 * The controller's batches and calls (wire/messages.h) <-> bytes of the Kafka protocol.
 *
 * A batch of 100,000 partitions for 200 brokers is stored once. It is encoded for one recipient
 * straight from its records, without a flat message between, in two walks: the first finds the
 * topics and how many partitions each has, the second writes. The body of UpdateMetadata is the
 * same for all recipients but for eight bytes, the recipient's broker epoch: encode it once, and
 * patch.
 *
 * In the other direction the bytes of one such request become a batch with one recipient (bit 0),
 * so that a broker under any controller, ours or Apache Kafka's, sees one form.
 *
 * Topics stand in the order in which they first appear; partitions in the order of the batch.
 * Nothing is allocated; pure functions, any thread. Versions: LeaderAndIsr 0–5, UpdateMetadata
 * 0–7, StopReplica 0–3. Batches know no topic ids: in the versions that have them they are zero.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch, LeaderAndIsrRequest,
 * UpdateMetadataRequest, StopReplicaRequest (their builders and normalize).
 */
#ifndef WIRE_BATCH_CODEC_H
#define WIRE_BATCH_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/messages.h"

/* How a batch is to be said. */
struct wire_batch_options {
    int16_t version;
    /* Inter-broker listener: its host and port go into LiveLeaders. NULL or unknown to a broker:
       its first endpoint. Also the endpoint of UpdateMetadata v0 is that with protocol PLAINTEXT.
     */
    const char *listener;
    /* StopReplica below version 3 says "delete" once a request: 1 only partitions to be deleted,
       0 only the others (Kafka sends the former first). Version 3: ignored. */
    uint8_t delete_partitions;
    /* LeaderAndIsr 5: 1 incremental, 2 full (0 unknown). */
    int8_t type;
};

/* Writes the body of the request of `kind` for broker `index` (its bit in the batch) to `bytes`.
   *used: its size. *broker_epoch_at (may be NULL): the offset of the eight bytes of the broker
   epoch, big-endian, 0 where the version has none; wire_batch_patch_epoch writes them. `scratch` is
   room for the topics' table: wire_batch_scratch_size(b) bytes, 8-byte aligned. OK; LIMIT: *used
   bytes are needed; RANGE: a version that is not there. Precondition: wire_batch_is_for(b, kind,
   index). The batch is trusted as wire_batch_next trusts. */
enum sm_err wire_batch_encode(const struct wire_batch *b, enum wire_record_kind kind,
                              uint32_t index, const struct wire_batch_options *options,
                              void *scratch, uint8_t *bytes, size_t capacity, size_t *used,
                              size_t *broker_epoch_at);
size_t wire_batch_scratch_size(const struct wire_batch *b);
void wire_batch_patch_epoch(uint8_t *bytes, size_t broker_epoch_at, int64_t broker_epoch);

/* Reads the body of a LeaderAndIsr, UpdateMetadata or StopReplica request (`api`) into a batch with
   one recipient: `broker_id`, bit 0 of every set. The batch's broker entries are what the request
   names (live leaders with their one endpoint, live brokers), and the recipient, with the broker
   epoch of the request (-1: none); entries have indexes of their own: 0 the recipient, then 1, 2, …
   OK; LIMIT: *used bytes are needed; SYNTAX: malformed; RANGE: no such version, or something that a
   batch cannot hold (a topic name above 249 bytes, lists above SM_REPLICAS_MAX, a null). */
enum sm_err wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                              const uint8_t *bytes, size_t size, void *batch, size_t capacity,
                              size_t *used);

/* Reads the body of the response to a request of `kind` out of `b` for broker `index`. Partitions
   with an error become items, at most `capacity`, ascending by record; those that the batch does
   not have are dropped. OK; LIMIT: *count items are needed; SYNTAX; RANGE. `scratch`: as many bytes
   as wire_batch_scratch_size says. */
enum sm_err wire_answer_decode(const struct wire_batch *b, enum wire_record_kind kind,
                               uint32_t index, int16_t version, const uint8_t *bytes, size_t size,
                               void *scratch, struct wire_answer_item *items, uint32_t capacity,
                               struct wire_answer *out);
/* Writes the body of that response: every partition of the request, with its error. As Kafka, an
   answer with an error for the whole lists no partitions. */
enum sm_err wire_answer_encode(const struct wire_batch *b, enum wire_record_kind kind,
                               uint32_t index, int16_t version, const struct wire_answer *answer,
                               uint8_t *bytes, size_t capacity, size_t *used);

/* Calls: struct wire_call <-> flat messages of ControlledShutdown, ElectLeaders,
   AlterPartitionReassignments, ListPartitionReassignments, in both directions. Messages are then
   read and written by wire_decode and wire_encode.

   Each returns OK, LIMIT (*used bytes are needed), RANGE: not one of these APIs, or more than a
   record can hold (as above). */
enum wire_call_side { WIRE_CALL_REQUEST, WIRE_CALL_ANSWER };
enum sm_err wire_call_of_message(enum wire_api api, enum wire_call_side side, const void *message,
                                 void *call, size_t capacity, size_t *used);
/* timeout_ms goes into requests that have one. */
enum sm_err wire_call_to_message(const struct wire_call *call, enum wire_call_side side,
                                 int32_t timeout_ms, void *message, size_t capacity, size_t *used);

#endif
