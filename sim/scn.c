/*
 * Two passes: all lines are read into steps first, so that a bad line is told before anything runs;
 * then the steps act, one after the other, each running the world as far as it waits.
 *
 * Where the harness asks every 20 ms, here every event is looked at: what a wait waits for is known
 * the moment it is there. A silence that ends a `wait` is one of requests to brokers and of zxids.
 */
#include "sim/scn.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/allocate.h"
#include "sim/canonical.h"
#include "sim/world.h"
#include "statemachine/znode.h"

#define SECOND ((int64_t)1000000)
enum { WORDS_MAX = 64, IDS_MAX = 4096, LINE_MAX_BYTES = 65536 };

struct ids {
    int32_t *id;
    uint32_t count;
};

struct option {
    const char *key, *value;
};

/* A line, taken apart: words; those with = and no : before it are options, as in the harness. */
struct step {
    uint32_t line;
    uint32_t number; /* 0: belongs to the step before it */
    char *text;      /* the line, trimmed */
    char *words;     /* the same, cut at blanks; what the pointers below point into */
    const char *verb;
    const char **args;
    uint32_t arg_count;
    const char **plain; /* args that are no options */
    uint32_t plain_count;
    struct option *options;
    uint32_t option_count;
};

struct script {
    struct step *steps;
    uint32_t count;
};

struct run {
    struct sim_world *world;
    struct sim_canonical *canonical;
    struct sim_scn_error *error;
    struct sim_settings settings;
    struct ids brokers, controllers; /* ever named; ascending */
    const struct step *step;
    uint64_t waits_for; /* number of a call */
    bool answered;
    struct wire_call *answer;
};

static bool fail(struct sim_scn_error *error, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(struct sim_scn_error *error, uint32_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    error->line = line;
    error->is_input = true;
    return false;
}

#define STEP_FAILS(r, ...) fail((r)->error, (r)->step->line, __VA_ARGS__)

/* ---- lists of ids, durations, partitions ---- */

static void ids_push(struct ids *ids, int32_t id)
{
    ids->id = sim_realloc(ids->id, (ids->count + 1) * sizeof(*ids->id));
    ids->id[ids->count++] = id;
}

static bool read_number(const char **at, int32_t *n)
{
    int64_t value = 0;
    const char *begin = *at;
    while (isdigit((unsigned char)**at)) {
        value = value * 10 + (**at - '0');
        if (value > INT32_MAX)
            return false;
        (*at)++;
    }
    *n = (int32_t)value;
    return *at != begin;
}

/* "3", "1-5", "1,2"; what the words may hold ends at NUL. */
static bool read_ids(const char *text, struct ids *ids)
{
    int32_t from, to;
    for (const char *at = text;; at++) {
        if (!read_number(&at, &from))
            return false;
        to = from;
        if (*at == '-') {
            at++;
            if (!read_number(&at, &to))
                return false;
        }
        for (int64_t id = from; id <= to; id++) {
            if (ids->count >= IDS_MAX)
                return false;
            ids_push(ids, (int32_t)id);
        }
        if (*at == '\0')
            return ids->count > 0;
        if (*at != ',')
            return false;
    }
}

static bool read_list(const char *text, struct sm_list *list)
{
    struct ids ids = {0};
    bool good = read_ids(text, &ids) && ids.count <= SM_REPLICAS_MAX;
    if (good)
        *list = sm_list_of(ids.id, (int32_t)ids.count);
    free(ids.id);
    return good;
}

/* As Go's ParseDuration, without signs and fractions of more than six digits. */
static bool read_duration(const char *text, int64_t *us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}};
    double total = 0;
    if (*text == '\0')
        return false;
    while (*text != '\0') {
        char *end;
        if (!isdigit((unsigned char)*text))
            return false;
        double value = strtod(text, &end);
        const char *unit = end;
        size_t n = strspn(unit, "nusmh"), i;
        for (i = 0; i < 6; i++)
            if (strlen(units[i].name) == n && strncmp(unit, units[i].name, n) == 0)
                break;
        if (i == 6 || value > 1e6)
            return false;
        total += value * units[i].us;
        text = unit + n;
    }
    *us = (int64_t)(total + 0.5);
    return true;
}

/* "t:0" into topic (SM_TOPIC_NAME_MAX + 1 bytes) and partition; size bytes of text. */
static bool read_partition(const char *text, size_t size, char *topic, int32_t *partition)
{
    size_t colon = size;
    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon - 1 > SM_TOPIC_NAME_MAX)
        return false;
    memcpy(topic, text, colon - 1);
    topic[colon - 1] = '\0';
    const char *at = text + colon;
    return read_number(&at, partition) && at == text + size &&
           sm_topic_name_is_legal(topic, strlen(topic));
}

/* ---- reading lines ---- */

static bool continues_step(const char *verb)
{
    return strncmp(verb, "wait", 4) == 0 || strcmp(verb, "untraced") == 0 ||
           strcmp(verb, "traced") == 0 || strcmp(verb, "fault") == 0 || strcmp(verb, "sleep") == 0;
}

