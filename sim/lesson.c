/*
 * Making a lesson: first the records of all stops, for a reading may look as far as the next stop;
 * then values, texts and the right choices.
 *
 *     choice with `if`      right where its condition holds; exactly one must
 *     choice with a value   right where its value is the answer; exactly one must be
 *                           (of numbers after `seconds` the nearest; a choice that is read as
 *                           `seconds` is a whole number)
 *     choices left out      what the learner types is compared with the answer
 *
 * A derived choice (brokers, or a reading) that has the value of another one is left out.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/lesson.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/lesson_read.h"
#include "sim/why.h"

/* ---- choices ---- */

static bool is_taken(const struct sim_lesson_stop *s, const char *value)
{
    for (uint32_t i = 0; i < s->choice_count; i++)
        if (strcmp(s->choices[i].value, value) == 0)
            return true;
    return false;
}

static void add_choice(struct sim_lesson_stop *s, const char *say, const char *value,
                       const char *wrong)
{
    assert(s->choice_count < SIM_LESSON_CHOICES_MAX);
    s->choices[s->choice_count++] =
        (struct sim_lesson_choice){.say = say, .value = value, .wrong = wrong};
}

static int by_id(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void add_brokers(const struct sim_lesson_reader *r, struct sim_lesson_stop *s)
{
    int32_t ids[SIM_LESSON_CHOICES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->scenario->node_count && count < SIM_LESSON_CHOICES_MAX - 1; i++)
        if (r->scenario->nodes[i].role != SIM_NODE_CONTROLLER)
            ids[count++] = r->scenario->nodes[i].id;
    qsort(ids, count, sizeof(*ids), by_id);
    for (uint32_t i = 0; i < count; i++) {
        const char *text = sim_memory_format(r->memory, "%" PRId32, ids[i]);
        add_choice(s, text, text, NULL);
    }
    add_choice(s, "none", "none", NULL);
}

/* Texts behind a question are filled as of the moment of its answer: a fact's own, else not before
   the next stop, for a record that tells something comes before what it leads to. */
static uint64_t moment_of_texts(const struct sim_lesson_reader *r, uint32_t stop,
                                const struct sim_lesson_stop *s)
{
    const uint64_t next = r->stops[stop + 1];
    return s->key != NULL || s->answer_record > next ? s->answer_record : next;
}

/* Nobody guesses milliseconds: a choice that is measured is shown, and compared, in whole seconds.
 */
static const char *whole_seconds(const struct sim_lesson_reader *r, const char *text)
{
    char *end;
    const double seconds = strtod(text, &end);
    return end == text || *end != '\0' || seconds < 1
               ? text
               : sim_memory_format(r->memory, "%.0f", seconds);
}

static bool fill_choice(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                        uint32_t stop, const struct sim_choice_spec *c, struct sim_lesson_stop *s)
{
    struct sim_lesson_value value = {0};
    const uint64_t n = moment_of_texts(r, stop, s);
    const char *say = NULL, *wrong = NULL;
    bool holds = false;
    if (c->value != NULL)
        value.text = sim_memory_copy(r->memory, c->value, strlen(c->value));
    if (c->reads != NULL && !sim_lesson_read(r, c->reads, stop, &value))
        return false;
    if (c->reads != NULL && c->reads->kind == SIM_READ_SECONDS)
        value.text = whole_seconds(r, value.text);
    if (c->right != NULL && !sim_lesson_holds(r, c->right, stop, &holds))
        return false;
    if (c->say != NULL)
        say = sim_lesson_fill(r, spec, stop, c->say, c->place, n, s->answer);
    if (c->wrong != NULL)
        wrong = sim_lesson_fill(r, spec, stop, c->wrong, c->place, n, s->answer);
    if ((c->say != NULL && say == NULL) || (c->wrong != NULL && wrong == NULL))
        return false;
    if (c->reads != NULL && is_taken(s, value.text))
        return true;
    if (c->right == NULL && is_taken(s, value.text))
        return sim_error(r->d, c->place, "the choice '%s' stands twice", value.text);
    if (holds && s->right != SIM_LESSON_NONE)
        return sim_error(r->d, c->place, "two choices are right in this run: '%s', and '%s'",
                         s->choices[s->right].say, say);
    if (holds)
        s->right = s->choice_count;
    add_choice(s, say != NULL ? say : value.text, c->right != NULL ? say : value.text, wrong);
    return true;
}

/* ---- which one is right ---- */

static bool number_of(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0';
}

/* Of choices that are numbers the nearest to what was measured, if it is near at all: no further
   than a fifth of it, or half a second. */
static uint32_t nearest(const struct sim_lesson_stop *s)
{
    double want, have, best = INFINITY;
    uint32_t found = SIM_LESSON_NONE;
    if (!number_of(s->answer, &want))
        return SIM_LESSON_NONE;
    for (uint32_t i = 0; i < s->choice_count; i++)
        if (number_of(s->choices[i].value, &have) && fabs(have - want) < best) {
            best = fabs(have - want);
            found = i;
        }
    return best <= 0.5 || best <= fabs(want) / 5 ? found : SIM_LESSON_NONE;
}

static bool is_answer(const struct sim_lesson_stop *s, const char *value)
{
    return strcmp(value, s->answer) == 0 || sim_lesson_records_equal(value, s->answer);
}

static bool choose(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                   struct sim_lesson_stop *s)
{
    for (uint32_t i = 0; i < s->choice_count && s->right == SIM_LESSON_NONE; i++)
        if (is_answer(s, s->choices[i].value))
            s->right = i;
    if (s->right == SIM_LESSON_NONE && spec->answer->kind == SIM_READ_SECONDS)
        s->right = nearest(s);
    return s->right != SIM_LESSON_NONE ||
           sim_error(r->d, spec->ask_place, "no choice is right in this run: the answer is '%s'",
                     s->answer);
}

/* The last election behind the value: what it said of each candidate is why that one is wrong. */
static void explain_candidates(const struct sim_lesson_reader *r, struct sim_lesson_stop *s)
{
    struct sim_fact fact;
    struct sim_record record = {0};
    struct sim_value list, one, id, verdict;
    struct sim_walk walk = {0};
    if (s->key == NULL || s->field == NULL || strcmp(s->field, "leader") != 0 ||
        !sim_facts_have(r->facts, s->key, s->answer_record, &fact))
        return;
    for (uint64_t n = fact.n; n != 0 && sim_trace_get(r->trace, n, &record);
         n = sim_why_next(&record))
        if (record.kind == SIM_K_DECIDE || record.kind == SIM_K_FAULT)
            break;
    if (record.kind != SIM_K_DECIDE || !sim_record_get(&record, SIM_F_CANDIDATES, &list))
        return;
    while (sim_list_next(&list, &walk, &one)) {
        char text[16];
        if (!sim_object_get(&one, SIM_F_ID, &id) || id.type != SIM_V_INT ||
            !sim_object_get(&one, SIM_F_VERDICT, &verdict) || verdict.type != SIM_V_TEXT)
            continue;
        snprintf(text, sizeof(text), "%" PRId64, id.number);
        for (uint32_t i = 0; i < s->choice_count; i++)
            if (i != s->right && s->choices[i].wrong == NULL &&
                strcmp(s->choices[i].value, text) == 0)
                s->choices[i].wrong = sim_memory_format(
                    r->memory, "The election looked at broker %s: %s.", text, verdict.text);
    }
}

/* ---- stops ---- */

static bool answer_question(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                            uint32_t stop, struct sim_lesson_stop *s)
{
    struct sim_lesson_value value = {.record = r->stops[stop + 1]};
    s->right = SIM_LESSON_NONE;
    if (spec->answer != NULL && !sim_lesson_read(r, spec->answer, stop, &value))
        return false;
    s->answer = value.text;
    s->answer_record = value.record;
    s->key = value.key;
    s->field = value.field;
    s->choices = sim_memory_take(r->memory, SIM_LESSON_CHOICES_MAX * sizeof(*s->choices));
    if (spec->choices_are_brokers)
        add_brokers(r, s);
    for (uint32_t i = 0; i < spec->choice_count; i++)
        if (!fill_choice(r, spec, stop, &spec->choices[i], s))
            return false;
    if (spec->answer == NULL && s->right == SIM_LESSON_NONE)
        return sim_error(r->d, spec->ask_place, "no choice is right in this run");
    if (spec->answer != NULL && s->choice_count > 0 && !choose(r, spec, s))
        return false;
    if (s->right != SIM_LESSON_NONE)
        s->answer = s->choices[s->right].value;
    explain_candidates(r, s);
    return true;
}

static bool fill_shows(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                       uint64_t n, struct sim_lesson_stop *s)
{
    struct sim_effect effect;
    char message[512], value[1024];
    s->shows = sim_memory_take(r->memory, spec->show_count * sizeof(*s->shows));
    for (uint32_t i = 0; i < spec->show_count; i++) {
        const struct sim_named_text *show = &spec->shows[i];
        struct sim_lesson_show *out = &s->shows[s->show_count];
        if (!sim_why_target(r->facts, show->text, n, &effect, message, sizeof(message)))
            return sim_error(r->d, show->place, "%s", message);
        if (!sim_why_value(r->facts, &effect, n, value, sizeof(value), &out->record))
            continue; /* it had no value yet: nothing to look at */
        out->text = sim_memory_copy(r->memory, show->text, strlen(show->text));
        out->key = sim_memory_copy(r->memory, effect.key, strlen(effect.key));
        s->show_count++;
    }
    return true;
}

static bool fill_words(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                       struct sim_lesson_stop *s)
{
    s->words = sim_memory_take(r->memory, spec->word_count * sizeof(*s->words));
    for (uint32_t i = 0; i < spec->word_count; i++) {
        const struct sim_named_text *word = &spec->words[i];
        s->words[s->word_count++] = (struct sim_lesson_word){
            .name = sim_memory_copy(r->memory, word->name, strlen(word->name)),
            .text = sim_memory_copy(r->memory, word->text, strlen(word->text))};
    }
    return true;
}

static bool fill_stop(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                      uint32_t stop, struct sim_lesson_stop *s)
{
    s->record = r->stops[stop];
    s->t_us = r->times[stop];
    s->answer_record = s->record;
    bool good = fill_words(r, spec, s);
    if (spec->say != NULL)
        good = (s->say = sim_lesson_fill(r, spec, stop, spec->say, spec->say_place, s->record,
                                         NULL)) != NULL;
    if (spec->ask == NULL)
        return fill_shows(r, spec, s->record, s) && good;
    s->ask = sim_lesson_fill(r, spec, stop, spec->ask, spec->ask_place, s->record, NULL);
    good = s->ask != NULL && answer_question(r, spec, stop, s) && good;
    if (s->answer == NULL)
        return false;
    const uint64_t n = moment_of_texts(r, stop, s);
    s->because = sim_lesson_fill(r, spec, stop, spec->because, spec->because_place, n, s->answer);
    return s->because != NULL && fill_shows(r, spec, n, s) && good;
}

/* Where all stops are; false after an error. */
static bool find_stops(const struct sim_lesson_reader *r, const struct sim_lesson_spec *spec,
                       uint64_t *stops, int64_t *times)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < spec->stop_count; i++) {
        const struct sim_lesson_moment *m = &spec->stops[i].moment;
        if (!sim_lesson_moment(r, m, last, last, &stops[i], &times[i]))
            return false;
        if (stops[i] < last)
            return sim_error(r->d, m->place, "in this run this comes before the stop above it");
        last = stops[i];
    }
    stops[spec->stop_count] = sim_trace_count(r->trace);
    return true;
}

