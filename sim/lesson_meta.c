/*
 * A lesson in the first record of a trace, for whoever shows it elsewhere (the page):
 *
 *     "lesson": [{"record", "say", "words": [{"name", "text"}], "ask", "choices": [{"say", "value",
 *                 "wrong"}], "answer": {"value", "record", "key", "field", "id"}, "because",
 *                 "show": [{"text", "key", "record"}]}]
 *
 * `id` is the index of the right choice from 0, -1 where any text is taken; what is absent is left
 * out.
 */
#include "sim/lesson.h"

static void put_text(struct sim_trace *trace, enum sim_field field, const char *text)
{
    if (text != NULL)
        sim_trace_text(trace, field, text);
}

static void put_words(struct sim_trace *trace, const struct sim_lesson_stop *s)
{
    if (s->word_count == 0)
        return;
    sim_trace_list_begin(trace, SIM_F_WORDS);
    for (uint32_t i = 0; i < s->word_count; i++) {
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_text(trace, SIM_F_NAME, s->words[i].name);
        sim_trace_text(trace, SIM_F_TEXT, s->words[i].text);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
}

static void put_question(struct sim_trace *trace, const struct sim_lesson_stop *s)
{
    if (s->ask == NULL)
        return;
    sim_trace_text(trace, SIM_F_ASK, s->ask);
    sim_trace_list_begin(trace, SIM_F_CHOICES);
    for (uint32_t i = 0; i < s->choice_count; i++) {
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_text(trace, SIM_F_SAY, s->choices[i].say);
        sim_trace_text(trace, SIM_F_VALUE, s->choices[i].value);
        put_text(trace, SIM_F_WRONG, s->choices[i].wrong);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
    sim_trace_object_begin(trace, SIM_F_ANSWER);
    sim_trace_text(trace, SIM_F_VALUE, s->answer);
    sim_trace_int(trace, SIM_F_RECORD, (int64_t)s->answer_record);
    put_text(trace, SIM_F_KEY, s->key);
    put_text(trace, SIM_F_FIELD, s->field);
    sim_trace_int(trace, SIM_F_ID, s->right == SIM_LESSON_NONE ? -1 : (int64_t)s->right);
    sim_trace_object_end(trace);
    sim_trace_text(trace, SIM_F_BECAUSE, s->because);
}

static void put_shows(struct sim_trace *trace, const struct sim_lesson_stop *s)
{
    if (s->show_count == 0)
        return;
    sim_trace_list_begin(trace, SIM_F_SHOW);
    for (uint32_t i = 0; i < s->show_count; i++) {
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_text(trace, SIM_F_TEXT, s->shows[i].text);
        sim_trace_text(trace, SIM_F_KEY, s->shows[i].key);
        sim_trace_int(trace, SIM_F_RECORD, (int64_t)s->shows[i].record);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
}

void sim_lesson_meta(struct sim_trace *trace, const struct sim_lesson *lesson)
{
    sim_trace_list_begin(trace, SIM_F_LESSON);
    for (uint32_t i = 0; i < lesson->stop_count; i++) {
        const struct sim_lesson_stop *s = &lesson->stops[i];
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_int(trace, SIM_F_RECORD, (int64_t)s->record);
        put_text(trace, SIM_F_SAY, s->say);
        put_words(trace, s);
        put_question(trace, s);
        put_shows(trace, s);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
}
