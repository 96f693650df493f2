/*
 * Lessons of a scenario: what sim/lesson_spec.h says, read and checked.
 *
 * Checked here is what the file alone can tell: that moments, patterns and labels are right, that a
 * question has exactly one way to its answer. Whether the run ever comes to a moment, and whether
 * one choice is right, only the trace knows (sim/lesson.c).
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/lesson_spec.h"

#include <assert.h>
#include <string.h>

#include "sim/pattern.h"
#include "sim/scenario_read.h"

static const char stop_example[] = "a lesson is a list of stops: - {at: 5s, say: …}";

/* Texts of a learner's screen: as long as one, and no longer. */
static bool read_words_of(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                          char **out)
{
    if (!sim_read_text(r, node, what, out))
        return false;
    return strlen(*out) <= SIM_LESSON_TEXT_MAX ||
           sim_error(r->d, node->place, "%s is longer than %d bytes: make two stops of it", what,
                     SIM_LESSON_TEXT_MAX);
}

/* ---- moments ---- */

/* LABEL, or LABEL +T. */
static bool read_label(struct sim_reader *r, const struct sim_yaml *node,
                       struct sim_lesson_moment *out)
{
    char *text;
    if (!sim_read_text(r, node, "after", &text))
        return false;
    size_t size = strcspn(text, "+");
    const bool has_time = text[size] == '+';
    struct sim_yaml span = *node;
    span.text = text + size + has_time + strspn(text + size + has_time, " ");
    span.size = strlen(span.text);
    while (size > 0 && text[size - 1] == ' ')
        size--;
    out->label = sim_memory_copy(r->memory, text, size);
    const char **names = sim_memory_take(r->memory, (r->label_count + 1) * sizeof(*names));
    bool found = false;
    for (uint32_t i = 0; i < r->label_count; i++) {
        names[i] = r->labels[i].name;
        found = found || strcmp(names[i], out->label) == 0;
    }
    if (!found) {
        sim_error(r->d, node->place, "no step has the label '%s'", out->label);
        sim_suggest(r->d, out->label, names);
        return false;
    }
    return !has_time || sim_read_time(r, &span, "the time behind +", &out->at_us);
}

/* The key of `map` that names its moment; NULL with *good where there is none. */
static const struct sim_yaml *moment_key(struct sim_reader *r, const struct sim_yaml *map,
                                         enum sim_lesson_when *when, bool *good)
{
    static const struct {
        const char *name;
        enum sim_lesson_when when;
    } keys[] = {{"at", SIM_LESSON_AT},
                {"when", SIM_LESSON_WHEN},
                {"after", SIM_LESSON_AFTER},
                {"now", SIM_LESSON_NOW},
                {"end", SIM_LESSON_END}};
    const struct sim_yaml *found = NULL;
    *when = SIM_LESSON_THERE;
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct sim_yaml *value = sim_yaml_get(map, keys[i].name);
        if (value == NULL)
            continue;
        if (found != NULL)
            *good = sim_error(r->d, value->place, "one moment is enough: at, when or after");
        found = value;
        *when = keys[i].when;
    }
    return found;
}

static bool read_moment(struct sim_reader *r, const struct sim_yaml *map,
                        struct sim_lesson_moment *out)
{
    bool good = true, yes = true;
    const struct sim_yaml *value = moment_key(r, map, &out->when, &good);
    out->place = value != NULL ? value->place : map->place;
    switch (out->when) {
    case SIM_LESSON_THERE:
        return good;
    case SIM_LESSON_AT:
        return sim_read_time(r, value, "at", &out->at_us) && good;
    case SIM_LESSON_WHEN:
        return sim_read_pattern(r, value, SIM_SHAPE_END, &out->pattern) && good;
    case SIM_LESSON_AFTER:
        return read_label(r, value, out) && good;
    case SIM_LESSON_NOW:
    case SIM_LESSON_END:
        if (!sim_read_bool(r, value, "now", &yes))
            return false;
        return yes ? good : sim_error(r->d, value->place, "it is true, or it is left out");
    }
    assert(false);
    return false;
}

/* ---- readings ---- */

struct reading_key {
    const char *name;
    enum sim_reading_kind kind;
};
static const struct reading_key reading_keys[] = {{"read", SIM_READ_FACT},
                                                  {"count", SIM_READ_COUNT},
                                                  {"first", SIM_READ_FIRST},
                                                  {"seconds", SIM_READ_SECONDS},
                                                  {"records", SIM_READ_RECORDS}};