static void step_add_arg(struct step *s, char *word)
{
    char *equals = strchr(word, '='), *colon = strchr(word, ':');
    s->args = sim_realloc(s->args, (s->arg_count + 1) * sizeof(*s->args));
    s->args[s->arg_count++] = word;
    bool is_option = equals != NULL && (colon == NULL || colon > equals);
    if (!is_option) {
        s->plain = sim_realloc(s->plain, (s->plain_count + 1) * sizeof(*s->plain));
        s->plain[s->plain_count++] = word;
        return;
    }
    s->options = sim_realloc(s->options, (s->option_count + 1) * sizeof(*s->options));
    char *key = sim_copy(word, strlen(word) + 1);
    key[equals - word] = '\0';
    s->options[s->option_count++] = (struct option){.key = key, .value = key + (equals - word) + 1};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void cut_words(struct step *s)
{
    char *at = s->words;
    for (;;) {
        while (is_blank(*at))
            at++;
        if (*at == '\0')
            return;
        char *word = at;
        while (*at != '\0' && !is_blank(*at))
            at++;
        if (*at != '\0')
            *at++ = '\0';
        if (s->verb == NULL)
            s->verb = word;
        else
            step_add_arg(s, word);
    }
}

/* Copies the line without comment and blanks at its ends; NULL where nothing is left. */
static char *trimmed(const char *line, size_t size)
{
    const char *hash = memchr(line, '#', size);
    if (hash != NULL)
        size = (size_t)(hash - line);
    while (size > 0 && is_blank(line[0])) {
        line++;
        size--;
    }
    while (size > 0 && is_blank(line[size - 1]))
        size--;
    if (size == 0)
        return NULL;
    char *text = sim_realloc(NULL, size + 1);
    memcpy(text, line, size);
    text[size] = '\0';
    return text;
}

static const char *option(const struct step *s, const char *key)
{
    const char *value = NULL;
    for (uint32_t i = 0; i < s->option_count; i++)
        if (strcmp(s->options[i].key, key) == 0)
            value = s->options[i].value; /* the last one counts */
    return value;
}

static void script_free(struct script *script)
{
    for (uint32_t i = 0; i < script->count; i++) {
        struct step *s = &script->steps[i];
        for (uint32_t j = 0; j < s->option_count; j++)
            free((char *)(uintptr_t)s->options[j].key);
        free(s->text);
        free(s->words);
        free(s->args);
        free(s->plain);
        free(s->options);
    }
    free(script->steps);
}

/* ---- the verbs: what they need, what they do ---- */

enum check { /* what the first plain argument has to be */
             ANYTHING,
             IDS,
             PARTITIONS,      /* every plain one: t:0 */
             PARTITION_LISTS, /* every argument: t:0=1,2 */
             PARTITION_LISTS_OR_CANCEL,
             TOPIC,
             TOPICS,
             PATH,
};

struct verb {
    const char *name;
    uint32_t plain_min, plain_max;
    enum check check;
    bool (*act)(struct run *r);
    const char *options; /* blank-separated; "*": any */
};

static const struct verb *verb_named(const char *name);

static bool check_options(const struct step *s, const struct verb *v, struct sim_scn_error *error)
{
    for (uint32_t i = 0; strcmp(v->options, "*") != 0 && i < s->option_count; i++) {
        const char *key = s->options[i].key, *at = v->options;
        size_t n = strlen(key);
        bool found = false;
        while (*at != '\0' && !found) {
            size_t size = strcspn(at, " ");
            found = size == n && strncmp(at, key, n) == 0;
            at += size;
            at += *at == ' ';
        }
        if (!found)
            return fail(error, s->line, "%s: unknown option '%s='", s->verb, key);
    }
    return true;
}

static bool check_durations(const struct step *s, struct sim_scn_error *error)
{
    static const char *const keys[] = {"quiet", "timeout", "delay"};
    int64_t us;
    for (size_t i = 0; i < 3; i++)
        if (option(s, keys[i]) != NULL && !read_duration(option(s, keys[i]), &us))
            return fail(error, s->line, "%s: bad duration '%s'", s->verb, option(s, keys[i]));
    return true;
}

static bool check_partition_list(const char *arg, bool may_cancel)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    struct sm_list list;
    int32_t partition;
    const char *equals = strchr(arg, '=');
    return equals != NULL && read_partition(arg, (size_t)(equals - arg), topic, &partition) &&
           ((may_cancel && strcmp(equals + 1, "cancel") == 0) || read_list(equals + 1, &list));
}

static bool check_topics(const char *names)
{
    while (*names != '\0') {
        size_t n = strcspn(names, ",");
        if (!sm_topic_name_is_legal(names, n))
            return false;
        names += n;
        if (*names == ',' && *++names == '\0')
            return false;
    }
    return true;
}

static bool check_argument(const struct step *s, enum check check, uint32_t i)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    struct ids ids = {0};
    bool good = true;
    switch (check) {
    case ANYTHING:
        return true;
    case IDS:
        good = i > 0 || read_ids(s->plain[i], &ids);
        free(ids.id);
        return good;
    case PARTITIONS:
        return read_partition(s->plain[i], strlen(s->plain[i]), topic, &partition);
    case PARTITION_LISTS:
    case PARTITION_LISTS_OR_CANCEL:
        return check_partition_list(s->args[i], check == PARTITION_LISTS_OR_CANCEL);
    case TOPIC:
        return sm_topic_name_is_legal(s->plain[0], strlen(s->plain[0]));
    case TOPICS:
        return check_topics(s->plain[0]);
    case PATH:
        return s->plain[0][0] == '/' && s->plain[0][1] != '\0' && strlen(s->plain[0]) < SM_PATH_MAX;
    }
    return true;
}

