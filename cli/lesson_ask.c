/*
 * Asking: stop by stop what happened since the last one, the cluster as it is, what is to be told,
 * the question, and behind the answer the reason. Nothing of what lies behind a stop is printed
 * before its question has been answered or skipped.
 *
 * Answers are lines. A person at a terminal is asked again until the line names a choice; from a
 * pipe or a file each question takes one line whatever it says, so that lines and questions keep
 * step.
 */
#include "cli/lesson_ask.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "sim/moment.h"
#include "sim/narrate.h"
#include "sim/why.h"

enum { STORY_LINES = 12 }; /* a controller's failover over three partitions fits */

static struct sim_lesson_colors colors_of(const struct cli_lesson *l, FILE *out)
{
    return sim_color_wanted(l->color, out)
               ? (struct sim_lesson_colors){"\033[2m", "\033[1m", "\033[32m", "\033[31m", "\033[0m"}
               : (struct sim_lesson_colors){"", "", "", "", ""};
}

/* ---- answers ---- */

/* Takes one line, without blanks around it; false at the end. */
static bool take_line(struct cli_lesson *l, char out[CLI_LESSON_ANSWER])
{
    char line[4096];
    if (l->answers == NULL || fgets(line, sizeof(line), l->answers) == NULL)
        return false;
    char *begin = line + strspn(line, " \t\r\n");
    size_t size = strlen(begin);
    while (size > 0 && isspace((unsigned char)begin[size - 1]))
        size--;
    size = size < CLI_LESSON_ANSWER ? size : CLI_LESSON_ANSWER - 1;
    memcpy(out, begin, size);
    out[size] = '\0';
    return true;
}

static bool is_skip(const char *text)
{
    return *text == '\0' || strcmp(text, "s") == 0 || strcmp(text, "skip") == 0 ||
           strcmp(text, "-") == 0;
}

static void print_prompt(const struct cli_lesson *l, const struct sim_lesson_stop *s)
{
    if (l->quiet)
        return;
    if (s->choice_count > 0)
        printf("Your answer (a to %c, s to skip): ", (char)('a' + s->choice_count - 1));
    else
        printf("Your answer (s to skip): ");
    fflush(stdout);
}

/* Takes the answer to one question into `result`; false: a person is to be asked again. */
static bool take_answer(struct cli_lesson *l, struct cli_lesson_result *result)
{
    const struct sim_lesson_stop *s = result->stop;
    print_prompt(l, s);
    const bool there = take_line(l, result->given);
    if (!l->quiet && (!l->person || !there))
        printf("%s\n", there ? result->given : "");
    result->choice = SIM_LESSON_NONE;
    result->mark = CLI_LESSON_SKIPPED;
    if (!there || (is_skip(result->given) && !(l->person && *result->given == '\0'))) {
        result->given[0] = '\0';
        return true;
    }
    const enum sim_lesson_mark mark = sim_lesson_judge(s, result->given, &result->choice);
    result->mark = mark == SIM_LESSON_RIGHT ? CLI_LESSON_RIGHT : CLI_LESSON_WRONG;
    return mark != SIM_LESSON_UNKNOWN && *result->given != '\0' ? true : !l->person;
}

/* ---- a stop on the terminal ---- */

static void print_paragraph(const char *text)
{
    sim_lesson_print_text(stdout, text, 0);
    putchar('\n');
}

static void print_scene(const struct cli_lesson *l, const struct sim_facts *facts, uint32_t index,
                        const struct sim_lesson_colors *c)
{
    const struct sim_lesson *lesson = l->play->lesson;
    const struct sim_lesson_stop *s = &lesson->stops[index];
    const uint64_t from = index > 0 ? lesson->stops[index - 1].record : 0;
    printf("%s── stop %u of %u, %.3fs ──%s\n", c->dim, index + 1, lesson->stop_count,
           (double)s->t_us / 1e6, c->off);
    if (s->record > from)
        sim_lesson_print_story(stdout, l->play->trace, from, s->record, STORY_LINES, c);
    sim_lesson_print_table(stdout, facts, s->record, c);
    putchar('\n');
    if (s->say != NULL)
        print_paragraph(s->say);
    for (uint32_t i = 0; i < s->word_count; i++) {
        char text[2048];
        snprintf(text, sizeof(text), "%s%s%s: %s", c->bold, s->words[i].name, c->off,
                 s->words[i].text);
        sim_lesson_print_text(stdout, text, 4);
    }
    if (s->word_count > 0)
        putchar('\n');
}

