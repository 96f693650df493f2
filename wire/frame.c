/*
 * Headers and sizes of frames.
 *
 * The client id is the one text that stays in the old form in flexible versions too; so headers are
 * read here by hand and have no table.
 *
 * Source: wire/frame.h.
 */
#include "wire/frame.h"

#include <string.h>

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

/* ---- numbers ---- */

static uint32_t number(const uint8_t *at, size_t size)
{
    uint32_t n = 0;
    for (size_t i = 0; i < size; i++)
        n = n << 8 | at[i];
    return n;
}

static void put_number(uint8_t *at, uint32_t n, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(n >> 8 * (size - 1 - i));
}

/* Steps over a number of at most five bytes; false where there is none. */
static bool take_uvarint(const uint8_t *bytes, size_t size, size_t *at, uint32_t *out)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 5 && *at < size; i++) {
        uint8_t byte = bytes[(*at)++];
        n |= (uint64_t)(byte & 0x7f) << 7 * i;
        if ((byte & 0x80) == 0) {
            *out = (uint32_t)n;
            return n <= UINT32_MAX;
        }
    }
    return false;
}

/* Steps over tagged fields; there are none in headers that anybody defines. */
static bool skip_tagged(const uint8_t *bytes, size_t size, size_t *at)
{
    uint32_t count, tag, length;
    if (!take_uvarint(bytes, size, at, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_uvarint(bytes, size, at, &tag) || !take_uvarint(bytes, size, at, &length) ||
            length > size - *at)
            return false;
        *at += length;
    }
    return true;
}

/* ---- reading ---- */

enum sm_err wire_frame_size(const uint8_t *bytes, size_t size, size_t max, size_t *frame_size)
{
    *frame_size = 0;
    if (size < WIRE_FRAME_SIZE_BYTES)
        return SM_ERR_OK;
    uint32_t n = number(bytes, 4);
    if (n > INT32_MAX || n > max)
        return SM_ERR_SYNTAX;
    *frame_size = (size_t)n + WIRE_FRAME_SIZE_BYTES;
    return SM_ERR_OK;
}

static enum sm_err take_client_id(const uint8_t *bytes, size_t size, size_t *at,
                                  struct wire_request_header *out)
{
    if (size - *at < 2)
        return SM_ERR_SYNTAX;
    int32_t length = (int16_t)number(bytes + *at, 2);
    *at += 2;
    if (length > 0 && (size_t)length > size - *at)
        return SM_ERR_SYNTAX;
    out->client_id_size = length < 0 ? -1 : length;
    out->client_id = length < 0 ? NULL : (const char *)bytes + *at;
    *at += length < 0 ? 0 : (size_t)length;
    return SM_ERR_OK;
}

enum sm_err wire_request_header_decode(const uint8_t *bytes, size_t size,
                                       struct wire_request_header *out, size_t *body)
{
    *out = (struct wire_request_header){.client_id_size = -1};
    *body = 0;
    if (size < 8)
        return SM_ERR_SYNTAX;
    out->api = (int16_t)number(bytes, 2);
    out->version = (int16_t)number(bytes + 2, 2);
    out->correlation_id = (int32_t)number(bytes + 4, 4);
    int version = wire_request_header_version(out->api, out->version);
    if (version < 0)
        return SM_ERR_RANGE;
    size_t at = 8;
    if (version >= 1 && take_client_id(bytes, size, &at, out) != SM_ERR_OK)
        return SM_ERR_SYNTAX;
    if (version >= 2 && !skip_tagged(bytes, size, &at))
        return SM_ERR_SYNTAX;
    *body = at;
    return SM_ERR_OK;
}

enum sm_err wire_response_header_decode(int16_t api, int16_t version, const uint8_t *bytes,
                                        size_t size, int32_t *correlation_id, size_t *body)
{
    int header = wire_response_header_version(api, version);
    *body = 0;
    if (header < 0)
        return SM_ERR_RANGE;
    if (size < 4)
        return SM_ERR_SYNTAX;
    *correlation_id = (int32_t)number(bytes, 4);
    size_t at = 4;
    if (header >= 1 && !skip_tagged(bytes, size, &at))
        return SM_ERR_SYNTAX;
    *body = at;
    return SM_ERR_OK;
}

/* ---- writing ---- */

enum sm_err wire_request_header_encode(const struct wire_request_header *h, uint8_t *bytes,
                                       size_t capacity, size_t *used)
{
    int version = wire_request_header_version(h->api, h->version);
    int32_t length = h->client_id == NULL ? -1 : h->client_id_size;
    *used = 0;
    if (version < 0 || length > WIRE_CLIENT_ID_MAX)
        return SM_ERR_RANGE;
    size_t text = length < 0 ? 0 : (size_t)length;
    *used = WIRE_FRAME_SIZE_BYTES + 8 + (version >= 1 ? 2 + text : 0) + (version >= 2);
    if (*used > capacity)
        return SM_ERR_LIMIT;
    memset(bytes, 0, *used);
    put_number(bytes + 4, (uint16_t)h->api, 2);
    put_number(bytes + 6, (uint16_t)h->version, 2);
    put_number(bytes + 8, (uint32_t)h->correlation_id, 4);
    if (version >= 1)
        put_number(bytes + 12, (uint32_t)length, 2);
    if (version >= 1 && text > 0)
        memcpy(bytes + 14, h->client_id, text);
    return SM_ERR_OK;
}

enum sm_err wire_response_header_encode(int16_t api, int16_t version, int32_t correlation_id,
                                        uint8_t *bytes, size_t capacity, size_t *used)
{
    int header = wire_response_header_version(api, version);
    *used = 0;
    if (header < 0)
        return SM_ERR_RANGE;
    *used = WIRE_FRAME_SIZE_BYTES + 4 + (size_t)header;
    if (*used > capacity)
        return SM_ERR_LIMIT;
    memset(bytes, 0, *used);
    put_number(bytes + 4, (uint32_t)correlation_id, 4);
    return SM_ERR_OK;
}

void wire_frame_finish(uint8_t *bytes, size_t size)
{
    put_number(bytes, (uint32_t)(size - WIRE_FRAME_SIZE_BYTES), 4);
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
