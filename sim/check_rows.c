/*
 * What the checks remember of topics, partitions and processes.
 *
 * Two chained hashes, by name and by (topic, partition). What is looked up next is often of the
 * topic of before, which is tried first. A topic is read whole when it is first touched, so that
 * its partitions cost one reading of its znode and not one each.
 */
#include <assert.h>
#include <xxhash.h>

#include "sim/check_state.h"

/* What versions before 2.8 are held to: what is a rule of theirs cannot be a defect. */
#define BIT(check)   (UINT64_C(1) << SIM_CHECK_##check)
#define OLD_VERSIONS (BIT(S1) | BIT(S2) | BIT(S7) | BIT(S8) | BIT(S9) | BIT(S18) | BIT(V1))

/* ---- hashes ---- */

static uint64_t hash_of(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

static void grow_topics(struct sim_checks *c)
{
    c->topic_capacity = c->topic_capacity == 0 ? 64 : c->topic_capacity * 2;
    sim_free(c->topic_buckets);
    c->topic_buckets = sim_alloc(c->topic_capacity * sizeof(struct check_topic *));
    for (struct check_topic *t = c->topics; t != NULL; t = t->next) {
        struct check_topic **b = &c->topic_buckets[hash_of(t->name) & (c->topic_capacity - 1)];
        t->next_in_bucket = *b;
        *b = t;
    }
}

static struct check_row **row_bucket(const struct sim_checks *c, const struct check_topic *t,
                                     int32_t partition)
{
    uint64_t hash = ((uint64_t)t->number << 32 | (uint32_t)partition) * 0x9e3779b97f4a7c15;
    return &c->row_buckets[hash >> 32 & (c->row_capacity - 1)];
}

static void grow_rows(struct sim_checks *c)
{
    c->row_capacity = c->row_capacity == 0 ? 256 : c->row_capacity * 2;
    sim_free(c->row_buckets);
    c->row_buckets = sim_alloc(c->row_capacity * sizeof(struct check_row *));
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
            struct check_row **b = row_bucket(c, t, row->partition);
            row->next_in_bucket = *b;
            *b = row;
        }
}

/* ---- rows ---- */

static struct check_row *row_find(const struct sim_checks *c, const struct check_topic *t,
                                  int32_t partition)
{
    if (c->row_capacity == 0)
        return NULL;
    struct check_row *row = *row_bucket(c, t, partition);
    while (row != NULL && (row->topic != t || row->partition != partition))
        row = row->next_in_bucket;
    return row;
}

static void read_state(struct sim_checks *c, struct check_row *row)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_partition_state(path, row->topic->name, row->partition);
    row->exists =
        kz_server_get(c->w->zk, path, &stat, &data, &size, &has_data) &&
        sm_znode_decode_state((const char *)data, size, stat.version, &row->z) == SM_ERR_OK;
}

static struct check_row *row_new(struct sim_checks *c, struct check_topic *t, int32_t partition)
{
    struct check_row *row = sim_alloc(sizeof(*row));
    row->topic = t;
    row->partition = partition;
    row->number = c->row_count + 1;
    row->moved_by = -1;
    check_logs_forget(row);
    row->next_of_topic = t->rows;
    t->rows = row;
    if (c->row_count++ >= c->row_capacity) {
        grow_rows(c); /* takes it in */
    } else {
        struct check_row **b = row_bucket(c, t, partition);
        row->next_in_bucket = *b;
        *b = row;
    }
    read_state(c, row);
    return row;
}

void check_topic_read(struct sim_checks *c, struct check_topic *t, const char *data, size_t size)
{
    struct sm_topic_reader r;
    struct sm_assignment a;
    int32_t partition;
    bool moving = false;
    for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
        row->assigned = false;
    t->exists = data != NULL;
    if (data != NULL && sm_topic_open(&r, data, size) == SM_ERR_OK)
        while (sm_topic_next(&r, &partition, &a)) {
            struct check_row *row = row_find(c, t, partition);
            if (row == NULL)
                row = row_new(c, t, partition);
            if (!sm_list_equal(&row->a.replicas, &a.replicas))
                row->before = row->a.replicas;
            row->a = a;
            row->assigned = true;
            moving = moving || sm_assignment_is_being_reassigned(&a);
        }
    c->reassigning += (uint32_t)moving - (uint32_t)t->is_reassigning;
    t->is_reassigning = moving;
}

/* ---- topics ---- */

struct check_topic *check_topic_find(const struct sim_checks *c, const char *name)
{
    if (c->topic_capacity == 0)
        return NULL;
    if (c->last_topic != NULL && strcmp(c->last_topic->name, name) == 0)
        return c->last_topic;
    struct check_topic *t = c->topic_buckets[hash_of(name) & (c->topic_capacity - 1)];
    while (t != NULL && strcmp(t->name, name) != 0)
        t = t->next_in_bucket;
    return t;
}

