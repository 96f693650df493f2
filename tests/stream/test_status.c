/*
 * What a running job tells of itself: who is back-pressured, busy, idle; rates; progress; the same
 * over HTTP. The jobs here are held by the test, until they have told what they have to.
 */
#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "stream/status.h"
#include "stream/stream.h"

/* A gate that a sink waits at. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open;

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

ST_GENERATOR(numbers, int64_t)
{
    *out = (int64_t)index;
}

static _Atomic int is_held; /* the sink, with a record */

ST_SINK(held, int64_t)
{
    is_held = 1;
    pthread_mutex_lock(&lock);
    while (!is_open) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

ST_SOURCE(silent, int64_t)
{
    st_poll_at(ctx, st_now(ctx) + 3600000);
    return ST_IDLE;
}

/* ---------------------------------------------------------------------------------- The other side
 */

static char runtime[] = "/tmp/kcsim-test-status-XXXXXX";

static void begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(runtime));
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
}

static void end(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/kcsim", runtime);
    (void)rmdir(path);
    (void)rmdir(runtime);
}

/* Sends a question over a socket and reads to its end; NULL if nobody listens. Freed by the caller.
 */
static char *ask(int fd, const struct sockaddr *to, socklen_t size, const char *question)
{
    char *answer = calloc(1, 1 << 20);
    size_t had = 0;
    ssize_t got = 0;
    if (connect(fd, to, size) != 0 || send(fd, question, strlen(question), MSG_NOSIGNAL) < 0) {
        free(answer);
        close(fd);
        return NULL;
    }
    while ((got = recv(fd, answer + had, (1 << 20) - 1 - had, 0)) > 0) {
        had += (size_t)got;
    }
    close(fd);
    return answer;
}

static char *ask_job(const char *question)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/kcsim/stream-%ld.sock", runtime,
             (long)getpid());
    return ask(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)(const void *)&address,
               sizeof address, question);
}

static char *fetch_metrics(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned port = 0;
    ck_assert_int_eq(sscanf(url, "http://127.0.0.1:%u/metrics", &port), 1);
    address.sin_port = htons((uint16_t)port);
    return ask(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)(const void *)&address,
               sizeof address, "GET /metrics HTTP/1.0\r\n\r\n");
}

/* The value of the first metric whose name ends so, and that has the label. */
static double metric_of(const char *metrics, const char *name, const char *label)
{
    char begin[128];
    snprintf(begin, sizeof begin, "_%s{", name);
    for (const char *at = strstr(metrics, begin); at != NULL; at = strstr(at + 1, begin)) {
        const char *line_end = strchr(at, '\n'), *found = strstr(at, label);
        if (found != NULL && found < line_end) {
            return strtod(strstr(at, "} ") + 2, NULL);
        }
    }
    ck_abort_msg("no metric %s of %s in %s", name, label, metrics);
}

/* The status, once the job answers. */
static json_t *status(void)
{
    for (;;) {
        char *answer = ask_job("status json\n");
        const char *text = answer != NULL ? strchr(answer, '\n') : NULL;
        json_error_t error;
        json_t *root = text != NULL ? json_loads(text + 1, 0, &error) : NULL;
        ck_assert_msg(text == NULL || root != NULL, "no JSON: %s: %s", error.text, answer);
        free(answer);
        if (root != NULL) {
            return root;
        }
        usleep(10000); /* it does not listen yet */
    }
}

static json_t *subtask(json_t *root, size_t vertex)
{
    json_t *v = json_array_get(json_object_get(root, "vertices"), vertex);
    return json_array_get(json_object_get(v, "subtasks"), 0);
}

static double ratio(json_t *root, size_t vertex, const char *name)
{
    return json_number_value(json_object_get(subtask(root, vertex), name));
}

static void *execute(void *env)
{
    static enum st_err err;
    err = st_execute(env, "held job");
    return &err;
}

