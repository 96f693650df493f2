/*
 * Where the bytes of record batches are: outside of every state. Logs hold handles; whoever runs
 * brokers gives them a keeper, which turns bytes into handles and back.
 *
 *     Produce, Fetch answer ── keep(bytes) ──► handle ──► logs (broker/replicas.h)
 *     Fetch answer to a peer or a client ◄── bytes_of(handle)
 *
 * Equal batches have equal handles, whoever brings them, so that a follower that has fetched a
 * batch over the network holds what its leader holds, and one keeper for all brokers of a cluster
 * stores every batch once. Equal means: but for the base offset and the leader epoch, which a
 * leader writes and which stand apart in struct kb_batch.
 *
 * References are counted by logs (KB_OUT_PAYLOAD). What nobody refers to goes with the next sweep,
 * never within a step: what has just been kept is not referred to yet.
 *
 * Whoever makes one decides where the bytes are: sim/keeper.h has them in memory. Thread: none; one
 * caller at a time.
 */
#ifndef BROKER_PAYLOADS_H
#define BROKER_PAYLOADS_H

#include <stddef.h>
#include <stdint.h>

struct kb_payloads {
    /* Returns the handle of a batch of `size` bytes (at least 16), 0 where it cannot be kept. */
    uint64_t (*keep)(void *context, const uint8_t *batch, size_t size);
    /* Returns the bytes and their size, valid until the next sweep; NULL for no handle of it. Base
       offset and leader epoch in them are those of whoever kept it first. */
    const uint8_t *(*bytes_of)(void *context, uint64_t payload, size_t *size);
    void (*refer)(void *context, uint64_t payload, int32_t by); /* +1, -1 */
    void *context;
};

#endif
