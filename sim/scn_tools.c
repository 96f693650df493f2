/*
 * Acts of operators: topics, configuration, elections, reassignments, ISRs, calls to the
 * controller.
 *
 * What a tool writes into ZooKeeper is there at once; a call is waited for, and what it answered
 * becomes a note in the canonical log.
 */
#include "sim/scn_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/allocate.h"
#include "sim/canonical.h"

/* ---- topics ---- */

struct assignment {
    int32_t *numbers;
    struct sm_list *replicas;
    uint32_t count;
};

static void assignment_free(struct assignment *a)
{
    free(a->numbers);
    free(a->replicas);
}

/* Later entries of a partition replace earlier ones; ascending. */
static void assignment_put(struct assignment *a, int32_t number, const struct sm_list *replicas)
{
    uint32_t at = a->count;
    while (at > 0 && a->numbers[at - 1] >= number)
        at--;
    if (at == a->count || a->numbers[at] != number) {
        a->numbers = sim_realloc(a->numbers, (a->count + 1) * sizeof(*a->numbers));
        a->replicas = sim_realloc(a->replicas, (a->count + 1) * sizeof(*a->replicas));
        memmove(&a->numbers[at + 1], &a->numbers[at], (a->count - at) * sizeof(*a->numbers));
        memmove(&a->replicas[at + 1], &a->replicas[at], (a->count - at) * sizeof(*a->replicas));
        a->count++;
    }
    a->numbers[at] = number;
    a->replicas[at] = *replicas;
}

/* "0:1,2;1:2,3" */
static bool read_assignment(const char *text, struct assignment *a)
{
    while (*text != '\0') {
        size_t n = strcspn(text, ";");
        char *part = sim_realloc(NULL, n + 1);
        const char *at = part;
        struct sm_list list;
        int32_t number;
        memcpy(part, text, n);
        part[n] = '\0';
        bool good =
            sim_scn_read_number(&at, &number) && *at == ':' && sim_scn_read_list(at + 1, &list);
        if (good)
            assignment_put(a, number, &list);
        free(part);
        if (!good)
            return false;
        text += n;
        if (*text == ';' && *++text == '\0')
            return false;
    }
    return a->count > 0;
}

static bool round_robin(struct sim_scn_run *r, struct assignment *a)
{
    const char *partitions = sim_scn_option(r->step, "partitions"),
               *rf = sim_scn_option(r->step, "rf");
    long n = partitions == NULL ? 0 : strtol(partitions, NULL, 10);
    long k = rf == NULL ? 0 : strtol(rf, NULL, 10);
    struct sim_scn_ids ids = {0};
    if (n < 1 || k < 1 || n > 1000000 || k > SM_REPLICAS_MAX)
        return SIM_SCN_FAILS(r, "topic: wants partitions= and rf=, or assign=");
    if (sim_scn_option(r->step, "on") != NULL) {
        if (!sim_scn_read_ids(sim_scn_option(r->step, "on"), &ids)) {
            free(ids.id);
            return SIM_SCN_FAILS(r, "topic: bad ids '%.60s'", sim_scn_option(r->step, "on"));
        }
    } else {
        for (uint32_t i = 0; i < r->brokers.count; i++)
            sim_scn_ids_push(&ids, r->brokers.id[i]);
    }
    for (long p = 0; ids.count > 0 && p < n; p++) {
        struct sm_list list = {0};
        for (long i = 0; i < k; i++)
            sm_list_append(&list, ids.id[(uint64_t)(p + i) % ids.count]);
        assignment_put(a, (int32_t)p, &list);
    }
    bool good = ids.count > 0;
    free(ids.id);
    return good || SIM_SCN_FAILS(r, "topic: no broker to put it on");
}

/* Options with a dot in their name (all of them, where `all`), sorted as Go marshals maps. */
static struct sim_config_entry *config_of(const struct sim_scn_step *s, bool all, uint32_t *count)
{
    struct sim_config_entry *config = sim_alloc((s->option_count + 1) * sizeof(*config));
    *count = 0;
    for (uint32_t i = 0; i < s->option_count; i++) {
        const char *key = s->options[i].key;
        if (!all && strchr(key, '.') == NULL)
            continue;
        uint32_t at = *count;
        while (at > 0 && strcmp(config[at - 1].key, key) > 0) {
            config[at] = config[at - 1];
            at--;
        }
        config[at] = (struct sim_config_entry){.key = (char *)(uintptr_t)key,
                                               .value = (char *)(uintptr_t)s->options[i].value};
        (*count)++;
    }
    return config;
}

