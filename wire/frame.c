/*
 * Headers and sizes of frames. They are read by hand and have no table, for the client id is the
 * one text that has the old form in flexible versions too.
 *
 * Source: wire/frame.h.
 */
#include "wire/frame.h"

#include "wire/bytes.h"
#include "wire/codec.h"
#include "wire/messages.h"

/* ---- which header ---- */

static int header_version(int16_t api, int16_t version, int plain)
{
    const struct wire_api_info *info = wire_api_info(api);
    if (!wire_api_has(api, version))
        return -1;
    return version >= info->flexible ? plain + 1 : plain;
}

int wire_request_header_version(int16_t api, int16_t version)
{
    if (api == WIRE_API_CONTROLLED_SHUTDOWN && version == 0)
        return 0;
    return header_version(api, version, 1);
}

int wire_response_header_version(int16_t api, int16_t version)
{
    int v = header_version(api, version, 0);
    return api == WIRE_API_API_VERSIONS && v > 0 ? 0 : v;
}

/* ---- reading ---- */

enum sm_err wire_frame_size(const uint8_t *bytes, size_t size, size_t max, size_t *frame_size)
{
    struct wire_reader r = wire_reader_of(bytes, size, false);
    *frame_size = 0;
    if (size < WIRE_FRAME_SIZE_BYTES)
        return SM_ERR_OK;
    int32_t n = wire_take_int32(&r);
    if (n < 0 || (size_t)n > max)
        return SM_ERR_SYNTAX;
    *frame_size = (size_t)n + WIRE_FRAME_SIZE_BYTES;
    return SM_ERR_OK;
}

/* The client id has the old form of a string in flexible versions too. */
static void take_client_id(struct wire_reader *r, struct wire_request_header *out)
{
    int32_t size = wire_take_int16(r);
    if (size < 0)
        return;
    out->client_id = (const char *)wire_take(r, (size_t)size);
    out->client_id_size = out->client_id == NULL ? -1 : size;
}

enum sm_err wire_request_header_decode(const uint8_t *bytes, size_t size,
                                       struct wire_request_header *out, size_t *body)
{
    struct wire_reader r = wire_reader_of(bytes, size, false);
    *out = (struct wire_request_header){.client_id_size = -1};
    *body = 0;
    if (size < 8)
        return SM_ERR_SYNTAX;
    out->api = wire_take_int16(&r);
    out->version = wire_take_int16(&r);
    out->correlation_id = wire_take_int32(&r);
    int version = wire_request_header_version(out->api, out->version);
    if (version < 0)
        return SM_ERR_RANGE;
    if (version >= 1)
        take_client_id(&r, out);
    r.flexible = version >= 2;
    wire_skip_tagged(&r);
    *body = (size_t)(r.at - bytes);
    return r.bad ? SM_ERR_SYNTAX : SM_ERR_OK;
}

enum sm_err wire_response_header_decode(int16_t api, int16_t version, const uint8_t *bytes,
                                        size_t size, int32_t *correlation_id, size_t *body)
{
    struct wire_reader r = wire_reader_of(bytes, size, false);
    int header = wire_response_header_version(api, version);
    *body = 0;
    if (header < 0)
        return SM_ERR_RANGE;
    *correlation_id = wire_take_int32(&r);
    r.flexible = header >= 1;
    wire_skip_tagged(&r);
    *body = (size_t)(r.at - bytes);
    return r.bad ? SM_ERR_SYNTAX : SM_ERR_OK;
}

/* ---- writing ---- */

enum sm_err wire_request_header_encode(const struct wire_request_header *h, uint8_t *bytes,
                                       size_t capacity, size_t *used)
{
    int version = wire_request_header_version(h->api, h->version);
    int32_t size = h->client_id == NULL ? -1 : h->client_id_size;
    *used = 0;
    if (version < 0 || size > WIRE_CLIENT_ID_MAX)
        return SM_ERR_RANGE;
    struct wire_writer w = {.bytes = bytes, .capacity = capacity, .flexible = version >= 2};
    wire_put_int32(&w, 0);
    wire_put_int16(&w, h->api);
    wire_put_int16(&w, h->version);
    wire_put_int32(&w, h->correlation_id);
    if (version >= 1)
        wire_put_int16(&w, (int16_t)size);
    if (version >= 1 && size > 0)
        wire_put(&w, h->client_id, (size_t)size);
    wire_put_no_tags(&w);
    *used = w.used;
    return w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

enum sm_err wire_response_header_encode(int16_t api, int16_t version, int32_t correlation_id,
                                        uint8_t *bytes, size_t capacity, size_t *used)
{
    int header = wire_response_header_version(api, version);
    *used = 0;
    if (header < 0)
        return SM_ERR_RANGE;
    struct wire_writer w = {.bytes = bytes, .capacity = capacity, .flexible = header >= 1};
    wire_put_int32(&w, 0);
    wire_put_int32(&w, correlation_id);
    wire_put_no_tags(&w);
    *used = w.used;
    return w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

void wire_frame_finish(uint8_t *bytes, size_t size)
{
    wire_store(bytes, size - WIRE_FRAME_SIZE_BYTES, WIRE_FRAME_SIZE_BYTES);
}

/* Adds the body behind a header that has been written, or only measured (err LIMIT). */
static enum sm_err add_body(enum sm_err err, enum wire_direction direction, int16_t api,
                            int16_t version, const void *message, uint8_t *bytes, size_t capacity,
                            size_t *used)
{
    size_t header = *used, body;
    if (err != SM_ERR_OK && err != SM_ERR_LIMIT)
        return err;
    size_t room = capacity > header ? capacity - header : 0;
    enum sm_err body_err = wire_encode(direction, api, version, message,
                                       room > 0 ? bytes + header : bytes, room, &body);
    *used = body_err == SM_ERR_RANGE ? 0 : header + body;
    if (body_err != SM_ERR_OK || err != SM_ERR_OK)
        return body_err != SM_ERR_OK ? body_err : err;
    if (*used - WIRE_FRAME_SIZE_BYTES > INT32_MAX)
        return SM_ERR_RANGE;
    wire_frame_finish(bytes, *used);
    return SM_ERR_OK;
}

enum sm_err wire_frame_request(const struct wire_request_header *h, const void *message,
                               uint8_t *bytes, size_t capacity, size_t *used)
{
    enum sm_err err = wire_request_header_encode(h, bytes, capacity, used);
    return add_body(err, WIRE_REQUEST, h->api, h->version, message, bytes, capacity, used);
}

enum sm_err wire_frame_response(int16_t api, int16_t version, int32_t correlation_id,
                                const void *message, uint8_t *bytes, size_t capacity, size_t *used)
{
    enum sm_err err =
        wire_response_header_encode(api, version, correlation_id, bytes, capacity, used);
    return add_body(err, WIRE_RESPONSE, api, version, message, bytes, capacity, used);
}
