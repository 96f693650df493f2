/*
 * InitProducerId: an id and epoch for an idempotent or transactional producer.
 *
 * Source: Kafka 2.8.2, InitProducerIdRequest.json and InitProducerIdResponse.json.
 */
#ifndef WIRE_API_INIT_PRODUCER_ID_H
#define WIRE_API_INIT_PRODUCER_ID_H

#include "wire/field.h"

#define WIRE_FIELDS_init_producer_id_request(F, S)                                                 \
    F(S, STRING, transactional_id, 0, .nullable = 1)                                               \
    F(S, INT32, transaction_timeout_ms, 0)                                                         \
    F(S, INT64, producer_id, 3, .def = -1)                                                         \
    F(S, INT16, producer_epoch, 3, .def = -1)
#define WIRE_FIELDS_init_producer_id_response(F, S)                                                \
    F(S, INT32, throttle_time_ms, 0, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT64, producer_id, 0, .def = -1)                                                         \
    F(S, INT16, producer_epoch, 0)

#define WIRE_STRUCTS_init_producer_id(X)                                                           \
    X(init_producer_id_request)                                                                    \
    X(init_producer_id_response)
WIRE_STRUCTS_init_producer_id(WIRE_DECLARE)

#endif
