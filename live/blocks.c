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

enum { LIMIT_MAX = 1 << 30, SCRATCH_BYTES = 65536 };
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

static bool grow_scratch(struct kn_node *n, size_t needed)
{
    if (needed > BLOCK_BYTES_MAX)
        return false;
    free(n->scratch); /* holds nothing between steps */
    n->scratch_size = needed > 2 * n->scratch_size ? needed : 2 * n->scratch_size;
    n->scratch = sim_alloc(n->scratch_size);
    return true;
}

static bool grow_broker(struct kn_node *n, const char *short_of)
{
    struct kb_broker_limits limits = kb_broker_limits_above(kb_broker_limits(n->broker), short_of);
    size_t size = kb_broker_grown_size(n->broker, &limits);
    if (size > BLOCK_BYTES_MAX)
        return false;
    struct kb_broker *larger = sim_alloc(size);
    kb_broker_grow(n->broker, larger, &limits);
    free(n->broker);
    n->broker = larger;
    return true;
}

bool live_block_grow(struct kn_node *n, enum kn_block block, const char *short_of,
                     size_t scratch_needed)
{
    switch (block) {
    case KN_BLOCK_CONTROLLER:
        return grow_controller(n, short_of);
    case KN_BLOCK_SESSION:
        return grow_session(n);
    case KN_BLOCK_REPLICAS: /* its broker part hosts nothing */
        return false;
    case KN_BLOCK_BROKER:
        return strcmp(short_of, "scratch") == 0 ? grow_scratch(n, scratch_needed)
                                                : grow_broker(n, short_of);
    case KN_BLOCK_ANSWER:
        n->own_item = sim_realloc(n->own_item, scratch_needed);
        n->own_capacity = (uint32_t)(scratch_needed / sizeof *n->own_item);
        return true;
    }
    return false;
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

static struct kc_controller *new_controller(const struct sim_settings *kafka,
                                            const struct sm_broker *registration, uint32_t notes)
{
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
    return c;
}

static struct kb_broker *new_broker(struct live_settings *settings,
                                    const struct sm_broker *registration, uint64_t seed)
{
    struct kb_broker_limits limits = kb_broker_limits_default();
    struct kb_broker_config config = {.broker = *registration,
                               .has_data = 0,
                               .seed = seed,
                               .properties = live_settings_props(settings)};
    struct kb_broker *b = sim_alloc(kb_broker_size(&limits, &config));
    kb_broker_init(b, &limits, &config);
    return b;
}

void live_blocks_make(struct kn_node *n, struct live_settings *settings,
                      const struct sm_broker *registration, uint32_t notes, uint64_t seed)
{
    kn_node_init(n, registration->id, new_session(&settings->kafka),
                 new_controller(&settings->kafka, registration, notes));
    n->broker = new_broker(settings, registration, seed);
    n->scratch_size = SCRATCH_BYTES;
    n->scratch = sim_alloc(n->scratch_size);
}

void live_blocks_free(struct kn_node *n)
{
    free(n->session);
    free(n->controller);
    free(n->broker);
    free(n->scratch);
    free(n->own_item);
    *n = (struct kn_node){0};
}