/* Facts outlive the lesson in nothing: names of fields are static or copied. */
struct sim_lesson *sim_lesson_new(const struct sim_scenario *scenario,
                                  const struct sim_trace *trace, struct sim_diagnostics *d)
{
    const struct sim_lesson_spec *spec = scenario->lesson;
    struct sim_lesson *lesson = calloc(1, sizeof(*lesson));
    if (lesson == NULL)
        abort();
    uint64_t *stops = sim_memory_take(&lesson->memory, (spec->stop_count + 1) * sizeof(*stops));
    int64_t *times = sim_memory_take(&lesson->memory, spec->stop_count * sizeof(*times));
    struct sim_lesson_reader r = {.scenario = scenario,
                                  .trace = trace,
                                  .facts = sim_facts_new(trace),
                                  .memory = &lesson->memory,
                                  .d = d,
                                  .stops = stops,
                                  .times = times};
    sim_diagnostics_source(d, scenario->file, scenario->text, scenario->text_size);
    lesson->title = sim_memory_copy(&lesson->memory, scenario->title, strlen(scenario->title));
    lesson->stops = sim_memory_take(&lesson->memory, spec->stop_count * sizeof(*lesson->stops));
    lesson->stop_count = spec->stop_count;
    bool good = find_stops(&r, spec, stops, times);
    for (uint32_t i = 0; i < spec->stop_count && stops[spec->stop_count] != 0; i++) {
        good = fill_stop(&r, &spec->stops[i], i, &lesson->stops[i]) && good;
        lesson->question_count += lesson->stops[i].ask != NULL;
    }
    sim_facts_free(r.facts);
    sim_diagnostics_source(d, "", NULL, 0);
    if (good)
        return lesson;
    sim_lesson_free(lesson);
    return NULL;
}

