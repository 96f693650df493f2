/*
 * UpdateFeatures: raises finalized features (KIP-584).
 *
 * Source: Kafka 2.8.2, UpdateFeaturesRequest.json and UpdateFeaturesResponse.json.
 */
#ifndef WIRE_API_UPDATE_FEATURES_H
#define WIRE_API_UPDATE_FEATURES_H

#include "wire/field.h"

#define WIRE_FIELDS_update_features_request_feature_update(F, S)                                   \
    F(S, STRING, feature, 0)                                                                       \
    F(S, INT16, max_version_level, 0)                                                              \
    F(S, BOOL, allow_downgrade, 0)
#define WIRE_FIELDS_update_features_request(F, S)                                                  \
    F(S, INT32, timeout_ms, 0, .def = 60000)                                                       \
    F(S, ARRAY(update_features_request_feature_update), feature_updates, 0)
#define WIRE_FIELDS_update_features_response_result(F, S)                                          \
    F(S, STRING, feature, 0)                                                                       \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)
#define WIRE_FIELDS_update_features_response(F, S)                                                 \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(update_features_response_result), results, 0)

#define WIRE_STRUCTS_update_features(X)                                                            \
    X(update_features_request_feature_update)                                                      \
    X(update_features_request)                                                                     \
    X(update_features_response_result)                                                             \
    X(update_features_response)
WIRE_STRUCTS_update_features(WIRE_DECLARE)

#endif
