/*
 * Times with units. Decimal arithmetic on integers, so that 0.1s is 100000 µs exactly.
 */
#include "sim/moment.h"

#include <inttypes.h>
#include <string.h>

static int64_t unit_us(const char *unit)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].us;
    return 0;
}

bool sim_time_parse(const char *text, int64_t *us)
{
    const int64_t limit = INT64_C(10) * 365 * 24 * 3600 * 1000000;
    int64_t whole = 0, part = 0, scale = 1;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        whole = whole * 10 + (*at - '0');
        if (whole > limit)
            return false;
    }
    if (at == text)
        return false;
    if (*at == '.') {
        const char *first = ++at;
        for (; *at >= '0' && *at <= '9' && at - first < 6; at++, scale *= 10)
            part = part * 10 + (*at - '0');
        if (at == first)
            return false;
    }
    int64_t unit = unit_us(at);
    if (unit == 0 || whole > limit / unit || part * unit % scale != 0)
        return false;
    *us = whole * unit + part * unit / scale;
    return *us <= limit;
}

const char *sim_time_text(char *out, int64_t us)
{
    int64_t rest = us % 1000000;
    if (rest % 1000 == 0)
        snprintf(out, SIM_TIME_TEXT, "%" PRId64 ".%03" PRId64 "s", us / 1000000, rest / 1000);
    else
        snprintf(out, SIM_TIME_TEXT, "%" PRId64 ".%06" PRId64 "s", us / 1000000, rest);
    return out;
}

const char *sim_time_exact(char out[SIM_TIME_TEXT], int64_t us)
{
    if (us % 1000000 == 0)
        snprintf(out, SIM_TIME_TEXT, "%" PRId64 "s", us / 1000000);
    else if (us % 1000 == 0)
        snprintf(out, SIM_TIME_TEXT, "%" PRId64 "ms", us / 1000);
    else
        snprintf(out, SIM_TIME_TEXT, "%" PRId64 "us", us);
    return out;
}

uint64_t sim_moment(const struct sim_trace *trace, int64_t at_us, uint64_t record)
{
    if (record != 0)
        return record;
    return at_us < 0 ? sim_trace_count(trace) : sim_trace_at_time(trace, at_us);
}