static const struct sim_yaml *reading_key(struct sim_reader *r, const struct sim_yaml *node,
                                          enum sim_reading_kind *kind)
{
    const struct sim_yaml *found = NULL;
    for (unsigned i = 0; i < sizeof(reading_keys) / sizeof(reading_keys[0]); i++) {
        const struct sim_yaml *value = sim_yaml_get(node, reading_keys[i].name);
        if (value == NULL)
            continue;
        if (found != NULL) {
            sim_error(r->d, value->place,
                      "one thing is read: read, count, first, seconds or records");
            return NULL;
        }
        found = value;
        *kind = reading_keys[i].kind;
    }
    if (found == NULL)
        sim_error(r->d, node->place, "what is read? read, count, first, seconds or records");
    return found;
}

static bool read_records(struct sim_reader *r, const struct sim_yaml *node)
{
    static const char *const words[] = {"lost of ", "acknowledged of ", "kept of ", NULL};
    char *topic;
    int32_t partition;
    for (unsigned i = 0; words[i] != NULL; i++)
        if (strncmp(node->text, words[i], strlen(words[i])) == 0)
            return sim_read_partition(r, node, node->text + strlen(words[i]), &topic, &partition);
    sim_error(r->d, node->place, "unknown records '%s'", node->text);
    sim_note(r->d, "one of: lost of T-P, acknowledged of T-P, kept of T-P");
    return false;
}

/* The part that is meant: of a fact any path, of a record one of the fields of its kind. */
static bool read_field(struct sim_reader *r, const struct sim_yaml *map, struct sim_reading *out)
{
    const struct sim_yaml *node = sim_yaml_get(map, "field");
    char *text = NULL;
    if (node == NULL)
        return out->kind != SIM_READ_FIRST ||
               sim_error(r->d, map->place, "which field of that record? field: t is its time");
    if (out->kind != SIM_READ_FACT && out->kind != SIM_READ_FIRST)
        return sim_error(r->d, node->place, "field goes with read and first");
    if (!sim_read_text(r, node, "field", &text))
        return false;
    out->field = text;
    if (out->kind == SIM_READ_FACT || strcmp(text, "t") == 0)
        return true;
    out->field = sim_event_field(sim_kind_named(out->pattern.kind), text);
    return out->field != NULL ||
           sim_error(r->d, node->place, "records of kind %s have no field '%s'", out->pattern.kind,
                     text);
}

static bool read_comparison(struct sim_reader *r, const struct sim_yaml *node,
                            struct sim_reading *out)
{
    struct sim_comparison c = {0};
    if (node == NULL)
        return true;
    if (!sim_read_comparison(r, node, &c))
        return false;
    out->has_is = true;
    out->is = sim_condition_of(&c, NULL, node->place);
    return true;
}

/* Returns the reading, NULL after an error. `condition`: it may, or must, say what it is. */
static const struct sim_reading *read_reading(struct sim_reader *r, const struct sim_yaml *node,
                                              bool condition)
{
    static const char *const sinces[] = {"stop", "start", NULL};
    struct sim_reading *out = sim_memory_take(r->memory, sizeof(*out));
    uint32_t since = 0;
    out->place = node->place;
    if (!sim_read_keys(r, node, SIM_SHAPE_READING, SIM_SHAPE_END))
        return NULL;
    const struct sim_yaml *what = reading_key(r, node, &out->kind);
    const struct sim_yaml *from = sim_yaml_get(node, "since"), *is = sim_yaml_get(node, "is");
    char *target = NULL;
    if (what == NULL)
        return NULL;
    bool good = true;
    if (out->kind == SIM_READ_FACT || out->kind == SIM_READ_RECORDS)
        good = sim_read_text(r, what, "what is read", &target);
    else
        good = sim_read_pattern(r, what, SIM_SHAPE_END, &out->pattern);
    out->target = target;
    if (good && out->kind == SIM_READ_RECORDS)
        good = read_records(r, what);
    good = good && read_field(r, node, out);
    good = read_moment(r, node, &out->moment) && good;
    if (from != NULL)
        good = sim_read_word(r, from, "since", sinces, &since) && good;
    out->from_start = since == 1;
    good = read_comparison(r, is, out) && good;
    if (is != NULL && !condition)
        good = sim_error(r->d, is->place, "only a condition (if) says what it must be");
    if (is == NULL && condition && out->kind != SIM_READ_COUNT)
        good = sim_error(r->d, node->place, "a condition says what it must be: is: …");
    assert(good || r->d->errors > 0);
    return out; /* also after an error: then there is no scenario */
}

