/*
 * Znodes out of facts. Children of a path are the keys "zn:PATH/NAME" without a further slash.
 */
#include "sim/znodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/keys.h"
#include "statemachine/znode.h"

/* "zn:" PATH and what follows it; owned. */
static char *key_of(const char *path, const char *tail)
{
    size_t size = strlen(path) + strlen(tail) + 4, capacity = 0;
    char *key = sim_grow(NULL, &capacity, size, 1);
    snprintf(key, size, "zn:%s%s", path, tail);
    return key;
}

static int64_t member_int(const struct sim_value *object, enum sim_field field)
{
    struct sim_value v;
    return sim_object_get(object, field, &v) && v.type == SIM_V_INT ? v.number : 0;
}

static const char *child_name(const char *key, size_t prefix)
{
    const char *name = key + prefix;
    return *name != '\0' && strchr(name, '/') == NULL ? name : NULL;
}

/* The key prefix of the children of `path`, owned. */
static char *prefix_of(const char *path)
{
    return key_of(path, strcmp(path, "/") == 0 ? "" : "/");
}

bool sim_znode_next_child(const struct sim_facts *facts, const char *path, uint64_t n,
                          struct sim_fact_walk *walk, const char **name)
{
    char *prefix = prefix_of(path);
    struct sim_fact fact;
    *name = NULL;
    while (*name == NULL && sim_facts_next(facts, prefix, n, walk, &fact))
        *name = child_name(fact.key, strlen(prefix));
    free(prefix);
    return *name != NULL;
}

static int64_t zxid_of(const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    return sim_trace_get(trace, n, &r) ? sim_record_int(&r, SIM_F_ZXID, 0) : 0;
}

/* Counts how often the child `key` came or went after record `since` and until n. */
static void add_changes(const struct sim_facts *facts, const char *key, uint64_t since, uint64_t n,
                        struct wire_zk_stat *stat)
{
    struct sim_fact fact = {0}, older;
    while (sim_facts_before(facts, key, n, &fact) && fact.n > since) {
        older = fact;
        bool was = sim_facts_before(facts, key, n, &older) && older.value.type != SIM_V_NULL;
        if (was == (fact.value.type != SIM_V_NULL))
            continue;
        int64_t zxid = zxid_of(sim_facts_trace(facts), fact.n);
        stat->cversion++;
        if (zxid > stat->pzxid)
            stat->pzxid = zxid;
    }
}

static void add_children(const struct sim_facts *facts, const char *path, uint64_t n,
                         struct sim_znode *znode)
{
    char *prefix = prefix_of(path);
    size_t size = strlen(prefix), at = sim_facts_find(facts, prefix);
    for (; at < sim_facts_count(facts); at++) {
        const char *key = sim_facts_key(facts, at);
        struct sim_fact fact;
        if (strncmp(key, prefix, size) != 0)
            break;
        if (child_name(key, size) == NULL)
            continue;
        znode->stat.num_children += sim_facts_have(facts, key, n, &fact);
        add_changes(facts, key, znode->n, n, &znode->stat);
    }
    free(prefix);
}

static void decode(const struct sim_fact *fact, struct sim_znode *znode)
{
    struct sim_value data;
    const struct sim_value *v = &fact->value;
    znode->n = fact->n;
    if (sim_object_get(v, SIM_F_DATA, &data) && data.type == SIM_V_TEXT) {
        znode->data = data.text;
        znode->size = data.size;
    }
    znode->stat = (struct wire_zk_stat){
        .czxid = member_int(v, SIM_F_CZXID),
        .mzxid = member_int(v, SIM_F_MZXID),
        .pzxid = member_int(v, SIM_F_PZXID),
        .ctime = member_int(v, SIM_F_CTIME),
        .mtime = member_int(v, SIM_F_MTIME),
        .ephemeral_owner = member_int(v, SIM_F_OWNER),
        .version = (int32_t)member_int(v, SIM_F_VERSION),
        .cversion = (int32_t)member_int(v, SIM_F_CVERSION),
        .data_length = (int32_t)znode->size,
    };
}

bool sim_znode_get(const struct sim_facts *facts, const char *path, uint64_t n,
                   struct sim_znode *znode)
{
    char *key = key_of(path, "");
    struct sim_fact fact;
    *znode = (struct sim_znode){0};
    bool found = sim_facts_have(facts, key, n, &fact);
    free(key);
    if (found)
        decode(&fact, znode);
    else if (strcmp(path, "/") != 0)
        return false;
    add_children(facts, path, n, znode);
    return true;
}

bool sim_znode_leadership(const struct sim_facts *facts, const char *topic, int32_t partition,
                          uint64_t n, struct sm_leader_and_isr *out)
{
    char path[SM_PATH_MAX], key[SM_PATH_MAX + 4];
    struct sim_fact fact;
    struct sim_znode znode = {0};
    if (strlen(topic) > SM_TOPIC_NAME_MAX)
        return false;
    sm_path_partition_state(path, topic, partition);
    snprintf(key, sizeof(key), "zn:%s", path);
    if (!sim_facts_have(facts, key, n, &fact))
        return false;
    decode(&fact, &znode);
    return znode.data != NULL &&
           sm_znode_decode_state(znode.data, znode.size, znode.stat.version, out) == SM_ERR_OK;
}
