/*
 * Blocks on the heap. The controller's is roomy from the start: pages that are never touched cost
 * nothing. A limit that is reached all the same doubles, so that growing costs no more than a copy
 * a byte; a block that was outgrown is given back at once (it is large, so malloc maps it).
 */
#include "live/blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/allocate.h"

enum { LIMIT_MAX = 1 << 30 };
#define BLOCK_BYTES_MAX ((size_t)16 << 30)

static uint32_t *limit_named(struct kc_limits *limits, const char *name)
{
    const struct {
        const char *name;
        uint32_t *limit;
    } all[] = {
        {"brokers", &limits->brokers},
        {"topics", &limits->topics},
        {"partitions", &limits->partitions},
        {"replicas", &limits->replicas},
        {"topic_name", &limits->topic_name},
        {"events", &limits->events},
        {"event_bytes", &limits->event_bytes},
        {"scratch_bytes", &limits->scratch_bytes},
        {"batch_bytes", &limits->batch_bytes},
        {"window", &limits->window},
        {"slots", &limits->slots},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].limit;
    return NULL;
}

static bool grow_controller(struct kn_node *n, const char *short_of)
{
    struct kc_limits limits = *kc_controller_limits(n->controller);
    uint32_t *limit = limit_named(&limits, short_of);
    assert(limit != NULL);
    if (*limit > LIMIT_MAX)
        return false;
    *limit = *limit == 0 ? 16 : *limit * 2;
    if (limits.brokers >= UINT16_MAX) /* numbers of brokers have 16 bits */
        return false;
    size_t size = kc_controller_size(&limits);
    if (size > BLOCK_BYTES_MAX)
        return false;
    struct kc_controller *larger = sim_alloc(size);
    kc_controller_grow(n->controller, larger, &limits);
    free(n->controller);
    n->controller = larger;
    return true;
}

static bool grow_session(struct kn_node *n)
{
    struct kn_session_limits limits = *kn_session_limits_of(n->session);
    if (limits.request_bytes > LIMIT_MAX)
        return false;
    limits.request_bytes *= 2;
    struct kn_session *larger = sim_realloc(NULL, kn_session_size(&limits));
    kn_session_grow(n->session, larger, &limits);
    free(n->session);
    n->session = larger;
    return true;
}

bool live_block_grow(struct kn_node *n, enum kn_block block, const char *short_of)
{
    return block == KN_BLOCK_CONTROLLER ? grow_controller(n, short_of) : grow_session(n);
}

static struct kn_session *new_session(const struct sim_settings *settings)
{
    struct kn_session_limits limits = kn_session_limits_default();
    struct kn_session_config config = kn_session_config_default();
    config.timeout_us = settings->session_timeout_us;
    struct kn_session *s = sim_realloc(NULL, kn_session_size(&limits));
    kn_session_init(s, &limits, &config);
    return s;
}

void live_blocks_make(struct kn_node *n, const struct live_settings *settings,
                      const struct sm_broker *registration, uint32_t notes)
{
    const struct sim_settings *kafka = &settings->kafka;
    struct kc_limits limits = kc_limits_roomy();
    struct kc_config config = kc_config_default(sm_profile_of(SM_VERSION_2_8), registration->id);
    config.broker = *registration;
    config.register_broker = 1;
    config.notes = notes;
    config.auto_leader_rebalance = kafka->auto_leader_rebalance;
    config.leader_imbalance_percentage = kafka->leader_imbalance_percentage;
    config.leader_imbalance_check_us = kafka->leader_imbalance_check_us;
    config.unclean_leader_election = kafka->unclean_leader_election;
    config.delete_topic = kafka->delete_topic;
    config.write_group = (uint32_t)kafka->zk_write_group;
    config.read_group = (uint32_t)kafka->zk_read_group;
    kc_limits_in_flight(&limits, (uint32_t)kafka->zk_in_flight, &config);
    struct kc_controller *c = sim_alloc(kc_controller_size(&limits));
    kc_controller_init(c, &limits, &config);
    kn_node_init(n, registration->id, new_session(kafka), c);
}

void live_blocks_free(struct kn_node *n)
{
    free(n->session);
    free(n->controller);
    *n = (struct kn_node){0};
}
