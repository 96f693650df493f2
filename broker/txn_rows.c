/*
 * Rows of the transaction coordinator: transactions by id and by producer id, their partitions by
 * name, brokers by id; the lists they stand in; and the one place where a state is written.
 *
 * A row that is freed is zero but for its link, so that equal histories leave equal bytes. Hash
 * tables answer look-ups only: whatever is walked is a list, in the order of arrival.
 *
 * Source: TransactionMetadata (validPreviousStates); Kafka has hash maps for the rest.
 */
#include "broker/txn_state.h"

/* ---- taking and giving ---- */

uint32_t kb_tx_left(const struct kb_txns *x, enum kb_tx_tables t)
{
    const struct kb_tx_table *table = &x->tables[t];
    uint32_t left = table->capacity - table->high;

    for (uint32_t row = table->free; row != 0; left++) {
        row = ((struct kb_tx_head *)kb_tx_row(x, t, row))->next;
    }
    return left;
}

uint32_t kb_tx_take(struct kb_txns *x, enum kb_tx_tables t)
{
    struct kb_tx_table *table = &x->tables[t];
    uint32_t row = table->free;

    if (row != 0) {
        table->free = ((struct kb_tx_head *)kb_tx_row(x, t, row))->next;
    } else {
        assert(table->high < table->capacity);
        row = ++table->high;
    }
    struct kb_tx_head *head = kb_tx_row(x, t, row);
    head->used = 1;
    head->next = 0;
    return row;
}

void kb_tx_give(struct kb_txns *x, enum kb_tx_tables t, uint32_t row)
{
    struct kb_tx_table *table = &x->tables[t];
    struct kb_tx_head *head = kb_tx_row(x, t, row);

    memset(head, 0, table->stride);
    head->next = table->free;
    table->free = row;
}

/* ---- hashes ---- */

enum { FNV_SEED = 0x811c9dc5, FNV_PRIME = 16777619 };

static uint32_t hash_of(const void *bytes, size_t size)
{
    uint32_t hash = (uint32_t)FNV_SEED;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * (uint32_t)FNV_PRIME;
    }
    return hash ^ hash >> 15;
}

static uint32_t *head_of(const struct kb_txns *x, enum kb_tx_hashes h, uint32_t hash)
{
    const struct kb_tx_heads *heads = &x->heads[h];
    uint8_t *at = (uint8_t *)(uintptr_t)x + heads->at;
    return (uint32_t *)(void *)at + hash % heads->count;
}

static uint32_t *id_head(const struct kb_txns *x, const char *id)
{
    return head_of(x, KB_H_ID, hash_of(id, strlen(id)));
}
static uint32_t *producer_head(const struct kb_txns *x, int64_t id)
{
    return head_of(x, KB_H_PRODUCER, hash_of(&id, sizeof id));
}
static uint32_t *topic_head(const struct kb_txns *x, uint32_t txn, const char *name)
{
    return head_of(x, KB_H_TOPIC, hash_of(name, strlen(name)) ^ hash_of(&txn, sizeof txn));
}
static uint32_t *part_head(const struct kb_txns *x, uint32_t topic, int32_t partition)
{
    const uint32_t key[2] = {topic, (uint32_t)partition};
    return head_of(x, KB_H_PART, hash_of(key, sizeof key));
}
static uint32_t *broker_head(const struct kb_txns *x, int32_t id)
{
    return head_of(x, KB_H_BROKER, hash_of(&id, sizeof id));
}

/* Where the link of a row stands within it. */
static uint32_t *chain_of(const struct kb_txns *x, enum kb_tx_hashes h, uint32_t row)
{
    switch (h) {
    case KB_H_ID:
        return &kb_tx(x, row)->chain[0];
    case KB_H_PRODUCER:
        return &kb_tx(x, row)->chain[1];
    case KB_H_TOPIC:
        return &kb_tx_topic(x, row)->chain;
    case KB_H_PART:
        return &kb_tx_part(x, row)->chain;
    case KB_H_BROKER:
        return &kb_tx_broker(x, row)->chain;
    case KB_H_END:
        break;
    }
    return NULL;
}

static void link_row(const struct kb_txns *x, enum kb_tx_hashes h, uint32_t *head, uint32_t row)
{
    *chain_of(x, h, row) = *head;
    *head = row;
}

static void unlink_row(const struct kb_txns *x, enum kb_tx_hashes h, uint32_t *head, uint32_t row)
{
    while (*head != row) {
        head = chain_of(x, h, *head);
    }
    *head = *chain_of(x, h, row);
    *chain_of(x, h, row) = 0;
}