/* ------------------------------------------------------------------------------------------------
 */

START_TEST(a_job_that_is_held_up_says_where)
{
    begin();
    st_env *env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "metrics.reporter.prom.port", "0"), ST_OK);
    st_env_set(env, "metrics.reporter.prom.filterLabelValueCharacters", "false");
    st_env_set(env, "execution.checkpointing.interval", "50ms");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_stream *s = st_generate(env, numbers, UINT64_C(1) << 40, .uid = "numbers");
    st_sink(s, held, .uid = "held", .slot_sharing_group = "apart");
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);

    json_t *root = status();
    while (ratio(root, 0, "ratio") < 0.9 || ratio(root, 1, "busyRatio") < 0.8) {
        json_decref(root);
        usleep(50000);
        root = status();
    }
    ck_assert_str_eq(json_string_value(json_object_get(root, "state")), "RUNNING");
    ck_assert_str_eq(json_string_value(json_object_get(root, "name")), "held job");
    ck_assert_str_eq(json_string_value(json_object_get(subtask(root, 0), "backpressure-level")),
                     "high");
    ck_assert_double_le(ratio(root, 1, "ratio"), 0.1);
    const char *url = json_string_value(json_object_get(root, "metrics"));
    ck_assert_ptr_nonnull(url);
    char *metrics = fetch_metrics(url);
    ck_assert_ptr_nonnull(metrics);
    ck_assert_double_eq(metric_of(metrics, "job_task_isBackPressured", "task_id=\"numbers\""), 1);
    ck_assert_double_eq(metric_of(metrics, "job_task_isBackPressured", "task_id=\"held\""), 0);
    ck_assert_double_gt(metric_of(metrics, "job_task_buffers_outPoolUsage", "task_id=\"numbers\""),
                        0.9);
    ck_assert_double_gt(metric_of(metrics, "job_task_buffers_inputQueueLength", "task_id=\"held\""),
                        60);
    ck_assert_double_eq(metric_of(metrics, "job_task_buffers_inPoolUsage", "task_id=\"numbers\""),
                        0);
    ck_assert_double_eq(metric_of(metrics, "jobmanager_job_numRestarts", "job_name=\"held job\""),
                        0);
    ck_assert_double_eq(metric_of(metrics, "job_lastCompletedCheckpointId", "host"), -1);
    ck_assert_double_eq(metric_of(metrics, "job_lastCheckpointDuration", "host"), -1);
    ck_assert_double_eq(metric_of(metrics, "job_lastCheckpointRestoreTimestamp", "host"), -1);
    ck_assert_double_eq(metric_of(metrics, "job_numberOfInProgressCheckpoints", "host"), 1);
    ck_assert_double_eq(metric_of(metrics, "job_totalNumberOfCheckpoints", "host"), 1);
    free(metrics);

    open_gate();
    while (json_number_value(json_object_get(root, "numRecordsOutPerSecond")) < 1000) {
        json_decref(root);
        usleep(50000);
        root = status();
    }
    ck_assert_double_ge(json_number_value(json_object_get(root, "numRecordsInPerSecond")), 1000);
    json_decref(root);
    free(ask_job("cancel\n"));
    void *err;
    pthread_join(thread, &err);
    ck_assert_int_eq(*(enum st_err *)err, ST_ERR_CANCELLED);
    st_env_free(env);
    end();
}
END_TEST