static bool check_step(const struct step *s, struct sim_scn_error *error)
{
    const struct verb *v = verb_named(s->verb);
    if (v == NULL)
        return fail(error, s->line, "unknown step '%.60s'", s->verb);
    if (s->plain_count < v->plain_min || s->plain_count > v->plain_max)
        return fail(error, s->line, "%s: wants %u%s argument%s, has %u", v->name, v->plain_min,
                    v->plain_max > v->plain_min ? " or more" : "", v->plain_min == 1 ? "" : "s",
                    s->plain_count);
    bool is_list = v->check == PARTITION_LISTS || v->check == PARTITION_LISTS_OR_CANCEL;
    uint32_t count = is_list ? s->arg_count : s->plain_count;
    for (uint32_t i = 0; i < count; i++)
        if (!check_argument(s, v->check, i))
            return fail(error, s->line, "%s: bad argument '%.60s'", v->name,
                        is_list ? s->args[i] : s->plain[i]);
    return check_options(s, v, error) && check_durations(s, error);
}

static bool script_read(struct script *script, const char *text, size_t size,
                        struct sim_scn_error *error)
{
    uint32_t line = 0, number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end == NULL ? size - at : (size_t)(end - (text + at));
        const char *begin = text + at;
        at += n + 1;
        line++;
        if (memchr(begin, '\0', n) != NULL || n > LINE_MAX_BYTES)
            return fail(error, line,
                        memchr(begin, '\0', n) != NULL ? "a NUL byte" : "line too long");
        char *words = trimmed(begin, n);
        if (words == NULL)
            continue;
        script->steps = sim_realloc(script->steps, (script->count + 1) * sizeof(*script->steps));
        struct step *s = &script->steps[script->count++];
        *s =
            (struct step){.line = line, .text = sim_copy(words, strlen(words) + 1), .words = words};
        cut_words(s);
        if (!continues_step(s->verb))
            s->number = ++number;
        if (!check_step(s, error))
            return false;
    }
    return true;
}

/* ---- running ---- */

static int64_t duration(const struct step *s, const char *key, int64_t otherwise)
{
    int64_t us = otherwise;
    if (option(s, key) != NULL)
        read_duration(option(s, key), &us);
    return us;
}

/* Runs until done(r), or to the deadline; false and an error where the world fails. */
static bool run_until(struct run *r, bool (*done)(struct run *r), int64_t deadline_us,
                      bool *in_time)
{
    *in_time = true;
    while (!done(r)) {
        if (sim_world_next(r->world) > deadline_us) {
            sim_world_run(r->world, deadline_us);
            *in_time = false;
            return true;
        }
        if (!sim_world_step(r->world))
            return STEP_FAILS(r, "%s", sim_world_error(r->world));
    }
    return true;
}

static bool await(struct run *r, bool (*done)(struct run *r), int64_t timeout_us, const char *what)
{
    bool in_time;
    if (!run_until(r, done, sim_world_now(r->world) + timeout_us, &in_time))
        return false;
    return in_time || STEP_FAILS(r, "%s: not within %lld ms", what, (long long)(timeout_us / 1000));
}

static void remember(struct ids *ids, int32_t id)
{
    uint32_t at = ids->count;
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return;
    ids_push(ids, id);
    for (; at > 0 && ids->id[at - 1] > id; at--)
        ids->id[at] = ids->id[at - 1];
    ids->id[at] = id;
}

static void know_process(struct run *r, int32_t id, bool is_controller)
{
    if (!sim_world_has(r->world, id))
        sim_world_add(r->world, &(struct sim_process_options){
                                    .id = id,
                                    .role = is_controller ? SIM_NODE_CONTROLLER : SIM_NODE_BROKER,
                                    .registers = true,
                                    .profile = sm_profile_of(SM_VERSION_2_8),
                                    .settings = r->settings});
    remember(is_controller ? &r->controllers : &r->brokers, id);
}

static bool is_one_of(const struct ids *ids, int32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return true;
    return false;
}

static bool failed_with(struct run *r, int32_t err)
{
    return err == WIRE_ZK_OK || STEP_FAILS(r, "%s: %s", r->step->verb, wire_zk_err_name(err));
}

/* ---- brokers ---- */

static bool all_registered(struct run *r)
{
    struct ids ids = {0};
    bool good = true;
    read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++)
        good =
            !sim_world_is_up(r->world, ids.id[i]) || sim_world_is_registered(r->world, ids.id[i]);
    free(ids.id);
    return good;
}

