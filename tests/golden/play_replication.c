/*
 * Goal: logs, leader epochs, high watermarks and ISRs end as on three brokers of Apache
 * Kafka 2.8.2.
 *
 *     FOLDER/scenario.yaml ──► world ── stopped before each producer and step, and at the end ──┐
 *     FOLDER/recorded.json ◄────────────── the same moments, the same fields ──────────────────┘
 *
 * Method: the scenario is played, what the brokers have on their disks is put into the form of
 * the recording (tests/kafka/rounds/replication.py made it), and each field that differs is printed
 * with its path. What lies closer together than five seconds is one thing, with no look between.
 *
 *     play_replication [--seeds N] FOLDER…   compares; a folder without a scenario is one of such
 *     play_replication --print FOLDER        prints what our brokers have
 *     play_replication --plan FILE           prints the YAML of a scenario as JSON, for the round
 *
 * Seeds other than 1 draw the delays of every message: what is left when all is still must not
 * depend on them.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/replicas.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "sim/world_client.h"
#include "sim/yaml.h"

enum { NEAR_US = 5000000, EVENTS_MAX = 64, PATH_BYTES = 4096 };

/* Writes "folder/name" into `path` (PATH_BYTES). */
static void join(char *path, const char *folder, const char *name)
{
    int size = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (size < 0 || size >= PATH_BYTES) {
        fprintf(stderr, "path too long: %s/%s\n", folder, name);
        exit(2);
    }
}

/* ---- what is on the disks ---- */

/* Neighbouring batches of one epoch are one run: how records were cut into batches is the
   producer's affair. */
static json_t *runs(const struct kb_partition_view *v)
{
    json_t *out = json_array(), *run = NULL;
    int64_t next = -1;
    int32_t epoch = -1;
    for (uint32_t i = 0; i < v->batch_count; i++) {
        const struct kb_batch *b = &v->batches[i];
        int64_t last = b->base_offset + b->last_offset_delta;
        if (run != NULL && b->leader_epoch == epoch && b->base_offset == next) {
            json_array_set_new(run, 1, json_integer(last));
        } else {
            run =
                json_pack("[I,I,i]", (json_int_t)b->base_offset, (json_int_t)last, b->leader_epoch);
            json_array_append_new(out, run);
        }
        next = last + 1;
        epoch = b->leader_epoch;
    }
    return out;
}

static json_t *replica(const struct sim_world *w, int32_t id, const char *topic, int32_t partition)
{
    const struct kb_replicas *disks = sim_world_replicas(w, id);
    struct kb_partition_view v;
    if (disks == NULL || !kb_partition(disks, topic, partition, &v) || !v.has_log)
        return json_null();
    json_t *epochs = json_array();
    for (uint32_t i = 0; i < v.epoch_count; i++)
        json_array_append_new(
            epochs, json_pack("[i,I]", v.epochs[i].epoch, (json_int_t)v.epochs[i].start_offset));
    return json_pack("{s:o,s:I,s:o,s:I}", "log", runs(&v), "end", (json_int_t)v.log_end, "epochs",
                     epochs, "hw", (json_int_t)v.checkpointed_hw);
}

/* What clients are told: the high watermark of the leader. */
static json_t *watermark(const struct sim_world *w, int32_t leader, const char *topic,
                         int32_t partition)
{
    struct kb_partition_view v;
    if (leader < 0 || !sim_world_is_up(w, leader) ||
        !kb_partition(sim_world_replicas(w, leader), topic, partition, &v))
        return json_null();
    return json_integer(v.hw);
}

static json_t *partition_state(const struct sim_world *w, const struct sim_scenario *s,
                               const struct sim_topic *topic, int32_t number)
{
    char path[512];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    snprintf(path, sizeof(path), "/brokers/topics/%s/partitions/%" PRId32 "/state", topic->name,
             number);
    if (!kz_server_get(sim_world_zookeeper(w), path, &stat, &data, &size, &has_data))
        return json_null();
    json_t *znode = json_loadb((const char *)data, size, 0, NULL), *out = json_object();
    assert(znode != NULL);
    int32_t leader = (int32_t)json_integer_value(json_object_get(znode, "leader"));
    json_object_set(out, "leader", json_object_get(znode, "leader"));
    json_object_set(out, "epoch", json_object_get(znode, "leader_epoch"));
    json_object_set(out, "isr", json_object_get(znode, "isr"));
    json_object_set_new(out, "version", json_integer(stat.version));
    json_object_set_new(out, "watermark", watermark(w, leader, topic->name, number));
    json_decref(znode);

    struct sm_list replicas;
    json_t *disks = json_object();
    sim_topic_replicas(s, topic, number, &replicas);
    for (int32_t i = 0; i < replicas.count; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%" PRId32, replicas.id[i]);
        json_object_set_new(disks, id, replica(w, replicas.id[i], topic->name, number));
    }
    json_object_set_new(out, "replicas", disks);
    return out;
}

