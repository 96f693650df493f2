/*
 * Changing the text of a scenario: where its tree says that a step stands, text is cut and set in.
 *
 *     steps:                          a list in block style: one item begins one line,
 *       - {at: 1s, kill: 3}           and what is added is a line of its own
 *     steps: [{at: 1s, kill: 3}]      a list in flow style: commas
 *
 * The end that YAML gives a block runs up to the next token, over blank lines and comments; the end
 * that is meant here is that of its last scalar or bracket.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/scenario_edit.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/memory.h"
#include "sim/moment.h"
#include "sim/yaml.h"

struct edit {
    const char *text;
    size_t size;
    char *error;
    struct sim_memory memory;
    struct sim_diagnostics diagnostics;
    const struct sim_yaml *root;
};

static char *give_up(struct edit *e, const char *what)
{
    snprintf(e->error, SIM_EDIT_ERROR, "%s", what);
    return NULL;
}

static bool edit_begin(struct edit *e, const char *text, size_t size, char *error)
{
    *e = (struct edit){.text = text, .size = size, .error = error};
    sim_diagnostics_init(&e->diagnostics);
    sim_diagnostics_source(&e->diagnostics, "scenario", text, size);
    e->root = sim_yaml_parse(&e->memory, text, size, &e->diagnostics);
    if (e->root != NULL && e->root->kind == SIM_YAML_MAP)
        return true;
    give_up(e, "the scenario cannot be read as YAML");
    return false;
}

static char *edit_end(struct edit *e, char *result)
{
    sim_diagnostics_free(&e->diagnostics);
    sim_memory_free(&e->memory);
    return result;
}

/* ---- places ---- */

static bool is_flow(const struct edit *e, const struct sim_yaml *node)
{
    return node->kind != SIM_YAML_SCALAR && node->begin < e->size &&
           (e->text[node->begin] == '[' || e->text[node->begin] == '{');
}

/* Where the text of a node ends, without the blank lines behind a block. */
static size_t end_of(const struct edit *e, const struct sim_yaml *node)
{
    if (node->kind == SIM_YAML_SCALAR || is_flow(e, node) || node->count == 0)
        return node->end;
    return end_of(e, node->items[node->count - 1]);
}

static size_t line_begin(const struct edit *e, size_t at)
{
    while (at > 0 && e->text[at - 1] != '\n')
        at--;
    return at;
}

/* The newline at or behind `at`, or the end of the text. */
static size_t line_end(const struct edit *e, size_t at)
{
    while (at < e->size && e->text[at] != '\n')
        at++;
    return at;
}

static unsigned long line_of(const struct edit *e, size_t at)
{
    unsigned long line = 1;
    for (size_t i = 0; i < at; i++)
        line += e->text[i] == '\n';
    return line;
}

/* Stores how far the dashes of a block list are indented. */
static bool dash_column(const struct edit *e, const struct sim_yaml *list, size_t *column)
{
    size_t begin = line_begin(e, list->items[0]->begin), at = begin;
    while (e->text[at] == ' ')
        at++;
    *column = at - begin;
    return e->text[at] == '-';
}

/* ---- cutting and setting in ---- */

/* The text with `size` bytes at `at` replaced. */
static char *replaced(const struct edit *e, size_t at, size_t size, const char *with)
{
    size_t more = strlen(with), rest = e->size - at - size;
    char *result = malloc(e->size - size + more + 1);
    if (result == NULL)
        abort();
    memcpy(result, e->text, at);
    memcpy(result + at, with, more);
    memcpy(result + at + more, e->text + at + size, rest);
    result[at + more + rest] = '\0';
    return result;
}

/* Adds `item` (in flow style) to the list under `key`, which is begun where there is none. */
static char *add_item(struct edit *e, const char *key, const char *item)
{
    const struct sim_yaml *list = sim_yaml_get(e->root, key);
    struct sim_memory *m = &e->memory;
    size_t column;
    if (list == NULL && is_flow(e, e->root))
        return replaced(
            e, e->root->end - 1, 0,
            sim_memory_format(m, "%s%s: [%s]", e->root->count > 0 ? ", " : "", key, item));
    if (list == NULL)
        return replaced(e, e->size, 0,
                        sim_memory_format(m, "%s%s:\n  - %s\n",
                                          e->text[e->size - 1] != '\n' ? "\n" : "", key, item));
    if (list->kind != SIM_YAML_LIST)
        return give_up(e, "its list is none");
    if (is_flow(e, list))
        return replaced(e, list->end - 1, 0,
                        sim_memory_format(m, "%s%s", list->count > 0 ? ", " : "", item));
    if (!dash_column(e, list, &column))
        return give_up(e, "each item of the list has to begin a line");
    size_t at = line_end(e, end_of(e, list) - 1);
    return replaced(e, at, 0, sim_memory_format(m, "\n%*s- %s", (int)column, "", item));
}

/* ---- steps ---- */

/* The words of a step without the braces that may stand around them. */
static const char *without_braces(struct edit *e, const char *step)
{
    size_t size = strlen(step);
    while (size > 0 && isspace((unsigned char)step[size - 1]))
        size--;
    while (size > 0 && isspace((unsigned char)*step)) {
        step++;
        size--;
    }
    if (size >= 2 && step[0] == '{' && step[size - 1] == '}') {
        step++;
        size -= 2;
    }
    return sim_memory_copy(&e->memory, step, size);
}

