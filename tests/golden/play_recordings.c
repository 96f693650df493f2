/*
 * Goal: the simulator does what the real Apache Kafka 2.8.2 was recorded doing, byte for byte.
 *
 * Method: each folder under tests/golden/controller is a recording; its scenario.scn is played, and
 * trace.jsonl (with a file LEVEL saying "effect": effect.jsonl), znodes.jsonl and answers.txt are
 * compared. The first line that differs is printed with its place.
 *
 *     play_recordings [--keep DIR] [--groups WRITES,READS] FOLDER…
 *
 * --groups: so many partitions share a ZooKeeper request (kcsim.zookeeper.write.group,
 * …read.group); the recordings are the same, for the setting changes nothing that can be observed.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/scn.h"

enum { PATH_BYTES = 4096 };

/* Writes "folder/name" into `path` (PATH_BYTES). */
static void join(char *path, const char *folder, const char *name)
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (n < 0 || n >= PATH_BYTES) {
        fprintf(stderr, "path too long: %s/%s\n", folder, name);
        exit(2);
    }
}

static char *read_file(const char *folder, const char *name, size_t *size)
{
    char path[PATH_BYTES];
    join(path, folder, name);
    FILE *in = fopen(path, "rb");
    *size = 0;
    if (in == NULL)
        return NULL;
    char *text = NULL;
    size_t n;
    do {
        text = realloc(text, *size + 65537);
        if (text == NULL)
            abort();
        n = fread(text + *size, 1, 65536, in);
        *size += n;
    } while (n > 0);
    text[*size] = '\0';
    fclose(in);
    return text;
}

static size_t line_size(const char *text)
{
    return text == NULL ? 0 : strcspn(text, "\n");
}

/* Prints two lines from a little before where they part. */
static void print_difference(const char *name, unsigned line, const char *want, const char *got)
{
    size_t m = line_size(want), n = line_size(got), same = 0;
    while (same < m && same < n && want[same] == got[same])
        same++;
    size_t from = same > 60 ? same - 60 : 0;
    printf("    %s:%u: differs at column %zu\n", name, line, same + 1);
    printf("      line      %.*s\n", (int)(m < 110 ? m : 110), want == NULL ? "" : want);
    printf("      recorded  …%.*s\n", (int)(m - from < 300 ? m - from : 300),
           want == NULL || from > m ? "(no such line)" : want + from);
    printf("      simulated …%.*s\n", (int)(n - from < 300 ? n - from : 300),
           got == NULL || from > n ? "(no such line)" : got + from);
}

static bool compare(const char *golden, const char *out, const char *name)
{
    size_t want_size, got_size;
    char *want = read_file(golden, name, &want_size), *got = read_file(out, name, &got_size);
    bool is_same = want_size == got_size && (want_size == 0 || memcmp(want, got, want_size) == 0);
    const char *a = want, *b = got;
    for (unsigned line = 1; !is_same; line++) {
        size_t m = line_size(a), n = line_size(b);
        if (m != n || a == NULL || b == NULL || memcmp(a, b, m) != 0) {
            print_difference(name, line, a != NULL && *a != '\0' ? a : NULL,
                             b != NULL && *b != '\0' ? b : NULL);
            break;
        }
        a += m + (a[m] == '\n');
        b += n + (b[n] == '\n');
    }
    free(want);
    free(got);
    return is_same;
}

static bool is_at_effect_level(const char *golden)
{
    size_t size;
    char *level = read_file(golden, "LEVEL", &size);
    bool is = level != NULL && strncmp(level, "effect", 6) == 0;
    free(level);
    return is;
}

static bool play(const char *golden, const char *out, const struct sim_scn_options *options)
{
    char scenario[PATH_BYTES];
    struct sim_scn_error error;
    join(scenario, golden, "scenario.scn");
    bool good = sim_scn_run(scenario, out, options, &error);
    if (!good)
        printf("    scenario.scn:%u: %s\n", error.line, error.text);
    good &= compare(golden, out, is_at_effect_level(golden) ? "effect.jsonl" : "trace.jsonl");
    if (!is_at_effect_level(golden))
        good &= compare(golden, out, "effect.jsonl");
    good &= compare(golden, out, "znodes.jsonl");
    good &= compare(golden, out, "answers.txt");
    return good;
}

static void remove_outputs(const char *out)
{
    static const char *const names[] = {"trace.jsonl", "effect.jsonl", "znodes.jsonl",
                                        "answers.txt"};
    char path[PATH_BYTES];
    for (size_t i = 0; i < 4; i++) {
        join(path, out, names[i]);
        unlink(path);
    }
    rmdir(out);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns the folders below `parent` that hold a scenario.scn, sorted; owned. */
static char **recordings(const char *parent, size_t *count)
{
    DIR *dir = opendir(parent);
    char **names = NULL, path[PATH_BYTES], folder[PATH_BYTES];
    struct stat st;
    *count = 0;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        join(folder, parent, e->d_name);
        join(path, folder, "scenario.scn");
        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        names = realloc(names, (*count + 1) * sizeof(*names));
        if (names == NULL || (names[(*count)++] = strdup(e->d_name)) == NULL)
            abort();
    }
    if (dir != NULL)
        closedir(dir);
    if (*count > 0)
        qsort(names, *count, sizeof(*names), by_name);
    return names;
}

static unsigned play_all(const char *parent, const char *keep,
                         const struct sim_scn_options *options, unsigned *total)
{
    size_t count;
    char **names = recordings(parent, &count);
    unsigned failed = 0;
    for (size_t i = 0; i < count; i++) {
        char golden[PATH_BYTES], temporary[] = "/tmp/kcsim-recording-XXXXXX", out[PATH_BYTES];
        join(golden, parent, names[i]);
        if (keep != NULL)
            join(out, keep, names[i]);
        else if (mkdtemp(temporary) == NULL)
            abort();
        else
            strcpy(out, temporary);
        printf("%s\n", names[i]);
        fflush(stdout);
        bool good = play(golden, out, options);
        if (!good)
            printf("    DIFFERS\n");
        failed += !good;
        if (keep == NULL)
            remove_outputs(out);
        free(names[i]);
    }
    free(names);
    *total += (unsigned)count;
    return failed;
}

int main(int argc, char **argv)
{
    struct sim_scn_options options = {.seed = 0};
    unsigned failed = 0, total = 0;
    const char *keep = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc)
            keep = argv[++i];
        else if (strcmp(argv[i], "--groups") == 0 && i + 1 < argc) {
            char *end;
            options.write_group = (int32_t)strtol(argv[++i], &end, 10);
            options.read_group = *end == ',' ? (int32_t)strtol(end + 1, NULL, 10) : 1;
        } else
            failed += play_all(argv[i], keep, &options, &total);
    printf("%u of %u recordings are reproduced\n", total - failed, total);
    return failed == 0 && total > 0 ? 0 : 1;
}
