/*
 * Any bytes as a message of the Kafka protocol: nothing is overrun, nothing hangs, no count makes
 * the codec ask for much room; and what is accepted is written, read again, and is then the same.
 *
 *     byte 0: API, byte 1: version and direction, the rest: the body
 *     byte 0: 255: the rest, from byte 2 on: a record batch
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "wire/batch_codec.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/record_batch.h"

/* The flat form of the smallest element of any array takes at most this many bytes for one. */
enum { ROOM_PER_BYTE = 200, ROOM_FOR_HEAD = 512 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void exercise_message(enum wire_direction direction, int16_t api, int16_t version,
                             const uint8_t *bytes, size_t size)
{
    size_t used, again_used, encoded;
    enum sm_err err = wire_decode(direction, api, version, bytes, size, NULL, 0, &used);
    check(err == SM_ERR_LIMIT || err == SM_ERR_SYNTAX);
    if (err != SM_ERR_LIMIT)
        return;
    check(used <= size * ROOM_PER_BYTE + ROOM_FOR_HEAD);
    void *message = malloc(used);
    check(wire_decode(direction, api, version, bytes, size, message, used, &used) == SM_ERR_OK);
    wire_print(direction, api, version, message, NULL, 0);
    err = wire_encode(direction, api, version, message, NULL, 0, &encoded);
    check(err == SM_ERR_LIMIT || encoded == 0);
    uint8_t *out = malloc(encoded + 1);
    check(wire_encode(direction, api, version, message, out, encoded, &encoded) == SM_ERR_OK);
    void *again = malloc(used);
    check(wire_decode(direction, api, version, out, encoded, again, used, &again_used) ==
          SM_ERR_OK);
    check(wire_equal(direction, api, message, again));
    free(again);
    free(out);
    free(message);
}

static void exercise_batch(enum wire_api api, int16_t version, const uint8_t *bytes, size_t size)
{
    size_t used;
    enum sm_err err = wire_batch_decode(api, version, 1, bytes, size, NULL, 0, &used);
    check(err != SM_ERR_OK);
    if (err != SM_ERR_LIMIT)
        return;
    void *batch = malloc(used);
    check(wire_batch_decode(api, version, 1, bytes, size, batch, used, &used) == SM_ERR_OK);
    free(batch);
}

static void exercise_records(const struct wire_record_batch *b, const uint8_t *records, size_t size)
{
    struct wire_log_walk w;
    struct wire_log_record r;
    enum sm_err err;
    wire_log_walk_begin(&w, b, records, size);
    while ((err = wire_log_record_next(&w, &r)) == SM_ERR_OK) {
        struct wire_log_header h;
        size_t at = 0;
        int32_t headers = 0;
        while (wire_log_header_next(&r, &at, &h))
            headers++;
        check(headers == r.header_count);
    }
    check(err == SM_ERR_NO_ELEMENT || err == SM_ERR_SYNTAX);
}

static void exercise_record_batch(const uint8_t *bytes, size_t size)
{
    enum { UNPACKED_MAX = 1 << 14 };
    struct wire_record_batch b;
    size_t used;
    if (wire_record_batch_read(bytes, size, &b) != SM_ERR_OK)
        return;
    check(b.size <= size);
    wire_record_batch_is_intact(bytes, &b);
    exercise_records(&b, b.records, b.records_size);
    uint8_t *out = malloc(UNPACKED_MAX);
    if (wire_decompress(b.codec, b.records, b.records_size, out, UNPACKED_MAX, &used) == SM_ERR_OK)
        exercise_records(&b, out, used);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct wire_request_header h;
    size_t body;
    wire_request_header_decode(bytes, size, &h, &body);
    if (size < 2)
        return 0;
    if (bytes[0] == 255)
        exercise_record_batch(bytes + 2, size - 2);
    const struct wire_api_info *info = wire_api_info(bytes[0]);
    enum wire_direction direction = bytes[1] & 1 ? WIRE_RESPONSE : WIRE_REQUEST;
    int16_t version = (int16_t)(bytes[1] >> 1);
    if (info == NULL || version > info->max)
        return 0;
    exercise_message(direction, info->key, version, bytes + 2, size - 2);
    if (direction == WIRE_REQUEST && info->key >= WIRE_API_LEADER_AND_ISR &&
        info->key <= WIRE_API_UPDATE_METADATA)
        exercise_batch((enum wire_api)info->key, version, bytes + 2, size - 2);
    return 0;
}
