/*
 * Frames: what stands before the body of a message on a connection.
 *
 *     int32 size | api key, version, correlation id, client id | tagged fields | body     request
 *     int32 size | correlation id                              | tagged fields | body     response
 *
 * `size` counts what follows it. Which header a message has depends on its API and version alone:
 * tagged fields stand there where the version is flexible; but the response to ApiVersions never
 * has them, for its reader does not yet know which versions its peer speaks; and ControlledShutdown
 * in version 0 has no client id.
 *
 * Source: Kafka RequestHeader, ResponseHeader, ApiKeys.requestHeaderVersion, responseHeaderVersion;
 * NetworkReceive.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"

enum {
    WIRE_FRAME_SIZE_BYTES = 4,
    WIRE_FRAME_MAX = 100 * 1024 * 1024, /* socket.request.max.bytes */
    WIRE_CLIENT_ID_MAX = 32767,
};

struct wire_request_header {
    int16_t api;
    int16_t version;
    int32_t correlation_id;
    const char
        *client_id; /* decoded: points into the frame, no NUL; encoded: borrowed. NULL: none */
    int32_t client_id_size; /* -1: null */
};

/* 0, 1 or 2; 0 or 1. -1 where the API or version is unknown. */
int wire_request_header_version(int16_t api, int16_t version);
int wire_response_header_version(int16_t api, int16_t version);

/* Looks at the first `size` bytes that a connection has brought. OK: *frame_size bytes (the four of
   the size included) make up the next frame, or *frame_size is 0, and fewer than four bytes are
   there. SYNTAX: a negative size, or more than `max` (WIRE_FRAME_MAX): close the connection. */
enum sm_err wire_frame_size(const uint8_t *bytes, size_t size, size_t max, size_t *frame_size);

/* Reads the header of a request from the frame without its size; *body becomes the offset of the
   body. OK; SYNTAX: malformed; RANGE: API or version unknown: then api, version and correlation_id
   are filled in all the same (an ApiVersions request in a version too new is answered in version
   0). */
enum sm_err wire_request_header_decode(const uint8_t *bytes, size_t size,
                                       struct wire_request_header *out, size_t *body);
/* Reads the header of the response to a request of `api`, `version`. OK, SYNTAX, RANGE. */
enum sm_err wire_response_header_decode(int16_t api, int16_t version, const uint8_t *bytes,
                                        size_t size, int32_t *correlation_id, size_t *body);

/* Writes four bytes for the size and the header; *used becomes where the body starts. OK; LIMIT:
 *used bytes are needed; RANGE: API or version unknown, or a client id too long. */
enum sm_err wire_request_header_encode(const struct wire_request_header *h, uint8_t *bytes,
                                       size_t capacity, size_t *used);
enum sm_err wire_response_header_encode(int16_t api, int16_t version, int32_t correlation_id,
                                        uint8_t *bytes, size_t capacity, size_t *used);
/* Writes the size of a whole frame of `size` bytes into its first four. */
void wire_frame_finish(uint8_t *bytes, size_t size);

/* A whole frame: size, header, and the body of `message` (wire_encode). Errors as there. */
enum sm_err wire_frame_request(const struct wire_request_header *h, const void *message,
                               uint8_t *bytes, size_t capacity, size_t *used);
enum sm_err wire_frame_response(int16_t api, int16_t version, int32_t correlation_id,
                                const void *message, uint8_t *bytes, size_t capacity, size_t *used);

#endif
