/*
 * The order in which Scala 2.13's immutable.HashMap walks Int keys.
 *
 * The map is a trie over 5 bits of a scrambled hash at a time. A node keeps the keys that are alone
 * in their slot beside the children of slots that several keys share, and a walk gives the keys
 * first, by slot, and then enters the children, by slot:
 *
 *     slot       3    7     9    12         walk: 7's key, 12's key, then inside 3, then inside 9
 *              child key  child key
 *
 * The trie is never built. Sorting the keys by (slot at level 0, slot at level 1, ...) lays the
 * keys of each node side by side; inside a node it only remains to bring those alone in their slot
 * to the front. A node has 32 slots, so those fit a fixed array, and no memory is needed.
 *
 * The scrambling is a bijection on 32 bits (odd multiplications and shift-xors), so distinct ids
 * always part at one of the 7 levels and Scala's collision nodes cannot occur.
 *
 * Source: scala.collection.Hashing.improve, scala.collection.immutable.HashMap (2.13.5).
 */
#include "statemachine/list.h"

#include <assert.h>
#include <string.h>

enum { BITS_PER_LEVEL = 5, SLOTS = 1 << BITS_PER_LEVEL, LEVELS = 7 };

static uint32_t improved_hash(int32_t id)
{
    uint32_t h = (uint32_t)id;
    h += ~(h << 9);
    h ^= h >> 14;
    h += h << 4;
    h ^= h >> 10;
    return h;
}

static uint32_t slot_at(int32_t id, int level)
{
    return improved_hash(id) >> (BITS_PER_LEVEL * level) & (SLOTS - 1);
}

/* The slots of all levels as one number, level 0 most significant. The last level has 2 bits. */
static uint32_t sort_key(int32_t id)
{
    uint32_t h = improved_hash(id), key = 0;
    for (int level = 0; level < LEVELS - 1; level++)
        key = key << BITS_PER_LEVEL | (h >> (BITS_PER_LEVEL * level) & (SLOTS - 1));
    return key << 2 | h >> (BITS_PER_LEVEL * (LEVELS - 1));
}

static void swap(int32_t *a, int32_t *b)
{
    int32_t held = *a;
    *a = *b;
    *b = held;
}

static void sift_down(int32_t *ids, int32_t root, int32_t count)
{
    for (int32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && sort_key(ids[child]) < sort_key(ids[child + 1]))
            child++;
        if (sort_key(ids[root]) >= sort_key(ids[child]))
            return;
        swap(&ids[root], &ids[child]);
    }
}

/* Heap sort: in place, and never quadratic. Keys are distinct, so that stability is no question. */
static void sort_by_slots(int32_t *ids, int32_t count)
{
    for (int32_t root = count / 2 - 1; root >= 0; root--)
        sift_down(ids, root, count);
    for (int32_t end = count - 1; end > 0; end--) {
        swap(&ids[0], &ids[end]);
        sift_down(ids, 0, end);
    }
}

/* Returns how many ids from `ids` on share the slot of the first at `level`. */
static int32_t run_length(const int32_t *ids, int32_t count, int level)
{
    int32_t length = 1;
    while (length < count && slot_at(ids[length], level) == slot_at(ids[0], level))
        length++;
    return length;
}

/* Moves the ids that are alone in their slot to the front, both parts keeping their order. Returns
   how many are alone. */
static int32_t bring_single_keys_forward(int32_t *ids, int32_t count, int level)
{
    int32_t alone[SLOTS], alone_count = 0, kept = count;
    for (int32_t end = count; end > 0;) {
        int32_t start = end - 1;
        while (start > 0 && slot_at(ids[start - 1], level) == slot_at(ids[end - 1], level))
            start--;
        if (end - start == 1) {
            assert(alone_count < SLOTS);
            alone[alone_count++] = ids[start];
        } else {
            kept -= end - start;
            memmove(&ids[kept], &ids[start], (size_t)(end - start) * sizeof ids[0]);
        }
        end = start;
    }
    assert(kept == alone_count);
    for (int32_t i = 0; i < alone_count; i++)
        ids[i] = alone[alone_count - 1 - i];
    return alone_count;
}

/* Arranges one node of the trie; `ids` are its keys, sorted by slots. Depth: at most LEVELS. */
static void arrange_node(int32_t *ids, int32_t count, int level)
{
    if (count < 2)
        return;
    assert(level < LEVELS);
    int32_t at = bring_single_keys_forward(ids, count, level);
    while (at < count) {
        int32_t length = run_length(ids + at, count - at, level);
        arrange_node(ids + at, length, level + 1);
        at += length;
    }
}

void sm_scala_order(int32_t *ids, int32_t count)
{
    assert(count >= 0);
    sort_by_slots(ids, count);
    arrange_node(ids, count, 0);
}
