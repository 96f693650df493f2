/*
 * Three streams over at most three files; date and logger are added here.
 */
#define _GNU_SOURCE
#include "live/logs.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "sim/logs.h"

enum stream { CONTROLLER, STATE_CHANGE, SERVER, STREAMS };

static const char *const names[STREAMS] = {"controller.log", "state-change.log", "server.log"};
static const char *const levels[] = {
    [KC_TRACE] = "TRACE", [KC_DEBUG] = "DEBUG", [KC_INFO] = "INFO",
    [KC_WARN] = "WARN",   [KC_ERROR] = "ERROR",
};

struct live_logs {
    FILE *out[STREAMS]; /* all the same, where there is no folder */
    char folder[PATH_MAX];
    enum kc_level level;
    bool has_folder, is_dirty, has_failed;
    int64_t second; /* that `date` stands for */
    char date[32];
};

bool live_log_level(const char *name, enum kc_level *level)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcasecmp(name, levels[i]) == 0) {
            *level = (enum kc_level)i;
            return true;
        }
    return false;
}

/* ---- files ---- */

static FILE *open_file(const struct live_logs *logs, enum stream stream, const char **failed)
{
    static char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", logs->folder, names[stream]);
    *failed = path;
    FILE *out = fopen(path, "a");
    if (out != NULL)
        setvbuf(out, NULL, _IOFBF, 65536);
    return out;
}

struct live_logs *live_logs_open(const char *folder, enum kc_level level, const char **failed)
{
    struct live_logs *logs = calloc(1, sizeof *logs);
    if (logs == NULL)
        abort();
    logs->level = level;
    logs->second = INT64_MIN;
    for (int i = 0; folder == NULL && i < STREAMS; i++)
        logs->out[i] = stdout;
    if (folder == NULL) {
        setvbuf(stdout, NULL, _IOFBF, 65536);
        return logs;
    }
    logs->has_folder = true;
    snprintf(logs->folder, sizeof logs->folder, "%s", folder);
    for (int i = 0; i < STREAMS; i++) {
        logs->out[i] = open_file(logs, (enum stream)i, failed);
        if (logs->out[i] == NULL) {
            int error = errno;
            live_logs_free(logs);
            errno = error;
            return NULL;
        }
    }
    return logs;
}

void live_logs_free(struct live_logs *logs)
{
    if (logs == NULL)
        return;
    live_logs_flush(logs);
    for (int i = 0; logs->has_folder && i < STREAMS; i++)
        if (logs->out[i] != NULL)
            fclose(logs->out[i]);
    free(logs);
}

void live_logs_reopen(struct live_logs *logs)
{
    const char *failed;
    live_logs_flush(logs);
    for (int i = 0; logs->has_folder && i < STREAMS; i++) {
        FILE *out = open_file(logs, (enum stream)i, &failed);
        if (out == NULL) {
            live_log(logs, KC_WARN, "cannot open %s anew: %s", failed, strerror(errno));
            continue;
        }
        fclose(logs->out[i]);
        logs->out[i] = out;
    }
}

void live_logs_flush(struct live_logs *logs)
{
    if (!logs->is_dirty)
        return;
    logs->is_dirty = false;
    for (int i = 0; i < STREAMS; i++) {
        if (logs->out[i] == NULL || fflush(logs->out[i]) == 0)
            continue;
        if (!logs->has_failed)
            fprintf(stderr, "kcsim: %s cannot be written: %s; lines are lost\n", names[i],
                    strerror(errno));
        logs->has_failed = true;
        clearerr(logs->out[i]);
    }
}

/* ---- lines ---- */

static void write_line(struct live_logs *logs, enum stream stream, enum kc_level level,
                       const char *text, const char *logger)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != logs->second) {
        struct tm local;
        localtime_r(&now.tv_sec, &local);
        strftime(logs->date, sizeof logs->date, "%Y-%m-%d %H:%M:%S", &local);
        logs->second = now.tv_sec;
    }
    fprintf(logs->out[stream], "[%s,%03d] %s %s (%s)\n", logs->date, (int)(now.tv_nsec / 1000000),
            levels[level], text, logger);
    logs->is_dirty = true;
}

void live_logs_controller(struct live_logs *logs, const struct kc_output *line)
{
    if (line->level < logs->level)
        return;
    bool is_change = line->stream == KC_STATE_CHANGE_LOG;
    write_line(logs, is_change ? STATE_CHANGE : CONTROLLER, (enum kc_level)line->level, line->text,
               sim_log_logger_of(is_change ? "state-change" : "controller", line->text));
}

void live_log(struct live_logs *logs, enum kc_level level, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    if (level < logs->level)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_line(logs, SERVER, level, text, "kcsim.live");
}
