/*
 * An ordered list of broker ids, by value.
 *
 * The order of replicas, isr, adding and removing is Kafka's behaviour: the head of `replicas` is
 * the preferred leader, an election walks the assignment in order, and the ISR keeps the order in
 * which its writer knew it. So these are lists, never sets. Unused members are zero, so that equal
 * lists are equal bytes.
 */
#ifndef STATEMACHINE_LIST_H
#define STATEMACHINE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "statemachine/limits.h"

struct sm_list {
    int32_t count;
    int32_t id[SM_REPLICAS_MAX];
};

/* Returns the list of `count` ids copied from `ids`; count is 0..SM_REPLICAS_MAX (asserted). */
struct sm_list sm_list_of(const int32_t *ids, int32_t count);

/* Returns whether `id` is a member. */
bool sm_list_has(const struct sm_list *list, int32_t id);

/* Returns whether both hold the same ids in the same order. */
bool sm_list_equal(const struct sm_list *a, const struct sm_list *b);

/* Returns whether every member of `part` is a member of `whole`. */
bool sm_list_subset(const struct sm_list *part, const struct sm_list *whole);

/* Returns whether both hold the same ids, order aside (members are distinct). */
bool sm_list_same_members(const struct sm_list *a, const struct sm_list *b);

/* Appends `id`; false, and nothing changed, where the list is full. Duplicates are allowed. */
bool sm_list_append(struct sm_list *list, int32_t id);

/* Returns `list` without the members of `removed`, order kept (Scala's diff on distinct lists). */
struct sm_list sm_list_minus(const struct sm_list *list, const struct sm_list *removed);

/* Returns `list` without `id`, order kept. */
struct sm_list sm_list_without(const struct sm_list *list, int32_t id);

/* Returns the members of `list` that are in `kept`, in the order of `list`. */
struct sm_list sm_list_intersect(const struct sm_list *list, const struct sm_list *kept);

/* Returns distinct(a ++ b), first occurrences kept; members past SM_REPLICAS_MAX set *overflow. */
struct sm_list sm_list_union(const struct sm_list *a, const struct sm_list *b, bool *overflow);

/* Returns whether an id occurs twice. */
bool sm_list_has_duplicates(const struct sm_list *list);

/* Orders `ids` in place as Scala 2.13's immutable.HashMap iterates over Int keys (a CHAMP trie:
 * at each node first the keys stored there, by hash bits, then the child nodes): 5,1,6,2,3,4.
 * Replicas of several brokers that go offline in one call are handled in this order by Kafka 2.8
 * (ReplicaStateMachine.handleStateChanges groups by broker), and the last in-sync one stays in the
 * ISR, so the order shows. `ids` are distinct; `count` is any number >= 0. O(n log n). */
void sm_scala_order(int32_t *ids, int32_t count);

#endif
