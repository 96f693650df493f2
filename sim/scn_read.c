/*
 * Scripts of the oracle as text: lines into steps, and whether each step makes sense.
 *
 *     line ─► words ─┬─ verb
 *                    ├─ key=value, and no ':' before the '=': an option
 *                    └─ the others: plain arguments, in order
 *
 * Everything that can be wrong with a line is told here, with its number, before anything runs; so
 * acts read their arguments without looking twice. Exception: what only the world knows.
 */
#include "sim/scn_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/allocate.h"
#include "statemachine/znode.h"

bool sim_scn_fail(struct sim_scn_error *error, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool sim_scn_fail(struct sim_scn_error *error, uint32_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    error->line = line;
    error->is_input = true;
    return false;
}

/* ---- lists of ids, durations, partitions ---- */

void sim_scn_ids_push(struct sim_scn_ids *ids, int32_t id)
{
    ids->id = sim_realloc(ids->id, (ids->count + 1) * sizeof(*ids->id));
    ids->id[ids->count++] = id;
}

bool sim_scn_read_number(const char **at, int32_t *n)
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
bool sim_scn_read_ids(const char *text, struct sim_scn_ids *ids)
{
    int32_t from, to;
    for (const char *at = text;; at++) {
        if (!sim_scn_read_number(&at, &from))
            return false;
        to = from;
        if (*at == '-') {
            at++;
            if (!sim_scn_read_number(&at, &to))
                return false;
        }
        for (int64_t id = from; id <= to; id++) {
            if (ids->count >= SIM_SCN_IDS_MAX)
                return false;
            sim_scn_ids_push(ids, (int32_t)id);
        }
        if (*at == '\0')
            return ids->count > 0;
        if (*at != ',')
            return false;
    }
}

bool sim_scn_read_list(const char *text, struct sm_list *list)
{
    struct sim_scn_ids ids = {0};
    bool good = sim_scn_read_ids(text, &ids) && ids.count <= SM_REPLICAS_MAX;
    if (good)
        *list = sm_list_of(ids.id, (int32_t)ids.count);
    free(ids.id);
    return good;
}

/* As Go's ParseDuration, without signs and fractions of more than six digits. */
bool sim_scn_read_duration(const char *text, int64_t *us)
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
bool sim_scn_read_partition(const char *text, size_t size, char *topic, int32_t *partition)
{
    size_t colon = size;
    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon - 1 > SM_TOPIC_NAME_MAX)
        return false;
    memcpy(topic, text, colon - 1);
    topic[colon - 1] = '\0';
    const char *at = text + colon;
    return sim_scn_read_number(&at, partition) && at == text + size &&
           sm_topic_name_is_legal(topic, strlen(topic));
}

/* ---- reading lines ---- */

static bool continues_step(const char *verb)
{
    return strncmp(verb, "wait", 4) == 0 || strcmp(verb, "untraced") == 0 ||
           strcmp(verb, "traced") == 0 || strcmp(verb, "fault") == 0 || strcmp(verb, "sleep") == 0;
}

static void step_add_arg(struct sim_scn_step *s, char *word)
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
    s->options[s->option_count++] =
        (struct sim_scn_option){.key = key, .value = key + (equals - word) + 1};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void cut_words(struct sim_scn_step *s)
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

const char *sim_scn_option(const struct sim_scn_step *s, const char *key)
{
    const char *value = NULL;
    for (uint32_t i = 0; i < s->option_count; i++)
        if (strcmp(s->options[i].key, key) == 0)
            value = s->options[i].value; /* the last one counts */
    return value;
}

void sim_scn_script_free(struct sim_scn_script *script)
{
    for (uint32_t i = 0; i < script->count; i++) {
        struct sim_scn_step *s = &script->steps[i];
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

static bool check_options(const struct sim_scn_step *s, const struct sim_scn_verb *v,
                          struct sim_scn_error *error)
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
            return sim_scn_fail(error, s->line, "%s: unknown option '%s='", s->verb, key);
    }
    return true;
}

