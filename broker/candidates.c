/*
 * Who may get replicas: live brokers that hold data. Kafka asks its cache alone; a node without
 * data is seen only in its registration, so each broker's is read once a life (by its epoch), when
 * somebody first wants to place replicas.
 *
 * Source: Kafka ZkAdminManager.createTopics (getAliveBrokers). Differs: createPartitions asks
 * ZooKeeper in Kafka, here the cache.
 */
#include <assert.h>
#include <string.h>

#include "broker/assign.h"
#include "broker/state.h"

static void ask(struct kb_turn *t, struct kb_live *l)
{
    char path[SM_PATH_MAX];
    sm_path_broker(path, l->broker.id);
    l->data = KB_DATA_ASKED;
    l->asked = kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = path});
}

bool kb_candidates_known(struct kb_turn *t)
{
    struct kb_cache *c = kb_cache_of(t->b);
    bool known = true;
    for (uint32_t i = 0; i < kb_cache_live_count(c); i++) {
        struct kb_live *l = kb_cache_live(c, i);
        if (l->broker.id == t->b->self.id)
            l->data = t->b->has_data ? KB_DATA_YES : KB_DATA_NO;
        if (l->data == KB_DATA_UNKNOWN)
            ask(t, l);
        known = known && l->data != KB_DATA_ASKED;
    }
    return known;
}

/* A registration that is gone, or that cannot be read, is that of a broker with data: so it is for
   Kafka, which does not look. */
bool kb_candidates_on_reply(struct kb_turn *t, const struct kb_reply *r)
{
    struct kb_cache *c = kb_cache_of(t->b);
    for (uint32_t i = 0; i < kb_cache_live_count(c); i++) {
        struct kb_live *l = kb_cache_live(c, i);
        if (l->data != KB_DATA_ASKED || l->asked != t->in->reply->xid)
            continue;
        struct sm_broker registered = {0};
        if (r->err == WIRE_ZK_OK)
            sm_znode_decode_broker((const char *)r->data, r->size, l->broker.id, &registered);
        l->asked = 0;
        l->data = r->err == WIRE_ZK_SESSION_EXPIRED ? KB_DATA_UNKNOWN
                  : registered.without_data         ? KB_DATA_NO
                                                    : KB_DATA_YES;
        return true;
    }
    return false;
}

struct kb_candidate *kb_candidates(struct kb_turn *t, uint32_t *count)
{
    struct kb_cache *c = kb_cache_of(t->b);
    uint32_t live = kb_cache_live_count(c);
    struct kb_candidate *list = kb_turn_scratch(t, (live + 1) * sizeof *list);
    *count = 0;
    for (uint32_t i = 0; i < live; i++) {
        const struct kb_live *l = kb_cache_live(c, i);
        if (l->data != KB_DATA_NO)
            list[(*count)++] = (struct kb_candidate){.id = l->broker.id, .rack = l->broker.rack};
    }
    return list;
}

bool kb_is_without_data(const struct kb_broker *b, int32_t id)
{
    const struct kb_live *l = kb_cache_live_id(kb_cache_of(b), id);
    return (id == b->self.id && !b->has_data) || (l != NULL && l->data == KB_DATA_NO);
}
