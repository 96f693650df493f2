/*
 * The shift grows when the partition number is a multiple of the number of brokers, before the
 * partition is placed; so it matters where a topic's new partitions begin.
 *
 * Rack aware, the list of brokers takes one broker of each rack in turn, racks in order of their
 * names, and a further replica goes to a rack that has none yet as long as there is one.
 */
#include "broker/assign.h"

#include <assert.h>
#include <string.h>

static bool comes_before(const struct kb_candidate *a, const struct kb_candidate *b)
{
    int order = strcmp(a->rack, b->rack);
    return order != 0 ? order < 0 : a->id < b->id;
}

/* Insertion: brokers are few, and mostly in order. */
static void sort_by_rack(struct kb_candidate *b, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct kb_candidate one = b[i];
        uint32_t at = i;
        for (; at > 0 && comes_before(&one, &b[at - 1]); at--)
            b[at] = b[at - 1];
        b[at] = one;
    }
}

static uint32_t number_racks(struct kb_candidate *b, uint32_t count)
{
    uint32_t racks = 0;
    for (uint32_t i = 0; i < count; i++) {
        racks += i == 0 || strcmp(b[i].rack, b[i - 1].rack) != 0;
        b[i].rack_number = racks - 1;
    }
    return racks;
}

/* Returns the place of the first broker at or behind `from`, in a list sorted by rack, that belongs
   to `rack` and is the n-th of it. */
static uint32_t nth_of_rack(const struct kb_candidate *b, uint32_t count, uint32_t from,
                            uint32_t rack, uint32_t nth)
{
    for (uint32_t i = from; i < count; i++)
        if (b[i].rack_number == rack && nth-- == 0)
            return i;
    return count;
}

/* Brings the sorted list into the order rack by rack: what is placed stands in front, what is left
   stays sorted by rack. */
static void alternate(struct kb_candidate *b, uint32_t count, uint32_t racks)
{
    uint32_t rack = 0;
    for (uint32_t placed = 0; placed < count; rack = (rack + 1) % racks) {
        uint32_t at = nth_of_rack(b, count, placed, rack, 0);
        if (at == count)
            continue;
        struct kb_candidate one = b[at];
        memmove(&b[placed + 1], &b[placed], (at - placed) * sizeof *b);
        b[placed++] = one;
    }
}

static uint32_t with_rack(const struct kb_candidate *b, uint32_t count)
{
    uint32_t with = 0;
    for (uint32_t i = 0; i < count; i++)
        with += b[i].rack[0] != '\0';
    return with;
}

enum kb_assign_result kb_assign_begin(struct kb_assign *a, struct kb_candidate *brokers,
                                      uint32_t count, int32_t partitions, int32_t replicas,
                                      int32_t first_partition, uint32_t start, uint32_t shift)
{
    if (partitions <= 0)
        return KB_ASSIGN_NO_PARTITIONS;
    if (replicas <= 0)
        return KB_ASSIGN_NO_REPLICAS;
    if ((uint32_t)replicas > count)
        return KB_ASSIGN_TOO_FEW_BROKERS;
    uint32_t racked = with_rack(brokers, count);
    if (racked != 0 && racked != count)
        return KB_ASSIGN_SOME_WITHOUT_RACK;
    if (replicas > SM_REPLICAS_MAX)
        return KB_ASSIGN_TOO_MANY_REPLICAS;
    uint32_t racks = 0;
    if (racked != 0) {
        sort_by_rack(brokers, count);
        racks = number_racks(brokers, count);
        alternate(brokers, count, racks);
    }
    *a = (struct kb_assign){.broker = brokers,
                            .broker_count = count,
                            .rack_count = racks,
                            .replicas = replicas,
                            .start = start,
                            .shift = shift,
                            .next = first_partition};
    return KB_ASSIGN_OK;
}

/* Returns the place of the k-th broker behind `first`, which is never `first` itself. */
static uint32_t place_of(const struct kb_assign *a, uint32_t first, uint64_t shift, uint32_t k)
{
    uint64_t n = a->broker_count;
    return (uint32_t)((first + 1 + (shift + k) % (n - 1)) % n);
}

/* Racks of the replicas that a partition has so far. */
struct taken {
    uint32_t rack[SM_REPLICAS_MAX];
    uint32_t count; /* distinct ones */
};

static bool take_rack(struct taken *t, uint32_t rack, bool only_look)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->rack[i] == rack)
            return false;
    if (!only_look)
        t->rack[t->count++] = rack;
    return true;
}

static void add_by_rack(const struct kb_assign *a, uint32_t first, struct sm_list *out)
{
    uint64_t shift = (uint64_t)a->shift * a->rack_count;
    struct taken taken = {.rack = {a->broker[first].rack_number}, .count = 1};
    for (uint32_t k = 0; out->count < a->replicas; k++) {
        const struct kb_candidate *b = &a->broker[place_of(a, first, shift, k)];
        if (taken.count < a->rack_count && !take_rack(&taken, b->rack_number, true))
            continue;
        if (sm_list_has(out, b->id))
            continue;
        sm_list_append(out, b->id);
        take_rack(&taken, b->rack_number, false);
    }
}

struct sm_list kb_assign_next(struct kb_assign *a)
{
    struct sm_list out = {0};
    uint32_t n = a->broker_count;
    int32_t partition = a->next++;
    assert(n > 0);
    if (partition > 0 && (uint32_t)partition % n == 0)
        a->shift++;
    uint32_t first = (uint32_t)(((uint64_t)partition + a->start) % n);
    sm_list_append(&out, a->broker[first].id);
    if (a->rack_count > 0)
        add_by_rack(a, first, &out);
    else
        for (uint32_t k = 0; out.count < a->replicas; k++)
            sm_list_append(&out, a->broker[place_of(a, first, a->shift, k)].id);
    return out;
}
