/*
 * Which records of a batch one request names, and what its version has. Internal to the batch
 * codec.
 *
 * Source: wire/batch_codec.h.
 */
#ifndef WIRE_BATCH_PICK_H
#define WIRE_BATCH_PICK_H

#include "wire/batch_codec.h"

/* Walks the records that the request names: start with {0}. */
bool wire_pick_next(const struct wire_batch_request *q, struct wire_record_view *v);
/* Returns the recipient's flag of a record: isNew, deletePartition. */
bool wire_pick_flag(const struct wire_batch_request *q, const struct wire_record_view *v);
/* Returns a hash of a record's topic and `partition`. */
uint32_t wire_pick_hash(const struct wire_record_view *v, int32_t partition);
uint32_t wire_pick_hash_of(const void *topic, size_t size, int32_t partition);

/* The API of a kind of record, and what its versions have. */
enum wire_api wire_pick_api(enum wire_record_kind kind);
bool wire_pick_has_version(const struct wire_batch_request *q);
bool wire_pick_has_epoch(const struct wire_batch_request *q);
bool wire_pick_is_grouped(const struct wire_batch_request *q);
bool wire_pick_is_flexible(const struct wire_batch_request *q);

/* Most records of one kind, and slots of a hash table for them (a power of two, at least twice as
   many). */
uint32_t wire_batch_record_max(const struct wire_batch *b);
uint32_t wire_batch_slot_count(const struct wire_batch *b);

/* Names of SecurityProtocol by id, NULL at the end; and the id of a name, -1 where there is none.
 */
extern const char *const wire_security_protocols[];
int16_t wire_security_protocol(const char *name);

#endif
