/*
 * Counting numbers, see once.h.
 */
#include "once.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void once_add(struct once_numbers *n, int64_t number)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity * 2 + 64;
        n->numbers = realloc(n->numbers, n->capacity * sizeof *n->numbers);
        if (n->numbers == NULL) {
            abort();
        }
    }
    n->numbers[n->count++] = number;
}

void once_add_file(struct once_numbers *n, const char *path)
{
    char line[128];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *end;
        long long number = strtoll(line, &end, 10);
        if (end == line || *end != '\n') {
            n->torn = true;
        } else {
            once_add(n, number);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void once_add_folder(struct once_numbers *n, const char *folder, const char *prefix)
{
    char path[1024];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path) {
            once_add_file(n, path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void once_free(struct once_numbers *n)
{
    free(n->numbers);
    *n = (struct once_numbers){0};
}

struct once once_count(const struct once_numbers *n, int64_t expected)
{
    struct once once = {.first_lost = -1, .first_repeated = -1};
    uint8_t *times = calloc(1, (size_t)expected + 1);
    if (times == NULL) {
        abort();
    }
    once.foreign = n->torn ? 1 : 0;
    for (size_t i = 0; i < n->count; i++) {
        int64_t number = n->numbers[i];
        if (number < 0 || number >= expected) {
            once.foreign++;
        } else if (times[number] < 2) {
            times[number]++;
        }
    }
    for (int64_t number = expected; number-- > 0;) {
        if (times[number] == 0) {
            once.lost++;
            once.first_lost = number;
        } else if (times[number] > 1) {
            once.repeated++;
            once.first_repeated = number;
        }
    }
    free(times);
    return once;
}

bool once_exactly(const struct once *once)
{
    return once->lost == 0 && once->repeated == 0 && once->foreign == 0;
}

const char *once_tell(const struct once *once)
{
    static char text[200];
    snprintf(text, sizeof text,
             "%" PRId64 " lost (the first %" PRId64 "), %" PRId64 " repeated (the first %" PRId64
             "), %" PRId64 " never put in",
             once->lost, once->first_lost, once->repeated, once->first_repeated, once->foreign);
    return text;
}