static void print_question(const struct sim_lesson_stop *s, uint32_t number, uint32_t count,
                           const struct sim_lesson_colors *c)
{
    char text[4096];
    snprintf(text, sizeof(text), "%sQuestion %u of %u.%s %s", c->bold, number, count, c->off,
             s->ask);
    sim_lesson_print_text(stdout, text, 0);
    for (uint32_t i = 0; i < s->choice_count; i++) {
        snprintf(text, sizeof(text), "%c) %s", (char)('a' + i), s->choices[i].say);
        sim_lesson_print_text(stdout, text, 2);
    }
}

static const char *right_text(const struct sim_lesson_stop *s)
{
    return s->right != SIM_LESSON_NONE ? s->choices[s->right].say : s->answer;
}

/* Where a value comes from: the record that made it so, and where its causes begin. */
static void print_show(const struct cli_lesson *l, const struct sim_lesson_show *show,
                       const struct sim_lesson_colors *c)
{
    const struct sim_trace *trace = l->play->trace;
    struct sim_record setter, first;
    char sentence[400], text[900];
    if (!sim_trace_get(trace, show->record, &setter))
        return;
    sim_narrate(&setter, sentence, sizeof(sentence));
    snprintf(text, sizeof(text), "Look: %.400s, since %.3fs: %s.", show->text,
             (double)setter.t / 1e6, sentence);
    fputs(c->dim, stdout);
    sim_lesson_print_text(stdout, text, 2);
    first = setter;
    for (uint64_t n = sim_why_next(&setter); n > 1 && sim_trace_get(trace, n, &first);)
        n = first.kind == SIM_K_FAULT ? 0 : sim_why_next(&first);
    if (first.n != setter.n && first.n > 1) {
        sim_narrate(&first, sentence, sizeof(sentence));
        snprintf(text, sizeof(text), "It began at %.3fs: %s.", (double)first.t / 1e6, sentence);
        sim_lesson_print_text(stdout, text, 8);
    }
    fputs(c->off, stdout);
}

static void print_verdict(const struct cli_lesson *l, const struct cli_lesson_result *result,
                          const struct sim_lesson_colors *c)
{
    const struct sim_lesson_stop *s = result->stop;
    const char *wrong = result->choice != SIM_LESSON_NONE ? s->choices[result->choice].wrong : NULL;
    char text[2048];
    switch (result->mark) {
    case CLI_LESSON_RIGHT:
        snprintf(text, sizeof(text), "%s✓ Right:%s %s", c->good, c->off, right_text(s));
        break;
    case CLI_LESSON_WRONG:
        snprintf(text, sizeof(text), "%s✗ Not so.%s In this run it is: %s", c->bad, c->off,
                 right_text(s));
        break;
    case CLI_LESSON_SKIPPED:
        snprintf(text, sizeof(text), "%s– Skipped.%s In this run it is: %s", c->bold, c->off,
                 right_text(s));
        break;
    }
    putchar('\n');
    sim_lesson_print_text(stdout, text, 0);
    if (result->mark == CLI_LESSON_WRONG && wrong != NULL)
        sim_lesson_print_text(stdout, wrong, 2);
    putchar('\n');
    print_paragraph(s->because);
    for (uint32_t i = 0; i < s->show_count; i++)
        print_show(l, &s->shows[i], c);
    if (s->show_count > 0)
        putchar('\n');
}

/* ---- the whole ---- */

static void count_result(struct cli_lesson *l, const struct cli_lesson_result *result)
{
    l->asked++;
    l->right += result->mark == CLI_LESSON_RIGHT;
    l->wrong += result->mark == CLI_LESSON_WRONG;
    l->skipped += result->mark == CLI_LESSON_SKIPPED;
}