/* Rows were copied with the chains of other heads. */
void kb_tx_rehash(struct kb_txns *x)
{
    for (uint32_t row = 1; row <= x->tables[KB_X_TXN].high; row++) {
        const struct kb_tx *p = kb_tx(x, row);
        if (p->row.used) {
            link_row(x, KB_H_ID, id_head(x, kb_tx_id(p)), row);
        }
        if (p->row.used && p->now.producer_id >= 0) {
            link_row(x, KB_H_PRODUCER, producer_head(x, p->now.producer_id), row);
        }
    }
    for (uint32_t row = 1; row <= x->tables[KB_X_TOPIC].high; row++) {
        const struct kb_tx_topic *p = kb_tx_topic(x, row);
        if (p->row.used) {
            link_row(x, KB_H_TOPIC, topic_head(x, p->txn, kb_tx_name(p)), row);
        }
    }
    for (uint32_t row = 1; row <= x->tables[KB_X_PART].high; row++) {
        const struct kb_tx_part *p = kb_tx_part(x, row);
        if (p->row.used) {
            link_row(x, KB_H_PART, part_head(x, p->topic, p->partition), row);
        }
    }
    for (uint32_t row = 1; row <= x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *p = kb_tx_broker(x, row);
        if (p->row.used) {
            link_row(x, KB_H_BROKER, broker_head(x, p->id), row);
        }
    }
}

/* ---- transactions ---- */

uint32_t kb_tx_find(const struct kb_txns *x, const char *id)
{
    uint32_t row = *id_head(x, id);

    while (row != 0 && strcmp(kb_tx_id(kb_tx(x, row)), id) != 0) {
        row = kb_tx(x, row)->chain[0];
    }
    return row;
}

uint32_t kb_tx_by_producer(const struct kb_txns *x, int64_t producer_id)
{
    uint32_t row = producer_id < 0 ? 0 : *producer_head(x, producer_id);

    while (row != 0 && kb_tx(x, row)->now.producer_id != producer_id) {
        row = kb_tx(x, row)->chain[1];
    }
    return row;
}

uint32_t kb_tx_add(struct kb_txns *x, const char *id, int32_t partition)
{
    uint32_t row = kb_tx_take(x, KB_X_TXN);
    struct kb_tx *p = kb_tx(x, row);
    struct kb_tx_list *list = &kb_tx_owned(x, partition)->txns;

    strcpy(kb_tx_id(p), id);
    p->serial = ++x->serial;
    p->now = (struct kb_tx_values){.producer_id = -1,
                                   .last_producer_id = -1,
                                   .start_ms = -1,
                                   .epoch = KB_TX_NONE,
                                   .last_epoch = KB_TX_NONE};
    p->partition = partition;
    p->state = KB_TXN_EMPTY;
    p->pending = KB_TX_NONE;
    p->before = list->last;
    if (list->last == 0) {
        list->first = row;
    } else {
        kb_tx(x, list->last)->row.next = row;
    }
    list->last = row;
    link_row(x, KB_H_ID, id_head(x, id), row);
    x->txns++;
    return row;
}

void kb_tx_drop(struct kb_txns *x, uint32_t txn)
{
    struct kb_tx *p = kb_tx(x, txn);
    struct kb_tx_list *list = &kb_tx_owned(x, p->partition)->txns;

    kb_tx_parts_drop(x, txn, false);
    *(p->before == 0 ? &list->first : &kb_tx(x, p->before)->row.next) = p->row.next;
    *(p->row.next == 0 ? &list->last : &kb_tx(x, p->row.next)->before) = p->before;
    unlink_row(x, KB_H_ID, id_head(x, kb_tx_id(p)), txn);
    if (p->now.producer_id >= 0) {
        unlink_row(x, KB_H_PRODUCER, producer_head(x, p->now.producer_id), txn);
    }
    x->txns--;
    x->ongoing -= p->state == KB_TXN_ONGOING;
    x->completes_again -= p->again;
    kb_tx_give(x, KB_X_TXN, txn);
}

/* Read a row as: "may become <- these". */
#define BIT(state) (1u << KB_TXN_##state)
static const uint32_t from[KB_TXN_STATES] = {
    [KB_TXN_EMPTY] = BIT(EMPTY) | BIT(COMPLETE_COMMIT) | BIT(COMPLETE_ABORT),
    [KB_TXN_ONGOING] = BIT(ONGOING) | BIT(EMPTY) | BIT(COMPLETE_COMMIT) | BIT(COMPLETE_ABORT),
    [KB_TXN_PREPARE_COMMIT] = BIT(ONGOING),
    [KB_TXN_PREPARE_ABORT] = BIT(ONGOING) | BIT(PREPARE_EPOCH_FENCE),
    [KB_TXN_COMPLETE_COMMIT] = BIT(PREPARE_COMMIT),
    [KB_TXN_COMPLETE_ABORT] = BIT(PREPARE_ABORT),
    [KB_TXN_DEAD] = BIT(EMPTY) | BIT(COMPLETE_ABORT) | BIT(COMPLETE_COMMIT),
    [KB_TXN_PREPARE_EPOCH_FENCE] = BIT(ONGOING),
};
#undef BIT