/* ---- choices ---- */

static void read_choice_map(struct sim_reader *r, const struct sim_yaml *node,
                            struct sim_choice_spec *out)
{
    const struct sim_yaml *say = sim_yaml_get(node, "say"), *is = sim_yaml_get(node, "is"),
                          *value = sim_yaml_get(node, "value"), *right = sim_yaml_get(node, "if"),
                          *wrong = sim_yaml_get(node, "wrong");
    char *text = NULL;
    if (!sim_read_keys(r, node, SIM_SHAPE_CHOICE, SIM_SHAPE_END))
        return;
    if ((is != NULL) + (value != NULL) + (right != NULL) != 1)
        sim_error(r->d, node->place, "a choice has one of: is, value, if");
    if (right != NULL && say == NULL)
        sim_error(r->d, node->place, "a choice with a condition says something: say: …");
    if (say != NULL && read_words_of(r, say, "say", &text))
        out->say = text;
    if (wrong != NULL && read_words_of(r, wrong, "wrong", &text))
        out->wrong = text;
    if (is != NULL && read_words_of(r, is, "is", &text))
        out->value = text;
    if (value != NULL)
        out->reads = read_reading(r, value, false);
    if (right != NULL)
        out->right = read_reading(r, right, true);
}

static void read_choices(struct sim_reader *r, const struct sim_yaml *node,
                         struct sim_stop_spec *out)
{
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "brokers") == 0) {
        out->choices_are_brokers = true;
        return;
    }
    if (node->kind != SIM_YAML_LIST || node->count < 2) {
        sim_error(r->d, node->place, "choices are brokers, or a list of two at least");
        return;
    }
    if (node->count > SIM_LESSON_CHOICES_MAX) {
        sim_error(r->d, node->place, "%u choices; at most %d", node->count, SIM_LESSON_CHOICES_MAX);
        return;
    }
    out->choices = sim_memory_take(r->memory, node->count * sizeof(*out->choices));
    out->choice_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_yaml *item = node->items[i];
        out->choices[i].place = item->place;
        if (item->kind == SIM_YAML_SCALAR)
            out->choices[i].value = item->text;
        else
            read_choice_map(r, item, &out->choices[i]);
    }
}

/* ---- stops ---- */

static bool is_small(struct sim_reader *r, const struct sim_yaml *node, const char *what)
{
    return node->count <= SIM_LESSON_ITEMS_MAX ||
           sim_error(r->d, node->place, "%u %s; at most %d", node->count, what,
                     SIM_LESSON_ITEMS_MAX);
}

static void read_words(struct sim_reader *r, const struct sim_yaml *node, struct sim_stop_spec *out)
{
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "words: {ISR: the replicas that …}");
        return;
    }
    if (!is_small(r, node, "words"))
        return;
    out->words = sim_memory_take(r->memory, node->count * sizeof(*out->words));
    for (uint32_t i = 0; i < node->count; i++) {
        char *text = NULL;
        if (read_words_of(r, node->items[i], "what a word means", &text))
            out->words[out->word_count++] = (struct sim_named_text){
                .name = node->keys[i]->text, .text = text, .place = node->items[i]->place};
    }
}

static void read_lets(struct sim_reader *r, const struct sim_yaml *node, struct sim_stop_spec *out)
{
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "let: {moves: {count: {event: move}}}");
        return;
    }
    if (!is_small(r, node, "names"))
        return;
    out->lets = sim_memory_take(r->memory, node->count * sizeof(*out->lets));
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_reading *reading = read_reading(r, node->items[i], false);
        if (reading != NULL)
            out->lets[out->let_count++] =
                (struct sim_named_reading){.name = node->keys[i]->text, .reading = reading};
    }
}