static bool ask_one(struct cli_lesson *l, const struct sim_lesson_stop *s,
                    const struct sim_lesson_colors *c)
{
    struct cli_lesson_result *result = &l->results[l->asked];
    result->stop = s;
    if (!l->quiet)
        print_question(s, l->asked + 1, l->play->lesson->question_count, c);
    while (!take_answer(l, result)) {
        if (cli_is_interrupted())
            return false;
        printf("That is none of the choices.\n");
    }
    if (cli_is_interrupted())
        return false;
    count_result(l, result);
    if (!l->quiet)
        print_verdict(l, result, c);
    return true;
}

static void print_end(const struct cli_lesson *l, const struct sim_lesson_colors *c)
{
    printf("%s%s%s: %u of %u right", l->right == l->asked ? c->good : c->bold,
           l->right == l->asked ? "✓ Done" : "Done", c->off, l->right, l->asked);
    if (l->skipped > 0)
        printf(", %u without an answer", l->skipped);
    printf(".\nThe whole run: kcsim run %s --seed %" PRIu64 "\n", l->file, l->play->result.seed);
}

static bool ask_stop(struct cli_lesson *l, const struct sim_facts *facts, uint32_t i,
                     const struct sim_lesson_colors *c)
{
    const struct sim_lesson_stop *s = &l->play->lesson->stops[i];
    char line[CLI_LESSON_ANSWER];
    if (!l->quiet)
        print_scene(l, facts, i, c);
    if (s->ask != NULL)
        return ask_one(l, s, c);
    if (l->person && !l->quiet && i + 1 < l->play->lesson->stop_count) {
        printf("%s(Enter to go on)%s ", c->dim, c->off);
        fflush(stdout);
        take_line(l, line);
    }
    return !cli_is_interrupted();
}

bool cli_lesson_ask(struct cli_lesson *l)
{
    const struct sim_lesson_colors c = colors_of(l, stdout);
    const struct sim_lesson *lesson = l->play->lesson;
    struct sim_facts *facts = sim_facts_new(l->play->trace);
    char number[32] = "Lesson";
    if (l->number > 0)
        snprintf(number, sizeof(number), "Lesson %u", l->number);
    if (!l->quiet)
        printf("%s%s: %s%s\n\n", c.bold, number, lesson->title, c.off);
    bool good = true;
    for (uint32_t i = 0; i < lesson->stop_count && good; i++)
        good = ask_stop(l, facts, i, &c);
    sim_facts_free(facts);
    if (good && !l->quiet)
        print_end(l, &c);
    return good;
}

enum sim_exit cli_lesson_exit(const struct cli_lesson *l)
{
    return l->wrong > 0 ? SIM_EXIT_FAILED : l->skipped > 0 ? SIM_EXIT_UNDECIDED : SIM_EXIT_MET;
}

/* ---- for machines ---- */