/* With its states a topic is made in one transaction: two operations a partition. */
enum { STATES_MAX = (UINT16_MAX - 2) / 2 };

bool sim_scn_act_topic(struct sim_scn_run *r)
{
    const struct sim_scn_step *s = r->step;
    struct assignment a = {0};
    uint32_t config_count;
    const char *assign = sim_scn_option(s, "assign"), *state = sim_scn_option(s, "state");
    bool good = assign == NULL ? round_robin(r, &a)
                               : read_assignment(assign, &a) ||
                                     SIM_SCN_FAILS(r, "topic: bad assignment '%.60s'", assign);
    if (good && state != NULL && a.count > STATES_MAX)
        good = SIM_SCN_FAILS(r,
                             "topic: state=all makes at most %d partitions (one transaction has at "
                             "most %d operations); make several topics",
                             STATES_MAX, UINT16_MAX);
    if (good) {
        struct sim_config_entry *config = config_of(s, false, &config_count);
        good = sim_scn_failed_with(
            r,
            sim_world_create_topic(
                r->world,
                &(struct sim_new_topic){.name = s->plain[0],
                                        .partitions = a.numbers,
                                        .replicas = a.replicas,
                                        .count = a.count,
                                        .config = config,
                                        .config_count = config_count,
                                        .with_states = state != NULL && strcmp(state, "all") == 0},
                0));
        free(config);
    }
    assignment_free(&a);
    return good;
}

bool sim_scn_act_add_partitions(struct sim_scn_run *r)
{
    struct assignment a = {0};
    const char *assign = sim_scn_option(r->step, "assign");
    bool good = (assign != NULL && read_assignment(assign, &a)) ||
                SIM_SCN_FAILS(r, "add-partitions: wants assign=0:1,2;…");
    if (good)
        good = sim_scn_failed_with(
            r, sim_world_add_partitions(r->world,
                                        &(struct sim_new_topic){.name = r->step->plain[0],
                                                                .partitions = a.numbers,
                                                                .replicas = a.replicas,
                                                                .count = a.count},
                                        0));
    assignment_free(&a);
    return good;
}

bool sim_scn_act_config(struct sim_scn_run *r)
{
    uint32_t count;
    struct sim_config_entry *config = config_of(r->step, true, &count);
    int32_t err = sim_world_alter_config(r->world, r->step->plain[0], config, count, false, 0);
    free(config);
    return sim_scn_failed_with(r, err);
}

bool sim_scn_act_delete_topic(struct sim_scn_run *r)
{
    char *names = sim_copy(r->step->plain[0], strlen(r->step->plain[0]) + 1);
    char **list = NULL;
    uint32_t count = 0;
    for (char *at = names; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        list = sim_realloc(list, (count + 1) * sizeof(*list));
        list[count++] = at;
        at = comma;
    }
    int32_t err = sim_world_delete_topics(r->world, list, count, 0);
    free(list);
    free(names);
    return sim_scn_failed_with(r, err);
}

/* ---- partitions: elections, reassignments, ISRs ---- */

static struct sim_partition_arg *partition_args(const struct sim_scn_step *s, uint32_t *count)
{
    struct sim_partition_arg *args = sim_alloc((s->arg_count + 1) * sizeof(*args));
    for (*count = 0; *count < s->arg_count; ++*count) {
        struct sim_partition_arg *p = &args[*count];
        const char *arg = s->args[*count], *equals = strchr(arg, '=');
        size_t size = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
        p->topic = sim_alloc(SM_TOPIC_NAME_MAX + 1);
        sim_scn_read_partition(arg, size, p->topic, &p->partition);
        p->has_replicas = equals != NULL && sim_scn_read_list(equals + 1, &p->replicas);
    }
    return args;
}

static void partition_args_free(struct sim_partition_arg *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(args[i].topic);
    free(args);
}

bool sim_scn_act_partitions(struct sim_scn_run *r)
{
    uint32_t count;
    int32_t err;
    const char *verb = r->step->verb;
    struct sim_partition_arg *args = partition_args(r->step, &count);
    if (strcmp(verb, "preferred") == 0)
        err = sim_world_elect_by_znode(r->world, args, count, 0);
    else if (strcmp(verb, "reassign") == 0)
        err = sim_world_reassign_by_znode(r->world, args, count, 0);
    else
        err = sim_world_set_isr(r->world, args, count, strcmp(verb, "isr") == 0, 0);
    partition_args_free(args, count);
    return sim_scn_failed_with(r, err);
}

/* ---- calls ---- */

static bool is_answered(struct sim_scn_run *r)
{
    return r->answered;
}