static json_t *moment(const struct sim_world *w, const struct sim_scenario *s, int64_t before_us)
{
    json_t *partitions = json_object();
    for (uint32_t t = 0; t < s->topic_count; t++)
        for (int32_t p = 0; p < s->topics[t].partition_count; p++) {
            char name[512];
            snprintf(name, sizeof(name), "%s-%" PRId32, s->topics[t].name, p);
            json_object_set_new(partitions, name, partition_state(w, s, &s->topics[t], p));
        }
    return json_pack("{s:I,s:o}", "before_ms", (json_int_t)(before_us / 1000), "partitions",
                     partitions);
}

/* ---- what consumers have read ---- */

static json_t *reads_of(const struct sim_world *w, const struct sim_scenario *s, uint32_t client)
{
    const struct sim_client_spec *c = &s->clients[client];
    struct sim_ledger book = sim_world_ledger(w);
    json_t *out = json_object();
    char name[512];
    for (uint32_t t = 0; t < s->topic_count; t++)
        for (int32_t p = 0; p < s->topics[t].partition_count; p++) {
            snprintf(name, sizeof(name), "%s-%" PRId32, s->topics[t].name, p);
            if (strcmp(s->topics[t].name, c->topics[0]) == 0)
                json_object_set_new(out, name, json_array());
        }
    for (uint64_t i = 0; i < book.read_count; i++) {
        const struct sim_read *r = &book.reads[i];
        char value[SIM_VALUE_TEXT], line[SIM_VALUE_TEXT + 32];
        if ((uint32_t)r->client != client)
            continue;
        sim_value_write(w, r->value, value);
        snprintf(name, sizeof(name), "%s-%" PRId32, sim_client_topic(w, r->topic), r->partition);
        snprintf(line, sizeof(line), "%" PRId64 " %s", r->offset, value);
        json_array_append_new(json_object_get(out, name), json_string(line));
    }
    return out;
}

/* ---- playing ---- */

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Times of the producers and steps, ascending. */
static uint32_t events(const struct sim_scenario *s, int64_t *at)
{
    uint32_t count = 0;
    assert(s->client_count + s->step_count <= EVENTS_MAX);
    for (uint32_t i = 0; i < s->client_count; i++)
        if (s->clients[i].kind == SIM_CLIENT_PRODUCES)
            at[count++] = s->clients[i].from_us;
    for (uint32_t i = 0; i < s->step_count; i++) {
        assert(s->steps[i].when == SIM_WHEN_AT);
        at[count++] = s->steps[i].at_us;
    }
    qsort(at, count, sizeof(*at), by_time);
    return count;
}

static json_t *play_world(struct sim_world *w, const struct sim_scenario *s)
{
    int64_t at[EVENTS_MAX];
    uint32_t count = events(s, at);
    json_t *moments = json_array(), *read = json_array(), *acked = json_object();
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && at[i] - at[i - 1] < NEAR_US)
            continue;
        sim_world_run(w, at[i] - 1);
        json_array_append_new(moments, moment(w, s, at[i]));
    }
    sim_world_run(w, s->until_us);
    json_array_append_new(moments, moment(w, s, s->until_us));
    for (uint32_t i = 0; i < s->client_count; i++)
        if (s->clients[i].kind == SIM_CLIENT_CONSUMES)
            json_array_append_new(read, reads_of(w, s, i));
        else
            json_object_set_new(acked, sim_client_name(w, i),
                                json_integer((json_int_t)sim_client_counts(w, i).acked));
    if (sim_world_error(w) != NULL)
        fprintf(stderr, "the world ended: %s\n", sim_world_error(w));
    return json_pack("{s:s,s:o,s:o,s:o}", "kafka", "2.8.2", "moments", moments, "acked", acked,
                     "read", read);
}

/* Returns owned JSON, NULL (said) where there is no good scenario. */
static json_t *play(const char *folder, uint64_t seed)
{
    char path[PATH_BYTES];
    struct sim_diagnostics d;
    join(path, folder, "scenario.yaml");
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_load(path, &d);
    sim_diagnostics_print(&d, stderr, false);
    json_t *out = NULL;
    if (s != NULL) {
        struct sim_world_options options = sim_world_options_default();
        options.seed = seed;
        options.delays.drawn = seed > 1;
        struct sim_world *w = sim_world_new(&options);
        sim_world_load(w, s);
        out = play_world(w, s);
        sim_world_free(w);
    }
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
    return out;
}

/* ---- comparing ---- */