static json_t *json_text(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

static json_t *question_json(const struct cli_lesson_result *r)
{
    static const char *const marks[] = {"right", "wrong", "skipped"};
    const struct sim_lesson_stop *s = r->stop;
    char time[SIM_TIME_TEXT];
    json_t *choices = json_array(), *question = json_object();
    for (uint32_t i = 0; i < s->choice_count; i++)
        json_array_append_new(choices, json_text(s->choices[i].say));
    json_object_set_new(question, "at", json_text(sim_time_text(time, s->t_us)));
    json_object_set_new(question, "record", json_integer((json_int_t)s->record));
    json_object_set_new(question, "ask", json_text(s->ask));
    json_object_set_new(question, "choices", choices);
    json_object_set_new(question, "answer", json_text(*r->given != '\0' ? r->given : NULL));
    json_object_set_new(question, "result", json_text(marks[r->mark]));
    json_object_set_new(question, "right", json_text(right_text(s)));
    json_object_set_new(question, "because", json_text(s->because));
    return question;
}

void cli_lesson_json(const struct cli_lesson *l, FILE *out)
{
    json_t *questions = json_array();
    for (uint32_t i = 0; i < l->asked; i++)
        json_array_append_new(questions, question_json(&l->results[i]));
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_text("kcsim.lesson/1"));
    json_object_set_new(root, "lesson", json_integer(l->number));
    json_object_set_new(root, "file", json_text(l->file));
    json_object_set_new(root, "title", json_text(l->play->lesson->title));
    json_object_set_new(root, "seed", json_integer((json_int_t)l->play->result.seed));
    json_object_set_new(root, "asked", json_integer(l->asked));
    json_object_set_new(root, "right", json_integer(l->right));
    json_object_set_new(root, "wrong", json_integer(l->wrong));
    json_object_set_new(root, "skipped", json_integer(l->skipped));
    json_object_set_new(root, "exit", json_integer(cli_lesson_exit(l)));
    json_object_set_new(root, "questions", questions);
    char *text = json_dumps(root, JSON_INDENT(1));
    if (text == NULL)
        abort();
    fprintf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

/* ---- for teachers ---- */

static void show_stop(FILE *out, const struct sim_lesson_stop *s, uint32_t index,
                      const struct sim_lesson_colors *c)
{
    char time[SIM_TIME_TEXT], text[4096];
    fprintf(out, "%sstop %u%s  %s, record %" PRIu64 "\n", c->bold, index + 1, c->off,
            sim_time_text(time, s->t_us), s->record);
    if (s->say != NULL)
        sim_lesson_print_text(out, s->say, 2);
    for (uint32_t i = 0; i < s->word_count; i++) {
        snprintf(text, sizeof(text), "%s: %s", s->words[i].name, s->words[i].text);
        sim_lesson_print_text(out, text, 4);
    }
    if (s->ask != NULL) {
        snprintf(text, sizeof(text), "? %s", s->ask);
        sim_lesson_print_text(out, text, 2);
    }
    for (uint32_t i = 0; i < s->choice_count; i++) {
        const bool right = i == s->right;
        snprintf(text, sizeof(text), "%s%s %c) %s%s", right ? c->good : "", right ? "✓" : " ",
                 (char)('a' + i), s->choices[i].say, right ? c->off : "");
        sim_lesson_print_text(out, text, 4);
        if (s->choices[i].wrong != NULL)
            sim_lesson_print_text(out, s->choices[i].wrong, 9);
    }
    if (s->ask != NULL && s->choice_count == 0) {
        snprintf(text, sizeof(text), "%s✓ %s%s", c->good, s->answer, c->off);
        sim_lesson_print_text(out, text, 4);
    }
    if (s->because != NULL)
        sim_lesson_print_text(out, s->because, 4);
    fputc('\n', out);
}

/* As --answers takes it: commas of the answer itself behind a backslash. */
static void print_answer(FILE *out, const struct sim_lesson_stop *s, bool first)
{
    if (!first)
        fputc(',', out);
    if (s->right != SIM_LESSON_NONE)
        fputc('a' + (int)s->right, out);
    for (const char *at = s->answer; s->right == SIM_LESSON_NONE && *at != '\0'; at++)
        fprintf(out, "%s%c", *at == ',' ? "\\" : "", *at);
}

void cli_lesson_show(const struct cli_lesson *l, FILE *out)
{
    const struct sim_lesson_colors c = colors_of(l, out);
    const struct sim_lesson *lesson = l->play->lesson;
    fprintf(out, "%s%s%s\n%s, seed %" PRIu64 "\n\n", c.bold, lesson->title, c.off, l->file,
            l->play->result.seed);
    for (uint32_t i = 0; i < lesson->stop_count; i++)
        show_stop(out, &lesson->stops[i], i, &c);
    fprintf(out, "answers: ");
    for (uint32_t i = 0, n = 0; i < lesson->stop_count; i++)
        if (lesson->stops[i].ask != NULL)
            print_answer(out, &lesson->stops[i], n++ == 0);
    fputc('\n', out);
}