START_TEST(a_job_with_nothing_to_do_is_idle_and_says_so_each_second)
{
    begin();
    char shown[128], line[256] = "";
    snprintf(shown, sizeof shown, "%s/shown", runtime);
    ck_assert_ptr_nonnull(freopen(shown, "w", stderr));
    setvbuf(stderr, NULL, _IONBF, 0);
    st_env *env = st_env_new();
    st_env_show_progress(env);
    st_discard(st_from_source(env, silent));
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);

    json_t *root = status();
    while (ratio(root, 0, "idleRatio") < 0.9) {
        json_decref(root);
        usleep(50000);
        root = status();
    }
    ck_assert_ptr_null(json_object_get(root, "metrics"));
    json_decref(root);
    FILE *from = fopen(shown, "r");
    while (fgets(line, sizeof line, from) == NULL || strchr(line, '\n') == NULL) {
        clearerr(from);
        rewind(from);
        usleep(50000);
    }
    fclose(from);
    const char *rates = strstr(line, " s: 0/s in, 0/s out\n");
    ck_assert_msg(rates != NULL && strncmp(line, "held job ", 9) == 0, "%s", line);

    free(ask_job("cancel\n"));
    pthread_join(thread, NULL);
    st_env_free(env);
    (void)unlink(shown);
    end();
}
END_TEST

/* The metrics, once one of them is what it will be. */
static char *await_metric(const char *name, const char *label, double value)
{
    for (;;) {
        char *metrics = ask_job("metrics\n");
        if (metrics != NULL && strstr(metrics, label) != NULL &&
            metric_of(metrics, name, label) == value) {
            return metrics;
        }
        free(metrics);
        usleep(10000);
    }
}

/* Says its time, and no more. */
ST_SOURCE(one_time, int64_t)
{
    int *calls = ctx->self;
    if ((*calls)++ == 0) {
        st_emit(out, (const int64_t *)ctx->arg);
        return ST_MORE;
    }
    st_poll_at(ctx, st_now(ctx) + 3600000);
    return ST_IDLE;
}

ST_TIMESTAMP(itself, int64_t)
{
    return *in;
}

ST_MAP(pass, int64_t, int64_t)
{
    *out = *in;
}

static st_stream *time_stream(st_env *env, const int64_t *time)
{
    st_stream *s = st_from_source(env, one_time, .arg = time, .self_size = sizeof(int));
    return st_assign_timestamps(s, itself, .every_record = true);
}

START_TEST(watermarks_are_told_of_each_input_and_records_of_tasks)
{
    static const int64_t later = 20, sooner = 5;
    const char *both = "operator_id=\"both\"", *task = "task_id=\"both\"";
    begin();
    st_env *env = st_env_new();
    st_env_listen(env);
    st_env_set(env, "pipeline.operator-chaining", "false");
    st_stream *s = st_connect(time_stream(env, &later), time_stream(env, &sooner));
    s = st_co_map(s, pass, pass, .uid = "both", .slot_sharing_group = "apart");
    st_discard(s, .uid = "end");
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);

    free(await_metric("operator_currentInput1Watermark", both, 19));
    free(await_metric("operator_currentInput2Watermark", both, 4));
    free(await_metric("operator_currentInputWatermark", "operator_id=\"end\"", 4));
    char *metrics = await_metric("job_task_numRecordsIn", "task_id=\"end\"", 2);
    ck_assert_double_eq(metric_of(metrics, "operator_currentInputWatermark", both), 4);
    ck_assert_double_eq(metric_of(metrics, "operator_currentOutputWatermark", both), 4);
    ck_assert_double_eq(metric_of(metrics, "job_task_currentInputWatermark", task), 4);
    ck_assert_double_eq(metric_of(metrics, "job_task_numRecordsIn", task), 2);
    ck_assert_double_eq(metric_of(metrics, "job_task_numRecordsOut", task), 2);
    ck_assert_double_eq(metric_of(metrics, "job_task_numRecordsOut", "task_id=\"end\""), 0);
    ck_assert_double_eq(metric_of(metrics, "job_task_numBytesIn", task), 2 * (8 + 8));
    ck_assert_double_eq(metric_of(metrics, "jobmanager_taskSlotsTotal", "host"), 2);
    free(metrics);

    free(ask_job("cancel\n"));
    pthread_join(thread, NULL);
    st_env_free(env);
    end();
}
END_TEST

static _Atomic bool has_failed;

