/*
 * The controller's batches (wire/messages.h) <-> bytes of the Kafka protocol. Calls:
 * wire/call_codec.h.
 *
 * A batch of 100,000 partitions for 200 brokers is stored once. It is encoded for one recipient
 * straight from its records, without a flat message between: one walk finds the topics, a second
 * writes. The body of UpdateMetadata is the same for all recipients but for eight bytes, the
 * recipient's broker epoch: encode it once, and patch.
 *
 * In the other direction the bytes of one such request become a batch with one recipient (bit 0),
 * so that a broker under any controller, ours or Apache Kafka's, sees one form.
 *
 * Topics stand in the order in which they first appear, partitions in the order of the batch.
 * Versions: LeaderAndIsr 0–4, UpdateMetadata 0–6, StopReplica 0–3; later ones carry topic ids,
 * which a batch does not know. Nothing is allocated, nothing is kept; any thread.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch; LeaderAndIsrRequest,
 * UpdateMetadataRequest, StopReplicaRequest (builders, normalize, getErrorResponse).
 */
#ifndef WIRE_BATCH_CODEC_H
#define WIRE_BATCH_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/codec.h"
#include "wire/messages.h"

/* ---- requests ---- */

struct wire_batch_request {
    const struct wire_batch *batch;
    enum wire_record_kind kind;
    uint32_t index; /* of the recipient; wire_batch_is_for(batch, kind, index) holds */
    int16_t version;
    /* StopReplica below version 3 says "delete" once a request: true takes the partitions to be
       deleted, false the others, and the caller sends up to two requests, the former first. */
    bool deletes;
    /* LeaderAndIsr: the inter-broker listener, whose host and port LiveLeaders names. NULL, or
       unknown to a broker: its first endpoint. */
    const char *listener;
};

/* Returns how many bytes of scratch memory (8-byte aligned) the functions below need for `b`. */
size_t wire_batch_scratch_size(const struct wire_batch *b);

/* Returns how many partitions the request has; 0: a StopReplica that need not be sent. */
uint32_t wire_batch_partition_count(const struct wire_batch_request *q);

/* Writes the body. *used: its size. *epoch_at (NULL allowed): the offset of the recipient's broker
   epoch in it, 0 where the version has none. LiveLeaders are the batch's brokers that lead a
   partition of the request; LiveBrokers all of the batch's.
   OK; LIMIT: *used bytes are needed; RANGE: no such version, or UpdateMetadata 0 and a broker
   without a PLAINTEXT endpoint, or counts that the batch does not keep. */
enum sm_err wire_batch_encode(const struct wire_batch_request *q, void *scratch, uint8_t *bytes,
                              size_t capacity, size_t *used, size_t *epoch_at);

/* Writes another recipient's broker epoch into a body; nothing where epoch_at is 0. */
void wire_batch_patch_epoch(uint8_t *bytes, size_t epoch_at, int64_t broker_epoch);

/* Reads the body of a LeaderAndIsr, UpdateMetadata or StopReplica request into a batch at `batch`
   (8-byte aligned) with one recipient, `broker_id`, bit 0. Its broker entries ascend by id: the
   recipient, index 0, with the request's broker epoch (-1: none said), and whomever the request
   names, indexes from 1, epoch -1; a live leader has one endpoint whose listener and protocol are
   "". OK; LIMIT: *used bytes are needed; SYNTAX: malformed; RANGE: no such API or version, or what
   a batch cannot hold (a topic name above SM_TOPIC_NAME_MAX, lists above SM_REPLICAS_MAX, texts of
   brokers above those of struct sm_broker, a security protocol that Kafka does not have). */
enum sm_err wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                              const uint8_t *bytes, size_t size, void *batch, size_t capacity,
                              size_t *used);

/* ---- responses ---- */

/* Reads the body of the response to request `q`. Partitions with an error become items, ascending
   by record, at most `capacity`; those that the request does not have are dropped; of one that is
   named twice the last counts. out->items is `items`, out->partition_error 0. OK; LIMIT: out->count
   items are needed; SYNTAX; RANGE: no such version. */
enum sm_err wire_answer_decode(const struct wire_batch_request *q, const uint8_t *bytes,
                               size_t size, void *scratch, struct wire_answer_item *items,
                               uint32_t capacity, struct wire_answer *out);

/* Writes the body of the response to request `q`: an error for the whole, and each partition's. As
   Kafka's broker does, a LeaderAndIsr response with an error for the whole repeats it for every
   partition, and a StopReplica response then names none.
   OK; LIMIT: *used bytes are needed; RANGE: no such version. */
enum sm_err wire_answer_encode(const struct wire_batch_request *q, const struct wire_answer *answer,
                               uint8_t *bytes, size_t capacity, size_t *used);

#endif
