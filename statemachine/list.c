/*
 * Lists of broker ids: at most SM_REPLICAS_MAX, nearly always three. A linear search through three
 * numbers beats any index, so everything here is a loop.
 */
#include "statemachine/list.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct sm_list) == 4 + 4 * SM_REPLICAS_MAX, "a list has no padding");

struct sm_list sm_list_of(const int32_t *ids, int32_t count)
{
    assert(count >= 0);
    assert(count <= SM_REPLICAS_MAX);
    struct sm_list list = {.count = count};
    if (count > 0)
        memcpy(list.id, ids, (size_t)count * sizeof ids[0]);
    return list;
}

bool sm_list_has(const struct sm_list *list, int32_t id)
{
    for (int32_t i = 0; i < list->count; i++)
        if (list->id[i] == id)
            return true;
    return false;
}

bool sm_list_equal(const struct sm_list *a, const struct sm_list *b)
{
    return a->count == b->count && memcmp(a->id, b->id, (size_t)a->count * sizeof a->id[0]) == 0;
}

bool sm_list_subset(const struct sm_list *part, const struct sm_list *whole)
{
    for (int32_t i = 0; i < part->count; i++)
        if (!sm_list_has(whole, part->id[i]))
            return false;
    return true;
}

bool sm_list_same_members(const struct sm_list *a, const struct sm_list *b)
{
    return sm_list_subset(a, b) && sm_list_subset(b, a);
}

bool sm_list_append(struct sm_list *list, int32_t id)
{
    if (list->count == SM_REPLICAS_MAX)
        return false;
    list->id[list->count++] = id;
    return true;
}

/* Returns the members of `list` whose membership in `other` is `wanted`, in the order of `list`. */
static struct sm_list filter(const struct sm_list *list, const struct sm_list *other, bool wanted)
{
    struct sm_list out = {0};
    for (int32_t i = 0; i < list->count; i++)
        if (sm_list_has(other, list->id[i]) == wanted)
            out.id[out.count++] = list->id[i];
    return out;
}

struct sm_list sm_list_minus(const struct sm_list *list, const struct sm_list *removed)
{
    return filter(list, removed, false);
}

struct sm_list sm_list_intersect(const struct sm_list *list, const struct sm_list *kept)
{
    return filter(list, kept, true);
}

struct sm_list sm_list_without(const struct sm_list *list, int32_t id)
{
    struct sm_list out = {0};
    for (int32_t i = 0; i < list->count; i++)
        if (list->id[i] != id)
            out.id[out.count++] = list->id[i];
    return out;
}

/* Appends what `out` lacks of `more`. */
static void add_distinct(struct sm_list *out, const struct sm_list *more, bool *overflow)
{
    for (int32_t i = 0; i < more->count; i++)
        if (!sm_list_has(out, more->id[i]) && !sm_list_append(out, more->id[i]))
            *overflow = true;
}

struct sm_list sm_list_union(const struct sm_list *a, const struct sm_list *b, bool *overflow)
{
    struct sm_list out = {0};
    add_distinct(&out, a, overflow);
    add_distinct(&out, b, overflow);
    return out;
}

bool sm_list_has_duplicates(const struct sm_list *list)
{
    for (int32_t i = 1; i < list->count; i++)
        for (int32_t j = 0; j < i; j++)
            if (list->id[i] == list->id[j])
                return true;
    return false;
}
