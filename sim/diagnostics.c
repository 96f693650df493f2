/*
 * Diagnostics: collecting, the excerpt with its caret, and suggestions.
 *
 * The excerpt is copied when the error is added, so that the text may go. A long line is cut to a
 * window around the caret; control characters become blanks, so that a hostile file cannot write to
 * the terminal through its error messages.
 */
#include "sim/diagnostics.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 100, WORD_MAX = 64 };

static char *format_owned(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    char *text = malloc((size_t)size + 1);
    if (text == NULL) {
        abort();
    }
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

__attribute__((format(printf, 1, 2))) static char *text_owned(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_owned(format, args);
    va_end(args);
    return text;
}

/* Messages may quote the file: no control characters reach the terminal. */
static void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

void sim_diagnostics_init(struct sim_diagnostics *d)
{
    *d = (struct sim_diagnostics){.file = ""};
}

void sim_diagnostics_free(struct sim_diagnostics *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        free(d->entries[i].file);
        free(d->entries[i].message);
        free(d->entries[i].excerpt);
        free(d->entries[i].caret);
        free(d->entries[i].notes);
    }
    sim_diagnostics_init(d);
}

void sim_diagnostics_source(struct sim_diagnostics *d, const char *file, const char *text,
                            size_t size)
{
    d->file = file;
    d->text = text;
    d->text_size = text == NULL ? 0 : size;
}

/* ---- the excerpt ---- */

static size_t code_point_size(const char *at, const char *end)
{
    size_t size = 1;
    while (at + size < end && ((unsigned char)at[size] & 0xc0) == 0x80) {
        size++;
    }
    return size;
}

/* Returns the bytes of line `number` (1-based) without its end, or NULL where there is none. */
static const char *find_line(const struct sim_diagnostics *d, uint32_t number, size_t *size)
{
    const char *at = d->text, *end = d->text + d->text_size;
    for (uint32_t line = 1; line < number; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return NULL;
        }
        at = newline + 1;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *size = (size_t)((newline == NULL ? end : newline) - at);
    if (*size > 0 && at[*size - 1] == '\r') {
        (*size)--;
    }
    return at;
}

/* Copies the columns first … first + WINDOW - 1 of the line; returns how many there are. */
static uint32_t copy_window(const char *line, size_t size, uint32_t first, char *out)
{
    const char *end = line + size;
    uint32_t column = 1, copied = 0;
    for (const char *at = line; at < end && copied < WINDOW; column++) {
        const size_t bytes = code_point_size(at, end);
        if (column >= first) {
            if (bytes > 4 || (bytes == 1 && (unsigned char)*at >= 0x80)) { /* broken UTF-8 */
                *out++ = '?';
            } else {
                memcpy(out, at, bytes);
                out += bytes;
            }
            copied++;
        }
        at += bytes;
    }
    *out = '\0';
    return copied;
}

static void add_excerpt(const struct sim_diagnostics *d, struct sim_diagnostic *entry)
{
    size_t size;
    const char *line =
        d->text == NULL || entry->place.line == 0 ? NULL : find_line(d, entry->place.line, &size);
    if (line == NULL) {
        return;
    }
    const uint32_t column = entry->place.column == 0 ? 1 : entry->place.column;
    const uint32_t first = column > WINDOW - 20 ? column - (WINDOW - 20) + 1 : 1;
    char window[WINDOW * 4 + 1];
    const uint32_t columns = copy_window(line, size, first, window);
    make_printable(window);
    entry->excerpt = text_owned("%s%s", first > 1 ? "…" : "", window);

    char caret[WINDOW * 2 + 4];
    uint32_t at = 0;
    const uint32_t before = column - first + (first > 1 ? 1 : 0);
    while (at < before) {
        caret[at++] = ' ';
    }
    caret[at++] = '^';
    for (uint32_t i = 1; i < entry->place.length && column - first + i < columns; i++) {
        caret[at++] = '~';
    }
    caret[at] = '\0';
    entry->caret = text_owned("%s", caret);
}

/* ---- adding ---- */

static void add(struct sim_diagnostics *d, enum sim_severity severity, struct sim_place place,
                const char *format, va_list args)
{
    uint32_t *counter = severity == SIM_ERROR ? &d->errors : &d->warnings;
    (*counter)++;
    d->last_kept = *counter <= SIM_ERRORS_MAX;
    if (!d->last_kept) {
        return;
    }
    struct sim_diagnostic *entry = &d->entries[d->count];
    *entry = (struct sim_diagnostic){
        .severity = severity,
        .place = place,
        .file = text_owned("%s", d->file),
        .message = format_owned(format, args),
        .order = d->count,
    };
    make_printable(entry->message);
    make_printable(entry->file);
    d->count++;
    add_excerpt(d, entry);
}

bool sim_error(struct sim_diagnostics *d, struct sim_place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, SIM_ERROR, place, format, args);
    va_end(args);
    return false;
}