bool kb_txn_may(enum kb_txn_state state, enum kb_txn_state to)
{
    return (from[to] >> state & 1) != 0;
}

void kb_tx_enter(struct kb_txns *x, uint32_t txn, enum kb_txn_state state)
{
    struct kb_tx *p = kb_tx(x, txn);

    assert(kb_txn_may((enum kb_txn_state)p->state, state));
    x->ongoing += (state == KB_TXN_ONGOING) - (p->state == KB_TXN_ONGOING);
    p->state = (int8_t)state;
}

void kb_tx_set_values(struct kb_txns *x, uint32_t txn, const struct kb_tx_values *values)
{
    struct kb_tx *p = kb_tx(x, txn);
    int64_t old = p->now.producer_id;

    if (old != values->producer_id && old >= 0) {
        unlink_row(x, KB_H_PRODUCER, producer_head(x, old), txn);
    }
    p->now = *values;
    if (old != values->producer_id && values->producer_id >= 0) {
        link_row(x, KB_H_PRODUCER, producer_head(x, values->producer_id), txn);
    }
}

/* ---- topics and partitions of a transaction ---- */

uint32_t kb_tx_topic_find(const struct kb_txns *x, uint32_t txn, const char *name)
{
    uint32_t row = *topic_head(x, txn, name);

    for (; row != 0; row = kb_tx_topic(x, row)->chain) {
        const struct kb_tx_topic *p = kb_tx_topic(x, row);
        if (p->txn == txn && strcmp(kb_tx_name(p), name) == 0) {
            break;
        }
    }
    return row;
}

uint32_t kb_tx_part_find(const struct kb_txns *x, uint32_t topic, int32_t partition)
{
    uint32_t row = topic == 0 ? 0 : *part_head(x, topic, partition);

    for (; row != 0; row = kb_tx_part(x, row)->chain) {
        const struct kb_tx_part *p = kb_tx_part(x, row);
        if (p->topic == topic && p->partition == partition) {
            break;
        }
    }
    return row;
}

static uint32_t topic_add(struct kb_txns *x, uint32_t txn, const char *name)
{
    struct kb_tx *p = kb_tx(x, txn);
    uint32_t row = kb_tx_take(x, KB_X_TOPIC);
    struct kb_tx_topic *topic = kb_tx_topic(x, row);

    strcpy(kb_tx_name(topic), name);
    topic->txn = txn;
    if (p->topics.last == 0) {
        p->topics.first = row;
    } else {
        kb_tx_topic(x, p->topics.last)->row.next = row;
    }
    p->topics.last = row;
    p->topic_count++;
    link_row(x, KB_H_TOPIC, topic_head(x, txn, name), row);
    return row;
}

bool kb_tx_part_add(struct kb_txns *x, uint32_t txn, const char *name, int32_t partition,
                    bool fresh)
{
    uint32_t topic = kb_tx_topic_find(x, txn, name);

    if (kb_tx_part_find(x, topic, partition) != 0) {
        return false;
    }
    if (topic == 0) {
        topic = topic_add(x, txn, name);
    }
    struct kb_tx_topic *t = kb_tx_topic(x, topic);
    uint32_t row = kb_tx_take(x, KB_X_PART);
    struct kb_tx_part *p = kb_tx_part(x, row);
    p->topic = topic;
    p->partition = partition;
    p->fresh = fresh;
    p->before = t->parts.last;
    if (t->parts.last == 0) {
        t->parts.first = row;
    } else {
        kb_tx_part(x, t->parts.last)->row.next = row;
    }
    t->parts.last = row;
    t->count++;
    kb_tx(x, txn)->parts++;
    link_row(x, KB_H_PART, part_head(x, topic, partition), row);
    return true;
}

static void part_out(struct kb_txns *x, uint32_t row)
{
    struct kb_tx_part *p = kb_tx_part(x, row);
    struct kb_tx_topic *t = kb_tx_topic(x, p->topic);

    kb_tx_part_move(x, row, KB_P_NOWHERE, 0);
    *(p->before == 0 ? &t->parts.first : &kb_tx_part(x, p->before)->row.next) = p->row.next;
    *(p->row.next == 0 ? &t->parts.last : &kb_tx_part(x, p->row.next)->before) = p->before;
    unlink_row(x, KB_H_PART, part_head(x, p->topic, p->partition), row);
    kb_tx_give(x, KB_X_PART, row);
    t->count--;
    kb_tx(x, t->txn)->parts--;
}