static bool check_durations(const struct sim_scn_step *s, struct sim_scn_error *error)
{
    static const char *const keys[] = {"quiet", "timeout", "delay"};
    int64_t us;
    for (size_t i = 0; i < 3; i++)
        if (sim_scn_option(s, keys[i]) != NULL &&
            !sim_scn_read_duration(sim_scn_option(s, keys[i]), &us))
            return sim_scn_fail(error, s->line, "%s: bad duration '%s'", s->verb,
                                sim_scn_option(s, keys[i]));
    return true;
}

static bool check_partition_list(const char *arg, bool may_cancel)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    struct sm_list list;
    int32_t partition;
    const char *equals = strchr(arg, '=');
    return equals != NULL &&
           sim_scn_read_partition(arg, (size_t)(equals - arg), topic, &partition) &&
           ((may_cancel && strcmp(equals + 1, "cancel") == 0) ||
            sim_scn_read_list(equals + 1, &list));
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

static bool check_argument(const struct sim_scn_step *s, enum sim_scn_check check, uint32_t i)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    struct sim_scn_ids ids = {0};
    bool good = true;
    switch (check) {
    case SIM_SCN_ANYTHING:
        return true;
    case SIM_SCN_IDS:
        good = i > 0 || sim_scn_read_ids(s->plain[i], &ids);
        free(ids.id);
        return good;
    case SIM_SCN_PARTITIONS:
        return sim_scn_read_partition(s->plain[i], strlen(s->plain[i]), topic, &partition);
    case SIM_SCN_PARTITION_LISTS:
    case SIM_SCN_PARTITION_LISTS_OR_CANCEL:
        return check_partition_list(s->args[i], check == SIM_SCN_PARTITION_LISTS_OR_CANCEL);
    case SIM_SCN_TOPIC:
        return sm_topic_name_is_legal(s->plain[0], strlen(s->plain[0]));
    case SIM_SCN_TOPICS:
        return check_topics(s->plain[0]);
    case SIM_SCN_PATH:
        return s->plain[0][0] == '/' && s->plain[0][1] != '\0' && strlen(s->plain[0]) < SM_PATH_MAX;
    }
    return true;
}

static bool check_step(const struct sim_scn_step *s, struct sim_scn_error *error)
{
    const struct sim_scn_verb *v = sim_scn_verb_named(s->verb);
    if (v == NULL)
        return sim_scn_fail(error, s->line, "unknown step '%.60s'", s->verb);
    if (s->plain_count < v->plain_min || s->plain_count > v->plain_max)
        return sim_scn_fail(error, s->line, "%s: wants %u%s argument%s, has %u", v->name,
                            v->plain_min, v->plain_max > v->plain_min ? " or more" : "",
                            v->plain_min == 1 ? "" : "s", s->plain_count);
    bool is_list =
        v->check == SIM_SCN_PARTITION_LISTS || v->check == SIM_SCN_PARTITION_LISTS_OR_CANCEL;
    uint32_t count = is_list ? s->arg_count : s->plain_count;
    for (uint32_t i = 0; i < count; i++)
        if (!check_argument(s, v->check, i))
            return sim_scn_fail(error, s->line, "%s: bad argument '%.60s'", v->name,
                                is_list ? s->args[i] : s->plain[i]);
    return check_options(s, v, error) && check_durations(s, error);
}

bool sim_scn_script_read(struct sim_scn_script *script, const char *text, size_t size,
                         struct sim_scn_error *error)
{
    uint32_t line = 0, number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end == NULL ? size - at : (size_t)(end - (text + at));
        const char *begin = text + at;
        at += n + 1;
        line++;
        if (memchr(begin, '\0', n) != NULL || n > SIM_SCN_LINE_MAX_BYTES)
            return sim_scn_fail(error, line,
                                memchr(begin, '\0', n) != NULL ? "a NUL byte" : "line too long");
        char *words = trimmed(begin, n);
        if (words == NULL)
            continue;
        script->steps = sim_realloc(script->steps, (script->count + 1) * sizeof(*script->steps));
        struct sim_scn_step *s = &script->steps[script->count++];
        *s = (struct sim_scn_step){
            .line = line, .text = sim_copy(words, strlen(words) + 1), .words = words};
        cut_words(s);
        if (!continues_step(s->verb))
            s->number = ++number;
        if (!check_step(s, error))
            return false;
    }
    return true;
}