static unsigned differ(const char *path, const json_t *want, const json_t *got)
{
    char *a = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT),
         *b = json_dumps(got, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("    %s: Kafka %s, kcsim %s\n", path, a == NULL ? "(nothing)" : a,
           b == NULL ? "(nothing)" : b);
    free(a);
    free(b);
    return 1;
}

/* Prints where they differ; returns how often. Lists are compared as values: their length is part
   of what they say. */
static unsigned compare(const char *path, json_t *want, json_t *got)
{
    bool moments = json_object_get(json_array_get(want, 0), "before_ms") != NULL &&
                   json_array_size(want) == json_array_size(got);
    unsigned found = 0;
    char below[1024];
    if (json_is_object(want) && json_is_object(got)) {
        const char *key;
        json_t *value;
        json_object_foreach(want, key, value)
        {
            snprintf(below, sizeof(below), "%s/%s", path, key);
            found += compare(below, value, json_object_get(got, key));
        }
        json_object_foreach(got, key, value)
        {
            snprintf(below, sizeof(below), "%s/%s", path, key);
            if (json_object_get(want, key) == NULL)
                found += differ(below, NULL, value);
        }
    } else if (moments) {
        for (size_t i = 0; i < json_array_size(want); i++) {
            const json_t *ms = json_object_get(json_array_get(want, i), "before_ms");
            snprintf(below, sizeof(below), "%s[before %" JSON_INTEGER_FORMAT " ms]", path,
                     json_integer_value(ms));
            found += compare(below, json_array_get(want, i), json_array_get(got, i));
        }
    } else if (!json_equal(want, got)) {
        found = differ(path, want, got);
    }
    return found;
}

static bool judge(const char *folder, uint64_t seeds)
{
    char path[PATH_BYTES];
    json_error_t error;
    join(path, folder, "recorded.json");
    json_t *want = json_load_file(path, 0, &error);
    bool good = want != NULL;
    printf("%s\n", folder);
    if (want == NULL)
        printf("    %s:%d: %s\n", path, error.line, error.text);
    for (uint64_t seed = 1; good && seed <= seeds; seed++) {
        json_t *got = play(folder, seed);
        good = got != NULL && compare("", want, got) == 0;
        if (!good)
            printf("    DIFFERS with seed %" PRIu64 "\n", seed);
        json_decref(got);
    }
    json_decref(want);
    return good;
}

static bool has_scenario(const char *folder)
{
    char path[PATH_BYTES];
    join(path, folder, "scenario.yaml");
    return access(path, R_OK) == 0;
}

/* A folder of recordings, or one recording; counts them. */
static bool judge_all(const char *folder, uint64_t seeds, unsigned *count)
{
    struct dirent **names;
    bool good = true;
    if (has_scenario(folder)) {
        ++*count;
        return judge(folder, seeds);
    }
    int found = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char path[PATH_BYTES];
        join(path, folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && has_scenario(path)) {
            ++*count;
            good &= judge(path, seeds);
        }
        free(names[i]);
    }
    if (found >= 0)
        free(names);
    return good;
}

/* ---- a scenario as JSON ---- */

static json_t *json_of(const struct sim_yaml *y)
{
    json_t *out = NULL;
    switch (y->kind) {
    case SIM_YAML_SCALAR:
        return json_string(y->text);
    case SIM_YAML_LIST:
        out = json_array();
        for (uint32_t i = 0; i < y->count; i++)
            json_array_append_new(out, json_of(y->items[i]));
        return out;
    case SIM_YAML_MAP:
        out = json_object();
        for (uint32_t i = 0; i < y->count; i++)
            json_object_set_new(out, y->keys[i]->text, json_of(y->items[i]));
        return out;
    }
    return out;
}

static int print_plan(const char *file)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_load(file, &d);
    struct sim_memory memory = {0};
    sim_diagnostics_print(&d, stderr, false);
    if (s != NULL) {
        sim_diagnostics_source(&d, file, s->text, s->text_size);
        json_t *plan = json_of(sim_yaml_parse(&memory, s->text, s->text_size, &d));
        json_dumpf(plan, stdout, JSON_INDENT(1));
        json_decref(plan);
    }
    int status = s == NULL ? 1 : 0;
    sim_memory_free(&memory);
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
    return status;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    uint64_t seeds = 1;
    bool good = true;
    if (argc == 3 && strcmp(argv[1], "--plan") == 0)
        return print_plan(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        json_t *got = play(argv[2], 1);
        json_dumpf(got, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(got);
        return got == NULL;
    }
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else
            good &= judge_all(argv[i], seeds, &count);
    printf("%u recordings\n", count);
    return good && count > 0 ? 0 : 1;
}