void sim_scn_on_answer(void *context, uint64_t call_id, const struct wire_call *answer)
{
    struct sim_scn_run *r = context;
    if (call_id != r->waits_for)
        return;
    r->answered = true;
    r->answer = answer == NULL ? NULL : sim_copy(answer, answer->size);
}

void sim_scn_on_request(void *context, const struct sim_request *request)
{
    struct sim_scn_run *r = context;
    sim_canonical_request(r->canonical, request);
}

static bool call(struct sim_scn_run *r, const struct wire_call *request)
{
    int32_t id = sim_world_named_controller(r->world);
    if (id < 0)
        return SIM_SCN_FAILS(r, "no controller");
    if (!sim_scn_is_one_of(&r->controllers, id))
        return SIM_SCN_FAILS(r, "controller %d was not started here", id);
    free(r->answer);
    r->answer = NULL;
    r->answered = false;
    r->waits_for = sim_world_call(r->world, id, request, 0);
    if (!sim_scn_await(r, is_answered, 30 * SIM_SCN_SECOND, "answer"))
        return false;
    return r->answer != NULL || SIM_SCN_FAILS(r, "the controller closed the connection");
}

static char *note_add(char *note, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *note_add(char *note, const char *format, ...)
{
    char more[SM_TOPIC_NAME_MAX + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof(more), format, args);
    va_end(args);
    size_t size = note == NULL ? 0 : strlen(note);
    note = sim_realloc(note, size + strlen(more) + 1);
    memcpy(note + size, more, strlen(more) + 1);
    return note;
}

bool sim_scn_act_alter_reassign(struct sim_scn_run *r)
{
    uint32_t count;
    struct wire_call_builder b;
    struct sim_partition_arg *args = partition_args(r->step, &count);
    size_t capacity = 256 + count * (size_t)1024;
    void *bytes = sim_realloc(NULL, capacity);
    wire_call_begin(
        &b, bytes, capacity,
        &(struct wire_call){.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS, .broker_id = -1});
    for (uint32_t i = 0; i < count; i++) {
        struct sm_assignment a = sm_assignment_of(&args[i].replicas);
        wire_call_add(&b, args[i].topic, args[i].partition, 0, !args[i].has_replicas,
                      args[i].has_replicas ? &a : NULL);
    }
    bool good = call(r, wire_call_end(&b));
    if (good) {
        struct wire_call_view v = {0};
        char *note = note_add(NULL, "alter-reassign answer: top=%d", r->answer->error);
        while (wire_call_next(r->answer, &v))
            note = note_add(note, " %s-%d=%d", v.topic, v.item->partition, v.item->error);
        sim_canonical_note(r->canonical, note);
        free(note);
    }
    free(bytes);
    partition_args_free(args, count);
    return good;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static char *remaining(const struct wire_call *answer)
{
    struct wire_call_view v = {0};
    char **names = NULL, *note = note_add(NULL, "[");
    uint32_t count = 0;
    while (wire_call_next(answer, &v)) {
        names = sim_realloc(names, (count + 1) * sizeof(*names));
        names[count++] = note_add(NULL, "%s-%d", v.topic, v.item->partition);
    }
    if (count > 0)
        qsort(names, count, sizeof(*names), by_text);
    for (uint32_t i = 0; i < count; i++) {
        note = note_add(note, "%s%s", i == 0 ? "" : " ", names[i]);
        free(names[i]);
    }
    free(names);
    return note_add(note, "]");
}

bool sim_scn_act_controlled_shutdown(struct sim_scn_run *r)
{
    struct wire_call_builder b;
    _Alignas(8) uint8_t bytes[256];
    int32_t id = (int32_t)strtol(r->step->plain[0], NULL, 10);
    if (!sim_scn_is_one_of(&r->brokers, id) || sim_world_last_epoch(r->world, id) < 0)
        return SIM_SCN_FAILS(r, "broker %d never registered", id);
    wire_call_begin(&b, bytes, sizeof(bytes),
                    &(struct wire_call){.api = WIRE_API_CONTROLLED_SHUTDOWN,
                                        .broker_id = id,
                                        .broker_epoch = sim_world_last_epoch(r->world, id)});
    if (!call(r, wire_call_end(&b)))
        return false;
    char *list = remaining(r->answer), *note = NULL;
    note = note_add(NULL, "controlled-shutdown answer: error=%d remaining=", r->answer->error);
    size_t size = strlen(note) + strlen(list) + 1;
    note = sim_realloc(note, size);
    memcpy(note + strlen(note), list, strlen(list) + 1);
    sim_canonical_note(r->canonical, note);
    free(note);
    free(list);
    return true;
}