static bool start_broker(struct run *r, int32_t id)
{
    if (is_one_of(&r->controllers, id))
        return STEP_FAILS(r, "%d is a controller", id);
    know_process(r, id, false);
    if (sim_world_is_up(r->world, id))
        return STEP_FAILS(r, "broker %d is up already", id);
    const char *rack = option(r->step, "rack");
    sim_world_configure(r->world, id, NULL, rack == NULL ? "" : rack);
    sim_world_start(r->world, id, 0);
    return await(r, all_registered, 30 * SECOND, "registration");
}

static bool for_each_id(struct run *r, bool (*act)(struct run *r, int32_t id))
{
    struct ids ids = {0};
    bool good = true;
    read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++)
        good = act(r, ids.id[i]);
    free(ids.id);
    return good;
}

static bool act_start(struct run *r)
{
    return for_each_id(r, start_broker);
}

static bool kill_broker(struct run *r, int32_t id)
{
    if (is_one_of(&r->controllers, id))
        return STEP_FAILS(r, "%d is a controller", id);
    know_process(r, id, false);
    sim_world_kill(r->world, id, SIM_SESSION_CLOSED, 0);
    return true;
}

static bool act_kill(struct run *r)
{
    struct ids ids = {0};
    bool good = true;
    read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++) {
        if (is_one_of(&r->controllers, ids.id[i]))
            good = STEP_FAILS(r, "%d is a controller", ids.id[i]);
        else
            know_process(r, ids.id[i], false);
    }
    if (good && ids.count > 1)
        sim_world_kill_together(r->world, ids.id, ids.count, 0);
    free(ids.id);
    return good && for_each_id(r, kill_broker);
}

static bool bounce_broker(struct run *r, int32_t id)
{
    if (!is_one_of(&r->brokers, id) || !sim_world_is_up(r->world, id))
        return STEP_FAILS(r, "broker %d is not up", id);
    sim_world_bounce(r->world, id, 0);
    return await(r, all_registered, 30 * SECOND, "registration");
}

static bool act_bounce(struct run *r)
{
    return for_each_id(r, bounce_broker);
}

/* fault 3 LeaderAndIsr error=56 | perror=56 tp=t-0 | drop | hang | delay=500ms, count=1; fault 3
 * off */
static bool read_tp(const char *text, char *topic, int32_t *partition)
{
    const char *dash = strrchr(text, '-');
    if (dash == NULL || dash == text || (size_t)(dash - text) > SM_TOPIC_NAME_MAX)
        return false;
    memcpy(topic, text, (size_t)(dash - text));
    topic[dash - text] = '\0';
    dash++;
    return read_number(&dash, partition) && *dash == '\0';
}

static bool make_rule(struct run *r, struct sim_answer_rule *rule, char *topic)
{
    const struct step *s = r->step;
    const char *word = s->plain_count > 2 ? s->plain[2] : "";
    rule->api = wire_api_named(s->plain[1]);
    if (rule->api != WIRE_API_LEADER_AND_ISR && rule->api != WIRE_API_STOP_REPLICA &&
        rule->api != WIRE_API_UPDATE_METADATA)
        rule->api = WIRE_API_NONE; /* what a controller never sends to a broker */
    if (rule->api == WIRE_API_NONE && strcmp(s->plain[1], "any") != 0)
        return STEP_FAILS(r, "fault: unknown API '%.40s'", s->plain[1]);
    if (option(s, "count") != NULL)
        rule->count = (uint32_t)strtoul(option(s, "count"), NULL, 10);
    if (option(s, "error") != NULL) {
        rule->told = SIM_TOLD_ERROR;
        rule->error = (int16_t)strtol(option(s, "error"), NULL, 10);
    } else if (option(s, "perror") != NULL) {
        rule->told = SIM_TOLD_PARTITION_ERROR;
        rule->error = (int16_t)strtol(option(s, "perror"), NULL, 10);
        if (option(s, "tp") != NULL) {
            if (!read_tp(option(s, "tp"), topic, &rule->partition))
                return STEP_FAILS(r, "fault: bad tp '%.60s'", option(s, "tp"));
            rule->topic = topic;
        }
    } else if (option(s, "delay") != NULL) {
        rule->told = SIM_TOLD_DELAY;
        rule->delay_us = duration(s, "delay", 0);
    } else if (strcmp(word, "drop") == 0 || strcmp(word, "hang") == 0) {
        rule->told = word[0] == 'd' ? SIM_TOLD_DROP : SIM_TOLD_HANG;
    } else {
        return STEP_FAILS(r, "fault: error=, perror=, delay=, drop, hang or off?");
    }
    return true;
}

static bool fault_broker(struct run *r, int32_t id)
{
    struct sim_answer_rule rule = {0};
    char topic[SM_TOPIC_NAME_MAX + 1];
    if (is_one_of(&r->controllers, id))
        return STEP_FAILS(r, "%d is a controller", id);
    know_process(r, id, false);
    if (strcmp(r->step->plain[1], "off") == 0) {
        sim_world_tell_off(r->world, id, 0);
        return true;
    }
    if (!make_rule(r, &rule, topic))
        return false;
    sim_world_tell(r->world, id, &rule);
    return true;
}

static bool act_fault(struct run *r)
{
    return for_each_id(r, fault_broker);
}

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
        bool good = read_number(&at, &number) && *at == ':' && read_list(at + 1, &list);
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

