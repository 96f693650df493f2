/*
 * ApiVersions: which requests in which versions a broker takes, and its features (KIP-584). The
 * response always has header version 0, so that a client of any age reads it.
 *
 * Source: Kafka 2.8.2, ApiVersionsRequest.json and ApiVersionsResponse.json.
 */
#ifndef WIRE_API_API_VERSIONS_H
#define WIRE_API_API_VERSIONS_H

#include "wire/field.h"

#define WIRE_FIELDS_api_versions_request(F, S)                                                     \
    F(S, STRING, client_software_name, 3, .ignorable = 1)                                          \
    F(S, STRING, client_software_version, 3, .ignorable = 1)
#define WIRE_FIELDS_api_versions_response_api_key(F, S)                                            \
    F(S, INT16, api_key, 0)                                                                        \
    F(S, INT16, min_version, 0)                                                                    \
    F(S, INT16, max_version, 0)
#define WIRE_FIELDS_api_versions_response_supported_feature(F, S)                                  \
    F(S, STRING, name, 3)                                                                          \
    F(S, INT16, min_version, 3)                                                                    \
    F(S, INT16, max_version, 3)
#define WIRE_FIELDS_api_versions_response_finalized_feature(F, S)                                  \
    F(S, STRING, name, 3)                                                                          \
    F(S, INT16, max_version_level, 3)                                                              \
    F(S, INT16, min_version_level, 3)
#define WIRE_FIELDS_api_versions_response(F, S)                                                    \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(api_versions_response_api_key), api_keys, 0)                                        \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, ARRAY(api_versions_response_supported_feature), supported_features, 3, .tagged = 1,       \
      .tag = 0)                                                                                    \
    F(S, INT64, finalized_features_epoch, 3, .ignorable = 1, .def = -1, .tagged = 1, .tag = 1)     \
    F(S, ARRAY(api_versions_response_finalized_feature), finalized_features, 3, .tagged = 1,       \
      .tag = 2)

#define WIRE_STRUCTS_api_versions(X)                                                               \
    X(api_versions_request)                                                                        \
    X(api_versions_response_api_key)                                                               \
    X(api_versions_response_supported_feature)                                                     \
    X(api_versions_response_finalized_feature)                                                     \
    X(api_versions_response)
WIRE_STRUCTS_api_versions(WIRE_DECLARE)

#endif
