/*
 * ls, get and stat over the znodes of a moment.
 */
#include "sim/zkshell.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/keys.h"
#include "sim/znodes.h"

/* ---- dates ---- */

struct date {
    int64_t year;
    int month, day, weekday; /* 1..12, 1..31, 0 Sunday */
    int hour, minute, second, ms;
};

/* Days since 1970 to a date of the Gregorian calendar: count from March, so that the leap day ends
   a year; 400 years have 146097 days. */
static struct date date_of(int64_t ms)
{
    int64_t in_day = ms % 86400000, days = ms / 86400000;
    if (in_day < 0) {
        in_day += 86400000;
        days--;
    }
    int64_t shifted = days + 719468; /* since 1 March of year 0 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * of_year + 2) / 153); /* 0 March */
    struct date d = {
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
        .month = month < 10 ? month + 3 : month - 9,
        .weekday = (int)(((days % 7) + 11) % 7),
        .hour = (int)(in_day / 3600000),
        .minute = (int)(in_day / 60000 % 60),
        .second = (int)(in_day / 1000 % 60),
        .ms = (int)(in_day % 1000),
    };
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}

const char *sim_date_text(char *out, int64_t ms)
{
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct date d = date_of(ms);
    snprintf(out, SIM_DATE_TEXT, "%s %s %02d %02d:%02d:%02d UTC %04" PRId64, weekdays[d.weekday],
             months[d.month - 1], d.day, d.hour, d.minute, d.second, d.year);
    return out;
}

const char *sim_log_date_text(char *out, int64_t ms)
{
    struct date d = date_of(ms);
    snprintf(out, SIM_DATE_TEXT, "%04" PRId64 "-%02d-%02d %02d:%02d:%02d,%03d", d.year, d.month,
             d.day, d.hour, d.minute, d.second, d.ms);
    return out;
}

/* ---- commands ---- */

bool sim_zk_path_is_legal(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *at = path; *at != '\0'; at++)
        if (*at == '/' && (at[1] == '/' || at[1] == '\0'))
            return false;
    return true;
}

static void print_stat(FILE *out, const struct wire_zk_stat *stat)
{
    char date[SIM_DATE_TEXT];
    fprintf(out, "cZxid = 0x%" PRIx64 "\n", (uint64_t)stat->czxid);
    fprintf(out, "ctime = %s\n", sim_date_text(date, stat->ctime));
    fprintf(out, "mZxid = 0x%" PRIx64 "\n", (uint64_t)stat->mzxid);
    fprintf(out, "mtime = %s\n", sim_date_text(date, stat->mtime));
    fprintf(out, "pZxid = 0x%" PRIx64 "\n", (uint64_t)stat->pzxid);
    fprintf(out, "cversion = %" PRId32 "\n", stat->cversion);
    fprintf(out, "dataVersion = %" PRId32 "\n", stat->version);
    fprintf(out, "aclVersion = %" PRId32 "\n", stat->aversion);
    fprintf(out, "ephemeralOwner = 0x%" PRIx64 "\n", (uint64_t)stat->ephemeral_owner);
    fprintf(out, "dataLength = %" PRId32 "\n", stat->data_length);
    fprintf(out, "numChildren = %" PRId32 "\n", stat->num_children);
}

static void print_children(FILE *out, const struct sim_facts *facts, uint64_t n, const char *path)
{
    struct sim_fact_walk walk = {0};
    const char *name, *comma = "";
    fputc('[', out);
    for (; sim_znode_next_child(facts, path, n, &walk, &name); comma = ", ")
        fprintf(out, "%s%s", comma, name);
    fputs("]\n", out);
}

static char *child_path(const char *parent, const char *name)
{
    size_t capacity = 0, size = strlen(parent) + strlen(name) + 2;
    char *path = sim_grow(NULL, &capacity, size, 1);
    snprintf(path, size, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    return path;
}

/* The shell's order: first all children of a node, then what is below each of them. */
static void print_tree(FILE *out, const struct sim_facts *facts, uint64_t n, const char *path)
{
    for (int pass = 0; pass < 2; pass++) {
        struct sim_fact_walk walk = {0};
        const char *name;
        while (sim_znode_next_child(facts, path, n, &walk, &name)) {
            char *child = child_path(path, name);
            if (pass == 0)
                fprintf(out, "%s\n", child);
            else
                print_tree(out, facts, n, child);
            free(child);
        }
    }
}

static void print_data(FILE *out, const struct sim_znode *znode)
{
    if (znode->data == NULL)
        fputs("null", out);
    else
        fwrite(znode->data, 1, znode->size, out);
    fputc('\n', out);
}

bool sim_zk_print(FILE *out, const struct sim_facts *facts, uint64_t n, const char *path,
                  const struct sim_zk_options *options)
{
    struct sim_znode znode;
    if (!sim_znode_get(facts, path, n, &znode))
        return false;
    if (options->command == SIM_ZK_LS && options->recursive) {
        fprintf(out, "%s\n", path);
        print_tree(out, facts, n, path);
        return true;
    }
    if (options->command == SIM_ZK_LS)
        print_children(out, facts, n, path);
    if (options->command == SIM_ZK_GET)
        print_data(out, &znode);
    if (options->command == SIM_ZK_STAT || options->stat)
        print_stat(out, &znode.stat);
    return true;
}