struct check_topic *check_topic_of(struct sim_checks *c, const char *name)
{
    struct check_topic *t = check_topic_find(c, name);
    char path[SM_PATH_MAX];
    const uint8_t *data = NULL;
    uint32_t size = 0;
    bool has_data = false;
    if (t != NULL) {
        c->last_topic = t;
        return t;
    }
    t = sim_alloc(sizeof(*t) + strlen(name) + 1);
    memcpy(t->name, name, strlen(name) + 1);
    t->number = c->topic_count;
    t->next = c->topics;
    c->topics = t;
    if (c->topic_count++ >= c->topic_capacity) {
        grow_topics(c); /* takes it in */
    } else {
        struct check_topic **b = &c->topic_buckets[hash_of(name) & (c->topic_capacity - 1)];
        t->next_in_bucket = *b;
        *b = t;
    }
    sm_path_topic(path, name);
    if (kz_server_get(c->w->zk, path, NULL, &data, &size, &has_data))
        check_topic_read(c, t, (const char *)data, size);
    return t;
}

struct check_row *check_row_of(struct sim_checks *c, const char *topic, int32_t partition)
{
    struct check_topic *t = check_topic_of(c, topic);
    struct check_row *row = row_find(c, t, partition);
    return row != NULL ? row : row_new(c, t, partition);
}

void check_touch(struct sim_checks *c, struct check_row *row)
{
    if (row->touched)
        return;
    row->touched = true;
    if (c->touched_count == c->touched_capacity) {
        c->touched_capacity = c->touched_capacity == 0 ? 64 : c->touched_capacity * 2;
        c->touched = sim_realloc(c->touched, c->touched_capacity * sizeof(struct check_row *));
    }
    c->touched[c->touched_count++] = row;
}

struct check_host *check_host_of(struct check_row *row, int32_t id)
{
    for (uint32_t i = 0; i < row->host_count; i++)
        if (row->hosts[i].id == id)
            return &row->hosts[i];
    row->hosts = sim_realloc(row->hosts, (row->host_count + 1) * sizeof(*row->hosts));
    row->hosts[row->host_count] = (struct check_host){
        .id = id, .epoch = -1, .lost_version = -1, .lost_epoch = -1, .marked = -1};
    return &row->hosts[row->host_count++];
}

void check_deletion_asked(struct sim_checks *c, const char *topic, bool asked)
{
    struct check_topic *t = check_topic_of(c, topic);
    c->deleting += (uint32_t)asked - (uint32_t)t->is_deleting;
    t->is_deleting = asked;
}

void check_rows_free(struct sim_checks *c)
{
    while (c->topics != NULL) {
        struct check_topic *t = c->topics;
        c->topics = t->next;
        while (t->rows != NULL) {
            struct check_row *row = t->rows;
            t->rows = row->next_of_topic;
            sim_free(row->hosts);
            sim_free(row->committed.list);
            sim_free(row);
        }
        sim_free(t);
    }
    sim_free(c->topic_buckets);
    sim_free(c->row_buckets);
}

/* ---- processes ---- */

struct check_process *check_process_of(const struct sim_checks *c, int32_t id)
{
    uint32_t low = 0, high = c->process_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (c->processes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->process_count && c->processes[low].id == id ? &c->processes[low] : NULL;
}

void sim_checks_process(struct sim_checks *c, int32_t id, bool full)
{
    uint32_t at = 0;
    c->processes = sim_realloc(c->processes, (c->process_count + 1) * sizeof(*c->processes));
    while (at < c->process_count && c->processes[at].id < id)
        at++;
    memmove(&c->processes[at + 1], &c->processes[at],
            (c->process_count - at) * sizeof(*c->processes));
    c->processes[at] =
        (struct check_process){.id = id, .full = full, .process = sim_find(c->w, id)};
    c->process_count++;
    uint32_t version = c->processes[at].process->profile.version;
    if (version != SM_VERSION_2_8 && version != SM_VERSION_2_8_FIXED)
        c->judged &= OLD_VERSIONS;
}

bool check_view(const struct sim_checks *c, const struct check_row *row, int32_t id,
                struct kb_partition_view *view)
{
    const struct check_process *p = check_process_of(c, id);
    return p != NULL && p->process->replicas != NULL &&
           kb_partition(p->process->replicas, row->topic->name, row->partition, view) &&
           view->has_log != 0;
}

bool check_disk_lost(const struct sim_checks *c, int32_t id)
{
    const struct check_process *p = check_process_of(c, id);
    return p != NULL && p->disk_lost;
}

bool check_is_registered(const struct sim_checks *c, int32_t id)
{
    char path[SM_PATH_MAX];
    sm_path_broker(path, id);
    return kz_server_get(c->w->zk, path, NULL, NULL, NULL, NULL);
}
