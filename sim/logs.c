/*
 * Log lines. The trace holds level, stream and message; date and logger are added here.
 */
#include "sim/logs.h"

#include <string.h>

#include "sim/zkshell.h"

/* Prefix of a message -> class that logs it. The first that fits counts. 2.8 and 0.8.2. */
static const struct {
    const char *prefix, *logger;
} loggers[] = {
    {"[Controller id=", "kafka.controller.KafkaController"},
    {"[ReplicaStateMachine controllerId=", "kafka.controller.ZkReplicaStateMachine"},
    {"[PartitionStateMachine controllerId=", "kafka.controller.ZkPartitionStateMachine"},
    {"[RequestSendThread controllerId=", "kafka.controller.RequestSendThread"},
    {"[Channel manager on controller ", "kafka.controller.ControllerChannelManager"},
    {"[Topic Deletion Manager ", "kafka.controller.TopicDeletionManager"},
    {"[ControllerEventThread controllerId=",
     "kafka.controller.ControllerEventManager$ControllerEventThread"},
    {"[Replica state machine on controller ", "kafka.controller.ReplicaStateMachine"},
    {"[Partition state machine on Controller ", "kafka.controller.PartitionStateMachine"},
    {"[BrokerChangeListener on Controller ",
     "kafka.controller.ReplicaStateMachine$BrokerChangeListener"},
    {"[TopicChangeListener on Controller ",
     "kafka.controller.PartitionStateMachine$TopicChangeListener"},
    {"[DeleteTopicsListener on ", "kafka.controller.PartitionStateMachine$DeleteTopicsListener"},
    {"[AddPartitionsListener on ",
     "kafka.controller.PartitionStateMachine$PartitionModificationsListener"},
    {"[Controller-", "kafka.controller.RequestSendThread"},
    {"[delete-topics-thread-", "kafka.controller.TopicDeletionManager$DeleteTopicsThread"},
    {"[SessionExpirationListener on ",
     "kafka.controller.KafkaController$SessionExpirationListener"},
    {"[OfflinePartitionLeaderSelector]", "kafka.controller.OfflinePartitionLeaderSelector"},
    {"[ControlledShutdownLeaderSelector]", "kafka.controller.ControlledShutdownLeaderSelector"},
};

const char *sim_log_logger_of(const char *stream, const char *text)
{
    if (stream != NULL && strcmp(stream, "state-change") == 0)
        return "state.change.logger";
    for (size_t i = 0; text != NULL && i < sizeof(loggers) / sizeof(loggers[0]); i++)
        if (strncmp(text, loggers[i].prefix, strlen(loggers[i].prefix)) == 0)
            return loggers[i].logger;
    return "kafka.controller.KafkaController";
}

const char *sim_log_logger(const struct sim_record *record)
{
    const char *named = sim_record_text(record, SIM_F_NAME); /* of an imported line */
    if (named != NULL)
        return named;
    return sim_log_logger_of(sim_record_text(record, SIM_F_STREAM),
                             sim_record_text(record, SIM_F_TEXT));
}

static int rank_of(const char *level)
{
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    for (int i = 0; i < 5; i++)
        if (strcmp(level, levels[i]) == 0)
            return i;
    return -1;
}

bool sim_log_is_level(const char *name)
{
    return rank_of(name) >= 0;
}

static bool is_wanted(const struct sim_record *r, const struct sim_log_options *o)
{
    const char *stream = sim_record_text(r, SIM_F_STREAM), *level = sim_record_text(r, SIM_F_LEVEL);
    if (stream == NULL || level == NULL || sim_record_text(r, SIM_F_TEXT) == NULL)
        return false;
    unsigned bit = strcmp(stream, "state-change") == 0 ? SIM_LOG_STATE_CHANGE
                   : strcmp(stream, "controller") == 0 ? SIM_LOG_CONTROLLER
                                                       : 0;
    if ((o->streams & bit) == 0 || (o->node >= 0 && sim_lane_id(r->at) != o->node))
        return false;
    return o->level == NULL || rank_of(level) >= rank_of(o->level);
}

/* Where time 0 of the trace lies, ms since 1970. */
static int64_t epoch_of(const struct sim_trace *trace)
{
    struct sim_record meta;
    if (!sim_trace_get(trace, 1, &meta) || meta.kind != SIM_K_META)
        return SIM_LOG_EPOCH_MS;
    int64_t wall = sim_record_int(&meta, SIM_F_WALL, SIM_LOG_EPOCH_MS);
    const bool is_sane = wall >= 0 && wall < INT64_C(253402300800000); /* the year 10000 */
    return is_sane ? wall : SIM_LOG_EPOCH_MS;
}

uint64_t sim_logs_print(FILE *out, const struct sim_trace *trace, const struct sim_log_options *o)
{
    struct sim_record r;
    char date[SIM_DATE_TEXT];
    const int64_t epoch = epoch_of(trace);
    uint64_t lines = 0, until = o->until != 0 ? o->until : sim_trace_count(trace);
    for (uint64_t n = o->from > 0 ? o->from : 1; n <= until && sim_trace_get(trace, n, &r); n++) {
        if (r.kind != SIM_K_LOG || !is_wanted(&r, o))
            continue;
        const char *text = sim_record_text(&r, SIM_F_TEXT);
        size_t first = strcspn(text, "\n"); /* what follows is a stack trace */
        fprintf(out, "[%s] %s %.*s (%s)%s\n", sim_log_date_text(date, epoch + r.t / 1000),
                sim_record_text(&r, SIM_F_LEVEL), (int)first, text, sim_log_logger(&r),
                text + first);
        lines++;
    }
    return lines;
}