static bool round_robin(struct run *r, struct assignment *a)
{
    const char *partitions = option(r->step, "partitions"), *rf = option(r->step, "rf");
    long n = partitions == NULL ? 0 : strtol(partitions, NULL, 10);
    long k = rf == NULL ? 0 : strtol(rf, NULL, 10);
    struct ids ids = {0};
    if (n < 1 || k < 1 || n > 1000000 || k > SM_REPLICAS_MAX)
        return STEP_FAILS(r, "topic: wants partitions= and rf=, or assign=");
    if (option(r->step, "on") != NULL) {
        if (!read_ids(option(r->step, "on"), &ids)) {
            free(ids.id);
            return STEP_FAILS(r, "topic: bad ids '%.60s'", option(r->step, "on"));
        }
    } else {
        for (uint32_t i = 0; i < r->brokers.count; i++)
            ids_push(&ids, r->brokers.id[i]);
    }
    for (long p = 0; ids.count > 0 && p < n; p++) {
        struct sm_list list = {0};
        for (long i = 0; i < k; i++)
            sm_list_append(&list, ids.id[(uint64_t)(p + i) % ids.count]);
        assignment_put(a, (int32_t)p, &list);
    }
    bool good = ids.count > 0;
    free(ids.id);
    return good || STEP_FAILS(r, "topic: no broker to put it on");
}

/* Options with a dot in their name (all of them, where `all`), sorted as Go marshals maps. */
static struct sim_config_entry *config_of(const struct step *s, bool all, uint32_t *count)
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

static bool act_topic(struct run *r)
{
    const struct step *s = r->step;
    struct assignment a = {0};
    uint32_t config_count;
    const char *assign = option(s, "assign"), *state = option(s, "state");
    bool good = assign == NULL ? round_robin(r, &a)
                               : read_assignment(assign, &a) ||
                                     STEP_FAILS(r, "topic: bad assignment '%.60s'", assign);
    if (good && state != NULL && a.count > STATES_MAX)
        good = STEP_FAILS(r,
                          "topic: state=all makes at most %d partitions (one transaction has at "
                          "most %d operations); make several topics",
                          STATES_MAX, UINT16_MAX);
    if (good) {
        struct sim_config_entry *config = config_of(s, false, &config_count);
        good = failed_with(r, sim_world_create_topic(
                                  r->world,
                                  &(struct sim_new_topic){.name = s->plain[0],
                                                          .partitions = a.numbers,
                                                          .replicas = a.replicas,
                                                          .count = a.count,
                                                          .config = config,
                                                          .config_count = config_count,
                                                          .with_states = state != NULL &&
                                                                         strcmp(state, "all") == 0},
                                  0));
        free(config);
    }
    assignment_free(&a);
    return good;
}

static bool act_add_partitions(struct run *r)
{
    struct assignment a = {0};
    const char *assign = option(r->step, "assign");
    bool good = (assign != NULL && read_assignment(assign, &a)) ||
                STEP_FAILS(r, "add-partitions: wants assign=0:1,2;…");
    if (good)
        good = failed_with(
            r, sim_world_add_partitions(r->world,
                                        &(struct sim_new_topic){.name = r->step->plain[0],
                                                                .partitions = a.numbers,
                                                                .replicas = a.replicas,
                                                                .count = a.count},
                                        0));
    assignment_free(&a);
    return good;
}

static bool act_config(struct run *r)
{
    uint32_t count;
    struct sim_config_entry *config = config_of(r->step, true, &count);
    int32_t err = sim_world_alter_config(r->world, r->step->plain[0], config, count, false, 0);
    free(config);
    return failed_with(r, err);
}

static bool act_delete_topic(struct run *r)
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
    return failed_with(r, err);
}

/* ---- partitions: elections, reassignments, ISRs ---- */

static struct sim_partition_arg *partition_args(const struct step *s, uint32_t *count)
{
    struct sim_partition_arg *args = sim_alloc((s->arg_count + 1) * sizeof(*args));
    for (*count = 0; *count < s->arg_count; ++*count) {
        struct sim_partition_arg *p = &args[*count];
        const char *arg = s->args[*count], *equals = strchr(arg, '=');
        size_t size = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
        p->topic = sim_alloc(SM_TOPIC_NAME_MAX + 1);
        read_partition(arg, size, p->topic, &p->partition);
        p->has_replicas = equals != NULL && read_list(equals + 1, &p->replicas);
    }
    return args;
}

static void partition_args_free(struct sim_partition_arg *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(args[i].topic);
    free(args);
}

static bool act_partitions(struct run *r)
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
    return failed_with(r, err);
}

/* ---- calls ---- */

static bool is_answered(struct run *r)
{
    return r->answered;
}

static void on_answer(void *context, uint64_t call_id, const struct wire_call *answer)
{
    struct run *r = context;
    if (call_id != r->waits_for)
        return;
    r->answered = true;
    r->answer = answer == NULL ? NULL : sim_copy(answer, answer->size);
}

static void on_request(void *context, const struct sim_request *request)
{
    struct run *r = context;
    sim_canonical_request(r->canonical, request);
}

