/*
 * Calls to the controller (struct wire_call) <-> flat messages of ControlledShutdown, ElectLeaders,
 * AlterPartitionReassignments and ListPartitionReassignments, requests and their answers. The
 * messages are read and written by wire_decode and wire_encode; here two forms in memory are turned
 * into each other. Nothing is allocated; any thread.
 *
 * Source: Kafka KafkaApis.handleElectReplicaLeader, handleAlterPartitionReassignmentsRequest,
 * handleListPartitionReassignmentsRequest, handleControlledShutdownRequest.
 */
#ifndef WIRE_CALL_CODEC_H
#define WIRE_CALL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/codec.h"
#include "wire/messages.h"

/* Makes a call of a request, or (WIRE_RESPONSE) of an answer. *used: its size.
   OK; LIMIT: *used bytes are needed; RANGE: another API, or what a call cannot hold (lists above
   SM_REPLICAS_MAX, a topic's name with a NUL in it). */
enum sm_err wire_call_of_message(enum wire_direction direction, enum wire_api api,
                                 const void *message, void *call, size_t capacity, size_t *used);

/* What a message has and a call has not. */
struct wire_call_extra {
    int32_t timeout_ms; /* of a request */
    /* Of an answer to ElectLeaders: the request asked for every partition. Those that needed no
       election are then left out, as Kafka does. */
    bool asked_for_all;
};

/* Makes a message of a call. Partitions of a topic that follow each other stand under one topic;
   those that stand apart, under one each. Errors come with Kafka's texts. *used: the size of the
   message. OK; LIMIT: *used bytes suffice; RANGE: another API. */
enum sm_err wire_call_to_message(enum wire_direction direction, const struct wire_call *call,
                                 const struct wire_call_extra *extra, void *message,
                                 size_t capacity, size_t *used);

#endif
