/*
 * Steps of a scenario: when, what, to whom.
 *
 * A step has one trigger (at, every, when, after), one verb, and arguments that the verb takes; the
 * table of the grammar says which. What stands behind a verb is read in scenario_verbs.c, arguments
 * in scenario_arguments.c.
 */
#include <assert.h>
#include <string.h>

#include "sim/scenario_steps.h"
#include "statemachine/znode.h"

/* ---- names that steps make ---- */

static void know_created(struct sim_reader *r, const struct sim_yaml *step)
{
    const struct sim_yaml *created = sim_yaml_get(step, "create-topic");
    if (created != NULL && created->kind == SIM_YAML_SCALAR) {
        sim_know_topic(r, created->text, INT32_MAX);
    }
}

static void know_grown(struct sim_reader *r, const struct sim_yaml *step)
{
    const struct sim_yaml *grown = sim_yaml_get(step, "add-partitions");
    struct sim_known_topic *known =
        grown != NULL && grown->kind == SIM_YAML_SCALAR ? sim_known_topic(r, grown->text) : NULL;
    if (known != NULL) {
        known->partitions = INT32_MAX;
    }
}

static void know_label(struct sim_reader *r, const struct sim_yaml *step, uint32_t index)
{
    const struct sim_yaml *as = sim_yaml_get(step, "as");
    if (as == NULL || as->kind != SIM_YAML_SCALAR || as->size == 0) {
        return;
    }
    for (uint32_t i = 0; i < r->label_count && r->label_count <= 1000; i++) {
        if (strcmp(r->labels[i].name, as->text) == 0) {
            sim_error(r->d, as->place, "two steps have the label '%s'", as->text);
            sim_note(r->d, "the other is at line %u", r->labels[i].place.line);
            return;
        }
    }
    if (r->label_count == 1000) {
        sim_error(r->d, as->place, "more than 1000 labels");
        return;
    }
    r->labels = sim_memory_grow(r->memory, r->labels, sizeof(*r->labels), r->label_count);
    r->labels[r->label_count++] = (struct sim_known_label){as->text, index, as->place};
}

void sim_read_step_names(struct sim_reader *r, const struct sim_yaml *node)
{
    const uint32_t count = node != NULL && node->kind == SIM_YAML_LIST ? node->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        know_label(r, node->items[i], i);
        know_grown(r, node->items[i]);
    }
    /* Looking names up needs them sorted, which adding one undoes: creating comes second. */
    for (uint32_t i = 0; i < count; i++) {
        know_created(r, node->items[i]);
    }
}

/* ---- triggers ---- */

static bool read_after(struct sim_reader *r, const struct sim_yaml *node, uint32_t index,
                       struct sim_step *out)
{
    char *text;
    if (!sim_read_text(r, node, "after", &text)) {
        return false;
    }
    const char *plus = strchr(text, '+');
    size_t size = plus == NULL ? strlen(text) : (size_t)(plus - text);
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    const char *label = sim_memory_copy(r->memory, text, size);
    const char **names = sim_memory_take(r->memory, (r->label_count + 1) * sizeof(*names));
    bool found = false;
    for (uint32_t i = 0; i < r->label_count; i++) {
        names[i] = r->labels[i].name;
        if (strcmp(names[i], label) == 0) {
            out->after = r->labels[i].step;
            found = true;
        }
    }
    if (!found) {
        sim_error(r->d, node->place, "no step has the label '%s'", label);
        sim_suggest(r->d, label, names);
        return false;
    }
    if (out->after == index) {
        return sim_error(r->d, node->place, "a step cannot wait for itself");
    }
    if (plus != NULL) {
        struct sim_yaml span = *node;
        span.text = sim_memory_copy(r->memory, plus + 1 + strspn(plus + 1, " "),
                                    strlen(plus + 1 + strspn(plus + 1, " ")));
        span.size = strlen(span.text);
        return sim_read_time(r, &span, "the time behind +", &out->at_us);
    }
    return true;
}

static bool read_every(struct sim_reader *r, const struct sim_yaml *step, struct sim_step *out)
{
    const struct sim_yaml *every = sim_yaml_get(step, "every");
    const struct sim_yaml *from = sim_yaml_get(step, "from"), *until = sim_yaml_get(step, "until");
    bool good = sim_read_time(r, every, "every", &out->every_us);
    if (good && out->every_us == 0) {
        good = sim_error(r->d, every->place, "a period of nothing");
    }
    out->at_us = out->every_us;
    out->until_us = SIM_FOREVER;
    if (from != NULL) {
        good = sim_read_time(r, from, "from", &out->at_us) && good;
    }
    if (until != NULL) {
        good = sim_read_time(r, until, "until", &out->until_us) && good;
    } else if (r->s->until_quiet) {
        good = sim_error(r->d, every->place,
                         "a step that repeats needs an end: until here, or for the whole");
    }
    if (good && out->until_us < out->at_us) {
        good = sim_error(r->d, until->place, "until lies before the first time");
    }
    sim_read_note_time(r, out->until_us);
    return good;
}