static void drop_topic(struct kb_txns *x, uint32_t topic, uint32_t before)
{
    struct kb_tx_topic *t = kb_tx_topic(x, topic);
    struct kb_tx *p = kb_tx(x, t->txn);

    *(before == 0 ? &p->topics.first : &kb_tx_topic(x, before)->row.next) = t->row.next;
    p->topics.last = p->topics.last == topic ? before : p->topics.last;
    p->topic_count--;
    unlink_row(x, KB_H_TOPIC, topic_head(x, t->txn, kb_tx_name(t)), topic);
    kb_tx_give(x, KB_X_TOPIC, topic);
}

void kb_tx_parts_drop(struct kb_txns *x, uint32_t txn, bool fresh_only)
{
    uint32_t before = 0;

    for (uint32_t topic = kb_tx(x, txn)->topics.first, next; topic != 0; topic = next) {
        next = kb_tx_topic(x, topic)->row.next;
        for (uint32_t part = kb_tx_topic(x, topic)->parts.first, after; part != 0; part = after) {
            after = kb_tx_part(x, part)->row.next;
            if (!fresh_only || kb_tx_part(x, part)->fresh) {
                part_out(x, part);
            }
        }
        if (kb_tx_topic(x, topic)->count == 0) {
            drop_topic(x, topic, before);
        } else {
            before = topic;
        }
    }
}

/* A topic without partitions stays until the last of all goes: whoever takes them out one by one
   does so to all of them. */
void kb_tx_part_drop(struct kb_txns *x, uint32_t part)
{
    uint32_t topic = kb_tx_part(x, part)->topic, txn = kb_tx_topic(x, topic)->txn;

    part_out(x, part);
    if (kb_tx(x, txn)->parts == 0) {
        kb_tx_parts_drop(x, txn, false);
    }
}

/* ---- brokers and their markers ---- */

uint32_t kb_tx_broker_find(const struct kb_txns *x, int32_t id)
{
    uint32_t row = *broker_head(x, id);

    while (row != 0 && kb_tx_broker(x, row)->id != id) {
        row = kb_tx_broker(x, row)->chain;
    }
    return row;
}

uint32_t kb_tx_broker_get(struct kb_txns *x, int32_t id)
{
    uint32_t row = kb_tx_broker_find(x, id);

    if (row == 0) {
        row = kb_tx_take(x, KB_X_BROKER);
        kb_tx_broker(x, row)->id = id;
        kb_tx_broker(x, row)->due_us = -1;
        link_row(x, KB_H_BROKER, broker_head(x, id), row);
    }
    return row;
}

void kb_tx_broker_settle(struct kb_txns *x, uint32_t broker)
{
    const struct kb_tx_broker *b = kb_tx_broker(x, broker);

    if (b->correlation == 0 && b->queued.first == 0 && b->sent.first == 0) {
        unlink_row(x, KB_H_BROKER, broker_head(x, b->id), broker);
        kb_tx_give(x, KB_X_BROKER, broker);
    }
}

static struct kb_tx_list *list_of(struct kb_txns *x, enum kb_tx_places place, uint32_t broker)
{
    switch (place) {
    case KB_P_NOWHERE:
        break;
    case KB_P_QUEUED:
        return &kb_tx_broker(x, broker)->queued;
    case KB_P_SENT:
        return &kb_tx_broker(x, broker)->sent;
    case KB_P_HOMELESS:
        return &x->homeless;
    case KB_P_AGAIN:
        return &x->again;
    }
    return NULL;
}

void kb_tx_part_move(struct kb_txns *x, uint32_t part, enum kb_tx_places place, uint32_t broker)
{
    struct kb_tx_part *p = kb_tx_part(x, part);
    struct kb_tx_list *list = list_of(x, (enum kb_tx_places)p->place, p->broker);

    if (list != NULL) {
        uint32_t before = p->marker[0], after = p->marker[1];
        *(before == 0 ? &list->first : &kb_tx_part(x, before)->marker[1]) = after;
        *(after == 0 ? &list->last : &kb_tx_part(x, after)->marker[0]) = before;
    }
    p->marker[0] = p->marker[1] = 0;
    p->place = (uint8_t)place;
    p->broker = broker;
    list = list_of(x, place, broker);
    if (list != NULL) {
        p->marker[0] = list->last;
        *(list->last == 0 ? &list->first : &kb_tx_part(x, list->last)->marker[1]) = part;
        list->last = part;
    }
}