void sim_lesson_free(struct sim_lesson *lesson)
{
    if (lesson == NULL)
        return;
    sim_memory_free(&lesson->memory);
    free(lesson);
}

/* ---- judging ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* In small letters, without blanks and a full stop around it; owned. */
static char *plain(const char *text)
{
    while (is_blank(*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    if (size > 0 && text[size - 1] == '.')
        size--;
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    char *copy = strndup(text, size);
    if (copy == NULL)
        abort();
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static bool equal_but_for_blanks(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (is_blank(*a))
            a++;
        while (is_blank(*b))
            b++;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

bool sim_lesson_same_answer(const char *a, const char *b)
{
    char *x = plain(a), *y = plain(b);
    bool same = equal_but_for_blanks(x, y) || sim_lesson_records_equal(x, y);
    free(x);
    free(y);
    return same;
}

enum sim_lesson_mark sim_lesson_judge(const struct sim_lesson_stop *s, const char *text,
                                      uint32_t *choice)
{
    uint32_t found = SIM_LESSON_NONE;
    const char letter = (char)tolower((unsigned char)text[0]);
    assert(s->ask != NULL);
    if (choice != NULL)
        *choice = SIM_LESSON_NONE;
    if (s->choice_count == 0)
        return sim_lesson_same_answer(text, s->answer) ? SIM_LESSON_RIGHT : SIM_LESSON_WRONG;
    for (uint32_t i = 0; i < s->choice_count && found == SIM_LESSON_NONE; i++)
        if (sim_lesson_same_answer(text, s->choices[i].value) ||
            sim_lesson_same_answer(text, s->choices[i].say))
            found = i;
    if (found == SIM_LESSON_NONE && text[0] != '\0' && text[1] == '\0' && letter >= 'a' &&
        (uint32_t)(letter - 'a') < s->choice_count)
        found = (uint32_t)(letter - 'a');
    if (choice != NULL)
        *choice = found;
    return found == SIM_LESSON_NONE ? SIM_LESSON_UNKNOWN
           : found == s->right      ? SIM_LESSON_RIGHT
                                    : SIM_LESSON_WRONG;
}