void sim_warning(struct sim_diagnostics *d, struct sim_place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, SIM_WARNING, place, format, args);
    va_end(args);
}

void sim_note(struct sim_diagnostics *d, const char *format, ...)
{
    if (!d->last_kept) {
        return;
    }
    assert(d->count > 0);
    struct sim_diagnostic *entry = &d->entries[d->count - 1];
    va_list args;
    va_start(args, format);
    char *note = format_owned(format, args);
    va_end(args);
    make_printable(note);
    char *notes = entry->notes;
    entry->notes = notes == NULL ? text_owned("%s", note) : text_owned("%s\n%s", notes, note);
    free(notes);
    free(note);
}

/* ---- suggestions ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Edit distance in which a swap of neighbours counts one (optimal string alignment). */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            const size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = smallest(last[j] + 1, row[j - 1] + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        size_t *freed = before;
        before = last;
        last = row;
        row = freed;
    }
    return last[b_size];
}

/* Case and '_' for '-' are the commonest slips: they cost nothing here. */
static size_t fold(const char *word, char *out)
{
    size_t size = 0;
    for (; word[size] != '\0' && size < WORD_MAX; size++) {
        const char c = word[size];
        out[size] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == '_' ? '-' : c);
    }
    return size;
}

const char *sim_closest(const char *word, const char *const *words)
{
    char folded[WORD_MAX], other[WORD_MAX];
    const size_t size = fold(word, folded);
    const char *closest = NULL;
    size_t best = size / 3 + 1; /* at most a third of the letters may be wrong */
    if (size >= WORD_MAX || size == 0) {
        return NULL;
    }
    for (; *words != NULL; words++) {
        const size_t other_size = fold(*words, other);
        if (other_size >= WORD_MAX) {
            continue;
        }
        const size_t distance = edit_distance(folded, size, other, other_size);
        if (distance < best && distance < other_size) {
            best = distance;
            closest = *words;
        }
    }
    return closest;
}

const char *sim_suggest(struct sim_diagnostics *d, const char *word, const char *const *words)
{
    const char *closest = d->last_kept ? sim_closest(word, words) : NULL;
    if (closest != NULL) {
        sim_note(d, "did you mean '%s'?", closest);
    }
    return closest;
}

/* ---- printing ---- */

static int compare_entries(const void *a, const void *b)
{
    const struct sim_diagnostic *x = *(const struct sim_diagnostic *const *)a;
    const struct sim_diagnostic *y = *(const struct sim_diagnostic *const *)b;
    const int files = strcmp(x->file, y->file);
    if (files != 0) {
        return x->order < y->order ? -1 : 1;
    }
    if (x->place.line != y->place.line) {
        return x->place.line < y->place.line ? -1 : 1;
    }
    if (x->place.column != y->place.column) {
        return x->place.column < y->place.column ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static void print_notes(const char *notes, FILE *out)
{
    for (const char *at = notes; at != NULL;) {
        const char *newline = strchr(at, '\n');
        const int size = newline == NULL ? (int)strlen(at) : (int)(newline - at);
        fprintf(out, "  %.*s\n", size, at);
        at = newline == NULL ? NULL : newline + 1;
    }
}

static void print_entry(const struct sim_diagnostic *entry, FILE *out, bool color)
{
    const char *bold = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
    const char *mark = !color ? "" : entry->severity == SIM_ERROR ? "\033[1;31m" : "\033[1;33m";
    fprintf(out, "%s%s:", bold, entry->file);
    if (entry->place.line > 0) {
        fprintf(out, "%u:%u:", entry->place.line, entry->place.column);
    }
    fprintf(out, "%s %s%s:%s %s\n", off, mark, entry->severity == SIM_ERROR ? "error" : "warning",
            off, entry->message);
    if (entry->excerpt != NULL) {
        fprintf(out, "    %s\n    %s%s%s\n", entry->excerpt, mark, entry->caret, off);
    }
    print_notes(entry->notes, out);
}

void sim_diagnostics_print(const struct sim_diagnostics *d, FILE *out, bool color)
{
    const struct sim_diagnostic *sorted[2 * SIM_ERRORS_MAX];
    for (uint32_t i = 0; i < d->count; i++) {
        sorted[i] = &d->entries[i];
    }
    qsort(sorted, d->count, sizeof(sorted[0]), compare_entries);
    for (uint32_t i = 0; i < d->count; i++) {
        print_entry(sorted[i], out, color);
    }
    const char *file = d->count > 0 ? d->entries[d->count - 1].file : "";
    if (d->errors > SIM_ERRORS_MAX) {
        fprintf(out, "%s: %u more errors are not shown\n", file, d->errors - SIM_ERRORS_MAX);
    }
    if (d->warnings > SIM_ERRORS_MAX) {
        fprintf(out, "%s: %u more warnings are not shown\n", file, d->warnings - SIM_ERRORS_MAX);
    }
}
