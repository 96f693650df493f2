/*
 * Two passes: all lines are read into steps first, so that a bad line is told before anything runs;
 * then the steps act, one after the other, each running the world as far as it waits.
 *
 * Where the harness asks every 20 ms, here every event is looked at: what a wait waits for is known
 * the moment it is there. A silence that ends a `wait` is one of requests to brokers and of zxids.
 */
#include "sim/scn_parts.h"

#include <errno.h>
#include <stdio.h>

#include "sim/allocate.h"
#include "sim/canonical.h"
#include "statemachine/znode.h"

/* ---- running ---- */

int64_t sim_scn_duration(const struct sim_scn_step *s, const char *key, int64_t otherwise)
{
    int64_t us = otherwise;
    if (sim_scn_option(s, key) != NULL)
        sim_scn_read_duration(sim_scn_option(s, key), &us);
    return us;
}

/* Runs until done(r), or to the deadline; false and an error where the world fails. */
static bool run_until(struct sim_scn_run *r, bool (*done)(struct sim_scn_run *r),
                      int64_t deadline_us, bool *in_time)
{
    *in_time = true;
    while (!done(r)) {
        if (sim_world_next(r->world) > deadline_us) {
            sim_world_run(r->world, deadline_us);
            *in_time = false;
            return true;
        }
        if (!sim_world_step(r->world))
            return SIM_SCN_FAILS(r, "%s", sim_world_error(r->world));
    }
    return true;
}

bool sim_scn_await(struct sim_scn_run *r, bool (*done)(struct sim_scn_run *r), int64_t timeout_us,
                   const char *what)
{
    bool in_time;
    if (!run_until(r, done, sim_world_now(r->world) + timeout_us, &in_time))
        return false;
    return in_time ||
           SIM_SCN_FAILS(r, "%s: not within %lld ms", what, (long long)(timeout_us / 1000));
}

static void remember(struct sim_scn_ids *ids, int32_t id)
{
    uint32_t at = ids->count;
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return;
    sim_scn_ids_push(ids, id);
    for (; at > 0 && ids->id[at - 1] > id; at--)
        ids->id[at] = ids->id[at - 1];
    ids->id[at] = id;
}

void sim_scn_know_process(struct sim_scn_run *r, int32_t id, bool is_controller)
{
    if (!sim_world_has(r->world, id))
        sim_world_add(r->world, &(struct sim_process_options){
                                    .id = id,
                                    .role = is_controller ? SIM_NODE_CONTROLLER : SIM_NODE_BROKER,
                                    .registers = true,
                                    .profile = sm_profile_of(SM_VERSION_2_8),
                                    .settings = r->settings});
    remember(is_controller ? &r->controllers : &r->brokers, id);
}

bool sim_scn_is_one_of(const struct sim_scn_ids *ids, int32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return true;
    return false;
}

bool sim_scn_failed_with(struct sim_scn_run *r, int32_t err)
{
    return err == WIRE_ZK_OK || SIM_SCN_FAILS(r, "%s: %s", r->step->verb, wire_zk_err_name(err));
}

/* ---- waiting ---- */

static bool act_wait(struct sim_scn_run *r)
{
    int64_t quiet = sim_scn_duration(r->step, "quiet", SIM_SCN_SECOND * 12 / 10);
    int64_t deadline =
        sim_world_now(r->world) + sim_scn_duration(r->step, "timeout", 90 * SIM_SCN_SECOND);
    int64_t since = sim_world_now(r->world), zxid = kz_server_zxid(sim_world_zookeeper(r->world));
    uint64_t count = sim_canonical_count(r->canonical);
    while (sim_world_next(r->world) <= since + quiet) {
        if (sim_world_now(r->world) > deadline)
            return SIM_SCN_FAILS(r, "wait: not quiet in time");
        if (!sim_world_step(r->world))
            return SIM_SCN_FAILS(r, "%s", sim_world_error(r->world));
        int64_t new_zxid = kz_server_zxid(sim_world_zookeeper(r->world));
        uint64_t new_count = sim_canonical_count(r->canonical);
        if (new_zxid != zxid || new_count != count)
            since = sim_world_now(r->world);
        zxid = new_zxid;
        count = new_count;
    }
    sim_world_run(r->world, since + quiet);
    return true;
}

/* Every living broker has heard of the epoch in /controller_epoch. */
static bool all_have_heard(struct sim_scn_run *r)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    int32_t epoch;
    if (!kz_server_get(sim_world_zookeeper(r->world), SM_PATH_CONTROLLER_EPOCH, &stat, &data, &size,
                       &has_data) ||
        sm_znode_decode_epoch((const char *)data, size, &epoch) != SM_ERR_OK)
        return false;
    for (uint32_t i = 0; i < r->brokers.count; i++)
        if (sim_world_is_up(r->world, r->brokers.id[i]) &&
            sim_canonical_heard(r->canonical, r->brokers.id[i]) < epoch)
            return false;
    return true;
}