ST_SINK(failing, int64_t)
{
    has_failed = true;
    st_fail(ctx, "as it has to");
}

START_TEST(a_job_that_waits_to_begin_again_says_for_how_long)
{
    begin();
    st_env *env = st_env_new();
    st_env_listen(env);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "1h");
    st_sink(st_generate(env, numbers, 1), failing);
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);
    while (!has_failed) {
        usleep(10000); /* before it runs it is not said to run either */
    }
    char *metrics = await_metric("jobmanager_numRunningJobs", "host", 0);
    ck_assert_double_eq(metric_of(metrics, "job_runningTime", "host"), 0);
    ck_assert_double_eq(metric_of(metrics, "job_uptime", "host"), 0);
    double waited = metric_of(metrics, "job_restartingTime", "host");
    free(metrics);
    do {
        metrics = ask_job("metrics\n");
        ck_assert_ptr_nonnull(metrics);
        ck_assert_ptr_null(strstr(metrics, "numRecordsIn{"));
        ck_assert_double_ge(metric_of(metrics, "job_downtime", "host"), waited);
        waited = metric_of(metrics, "job_restartingTime", "host");
        free(metrics);
    } while (waited < 20);
    free(ask_job("cancel\n"));
    pthread_join(thread, NULL);
    st_env_free(env);
    end();
}
END_TEST

ST_MAP(gated, int64_t, int64_t)
{
    pthread_mutex_lock(&lock);
    while (!is_open) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    *out = *in;
}

/* The value of a metric. */
static double look_at(const char *name, const char *label)
{
    char *metrics = ask_job("metrics\n");
    ck_assert_ptr_nonnull(metrics);
    double value = metric_of(metrics, name, label);
    free(metrics);
    return value;
}

/* The barrier of the first input comes, that of the second waits at the gate. */
START_TEST(an_alignment_is_told_while_it_lasts_and_when_it_is_over)
{
    static const int64_t one = 1;
    const char *task = "task_id=\"both\"";
    begin();
    st_env *env = st_env_new();
    st_env_listen(env);
    st_env_set(env, "execution.checkpointing.interval", "50ms");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_env_set(env, "execution.buffer-timeout", "1ms");
    st_stream *free_one = st_from_source(env, one_time, .arg = &one, .self_size = sizeof(int));
    st_stream *held_one =
        st_map(st_generate(env, numbers, 1), gated, .slot_sharing_group = "apart");
    st_stream *s = st_co_map(st_connect(free_one, held_one), pass, pass, .uid = "both");
    st_discard(s);
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);
    free(await_metric("job_numberOfInProgressCheckpoints", "host", 1));
    while (look_at("job_task_checkpointAlignmentTime", task) < 3e7) {
        usleep(10000);
    }
    ck_assert_double_eq(look_at("job_numberOfCompletedCheckpoints", "host"), 0);
    open_gate();
    while (look_at("job_numberOfCompletedCheckpoints", "host") < 1) {
        usleep(10000);
    }
    ck_assert_double_gt(look_at("job_task_checkpointAlignmentTime", task), 0);
    free(ask_job("cancel\n"));
    pthread_join(thread, NULL);
    st_env_free(env);
    end();
}
END_TEST

/* A savepoint that waits for a sink holds up neither who asks for the status nor who cancels. */
static const char too_many[] = "error 16 questions wait for their answers\n";
static _Atomic int refused; /* as too many */

static void *ask_aside(void *question)
{
    char *answer = ask_job(question);
    refused += answer != NULL && strcmp(answer, too_many) == 0;
    return answer;
}

static pthread_t begin_to_ask(const char *question)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_aside, (void *)(uintptr_t)question), 0);
    return thread;
}

static void check_answer(pthread_t thread, const char *expected)
{
    void *answer;
    pthread_join(thread, &answer);
    ck_assert_str_eq(answer, expected);
    free(answer);
}