static bool read_trigger(struct sim_reader *r, const struct sim_yaml *step, uint32_t index,
                         struct sim_step *out)
{
    static const char *const triggers[] = {"at", "every", "when", "after"};
    const struct sim_yaml *value = NULL;
    uint32_t count = 0, which = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const struct sim_yaml *found = sim_yaml_get(step, triggers[i]);
        if (found != NULL && ++count > 1) {
            return sim_error(r->d, found->place,
                             "a step has one of at, every, when, after; here are two");
        }
        if (found != NULL) {
            value = found;
            which = i;
        }
    }
    if (count == 0) {
        sim_error(r->d, step->place, "when does this step act? It has no at, every, when or after");
        return false;
    }
    out->when = (enum sim_when)which;
    for (uint32_t i = 0; i < 2 && out->when != SIM_WHEN_EVERY; i++) {
        static const char *const only_every[] = {"from", "until"};
        const struct sim_yaml *extra = sim_yaml_get(step, only_every[i]);
        if (extra != NULL) {
            return sim_error(r->d, extra->place, "'%s' goes with 'every'", only_every[i]);
        }
    }
    switch (out->when) {
    case SIM_WHEN_AT:
        if (!sim_read_time(r, value, "at", &out->at_us)) {
            return false;
        }
        sim_read_note_time(r, out->at_us);
        return true;
    case SIM_WHEN_EVERY:
        return read_every(r, step, out);
    case SIM_WHEN_PATTERN:
        return sim_read_pattern(r, value, SIM_SHAPE_END, &out->pattern);
    case SIM_WHEN_AFTER:
        if (!read_after(r, value, index, out)) {
            return false;
        }
        sim_read_note_time(r, out->at_us);
        return true;
    }
    assert(false);
    return false;
}

/* ---- verbs ---- */

static const struct sim_key *find_verb(struct sim_reader *r, const struct sim_yaml *step,
                                       const struct sim_yaml **name, const struct sim_yaml **value)
{
    const struct sim_key *verb = NULL;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, step->keys[i]->text);
        if (key == NULL || key->verb == SIM_VERB_NONE) {
            continue;
        }
        if (verb != NULL) {
            sim_error(r->d, step->keys[i]->place,
                      "a step does one thing; this is the second ('%s' and '%s')", verb->name,
                      key->name);
            return NULL;
        }
        verb = key;
        *name = step->keys[i];
        *value = step->items[i];
    }
    return verb;
}

static bool check_arguments(struct sim_reader *r, const struct sim_yaml *step,
                            const struct sim_key *verb)
{
    bool good = true;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, step->keys[i]->text);
        if (key == NULL || key->verbs == 0 || (key->verbs >> verb->verb & 1) != 0) {
            continue;
        }
        good =
            sim_error(r->d, step->keys[i]->place, "'%s' does not take '%s'", verb->name, key->name);
        const char *names[80];
        uint32_t count = 0;
        for (const struct sim_key *k = sim_keys; k->name != NULL; k++) {
            if (k->shape == SIM_SHAPE_STEP && (k->verbs >> verb->verb & 1) != 0) {
                names[count++] = k->name;
            }
        }
        names[count] = NULL;
        char text[300] = "nothing";
        size_t size = 0;
        for (uint32_t n = 0; n < count; n++) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", n == 0 ? "" : ", ",
                                     names[n]);
        }
        sim_note(r->d, "it takes: %s", text);
    }
    return good;
}

/* ---- a step ---- */

static bool read_true(struct sim_reader *r, const struct sim_yaml *node, const char *what)
{
    bool yes;
    if (!sim_read_bool(r, node, what, &yes)) {
        return false;
    }
    return yes || sim_error(r->d, node->place, "%s is true, or not there at all", what);
}

static bool read_path(struct sim_reader *r, const struct sim_yaml *node, char **path)
{
    if (!sim_read_text(r, node, "a znode", path)) {
        return false;
    }
    if ((*path)[0] != '/' || strlen(*path) >= SM_PATH_MAX ||
        ((*path)[1] != '\0' && (*path)[strlen(*path) - 1] == '/')) {
        return sim_error(r->d, node->place, "'%s' is no path of a znode, like /controller", *path);
    }
    return true;
}

static bool read_one_topic(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    char *name;
    if (!sim_read_text(r, node, "a topic", &name)) {
        return false;
    }
    out->topics = sim_memory_take(r->memory, sizeof(*out->topics));
    out->topics[0] = name;
    out->topic_count = 1;
    if (out->verb != SIM_VERB_CREATE_TOPIC) {
        return sim_read_topic(r, node, &out->topics[0]);
    }
    return sm_topic_name_is_legal(name, strlen(name)) ||
           sim_error(r->d, node->place, "'%s' is no legal topic name", name);
}

