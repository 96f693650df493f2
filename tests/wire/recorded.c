/* Reads tests/wire/recorded/, API by API in the order of their keys. */
#define _POSIX_C_SOURCE 200809L
#include "recorded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recorded_file {
    const struct wire_api_info *api;
    FILE *in;
    char *line;
    size_t capacity;
    int number;
    uint8_t *bytes;
};

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "recorded: %s: %s\n", name, what);
    abort();
}

static void open_next(struct recorded_file *f)
{
    char path[512];
    f->api = wire_api_next(f->api);
    f->number = 0;
    if (f->api == NULL)
        return;
    snprintf(path, sizeof path, "%s/tests/wire/recorded/%s.txt", KC_SOURCE_DIR, f->api->name);
    f->in = fopen(path, "r");
    if (f->in == NULL)
        fail("cannot be read", path);
}

struct recorded_file *recorded_open(void)
{
    struct recorded_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        abort();
    open_next(f);
    return f;
}

void recorded_close(struct recorded_file *f)
{
    if (f->in != NULL)
        fclose(f->in);
    free(f->line);
    free(f->bytes);
    free(f);
}

size_t recorded_unhex(const char *hex, uint8_t *out)
{
    if (strcmp(hex, "-") == 0)
        return 0;
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return size;
}

bool recorded_next(struct recorded_file *f, struct recorded *out)
{
    while (f->api != NULL && getline(&f->line, &f->capacity, f->in) < 0) {
        fclose(f->in);
        f->in = NULL;
        open_next(f);
    }
    if (f->api == NULL)
        return false;
    f->line[strcspn(f->line, "\n")] = '\0';
    char *version = strchr(f->line, ' ');
    char *hex = version == NULL ? NULL : strchr(version + 1, ' ');
    char *json = hex == NULL ? NULL : strchr(hex + 1, ' ');
    if (json == NULL)
        fail("not a line of four words", f->api->name);
    *json++ = '\0';
    free(f->bytes);
    f->bytes = malloc(strlen(hex) / 2 + 1);
    *out = (struct recorded){.name = f->api->name,
                             .line = ++f->number,
                             .api = f->api->key,
                             .version = (int16_t)atoi(version),
                             .direction = f->line[2] == 'q' ? WIRE_REQUEST : WIRE_RESPONSE,
                             .bytes = f->bytes,
                             .json = json};
    out->size = recorded_unhex(hex + 1, f->bytes);
    f->bytes = realloc(f->bytes, out->size > 0 ? out->size : 1);
    out->bytes = f->bytes;
    return true;
}