START_TEST(questions_do_not_wait_for_each_other)
{
    begin();
    st_env *env = st_env_new();
    st_env_listen(env);
    st_env_set(env, "execution.checkpointing.savepoint-dir", runtime);
    st_stream *s = st_generate(env, numbers, UINT64_C(1) << 40);
    st_sink(s, held, .slot_sharing_group = "apart");
    pthread_t thread;
    pthread_create(&thread, NULL, execute, env);
    while (is_held == 0) { /* or a barrier may come before all records */
        usleep(1000);
    }
    pthread_t savepoint = begin_to_ask("savepoint\n");
    free(await_metric("job_numberOfInProgressCheckpoints", "host", 1)); /* or the many are first */
    pthread_t many[50];
    for (size_t i = 0; i < 50; i++) {
        many[i] = begin_to_ask(i % 2 == 0 ? "savepoint\n" : "checkpoint\n");
    }
    for (int i = 0; i < 40; i++) { /* more than are served at a time, were one not served */
        json_decref(status());
    }
    while (refused == 0) { /* until the first one and 15 of the many wait */
        usleep(1000);
    }
    pthread_t cancel = begin_to_ask("cancel\n");
    const char *state = "";
    while (strcmp(state, "CANCELLING") != 0) {
        json_t *root = status();
        state = json_string_value(json_object_get(root, "state"));
        ck_assert_ptr_nonnull(state);
        state = strcmp(state, "CANCELLING") == 0 ? "CANCELLING" : "";
        json_decref(root);
    }
    open_gate();
    check_answer(cancel, "ok cancelled\n");
    check_answer(savepoint, "error cancelled\n");
    int cancelled = 0;
    for (size_t i = 0; i < 50; i++) {
        void *answer;
        pthread_join(many[i], &answer);
        cancelled += answer != NULL && strcmp(answer, "error cancelled\n") == 0;
        free(answer);
    }
    ck_assert_int_ge(cancelled, 15);
    pthread_join(thread, NULL);
    st_env_free(env);
    end();
}
END_TEST

START_TEST(before_it_has_run_a_job_is_created)
{
    char *text = NULL;
    size_t size = 0;
    struct status s = {.name = "early", .id = "0", .now_ms = 2000};
    FILE *to = open_memstream(&text, &size);
    status_write_line(&s, to);
    status_write_json(&s, to);
    s.has_run = true;
    status_write_line(&s, to);
    status_write_json(&s, to);
    fclose(to);
    const char *created = strstr(text, " early, created for 2 s, no checkpoint yet\n");
    const char *restarting = strstr(text, " early, restarting for 2 s, no checkpoint yet\n");
    ck_assert(created != NULL && restarting != NULL && created < restarting);
    ck_assert_ptr_nonnull(strstr(created, "\"state\": \"CREATED\""));
    ck_assert_ptr_nonnull(strstr(restarting, "\"state\": \"RESTARTING\""));
    free(text);
}
END_TEST

START_TEST(a_port_is_a_port)
{
    static const char *const bad[] = {"", "-1", "65536", "9260-9250", "here", "1-2-3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        st_env *env = st_env_new();
        ck_assert_int_eq(st_env_set(env, "metrics.reporter.prom.port", bad[i]), ST_ERR_CONFIG);
        st_env_free(env);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_job_that_is_held_up_says_where);
    tcase_add_test(tcase, a_job_with_nothing_to_do_is_idle_and_says_so_each_second);
    tcase_add_test(tcase, watermarks_are_told_of_each_input_and_records_of_tasks);
    tcase_add_test(tcase, a_job_that_waits_to_begin_again_says_for_how_long);
    tcase_add_test(tcase, an_alignment_is_told_while_it_lasts_and_when_it_is_over);
    tcase_add_test(tcase, questions_do_not_wait_for_each_other);
    tcase_add_test(tcase, before_it_has_run_a_job_is_created);
    tcase_add_test(tcase, a_port_is_a_port);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
