/*
 * Texts of lessons: {…} becomes a value of the trace.
 *
 *     {NAME}                  a reading that the stop names under `let`
 *     {answer}                the right answer
 *     {leader of orders-0}    any target, or the key of a fact, as it is at the text's moment
 *     {isr of orders-0 @ 5s}  as it is at that time
 *     {{                      a brace
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "sim/lesson_read.h"
#include "sim/moment.h"

/* The value of what stands between braces; NULL after an error. */
static const char *value_of(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                            uint32_t stop, char *name, struct sim_place place, uint64_t n,
                            const char *answer)
{
    struct sim_lesson_value value;
    int64_t t_us;
    if (answer != NULL && strcmp(name, "answer") == 0)
        return answer;
    for (uint32_t i = 0; i < spec->let_count; i++)
        if (strcmp(spec->lets[i].name, name) == 0)
            return sim_lesson_read(r, spec->lets[i].reading, stop, &value) ? value.text : NULL;
    char *at = strstr(name, " @ ");
    if (at != NULL) {
        if (!sim_time_parse(at + 3, &t_us)) {
            sim_error(r->d, place, "'%s' is no time: {leader of orders-0 @ 5s}", at + 3);
            return NULL;
        }
        *at = '\0';
        n = sim_trace_at_time(r->trace, t_us);
    }
    return sim_lesson_target(r, name, NULL, n, place, &value) ? value.text : NULL;
}

const char *sim_lesson_fill(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                            uint32_t stop, const char *text, struct sim_place place, uint64_t n,
                            const char *answer)
{
    enum { NAME = 200 };
    char *filled = NULL, name[NAME];
    size_t size;
    bool good = true;
    FILE *out = open_memstream(&filled, &size);
    if (out == NULL)
        abort();
    for (const char *at = text; *at != '\0' && good;) {
        if (*at != '{' || at[1] == '{') {
            fputc(*at, out);
            at += *at == '{' ? 2 : 1;
            continue;
        }
        const size_t length = strcspn(at + 1, "}");
        if (at[1 + length] == '\0' || length >= NAME || length == 0) {
            good = sim_error(r->d, place, "a brace without its end: '{{' is one of the text");
            break;
        }
        memcpy(name, at + 1, length);
        name[length] = '\0';
        const char *value = value_of(r, spec, stop, name, place, n, answer);
        good = value != NULL;
        fputs(good ? value : "", out);
        at += length + 2;
    }
    fclose(out);
    while (size > 0 && filled[size - 1] == '\n')
        size--;
    const char *copy = good ? sim_memory_copy(r->memory, filled, size) : NULL;
    free(filled);
    return copy;
}