static bool read_verb_value(struct sim_reader *r, const struct sim_key *verb,
                            const struct sim_yaml *node, struct sim_step *out)
{
    if (verb->form == SIM_FORM_TARGET) {
        return verb->verb == SIM_VERB_RELEASE
                   ? sim_step_read_release(r, node, out)
                   : sim_read_target(r, node, false, &out->target) &&
                         sim_check_client_verb(r, node, verb, &out->target);
    }
    if (verb->form == SIM_FORM_GROUPS) {
        return sim_step_read_groups(r, node, out);
    }
    if (verb->form == SIM_FORM_OBJECT) {
        return sim_step_read_channel(r, node, &out->channel);
    }
    if (verb->form == SIM_FORM_TRUE) {
        return read_true(r, node, verb->name);
    }
    if (verb->form == SIM_FORM_TEXT) {
        return verb->verb == SIM_VERB_ZNODE ? read_path(r, node, &out->path)
                                            : read_one_topic(r, node, out);
    }
    if (verb->form == SIM_FORM_NAMES) {
        return verb->verb == SIM_VERB_DELETE_TOPIC ? sim_step_read_topics(r, node, out)
                                                   : sim_step_read_partitions(r, node, out);
    }
    if (verb->form == SIM_FORM_KAFKA_JSON) {
        return verb->verb == SIM_VERB_REASSIGN ? sim_step_read_reassignment(r, node, out)
                                               : sim_step_read_elections(r, node, out);
    }
    assert(verb->form == SIM_FORM_ISRS); /* no verb has another form */
    return sim_step_read_partition_map(r, node, "set-isr", out);
}

static void read_step(struct sim_reader *r, const struct sim_yaml *node, uint32_t index,
                      struct sim_step *out)
{
    const struct sim_yaml *name = NULL, *value = NULL, *as = sim_yaml_get(node, "as");
    *out = (struct sim_step){.for_us = SIM_FOREVER,
                             .api = WIRE_API_NONE,
                             .notify = true,
                             .rate_ppm = 1000000,
                             .version = WIRE_ZK_ANY_VERSION,
                             .place = node->place,
                             .channel = {.api = WIRE_API_NONE}};
    const bool keys = sim_read_keys(r, node, SIM_SHAPE_STEP, SIM_SHAPE_END);
    if (node->kind != SIM_YAML_MAP) {
        return;
    }
    read_trigger(r, node, index, out);
    if (as != NULL) {
        sim_read_text(r, as, "as", &out->label);
    }
    const struct sim_key *verb = find_verb(r, node, &name, &value);
    if (verb == NULL) {
        if (keys && name == NULL) {
            sim_error(r->d, node->place,
                      "this step does nothing: it has no verb like kill or restart");
            sim_note(r->d, "see: kcsim explain steps");
        }
        return;
    }
    out->verb = verb->verb;
    out->verb_place = name->place;
    out->act = out->verb == SIM_VERB_ZNODE ? SIM_ZNODE_SET : SIM_ZNODE_NONE;
    bool good = read_verb_value(r, verb, value, out);
    good = check_arguments(r, node, verb) && good;
    for (uint32_t i = 0; good && i < node->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, node->keys[i]->text);
        if (key != NULL && key->verbs != 0 && key->verb == SIM_VERB_NONE) {
            good = sim_step_read_argument(r, key->name, node->items[i], out) && good;
        }
    }
    if (good) {
        sim_step_check(r, out);
    }
    if (out->for_us != SIM_FOREVER) {
        sim_read_note_time(r, out->at_us + out->for_us);
    }
}

/* after: A … after: B, in a circle, would wait for ever. */
static void check_circles(struct sim_reader *r)
{
    for (uint32_t i = 0; i < r->s->step_count; i++) {
        uint32_t at = i, steps = 0;
        while (r->s->steps[at].when == SIM_WHEN_AFTER && steps <= r->s->step_count) {
            at = r->s->steps[at].after;
            steps++;
            if (at == i) {
                sim_error(r->d, r->s->steps[i].place,
                          "this step waits for itself, by way of others");
                return;
            }
            if (steps > 1000) {
                break;
            }
        }
    }
}

void sim_read_steps(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "steps is a list: - {at: 1s, kill: 3}");
        return;
    }
    if (node->count > SIM_STEPS_MAX) {
        sim_error(r->d, node->place, "%u steps; at most %d (SIM_STEPS_MAX)", node->count,
                  SIM_STEPS_MAX);
        return;
    }
    const uint32_t errors = r->d->errors;
    r->s->steps = sim_memory_take(r->memory, node->count * sizeof(*r->s->steps));
    r->s->step_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        read_step(r, node->items[i], i, &r->s->steps[i]);
    }
    if (r->d->errors == errors) {
        check_circles(r);
    }
}