static bool call(struct run *r, const struct wire_call *request)
{
    int32_t id = sim_world_named_controller(r->world);
    if (id < 0)
        return STEP_FAILS(r, "no controller");
    if (!is_one_of(&r->controllers, id))
        return STEP_FAILS(r, "controller %d was not started here", id);
    free(r->answer);
    r->answer = NULL;
    r->answered = false;
    r->waits_for = sim_world_call(r->world, id, request, 0);
    if (!await(r, is_answered, 30 * SECOND, "answer"))
        return false;
    return r->answer != NULL || STEP_FAILS(r, "the controller closed the connection");
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

static bool act_alter_reassign(struct run *r)
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

static bool act_controlled_shutdown(struct run *r)
{
    struct wire_call_builder b;
    _Alignas(8) uint8_t bytes[256];
    int32_t id = (int32_t)strtol(r->step->plain[0], NULL, 10);
    if (!is_one_of(&r->brokers, id) || sim_world_last_epoch(r->world, id) < 0)
        return STEP_FAILS(r, "broker %d never registered", id);
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

/* ---- controllers ---- */

static int32_t group_size(const char *value)
{
    long size = strtol(value, NULL, 10);
    return size < 1 ? 1 : size > KC_GROUP_MAX ? KC_GROUP_MAX : (int32_t)size;
}

static bool set_property(struct run *r, struct sim_settings *settings, const char *key,
                         const char *value)
{
    bool is_true = strcmp(value, "true") == 0;
    if (strcmp(key, "auto.leader.rebalance.enable") == 0)
        settings->auto_leader_rebalance = is_true;
    else if (strcmp(key, "unclean.leader.election.enable") == 0)
        settings->unclean_leader_election = is_true;
    else if (strcmp(key, "delete.topic.enable") == 0)
        settings->delete_topic = is_true;
    else if (strcmp(key, "leader.imbalance.check.interval.seconds") == 0)
        settings->leader_imbalance_check_us = strtoll(value, NULL, 10) * SECOND;
    else if (strcmp(key, "leader.imbalance.per.broker.percentage") == 0)
        settings->leader_imbalance_percentage = (int32_t)strtol(value, NULL, 10);
    else if (strcmp(key, "controller.socket.timeout.ms") == 0)
        settings->socket_timeout_us = strtoll(value, NULL, 10) * 1000;
    else if (strcmp(key, "zookeeper.max.in.flight.requests") == 0)
        settings->zk_in_flight = (int32_t)strtol(value, NULL, 10);
    else if (strcmp(key, "kcsim.zookeeper.write.group") == 0)
        settings->zk_write_group = group_size(value);
    else if (strcmp(key, "kcsim.zookeeper.read.group") == 0)
        settings->zk_read_group = group_size(value);
    else if (strcmp(key, "zookeeper.session.timeout.ms") == 0)
        settings->session_timeout_us = strtoll(value, NULL, 10) * 1000;
    else
        return STEP_FAILS(r, "property '%.80s' is not modelled", key);
    return true;
}

/* props=a=b;c=d */
static bool set_properties(struct run *r, struct sim_settings *settings)
{
    const char *props = option(r->step, "props");
    char *text = sim_copy(props == NULL ? "" : props, strlen(props == NULL ? "" : props) + 1);
    bool good = true;
    for (char *at = text; good && at != NULL && *at != '\0';) {
        char *end = strchr(at, ';');
        if (end != NULL)
            *end++ = '\0';
        char *equals = strchr(at, '=');
        if (equals == NULL) {
            good = STEP_FAILS(r, "property '%.80s' has no value", at);
        } else {
            *equals = '\0';
            good = set_property(r, settings, at, equals + 1);
        }
        at = end;
    }
    free(text);
    return good;
}

static bool start_controller(struct run *r, int32_t id)
{
    struct sim_settings settings = r->settings;
    if (is_one_of(&r->brokers, id))
        return STEP_FAILS(r, "%d is a broker", id);
    if (!set_properties(r, &settings))
        return false;
    know_process(r, id, true);
    if (sim_world_is_up(r->world, id))
        return STEP_FAILS(r, "controller %d is up already", id);
    sim_canonical_hide(r->canonical, id);
    sim_world_configure(r->world, id, &settings, NULL);
    sim_world_start(r->world, id, 0);
    return true;
}

static bool is_down(struct run *r)
{
    return !sim_world_is_up(r->world, (int32_t)strtol(r->step->plain[1], NULL, 10));
}

static bool act_controller(struct run *r)
{
    const char *what = r->step->plain[0], *at = r->step->plain_count > 1 ? r->step->plain[1] : "";
    int32_t id;
    if (strcmp(what, "delete-znode") == 0)
        return failed_with(
            r, sim_world_znode_delete(r->world, SM_PATH_CONTROLLER, WIRE_ZK_ANY_VERSION, 0));
    if (!read_number(&at, &id) || *at != '\0')
        return STEP_FAILS(r, "controller %.40s: wants an id", what);
    if (strcmp(what, "start") == 0)
        return start_controller(r, id);
    if (!is_one_of(&r->controllers, id))
        return STEP_FAILS(r, "controller %d was never started", id);
    if (strcmp(what, "kill") == 0) {
        sim_world_kill(r->world, id, SIM_SESSION_EXPIRES, 0);
    } else if (strcmp(what, "stop") == 0) {
        sim_world_stop(r->world, id, 0);
        return await(r, is_down, 20 * SECOND, "stop");
    } else if (strcmp(what, "pause") == 0) {
        sim_world_pause(r->world, id, 0);
    } else if (strcmp(what, "resume") == 0) {
        sim_world_resume(r->world, id, 0);
    } else {
        return STEP_FAILS(r, "controller %.40s? (start, kill, stop, pause, resume, delete-znode)",
                          what);
    }
    return true;
}

/* ---- waiting ---- */

static bool act_wait(struct run *r)
{
    int64_t quiet = duration(r->step, "quiet", SECOND * 12 / 10);
    int64_t deadline = sim_world_now(r->world) + duration(r->step, "timeout", 90 * SECOND);
    int64_t since = sim_world_now(r->world), zxid = kz_server_zxid(sim_world_zookeeper(r->world));
    uint64_t count = sim_canonical_count(r->canonical);
    while (sim_world_next(r->world) <= since + quiet) {
        if (sim_world_now(r->world) > deadline)
            return STEP_FAILS(r, "wait: not quiet in time");
        if (!sim_world_step(r->world))
            return STEP_FAILS(r, "%s", sim_world_error(r->world));
        int64_t new_zxid = kz_server_zxid(sim_world_zookeeper(r->world));
        uint64_t new_count = sim_canonical_count(r->canonical);
        if (new_zxid != zxid || new_count != count)
            since = sim_world_now(r->world);
        zxid = new_zxid;
        count = new_count;
    }
    sim_world_run(r->world, since + quiet);
    return true;
}

/* Every living broker has heard of the epoch in /controller_epoch. */
static bool all_have_heard(struct run *r)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    int32_t epoch;
    if (!kz_server_get(sim_world_zookeeper(r->world), SM_PATH_CONTROLLER_EPOCH, &stat, &data, &size,
                       &has_data) ||
        sm_znode_decode_epoch((const char *)data, size, &epoch) != SM_ERR_OK)
        return false;
    for (uint32_t i = 0; i < r->brokers.count; i++)
        if (sim_world_is_up(r->world, r->brokers.id[i]) &&
            sim_canonical_heard(r->canonical, r->brokers.id[i]) < epoch)
            return false;
    return true;
}

static bool controller_is_there(struct run *r)
{
    int32_t named = sim_world_named_controller(r->world), wanted = -1;
    if (r->step->plain_count > 0 && strcmp(r->step->plain[0], "any") != 0)
        wanted = (int32_t)strtol(r->step->plain[0], NULL, 10);
    return named >= 0 && (wanted < 0 || named == wanted) && all_have_heard(r);
}

static bool act_wait_controller(struct run *r)
{
    return await(r, controller_is_there, duration(r->step, "timeout", 90 * SECOND),
                 "wait-controller");
}

static bool path_is_as_wanted(struct run *r)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    bool exists = kz_server_get(sim_world_zookeeper(r->world), r->step->plain[0], &stat, &data,
                                &size, &has_data);
    return exists == (strcmp(r->step->verb, "wait-exists") == 0);
}

