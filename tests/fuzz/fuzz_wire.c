/*
 * Any bytes as a message of the Kafka protocol: nothing is overrun, nothing hangs, no count makes
 * the codec ask for much room; and what is accepted is written, read again, and is then the same.
 *
 *     byte 0: API, byte 1: version and direction, the rest: the body
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "wire/batch_codec.h"
#include "wire/codec.h"
#include "wire/frame.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct wire_request_header h;
    size_t body;
    wire_request_header_decode(bytes, size, &h, &body);
    if (size < 2)
        return 0;
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
