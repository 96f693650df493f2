/*
 * The states of partitions and replicas, and which replicas are on offline directories.
 *
 * A partition's state is a byte of its row. A replica's is an entry of the partition's row; a state
 * None without an offline directory has no entry.
 *
 * Source: Kafka kafka.controller.ControllerContext.putPartitionState, putReplicaState,
 * replicasOnOfflineDirs.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

static bool is_pending(uint32_t state)
{
    return state == SM_PARTITION_NEW || state == SM_PARTITION_OFFLINE;
}

static void count_offline(struct kc_controller *c, uint32_t row, uint32_t from, uint32_t to)
{
    if ((kc_topic(c, kc_row_at(c, row)->topic - 1)->flags & KC_TOPIC_STARTED) != 0) {
        return;
    }
    if (from != SM_PARTITION_OFFLINE && to == SM_PARTITION_OFFLINE) {
        c->offline_count++;
    } else if (from == SM_PARTITION_OFFLINE && to != SM_PARTITION_OFFLINE) {
        c->offline_count--;
    }
}

void kc_put_partition_state(struct kc_controller *c, uint32_t row, enum sm_partition_state to,
                            bool direct)
{
    struct kc_partition *p = kc_row_at(c, row);
    enum sm_partition_state from = p->state;

    assert(direct || sm_partition_may_move(&c->config.profile, from, to));
    count_offline(c, row, from, to);
    p->state = (uint8_t)to;
    if (is_pending(to)) {
        kc_set_add(c, KC_SET_PENDING, row);
    } else {
        kc_set_remove(c, KC_SET_PENDING, row);
    }
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_PARTITION,
                                       .topic = kc_row_topic(c, row),
                                       .partition = p->partition,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .ok = 1,
                                       .direct = direct});
    }
}

static struct kc_replica_entry *entry_of(const struct kc_controller *c, uint32_t row,
                                         uint32_t broker)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);

    for (uint32_t i = 0; i < p->entry_count; i++) {
        if (entries[i].broker == broker + 1) {
            return &entries[i];
        }
    }
    return NULL;
}

/* Entries of brokers that left the assignment stay only where a change of theirs failed; there is
   room for as many of these as for assigned ones, then the oldest is forgotten. */
static struct kc_replica_entry *entry_for(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);
    struct kc_replica_entry *entry = entry_of(c, row, broker);

    if (entry != NULL) {
        return entry;
    }
    if (p->entry_count == 2 * c->limits.replicas) {
        uint32_t i = 0;
        while (i + 1 < p->entry_count && kc_row_has_replica(c, row, entries[i].broker - 1u)) {
            i++;
        }
        memmove(entries + i, entries + i + 1, sizeof *entries * (p->entry_count - i - 1));
        p->entry_count--;
    }
    entry = &entries[p->entry_count++];
    *entry = (struct kc_replica_entry){.broker = (uint16_t)(broker + 1)};
    return entry;
}

static void drop_empty_entry(struct kc_controller *c, uint32_t row, struct kc_replica_entry *entry)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);
    size_t i = (size_t)(entry - entries);

    if (entry->state != SM_REPLICA_NONE || entry->offline_dir != 0) {
        return;
    }
    memmove(entry, entry + 1, sizeof *entry * (p->entry_count - i - 1));
    p->entry_count--;
    entries[p->entry_count] = (struct kc_replica_entry){0};
}

enum sm_replica_state kc_row_replica_state(const struct kc_controller *c, uint32_t row,
                                           uint32_t broker)
{
    const struct kc_replica_entry *entry = entry_of(c, row, broker);

    return entry == NULL ? SM_REPLICA_NONE : (enum sm_replica_state)entry->state;
}

/* NonExistentReplica is kept as no entry: no move distinguishes the two. */
void kc_put_replica_state(struct kc_controller *c, uint32_t row, uint32_t broker,
                          enum sm_replica_state to, bool direct)
{
    struct kc_replica_entry *entry = entry_for(c, row, broker);
    enum sm_replica_state from = entry->state;

    assert(direct || sm_replica_may_move(&c->config.profile, from, to));
    entry->state = to == SM_REPLICA_NONEXISTENT ? SM_REPLICA_NONE : (uint8_t)to;
    drop_empty_entry(c, row, entry);
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_REPLICA,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .broker_id = kc_broker(c, broker)->id,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .ok = 1,
                                       .direct = direct});
    }
}

void kc_put_offline_dir(struct kc_controller *c, uint32_t row, uint32_t broker, bool offline)
{
    if (kc_is_offline_dir(c, row, broker) == offline) {
        return;
    }
    struct kc_replica_entry *entry = entry_for(c, row, broker);
    entry->offline_dir = offline;
    drop_empty_entry(c, row, entry);
    if (offline) {
        kc_broker(c, broker)->flags |= KC_BROKER_OFFLINE_DIRS;
    }
    if (kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_OFFLINE_DIR,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .broker_id = kc_broker(c, broker)->id,
                                       .value = offline});
    }
}

/* Walks all rows, but only for a broker that ever had an offline directory. */
void kc_clear_offline_dirs(struct kc_controller *c, uint32_t broker)
{
    if (!kc_broker_is(c, broker, KC_BROKER_OFFLINE_DIRS)) {
        return;
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (kc_row_at(c, row)->topic != 0) {
            kc_put_offline_dir(c, row, broker, false);
        }
    }
    kc_broker(c, broker)->flags &= ~(uint32_t)KC_BROKER_OFFLINE_DIRS;
}