static bool act_wait_path(struct run *r)
{
    return await(r, path_is_as_wanted, duration(r->step, "timeout", 60 * SECOND), r->step->verb);
}

static bool act_sleep(struct run *r)
{
    int64_t us;
    if (!read_duration(r->step->plain[0], &us))
        return STEP_FAILS(r, "sleep: bad duration '%.40s'", r->step->plain[0]);
    if (!sim_world_run(r->world, sim_world_now(r->world) + us))
        return STEP_FAILS(r, "%s", sim_world_error(r->world));
    return true;
}

static bool act_traced(struct run *r)
{
    sim_canonical_keep(r->canonical, strcmp(r->step->verb, "traced") == 0);
    return true;
}

static bool act_log_dir_failure(struct run *r)
{
    return failed_with(
        r, sim_world_log_dir_event(r->world, (int32_t)strtol(r->step->plain[0], NULL, 10), 0));
}

static bool act_zk_delete(struct run *r)
{
    return failed_with(r,
                       sim_world_znode_delete(r->world, r->step->plain[0], WIRE_ZK_ANY_VERSION, 0));
}

static bool act_nothing(struct run *r)
{
    (void)r;
    return true;
}

static const struct verb verbs[] = {
    {"brokers", 1, 1, IDS, act_start, "rack"},
    {"start", 1, 1, IDS, act_start, "rack"},
    {"kill", 1, 1, IDS, act_kill, ""},
    {"bounce", 1, 1, IDS, act_bounce, ""},
    {"topic", 1, 1, TOPIC, act_topic, "*"},
    {"config", 1, 1, TOPIC, act_config, "*"},
    {"add-partitions", 1, 1, TOPIC, act_add_partitions, "assign"},
    {"delete-topic", 1, 1, TOPICS, act_delete_topic, ""},
    {"preferred", 1, WORDS_MAX, PARTITIONS, act_partitions, ""},
    {"reassign", 0, WORDS_MAX, PARTITION_LISTS, act_partitions, ""},
    {"alter-reassign", 0, WORDS_MAX, PARTITION_LISTS_OR_CANCEL, act_alter_reassign, ""},
    {"isr", 0, WORDS_MAX, PARTITION_LISTS, act_partitions, ""},
    {"set-isr", 0, WORDS_MAX, PARTITION_LISTS, act_partitions, ""},
    {"controlled-shutdown", 1, 1, IDS, act_controlled_shutdown, ""},
    {"log-dir-failure", 1, 1, IDS, act_log_dir_failure, ""},
    {"controller", 1, 2, ANYTHING, act_controller, "props"},
    {"fault", 2, 3, IDS, act_fault, "error perror tp delay count"},
    {"wait", 0, 0, ANYTHING, act_wait, "quiet timeout"},
    {"wait-controller", 0, 1, ANYTHING, act_wait_controller, "timeout"},
    {"wait-gone", 1, 1, PATH, act_wait_path, "timeout"},
    {"wait-exists", 1, 1, PATH, act_wait_path, "timeout"},
    {"sleep", 1, 1, ANYTHING, act_sleep, ""},
    {"untraced", 0, 0, ANYTHING, act_traced, ""},
    {"traced", 0, 0, ANYTHING, act_traced, ""},
    {"zk-delete", 1, 1, PATH, act_zk_delete, ""},
    {"dump-znodes", 0, 0, ANYTHING, act_nothing, ""},
    {"dump-trace", 0, 0, ANYTHING, act_nothing, ""},
};

