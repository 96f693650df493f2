/*
 * Messages of the Kafka protocol: flat structs (wire/schema.h) <-> bytes of the body of a request
 * or response (headers and the size before them: wire/frame.h).
 *
 * Both directions walk the message's table, so there is no code of any one API here. Both are
 * total: decoding reads any bytes without harm, and a count is believed only as far as the bytes
 * that are left could hold so many elements.
 *
 * Nothing is allocated: the caller brings the room. Where it is too small, the work is still done
 * to the end, and the size that is needed is told; so a caller grows once. All functions are pure,
 * and may be called on any thread.
 *
 * Source: Kafka MessageDataGenerator (what a generated class reads, writes and refuses), KIP-482.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/field.h"

enum wire_direction { WIRE_REQUEST, WIRE_RESPONSE };

/* What is known of an API: one row of wire/api.h. */
struct wire_api_info {
    const char *name; /* "CreateTopics" */
    int16_t key;
    int16_t min, max;                  /* versions, both included */
    int16_t flexible;                  /* first flexible version; WIRE_NEVER: none */
    bool brokers_only;                 /* a ClusterAction: clients do not send it */
    const struct wire_layout *head[2]; /* by enum wire_direction */
};

/* Returns the row of an API key, static; NULL where 2.8.2 has none (or has it for KRaft only). */
const struct wire_api_info *wire_api_info(int16_t api);
/* Walks all rows, ascending by key, as ApiVersions lists them: start with NULL; NULL at the end. */
const struct wire_api_info *wire_api_next(const struct wire_api_info *previous);
/* Returns whether the API is known and has this version. */
bool wire_api_has(int16_t api, int16_t version);
/* Returns the size of the head struct; 0 for an unknown API. */
size_t wire_head_size(enum wire_direction direction, int16_t api);

/* Reads a body of `size` bytes into a flat message at `message` (8-byte aligned, `capacity` bytes).
   *used becomes the size of the flat message, a multiple of 8.
   OK; LIMIT: the bytes are sound, but the message needs *used bytes; SYNTAX: malformed, also where
   bytes are left over; RANGE: no such API or version. After an error `message` holds rubbish.
   Strings are taken as the bytes they are (Kafka replaces what is not UTF-8). Unknown tagged fields
   are skipped and forgotten. */
enum sm_err wire_decode(enum wire_direction direction, int16_t api, int16_t version,
                        const uint8_t *bytes, size_t size, void *message, size_t capacity,
                        size_t *used);

/* Writes the body of `message` into `bytes` (capacity bytes); *used becomes its size.
   OK; LIMIT: *used bytes are needed; RANGE: no such API or version, or the version cannot say what
   the message says: a field that it lacks and that may not be dropped is not at its default, a null
   that it does not allow, a string above 32767 bytes. (*used is then 0.)
   Source: the UnsupportedVersionException of generated classes; `ignorable` in the message files.
 */
enum sm_err wire_encode(enum wire_direction direction, int16_t api, int16_t version,
                        const void *message, uint8_t *bytes, size_t capacity, size_t *used);

/* Where wire_encode says RANGE: the name of the first field that the version cannot say, static;
   NULL: it is no such API or version, or it can say the message. */
const char *wire_refused(enum wire_direction direction, int16_t api, int16_t version,
                         const void *message);

/* Fills a head with the defaults of its table, the API known (asserted). */
void wire_defaults(enum wire_direction direction, int16_t api, void *head);
/* The same for any struct, an element of an array among them: wire_defaults_of(
   &wire_layout_create_topics_response_topic, element). */
void wire_defaults_of(const struct wire_layout *layout, void *to);

/* Returns whether two messages of an API say the same in every field, wherever their parts lie. */
bool wire_equal(enum wire_direction direction, int16_t api, const void *a, const void *b);

/* The opposite question, and the place of the first difference: "topics[2].partitions[0].leader_id"
   (an array of another length: its name alone), NUL-terminated, cut where capacity (at least 1) is
   too small. Returns whether they differ. */
bool wire_difference(enum wire_direction direction, int16_t api, const void *a, const void *b,
                     char *out, size_t capacity);

/* Writes one line of JSON, NUL-terminated, as far as `capacity` allows; returns the length that the
   whole line has (as snprintf). It has the fields of this version with Kafka's names, in the form
   of Kafka's *JsonConverter classes: bytes and uuids in base64, the size in place of records
   ("…SizeInBytes"); but a float64 is a string of its bits. Version -1: all fields. */
size_t wire_print(enum wire_direction direction, int16_t api, int16_t version, const void *message,
                  char *out, size_t capacity);

#endif