static bool controller_is_there(struct sim_scn_run *r)
{
    int32_t named = sim_world_named_controller(r->world), wanted = -1;
    if (r->step->plain_count > 0 && strcmp(r->step->plain[0], "any") != 0)
        wanted = (int32_t)strtol(r->step->plain[0], NULL, 10);
    return named >= 0 && (wanted < 0 || named == wanted) && all_have_heard(r);
}

static bool act_wait_controller(struct sim_scn_run *r)
{
    return sim_scn_await(r, controller_is_there,
                         sim_scn_duration(r->step, "timeout", 90 * SIM_SCN_SECOND),
                         "wait-controller");
}

static bool path_is_as_wanted(struct sim_scn_run *r)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    bool exists = kz_server_get(sim_world_zookeeper(r->world), r->step->plain[0], &stat, &data,
                                &size, &has_data);
    return exists == (strcmp(r->step->verb, "wait-exists") == 0);
}

static bool act_wait_path(struct sim_scn_run *r)
{
    return sim_scn_await(r, path_is_as_wanted,
                         sim_scn_duration(r->step, "timeout", 60 * SIM_SCN_SECOND), r->step->verb);
}

static bool act_sleep(struct sim_scn_run *r)
{
    int64_t us;
    if (!sim_scn_read_duration(r->step->plain[0], &us))
        return SIM_SCN_FAILS(r, "sleep: bad duration '%.40s'", r->step->plain[0]);
    if (!sim_world_run(r->world, sim_world_now(r->world) + us))
        return SIM_SCN_FAILS(r, "%s", sim_world_error(r->world));
    return true;
}

static bool act_traced(struct sim_scn_run *r)
{
    sim_canonical_keep(r->canonical, strcmp(r->step->verb, "traced") == 0);
    return true;
}

static bool act_log_dir_failure(struct sim_scn_run *r)
{
    return sim_scn_failed_with(
        r, sim_world_log_dir_event(r->world, (int32_t)strtol(r->step->plain[0], NULL, 10), 0));
}

static bool act_zk_delete(struct sim_scn_run *r)
{
    return sim_scn_failed_with(
        r, sim_world_znode_delete(r->world, r->step->plain[0], WIRE_ZK_ANY_VERSION, 0));
}

static bool act_nothing(struct sim_scn_run *r)
{
    (void)r;
    return true;
}

static const struct sim_scn_verb verbs[] = {
    {"brokers", 1, 1, SIM_SCN_IDS, sim_scn_act_start, "rack"},
    {"start", 1, 1, SIM_SCN_IDS, sim_scn_act_start, "rack"},
    {"kill", 1, 1, SIM_SCN_IDS, sim_scn_act_kill, ""},
    {"bounce", 1, 1, SIM_SCN_IDS, sim_scn_act_bounce, ""},
    {"topic", 1, 1, SIM_SCN_TOPIC, sim_scn_act_topic, "*"},
    {"config", 1, 1, SIM_SCN_TOPIC, sim_scn_act_config, "*"},
    {"add-partitions", 1, 1, SIM_SCN_TOPIC, sim_scn_act_add_partitions, "assign"},
    {"delete-topic", 1, 1, SIM_SCN_TOPICS, sim_scn_act_delete_topic, ""},
    {"preferred", 1, SIM_SCN_WORDS_MAX, SIM_SCN_PARTITIONS, sim_scn_act_partitions, ""},
    {"reassign", 0, SIM_SCN_WORDS_MAX, SIM_SCN_PARTITION_LISTS, sim_scn_act_partitions, ""},
    {"alter-reassign", 0, SIM_SCN_WORDS_MAX, SIM_SCN_PARTITION_LISTS_OR_CANCEL,
     sim_scn_act_alter_reassign, ""},
    {"isr", 0, SIM_SCN_WORDS_MAX, SIM_SCN_PARTITION_LISTS, sim_scn_act_partitions, ""},
    {"set-isr", 0, SIM_SCN_WORDS_MAX, SIM_SCN_PARTITION_LISTS, sim_scn_act_partitions, ""},
    {"controlled-shutdown", 1, 1, SIM_SCN_IDS, sim_scn_act_controlled_shutdown, ""},
    {"log-dir-failure", 1, 1, SIM_SCN_IDS, act_log_dir_failure, ""},
    {"controller", 1, 2, SIM_SCN_ANYTHING, sim_scn_act_controller, "props"},
    {"fault", 2, 3, SIM_SCN_IDS, sim_scn_act_fault, "error perror tp delay count"},
    {"wait", 0, 0, SIM_SCN_ANYTHING, act_wait, "quiet timeout"},
    {"wait-controller", 0, 1, SIM_SCN_ANYTHING, act_wait_controller, "timeout"},
    {"wait-gone", 1, 1, SIM_SCN_PATH, act_wait_path, "timeout"},
    {"wait-exists", 1, 1, SIM_SCN_PATH, act_wait_path, "timeout"},
    {"sleep", 1, 1, SIM_SCN_ANYTHING, act_sleep, ""},
    {"untraced", 0, 0, SIM_SCN_ANYTHING, act_traced, ""},
    {"traced", 0, 0, SIM_SCN_ANYTHING, act_traced, ""},
    {"zk-delete", 1, 1, SIM_SCN_PATH, act_zk_delete, ""},
    {"dump-znodes", 0, 0, SIM_SCN_ANYTHING, act_nothing, ""},
    {"dump-trace", 0, 0, SIM_SCN_ANYTHING, act_nothing, ""},
};