static bool is_called(const struct sim_yaml *step, const char *label)
{
    const struct sim_yaml *as = sim_yaml_get(step, "as");
    return as != NULL && as->kind == SIM_YAML_SCALAR && strcmp(as->text, label) == 0;
}

/* Returns the list of steps and stores the index of the one that is meant, or NULL. */
static const struct sim_yaml *find_step(struct edit *e, const char *which, uint32_t *index)
{
    const struct sim_yaml *steps = sim_yaml_get(e->root, "steps");
    char *behind;
    unsigned long line = strtoul(which, &behind, 10);
    bool is_line = behind != which && *behind == '\0';
    for (uint32_t i = 0; steps != NULL && steps->kind == SIM_YAML_LIST && i < steps->count; i++) {
        const struct sim_yaml *step = steps->items[i];
        size_t last = end_of(e, step);
        bool meant = is_line ? line >= line_of(e, step->begin) && line <= line_of(e, last - 1)
                             : is_called(step, which);
        if (meant && step->kind == SIM_YAML_MAP) {
            *index = i;
            return steps;
        }
    }
    snprintf(e->error, SIM_EDIT_ERROR,
             is_line ? "no step on line %.200s of the scenario" : "no step has the label '%.200s'",
             which);
    return NULL;
}

/* Of [a, b, c]: the item and one comma. */
static char *cut_from_flow(const struct edit *e, const struct sim_yaml *list, uint32_t i)
{
    size_t begin = list->items[i]->begin, end = list->items[i]->end;
    if (i + 1 < list->count)
        end = list->items[i + 1]->begin;
    else if (i > 0)
        begin = list->items[i - 1]->end;
    return replaced(e, begin, end - begin, "");
}

/* Of a block: its lines become comments; a list without items would be null, so it says []. */
static char *comment_out(struct edit *e, const struct sim_yaml *list, uint32_t i)
{
    size_t column;
    if (!dash_column(e, list, &column))
        return give_up(e, "each step has to begin a line");
    size_t begin = line_begin(e, list->items[i]->begin);
    size_t end = line_end(e, end_of(e, list->items[i]) - 1);
    char *lines;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL)
        abort();
    if (list->count == 1)
        fprintf(out, "%*s[] ", (int)column + 1, "");
    fputc('#', out);
    for (size_t at = begin; at < end; at++) {
        fputc(e->text[at], out);
        if (e->text[at] == '\n')
            fputc('#', out);
    }
    fclose(out);
    char *result = replaced(e, begin, end - begin, lines);
    free(lines);
    return result;
}

char *sim_scenario_add_step(const char *text, size_t size, const char *step, int64_t at_us,
                            char error[SIM_EDIT_ERROR])
{
    struct edit e;
    if (!edit_begin(&e, text, size, error))
        return edit_end(&e, NULL);
    char at[SIM_TIME_TEXT];
    const char *item = sim_memory_format(&e.memory, "{at: %s, %s}", sim_time_exact(at, at_us),
                                         without_braces(&e, step));
    return edit_end(&e, add_item(&e, "steps", item));
}

char *sim_scenario_add_expectation(const char *text, size_t size, const char *expectation,
                                   char error[SIM_EDIT_ERROR])
{
    struct edit e;
    if (!edit_begin(&e, text, size, error))
        return edit_end(&e, NULL);
    const char *item = sim_memory_format(&e.memory, "{%s}", without_braces(&e, expectation));
    return edit_end(&e, add_item(&e, "expect", item));
}

char *sim_scenario_drop_step(const char *text, size_t size, const char *which,
                             char error[SIM_EDIT_ERROR])
{
    struct edit e;
    uint32_t i = 0;
    if (!edit_begin(&e, text, size, error))
        return edit_end(&e, NULL);
    const struct sim_yaml *steps = find_step(&e, which, &i);
    char *result = steps == NULL        ? NULL
                   : is_flow(&e, steps) ? cut_from_flow(&e, steps, i)
                                        : comment_out(&e, steps, i);
    return edit_end(&e, result);
}

char *sim_scenario_move_step(const char *text, size_t size, const char *which, int64_t at_us,
                             char error[SIM_EDIT_ERROR])
{
    static const char *const triggers[] = {"at", "when", "after"};
    struct edit e;
    uint32_t i = 0;
    if (!edit_begin(&e, text, size, error))
        return edit_end(&e, NULL);
    const struct sim_yaml *steps = find_step(&e, which, &i);
    char *result = NULL, time[SIM_TIME_TEXT], with[48];
    if (steps != NULL)
        give_up(&e, "the step has no trigger of its own that could become a time");
    for (size_t t = 0; steps != NULL && t < sizeof(triggers) / sizeof(triggers[0]); t++) {
        const struct sim_yaml *step = steps->items[i];
        for (uint32_t m = 0; m < step->count && result == NULL; m++) {
            if (strcmp(step->keys[m]->text, triggers[t]) != 0)
                continue;
            size_t begin = step->keys[m]->begin, end = end_of(&e, step->items[m]);
            snprintf(with, sizeof(with), "at: %s", sim_time_exact(time, at_us));
            result = replaced(&e, begin, end - begin, with);
        }
    }
    return edit_end(&e, result);
}