static const struct verb *verb_named(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* ---- all of it ---- */

static bool play(struct run *r, const struct script *script)
{
    for (uint32_t i = 0; i < script->count; i++) {
        const struct step *s = &script->steps[i];
        r->step = s;
        if (s->number > 0) {
            char *label = sim_realloc(NULL, strlen(s->text) + 16);
            snprintf(label, strlen(s->text) + 16, "%02u %s", s->number, s->text);
            sim_canonical_step(r->canonical, s->number, label);
            free(label);
        }
        if (!verb_named(s->verb)->act(r))
            return false;
    }
    return true;
}

static struct sim_settings scn_settings(const struct sim_scn_options *options)
{
    struct sim_settings s = sim_settings_default(SM_VERSION_2_8);
    if (options != NULL && options->write_group > 0)
        s.zk_write_group = options->write_group;
    if (options != NULL && options->read_group > 0)
        s.zk_read_group = options->read_group;
    s.session_timeout_us = 6 * SECOND;
    s.auto_leader_rebalance = false;
    return s;
}

static bool run_script(const struct script *script, const char *out,
                       const struct sim_scn_options *options, struct sim_scn_error *error)
{
    struct run r = {.error = error, .settings = scn_settings(options)};
    struct sim_world_options world = sim_world_options_default();
    r.canonical = sim_canonical_new();
    world.hooks = (struct sim_hooks){.context = &r, .request = on_request, .answer = on_answer};
    world.seed = options == NULL || options->seed == 0 ? 1 : options->seed;
    world.delays.drawn = options != NULL && options->seed != 0;
    world.trace = options == NULL ? NULL : options->trace;
    r.world = sim_world_new(&world);
    bool good = play(&r, script);
    if (out != NULL && !sim_canonical_write(r.canonical, r.world, out) && good) {
        good = fail(error, 0, "%s: %s", out, strerror(errno));
        error->is_input = false;
    }
    sim_world_free(r.world);
    sim_canonical_free(r.canonical);
    free(r.answer);
    free(r.brokers.id);
    free(r.controllers.id);
    return good;
}

bool sim_scn_check(const char *text, size_t size, struct sim_scn_error *error)
{
    struct script script = {0};
    *error = (struct sim_scn_error){0};
    bool good = script_read(&script, text, size, error);
    script_free(&script);
    return good;
}

bool sim_scn_run_text(const char *text, size_t size, const char *out,
                      const struct sim_scn_options *options, struct sim_scn_error *error)
{
    struct script script = {0};
    *error = (struct sim_scn_error){0};
    bool good = script_read(&script, text, size, error) && run_script(&script, out, options, error);
    script_free(&script);
    return good;
}

static char *read_file(const char *file, size_t *size, struct sim_scn_error *error)
{
    FILE *in = fopen(file, "rb");
    char *text = NULL;
    size_t n;
    *size = 0;
    *error = (struct sim_scn_error){0};
    if (in == NULL) {
        fail(error, 0, "%s", strerror(errno));
        return NULL;
    }
    do {
        text = sim_realloc(text, *size + 65536);
        n = fread(text + *size, 1, 65536, in);
        *size += n;
    } while (n > 0 && *size < (1u << 24));
    bool good = ferror(in) == 0;
    fclose(in);
    if (good && n == 0)
        return text;
    fail(error, 0, good ? "larger than 16 MiB" : "cannot be read");
    free(text);
    return NULL;
}

bool sim_scn_run(const char *file, const char *out, const struct sim_scn_options *options,
                 struct sim_scn_error *error)
{
    size_t size;
    char *text = read_file(file, &size, error);
    if (text == NULL)
        return false;
    bool good = sim_scn_run_text(text, size, out, options, error);
    free(text);
    return good;
}
