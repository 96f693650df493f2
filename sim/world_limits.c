/* Three brokers, a dozen partitions, one client of each kind: nothing of these grows more than
   once. A controller's room for batches stays what a step may ask for (controller/needs.c). */
#include "sim/world_limits.h"

struct kc_limits sim_first_controller(void)
{
    struct kc_limits l = kc_limits_default();
    l.brokers = 4;
    l.topics = 8;
    l.partitions = 16;
    l.events = 32;
    l.event_bytes = 4096;
    l.scratch_bytes = 32768;
    return l;
}

struct kb_limits sim_first_replicas(void)
{
    struct kb_limits l = kb_limits_default();
    l.topics = 4;
    l.partitions = 8;
    l.replicas = 3;
    l.batches = 32;
    l.segments = 1;
    l.epochs = 16;
    l.producers = 4;
    l.transactions = 4;
    l.waits = 16;
    l.operations = 8;
    l.fetchers = 4;
    l.sessions = 4;
    l.live = 4;
    return l;
}

struct kb_broker_limits sim_first_broker(void)
{
    struct kb_broker_limits l = kb_broker_limits_default();
    l.requests = 8;
    l.request_bytes = 4096;
    l.data_calls = 4;
    l.events = 16;
    l.cache.brokers = 4;
    l.cache.topics = 8;
    l.cache.name_bytes = 256;
    l.cache.rows = 16;
    l.cache.words = 256;
    l.groups.groups = 2;
    l.groups.members = 4;
    l.groups.offsets = 8;
    l.groups.appends = 2;
    l.txns.transactions = 2;
    l.txns.topics = 2;
    l.txns.parts = 4;
    l.txns.appends = 2;
    return l;
}

struct kl_limits sim_first_client(void)
{
    struct kl_limits l = kl_limits_default();
    l.brokers = 4;
    l.partitions = 8;
    l.records = 32;
    l.bytes = 4096;
    l.requests = 8;
    l.commands = 2;
    return l;
}

struct kz_limits sim_first_server(uint32_t history)
{
    return (struct kz_limits){
        .nodes = 96, .bytes = 8192, .watches = 64, .sessions = 8, .history = history};
}
