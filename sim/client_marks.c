/*
 * Which record of the trace made which offset readable: per broker and partition the high
 * watermarks that it has told, in order.
 *
 *     hw record ──► marks of (broker, topic, partition): {hw, lso, record}, both ascending
 *     reading offset x there ──► the first mark beyond x is its cause
 *
 * What a truncation takes away is taken away here, too. Kept only while there is a trace.
 */
#include <string.h>
#include <uthash.h>

#include "sim/allocate.h"
#undef uthash_malloc
#undef uthash_free
#define uthash_malloc(size)  sim_realloc(NULL, size)
#define uthash_free(p, size) sim_free(p)

#include "sim/client_state.h"

struct mark {
    int64_t hw, lso;
    uint64_t record;
};

struct mark_key {
    int32_t broker, partition;
    char topic[SM_TOPIC_NAME_MAX + 1];
};

struct sim_client_marks {
    struct mark_key key;
    struct mark *mark;
    uint32_t count, capacity;
    UT_hash_handle hh;
};

static struct sim_client_marks *find(const struct sim_clients *k, int32_t broker, const char *topic,
                                     int32_t partition, struct mark_key *key)
{
    struct sim_client_marks *found;
    memset(key, 0, sizeof(*key));
    key->broker = broker;
    key->partition = partition;
    memcpy(key->topic, topic, strlen(topic)); /* Kafka has no longer names than fit */
    HASH_FIND(hh, k->marks, key, sizeof(*key), found);
    return found;
}

void sim_client_marks_add(struct sim_clients *k, int32_t broker, const char *topic,
                          int32_t partition, int64_t hw, int64_t lso, uint64_t record)
{
    struct mark_key key;
    struct sim_client_marks *m = find(k, broker, topic, partition, &key);
    if (m == NULL) {
        m = sim_alloc(sizeof(*m));
        m->key = key;
        HASH_ADD(hh, k->marks, key, sizeof(m->key), m);
    }
    while (m->count > 0 && (m->mark[m->count - 1].hw >= hw || m->mark[m->count - 1].lso > lso))
        m->count--;
    if (m->count == m->capacity) {
        m->capacity = m->capacity * 2 + 16;
        m->mark = sim_realloc(m->mark, m->capacity * sizeof(*m->mark));
    }
    m->mark[m->count++] = (struct mark){.hw = hw, .lso = lso, .record = record};
}

uint64_t sim_client_marks_find(const struct sim_clients *k, int32_t broker, const char *topic,
                               int32_t partition, int64_t offset, bool committed)
{
    struct mark_key key;
    const struct sim_client_marks *m = find(k, broker, topic, partition, &key);
    uint32_t low = 0, high = m == NULL ? 0 : m->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if ((committed ? m->mark[middle].lso : m->mark[middle].hw) > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return m != NULL && low < m->count ? m->mark[low].record : 0;
}

void sim_client_marks_free(struct sim_clients *k)
{
    struct sim_client_marks *m, *next;
    HASH_ITER(hh, k->marks, m, next)
    {
        HASH_DEL(k->marks, m);
        sim_free(m->mark);
        sim_free(m);
    }
}
