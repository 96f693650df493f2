/*
 * inotify on every folder that holds a scenario. What counts is a scenario, or a file that one may
 * name (a dump, properties); what kcsim writes itself does not count.
 */
#include "cli/watch.h"

#include <errno.h>
#include <fts.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

enum { SETTLE_MS = 50 };

struct cli_watch {
    int fd;
};

static bool add(struct cli_watch *w, const char *folder)
{
    const uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
    if (inotify_add_watch(w->fd, folder, events) >= 0)
        return true;
    cli_error("cannot watch %s: %s", folder, strerror(errno));
    return false;
}

static bool add_tree(struct cli_watch *w, char *folder)
{
    char *roots[] = {folder, NULL};
    FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    bool good = fts != NULL;
    FTSENT *entry;
    while (good && (entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_D && entry->fts_level > 0 && entry->fts_name[0] == '.')
            fts_set(fts, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_D)
            good = add(w, entry->fts_path);
    }
    if (fts != NULL)
        fts_close(fts);
    return good;
}

static bool add_name(struct cli_watch *w, const char *name)
{
    struct stat st;
    char *copy = strdup(name);
    if (copy == NULL)
        abort();
    const bool is_folder = stat(name, &st) == 0 && S_ISDIR(st.st_mode);
    const bool good = is_folder ? add_tree(w, copy) : add(w, dirname(copy));
    free(copy);
    return good;
}

struct cli_watch *cli_watch_new(char *const *names)
{
    struct cli_watch *w = malloc(sizeof(*w));
    if (w == NULL)
        abort();
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    bool good = w->fd >= 0;
    if (!good)
        cli_error("cannot watch files: %s", strerror(errno));
    for (; good && *names != NULL; names++)
        good = add_name(w, *names);
    if (good)
        return w;
    cli_watch_free(w);
    return NULL;
}

void cli_watch_free(struct cli_watch *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

static bool counts(const char *name)
{
    static const char *const endings[] = {".yaml",       ".yml",   ".scn",
                                          ".properties", ".jsonl", ".json"};
    const size_t size = strlen(name);
    for (size_t i = 0; name[0] != '.' && i < sizeof(endings) / sizeof(endings[0]); i++) {
        const size_t length = strlen(endings[i]);
        if (size > length && strcmp(name + size - length, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Takes what has been reported; returns whether any of it counts. */
static bool drain(struct cli_watch *w)
{
    _Alignas(struct inotify_event) char bytes[8192];
    bool any = false;
    ssize_t size;
    while ((size = read(w->fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(bytes + at);
            any = any || (event->len > 0 && counts(event->name));
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return any;
}

bool cli_watch_wait(struct cli_watch *w)
{
    struct pollfd poll_fd = {.fd = w->fd, .events = POLLIN};
    bool changed = false;
    while (!cli_is_interrupted()) {
        const int ready = poll(&poll_fd, 1, changed ? SETTLE_MS : -1);
        if (ready == 0)
            return true;
        if (ready > 0)
            changed = drain(w) || changed;
    }
    return false;
}