static void read_shows(struct sim_reader *r, const struct sim_yaml *node, struct sim_stop_spec *out)
{
    const bool one = node->kind == SIM_YAML_SCALAR;
    if (!one && node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "show: leader of orders-0, or a list of such");
        return;
    }
    if (!is_small(r, node, "things to show"))
        return;
    const uint32_t count = one ? 1 : node->count;
    out->shows = sim_memory_take(r->memory, count * sizeof(*out->shows));
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_yaml *item = one ? node : node->items[i];
        char *text = NULL;
        if (read_words_of(r, item, "what to show", &text))
            out->shows[out->show_count++] =
                (struct sim_named_text){.name = text, .text = text, .place = item->place};
    }
}

static void read_long_text(struct sim_reader *r, const struct sim_yaml *stop, const char *key,
                           const char **out, struct sim_place *place)
{
    const struct sim_yaml *node = sim_yaml_get(stop, key);
    char *text = NULL;
    if (node != NULL && read_words_of(r, node, key, &text)) {
        *out = text;
        *place = node->place;
    }
}

/* There is one way to the right answer: a reading, or conditions of all choices. */
static void check_question(struct sim_reader *r, const struct sim_yaml *stop,
                           const struct sim_stop_spec *s)
{
    uint32_t conditions = 0;
    for (uint32_t i = 0; i < s->choice_count; i++)
        conditions += s->choices[i].right != NULL;
    const struct sim_yaml *answer = sim_yaml_get(stop, "answer");
    if (sim_yaml_get(stop, "ask") == NULL) {
        static const char *const only[] = {"choices", "answer", "because"};
        for (unsigned i = 0; i < sizeof(only) / sizeof(only[0]); i++)
            if (sim_yaml_get(stop, only[i]) != NULL)
                sim_error(r->d, sim_yaml_get(stop, only[i])->place, "%s goes with ask", only[i]);
        if (sim_yaml_get(stop, "say") == NULL)
            sim_error(r->d, stop->place, "a stop says or asks something");
        return;
    }
    if (answer == NULL && conditions == 0)
        sim_error(r->d, stop->place, "a question has an answer");
    else if (answer != NULL && conditions > 0)
        sim_error(r->d, answer->place, "either an answer, or choices with an if, not both");
    else if (conditions > 0 && conditions < s->choice_count)
        sim_error(r->d, stop->place, "either all choices have an if, or none");
    if (sim_yaml_get(stop, "because") == NULL)
        sim_error(r->d, stop->place, "a question has a reason: because: …");
}

static void read_stop(struct sim_reader *r, const struct sim_yaml *stop, struct sim_stop_spec *out)
{
    out->place = stop->place;
    if (!sim_read_keys(r, stop, SIM_SHAPE_LESSON, SIM_SHAPE_END))
        return;
    read_moment(r, stop, &out->moment);
    if (out->moment.when == SIM_LESSON_THERE)
        sim_error(r->d, stop->place, "a stop has a moment: at, when or after");
    read_long_text(r, stop, "say", &out->say, &out->say_place);
    read_long_text(r, stop, "ask", &out->ask, &out->ask_place);
    read_long_text(r, stop, "because", &out->because, &out->because_place);
    const struct sim_yaml *words = sim_yaml_get(stop, "words"),
                          *choices = sim_yaml_get(stop, "choices"),
                          *answer = sim_yaml_get(stop, "answer"), *let = sim_yaml_get(stop, "let"),
                          *show = sim_yaml_get(stop, "show");
    if (words != NULL)
        read_words(r, words, out);
    if (choices != NULL)
        read_choices(r, choices, out);
    if (answer != NULL)
        out->answer = read_reading(r, answer, false);
    if (let != NULL)
        read_lets(r, let, out);
    if (show != NULL)
        read_shows(r, show, out);
    check_question(r, stop, out);
}

void sim_read_lesson(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL)
        return;
    if (node->kind != SIM_YAML_LIST || node->count == 0) {
        sim_error(r->d, node->place, "%s", stop_example);
        return;
    }
    if (node->count > SIM_LESSON_STOPS_MAX) {
        sim_error(r->d, node->place, "%u stops; at most %d", node->count, SIM_LESSON_STOPS_MAX);
        return;
    }
    struct sim_lesson_spec *spec = sim_memory_take(r->memory, sizeof(*spec));
    spec->stops = sim_memory_take(r->memory, node->count * sizeof(*spec->stops));
    spec->stop_count = node->count;
    for (uint32_t i = 0; i < node->count; i++)
        read_stop(r, node->items[i], &spec->stops[i]);
    r->s->lesson = spec;
}