const struct sim_scn_verb *sim_scn_verb_named(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* ---- all of it ---- */

static bool play(struct sim_scn_run *r, const struct sim_scn_script *script)
{
    for (uint32_t i = 0; i < script->count; i++) {
        const struct sim_scn_step *s = &script->steps[i];
        r->step = s;
        if (s->number > 0) {
            char *label = sim_realloc(NULL, strlen(s->text) + 16);
            snprintf(label, strlen(s->text) + 16, "%02u %s", s->number, s->text);
            sim_canonical_step(r->canonical, s->number, label);
            free(label);
        }
        if (!sim_scn_verb_named(s->verb)->act(r))
            return false;
    }
    return true;
}

static struct sim_settings scn_settings(const struct sim_scn_options *options)
{
    struct sim_settings s = sim_settings_default(SM_VERSION_2_8);
    if (options != NULL && options->write_group > 0)
        s.zk_write_group = options->write_group;
    if (options != NULL && options->read_group > 0)
        s.zk_read_group = options->read_group;
    s.session_timeout_us = 6 * SIM_SCN_SECOND;
    s.auto_leader_rebalance = false;
    return s;
}

static bool run_script(const struct sim_scn_script *script, const char *out,
                       const struct sim_scn_options *options, struct sim_scn_error *error)
{
    struct sim_scn_run r = {.error = error, .settings = scn_settings(options)};
    struct sim_world_options world = sim_world_options_default();
    r.canonical = sim_canonical_new();
    world.hooks = (struct sim_hooks){
        .context = &r, .request = sim_scn_on_request, .answer = sim_scn_on_answer};
    world.seed = options == NULL || options->seed == 0 ? 1 : options->seed;
    world.delays.drawn = options != NULL && options->seed != 0;
    world.trace = options == NULL ? NULL : options->trace;
    r.world = sim_world_new(&world);
    bool good = play(&r, script);
    if (out != NULL && !sim_canonical_write(r.canonical, r.world, out) && good) {
        good = sim_scn_fail(error, 0, "%s: %s", out, strerror(errno));
        error->is_input = false;
    }
    sim_world_free(r.world);
    sim_canonical_free(r.canonical);
    free(r.answer);
    free(r.brokers.id);
    free(r.controllers.id);
    return good;
}

bool sim_scn_check(const char *text, size_t size, struct sim_scn_error *error)
{
    struct sim_scn_script script = {0};
    *error = (struct sim_scn_error){0};
    bool good = sim_scn_script_read(&script, text, size, error);
    sim_scn_script_free(&script);
    return good;
}

bool sim_scn_run_text(const char *text, size_t size, const char *out,
                      const struct sim_scn_options *options, struct sim_scn_error *error)
{
    struct sim_scn_script script = {0};
    *error = (struct sim_scn_error){0};
    bool good =
        sim_scn_script_read(&script, text, size, error) && run_script(&script, out, options, error);
    sim_scn_script_free(&script);
    return good;
}

static char *read_file(const char *file, size_t *size, struct sim_scn_error *error)
{
    FILE *in = fopen(file, "rb");
    char *text = NULL;
    size_t n;
    *size = 0;
    *error = (struct sim_scn_error){0};
    if (in == NULL) {
        sim_scn_fail(error, 0, "%s", strerror(errno));
        return NULL;
    }
    do {
        text = sim_realloc(text, *size + 65536);
        n = fread(text + *size, 1, 65536, in);
        *size += n;
    } while (n > 0 && *size < (1u << 24));
    bool good = ferror(in) == 0;
    fclose(in);
    if (good && n == 0)
        return text;
    sim_scn_fail(error, 0, good ? "larger than 16 MiB" : "cannot be read");
    free(text);
    return NULL;
}

bool sim_scn_run(const char *file, const char *out, const struct sim_scn_options *options,
                 struct sim_scn_error *error)
{
    size_t size;
    char *text = read_file(file, &size, error);
    if (text == NULL)
        return false;
    bool good = sim_scn_run_text(text, size, out, options, error);
    free(text);
    return good;
}
