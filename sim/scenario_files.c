/*
 * Files next to a scenario: properties, dumps, logs that it names by paths relative to its own.
 *
 * What has been read stays with the scenario, each path once, so that a trace can carry it and a
 * run be played again where the files are not; then `beside` has them, and the disk is not asked.
 */
#include "sim/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_read.h"

static char *read_whole(FILE *in, size_t limit, size_t *size)
{
    size_t room = 64 * 1024;
    char *text = malloc(room + 1);
    *size = 0;
    for (;;) {
        if (text == NULL) {
            abort();
        }
        const size_t got = fread(text + *size, 1, room - *size, in);
        *size += got;
        if (got == 0 || *size > limit) {
            break;
        }
        if (*size == room) {
            room *= 2;
            text = realloc(text, room + 1);
        }
    }
    text[*size] = '\0';
    return text;
}

/* Returns the file's bytes (malloc'ed), or NULL with an error. */
char *sim_load_bytes(const char *name, size_t limit, struct sim_place place, size_t *size,
                     struct sim_diagnostics *d)
{
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (in == NULL) {
        sim_error(d, place, "cannot read %s: %s", name, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *text = read_whole(in, limit, size);
    const bool failed = ferror(in) != 0;
    const int error = errno;
    if (in != stdin) {
        fclose(in);
    }
    if (failed || *size > limit) {
        if (failed) {
            sim_error(d, place, "cannot read %s: %s", name, strerror(error));
        } else {
            sim_error(d, place, "%s has more than %zu bytes", name, limit);
        }
        free(text);
        return NULL;
    }
    return text;
}

static const struct sim_scenario_file *given_file(const struct sim_reader *r, const char *path)
{
    for (uint32_t i = 0; i < r->beside_count; i++) {
        if (strcmp(r->beside[i].path, path) == 0) {
            return &r->beside[i];
        }
    }
    return NULL;
}

/* Each path once. */
static void remember_file(struct sim_reader *r, const char *path, char *text, size_t size)
{
    struct sim_scenario *s = r->s;
    for (uint32_t i = 0; i < s->file_count; i++) {
        if (strcmp(s->files[i].path, path) == 0) {
            return;
        }
    }
    struct sim_scenario_file *all = sim_memory_take(r->memory, (s->file_count + 1) * sizeof(*all));
    if (s->file_count > 0) {
        memcpy(all, s->files, s->file_count * sizeof(*all));
    }
    all[s->file_count++] = (struct sim_scenario_file){sim_scenario_text(s, path), text, size};
    s->files = all;
}

char *sim_read_file(struct sim_reader *r, const char *path, struct sim_place place, size_t limit,
                    char **name, size_t *size)
{
    const char *slash = strrchr(r->s->file, '/');
    *name = path[0] == '/' || slash == NULL
                ? sim_memory_format(r->memory, "%s", path)
                : sim_memory_format(r->memory, "%.*s%s", (int)(slash + 1 - r->s->file), r->s->file,
                                    path);
    const struct sim_scenario_file *given = given_file(r, path);
    char *text = NULL;
    if (given != NULL) {
        text = sim_memory_copy(r->memory, given->text, given->size);
        *size = given->size;
    } else {
        char *bytes = sim_load_bytes(*name, limit, place, size, r->d);
        text = bytes == NULL ? NULL : sim_memory_copy(r->memory, bytes, *size);
        free(bytes);
    }
    if (text != NULL) {
        remember_file(r, path, text, *size);
    }
    return text;
}
