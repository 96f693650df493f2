/*
 * Scenarios: loading, and the head of the file.
 *
 * Order matters, since later parts name what earlier ones make: nodes (or a dump that has them)
 * come first, then topics, then what is given, then labels and topics of steps, and only then
 * targets, patterns and expectations. A part that is wrong is told about and passed over.
 */
#include "sim/scenario.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/dump.h"
#include "sim/scenario_read.h"

#define DEFAULT_HORIZON_US (INT64_C(3600) * 1000000)

/* ---- memory ---- */

struct sim_scenario *sim_scenario_new(const char *file)
{
    struct sim_scenario *s = calloc(1, sizeof(*s));
    struct sim_memory *memory = calloc(1, sizeof(*memory));
    if (s == NULL || memory == NULL) {
        abort();
    }
    s->memory = memory;
    s->file = sim_scenario_text(s, file);
    s->text = sim_scenario_text(s, "");
    s->version = SM_VERSION_2_8;
    s->profile = sm_profile_of(s->version);
    s->settings = sim_settings_default(s->version);
    s->seed = 1;
    s->zookeeper.servers = 1;
    s->until_quiet = true;
    s->until_us = DEFAULT_HORIZON_US;
    return s;
}

char *sim_scenario_text(struct sim_scenario *s, const char *text)
{
    return sim_memory_copy(s->memory, text, strlen(text));
}

void sim_scenario_free(struct sim_scenario *s)
{
    if (s != NULL) {
        sim_dump_free(s->dump);
        sim_memory_free(s->memory);
        free(s->memory);
        free(s);
    }
}

const struct sim_node *sim_scenario_node(const struct sim_scenario *s, int32_t id)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].id == id) {
            return &s->nodes[i];
        }
    }
    return NULL;
}

/* ---- the file ---- */

static void read_version(struct sim_reader *r, const struct sim_yaml *root)
{
    static const char *const words[] = {"2.8", "2.8-fixed", "0.9", "0.8.2", NULL};
    const struct sim_yaml *kafka = sim_yaml_get(root, "kafka");
    uint32_t index;
    if (kafka != NULL && sim_read_word(r, kafka, "version of Kafka", words, &index)) {
        r->s->version = sm_version_named(words[index]);
        assert(r->s->version != SM_VERSION_NONE);
    }
    r->s->profile = sm_profile_of(r->s->version);
    r->s->settings = sim_settings_default(r->s->version);
}

static void read_defects(struct sim_reader *r, const struct sim_yaml *node)
{
    const char *names[SM_DEFECT_END + 1];
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "defects is a mapping: {KAFKA-13225: off}");
        return;
    }
    for (int i = 0; i < SM_DEFECT_END; i++) {
        names[i] = sm_defect_jira((enum sm_defect)i);
    }
    names[SM_DEFECT_END] = NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        const enum sm_defect defect = sm_defect_named(node->keys[i]->text);
        bool on;
        if (defect == SM_DEFECT_END) {
            sim_error(r->d, node->keys[i]->place, "unknown defect '%s'", node->keys[i]->text);
            sim_suggest(r->d, node->keys[i]->text, names);
            sim_note(r->d, "see: kcsim explain defects");
        } else if (sim_read_bool(r, node->items[i], "a defect's switch", &on)) {
            const uint64_t bit = UINT64_C(1) << defect;
            r->s->profile.defects = on ? r->s->profile.defects | bit : r->s->profile.defects & ~bit;
        }
    }
}

static void read_until(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL || (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "quiet") == 0)) {
        return;
    }
    if (sim_read_time(r, node, "until", &r->s->until_us)) {
        r->s->until_quiet = false;
    } else {
        sim_note(r->d, "or quiet: until nothing is left to do");
    }
}

static void read_head(struct sim_reader *r, const struct sim_yaml *root)
{
    const struct sim_yaml *value;
    int64_t seed;
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        {"title", offsetof(struct sim_scenario, title)},
        {"question", offsetof(struct sim_scenario, question)},
        {"source", offsetof(struct sim_scenario, source)},
    };
    for (unsigned i = 0; i < 3; i++) {
        if ((value = sim_yaml_get(root, texts[i].key)) != NULL) {
            sim_read_text(r, value, texts[i].key,
                          (char **)(void *)((char *)r->s + texts[i].offset));
        }
    }
    if (r->s->title == NULL) {
        sim_error(r->d, root->place, "a scenario has a title");
    }
    read_version(r, root);
    read_defects(r, sim_yaml_get(root, "defects"));
    if ((value = sim_yaml_get(root, "seed")) != NULL &&
        sim_read_int(r, value, "seed", 0, INT64_MAX, &seed)) {
        r->s->seed = (uint64_t)seed;
    }
    read_until(r, sim_yaml_get(root, "until"));
}

static void read_file(struct sim_reader *r, const struct sim_yaml *root)
{
    sim_read_keys(r, root, SIM_SHAPE_FILE, SIM_SHAPE_END);
    if (root->kind != SIM_YAML_MAP) {
        return;
    }
    read_head(r, root);
    sim_read_cluster(r, root);
    sim_read_topics(r, root);
    sim_read_given(r, sim_yaml_get(root, "given"));
    sim_read_clients(r, sim_yaml_get(root, "clients"));
    sim_read_steps(r, sim_yaml_get(root, "steps"));
    sim_read_random(r, sim_yaml_get(root, "random"));
    sim_read_heal(r, sim_yaml_get(root, "heal"));
    sim_read_expect(r, sim_yaml_get(root, "expect"));
    sim_read_lesson(r, sim_yaml_get(root, "lesson"));
    if (r->s->until_quiet) {
        r->s->until_us = r->latest_us + DEFAULT_HORIZON_US;
    }
}

bool sim_step_is_by_znode(const struct sim_scenario *s, const struct sim_step *step)
{
    if (step->via != SIM_VIA_DEFAULT) {
        return step->via == SIM_VIA_ZNODE;
    }
    return s->version == SM_VERSION_0_9 || s->version == SM_VERSION_0_8_2;
}

struct sim_scenario *sim_scenario_parse(const char *file, const char *text, size_t size,
                                        struct sim_diagnostics *d)
{
    return sim_scenario_parse_with(file, text, size, NULL, 0, d);
}

struct sim_scenario *sim_scenario_parse_with(const char *file, const char *text, size_t size,
                                             const struct sim_scenario_file *beside, uint32_t count,
                                             struct sim_diagnostics *d)
{
    struct sim_scenario *s = sim_scenario_new(file);
    struct sim_reader r = {
        .s = s, .memory = s->memory, .d = d, .beside = beside, .beside_count = count};
    const uint32_t errors = d->errors;
    s->text = sim_memory_copy(s->memory, text, size);
    s->text_size = size;
    sim_diagnostics_source(d, s->file, s->text, size);
    const struct sim_yaml *root = sim_yaml_parse(r.memory, s->text, size, d);
    if (root != NULL) {
        read_file(&r, root);
    }
    if (d->errors > errors) {
        sim_diagnostics_source(d, "", NULL, 0);
        sim_scenario_free(s);
        return NULL;
    }
    return s;
}

struct sim_scenario *sim_scenario_load(const char *file, struct sim_diagnostics *d)
{
    size_t size;
    sim_diagnostics_source(d, file, NULL, 0);
    char *text = sim_load_bytes(file, SIM_YAML_SIZE_MAX, (struct sim_place){0}, &size, d);
    if (text == NULL) {
        return NULL;
    }
    struct sim_scenario *s = sim_scenario_parse(file, text, size, d);
    free(text);
    return s;
}
