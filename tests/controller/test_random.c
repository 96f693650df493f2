/*
 * Random short histories: whatever happens, the controller's block stays sound, and once all
 * brokers are back and have caught up, nothing is left undone.
 *
 * A history draws its acts from a seed; between two acts a random number of messages is delivered,
 * so that acts fall into the middle of flows. Every step is followed by kc_controller_check. At the
 * end all brokers return, leaders take every replica into the ISR, and then
 *
 *   no topic waits for deletion, no reassignment runs, no request lies under /admin;
 *   every assigned partition is Online, its leader lives and is in sync, its ISR is assigned;
 *   what the controller believes is what ZooKeeper holds.
 *
 * How many partitions share a ZooKeeper request is drawn too. In a calm history, where each act is
 * followed by rest, it must not matter at all: every znode ends with the same data and version.
 *
 * Exception: Kafka 2.8.2's own defects may leave partitions without a leader or topics undeleted,
 * so that profile 2.8 is only held to soundness, without the one defect that never comes to rest.
 *
 * A failure names its seed: run `test_controller_random SEED` to play that one alone, told act by
 * act, or `test_controller_random SEED COUNT` for many from there on.
 */
#include "desk.h"

#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST_BROKER = 5, TOPICS = 4, HISTORIES = 2000, CHUNK = 100, ACTS = 24, CALM = 1000 };

/* ---- chance ---- */

struct history {
    struct desk *d;
    uint64_t chance;
    bool alive[LAST_BROKER + 1];
    bool lost_an_answer;
    bool tell;
    bool calm; /* each act is followed by rest, and none counts messages */
};

static uint64_t seed_in_work;

static uint32_t draw(struct history *h, uint32_t below)
{
    h->chance ^= h->chance >> 12;
    h->chance ^= h->chance << 25;
    h->chance ^= h->chance >> 27;
    return (uint32_t)((h->chance * 0x2545F4914F6CDD1Dull) >> 33) % below;
}

static void name_the_seed(int number)
{
    fprintf(stderr, "seed %" PRIu64 "\n", seed_in_work);
    signal(number, SIG_DFL);
    raise(number);
}

/* Writes 1 to `most` different broker ids, "3,1". */
static const char *draw_replicas(struct history *h, uint32_t most)
{
    static char text[64];
    int32_t ids[LAST_BROKER];
    uint32_t count = 1 + draw(h, most);
    size_t at = 0;

    for (int32_t i = 0; i < LAST_BROKER; i++) {
        ids[i] = i + 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = i + draw(h, LAST_BROKER - i);
        int32_t id = ids[other];
        ids[other] = ids[i];
        ids[i] = id;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i > 0 ? "," : "", id);
    }
    return text;
}

static const char *draw_topic(struct history *h)
{
    static const char *const names[TOPICS] = {"t", "u", "v", "w"};

    return names[draw(h, TOPICS)];
}

/* ---- what ZooKeeper holds ---- */

static bool is_there(struct desk *d, const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has;

    return kz_server_get(desk_server(d), path, &stat, &data, &size, &has);
}

static bool topic_exists(struct desk *d, const char *topic)
{
    char path[SM_PATH_MAX];

    sm_path_topic(path, topic);
    return is_there(d, path);
}

static bool read_state(struct desk *d, const char *topic, int32_t partition,
                       struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has;

    sm_path_partition_state(path, topic, partition);
    return kz_server_get(desk_server(d), path, &stat, &data, &size, &has) &&
           sm_znode_decode_state((const char *)data, size, stat.version, li) == SM_ERR_OK;
}

struct topic_text {
    char bytes[4096];
    struct sm_topic_reader reader;
};

/* Opens the topic's znode, copied; false where there is none. */
static bool open_topic(struct desk *d, const char *topic, struct topic_text *t)
{
    char path[SM_PATH_MAX];

    sm_path_topic(path, topic);
    if (!is_there(d, path)) {
        return false;
    }
    snprintf(t->bytes, sizeof t->bytes, "%s", desk_znode(d, path));
    return sm_topic_open(&t->reader, t->bytes, strlen(t->bytes)) == SM_ERR_OK;
}

static const char *list_text(const struct sm_list *l)
{
    static char text[256];
    size_t at = 0;

    text[0] = '\0';
    for (int32_t i = 0; i < l->count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i > 0 ? "," : "", l->id[i]);
    }
    return text;
}

/* ---- acts ---- */

static void create_topic(struct history *h)
{
    const char *topic = draw_topic(h);
    char assignment[256] = "";
    uint32_t count = 1 + draw(h, 3);

    if (topic_exists(h->d, topic)) {
        return;
    }
    for (uint32_t p = 0; p < count; p++) {
        size_t at = strlen(assignment);
        const char *replicas = draw_replicas(h, 3);
        snprintf(assignment + at, sizeof assignment - at, "%s%u:%s", p > 0 ? ";" : "", p, replicas);
    }
    desk_topic(h->d, topic, assignment);
}

/* As the admin client does, which refuses while a reassignment runs. */
static void add_partition(struct history *h)
{
    const char *topic = draw_topic(h);
    struct topic_text t;
    struct sm_topic_writer w;
    struct sm_assignment a;
    char path[SM_PATH_MAX], out[4096];
    int32_t partition;
    int32_t count = 0;

    if (!open_topic(h->d, topic, &t)) {
        return;
    }
    while (sm_topic_next(&t.reader, &partition, &a)) {
        if (sm_assignment_is_being_reassigned(&a)) {
            return;
        }
        count++;
    }
    if (count > 5) {
        return;
    }
    const char *replicas = draw_replicas(h, 3);
    struct sm_assignment added = {0};
    for (const char *at = replicas; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        sm_list_append(&added.replicas, atoi(at));
    }
    sm_topic_writer_begin(&w, out, sizeof out);
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        ck_assert(open_topic(h->d, topic, &t));
        while (sm_topic_next(&t.reader, &partition, &a)) {
            sm_topic_writer_partition(&w, partition, &a);
        }
        sm_topic_writer_partition(&w, count, &added);
    }
    out[sm_topic_writer_end(&w, NULL)] = '\0';
    sm_path_topic(path, topic);
    desk_set(h->d, path, out);
}

static void delete_topic(struct history *h)
{
    const char *topic = draw_topic(h);
    char path[SM_PATH_MAX];

    if (topic_exists(h->d, topic) || draw(h, 10) == 0) {
        sm_path_delete_topic(path, topic);
        desk_create(h->d, path, NULL);
    }
}

static void start_or_kill(struct history *h)
{
    int32_t id = 1 + (int32_t)draw(h, LAST_BROKER);

    if (h->alive[id]) {
        desk_kill(h->d, id);
    } else {
        desk_broker(h->d, id);
    }
    h->alive[id] = !h->alive[id];
}

static void bounce(struct history *h)
{
    int32_t id = 1 + (int32_t)draw(h, LAST_BROKER);

    if (h->alive[id]) {
        desk_bounce(h->d, id);
    }
}

/* A living leader changes the ISR: itself, and some of the replicas that live. */
static void change_isr(struct history *h)
{
    const char *topic = draw_topic(h);
    int32_t wanted = (int32_t)draw(h, 3);
    struct sm_leader_and_isr li;
    struct topic_text t;
    struct sm_assignment a;
    int32_t partition;

    if (!read_state(h->d, topic, wanted, &li) || li.leader < 0 || !h->alive[li.leader] ||
        !open_topic(h->d, topic, &t)) {
        return;
    }
    while (sm_topic_next(&t.reader, &partition, &a)) {
        if (partition != wanted) {
            continue;
        }
        struct sm_list isr = {.count = 1, .id = {li.leader}};
        for (int32_t i = 0; i < a.replicas.count; i++) {
            int32_t id = a.replicas.id[i];
            if (id != li.leader && h->alive[id] && draw(h, 3) > 0) {
                sm_list_append(&isr, id);
            }
        }
        desk_isr(h->d, topic, partition, list_text(&isr), draw(h, 2) == 0);
    }
}

/* Reassigning what never had a leader throws half-way in Kafka (its epoch cannot be raised), and
   leaves adding replicas out of the replica machine until the next failover. */
static bool never_had_a_leader(struct history *h, const char *topic, int32_t partition)
{
    struct sm_leader_and_isr li;

    return topic_exists(h->d, topic) && !read_state(h->d, topic, partition, &li);
}

static void reassign_by_znode(struct history *h)
{
    const char *topic = draw_topic(h);
    int32_t partition = (int32_t)draw(h, 3);

    if (!never_had_a_leader(h, topic, partition)) {
        desk_reassign(h->d, topic, partition, draw_replicas(h, 3));
    }
}

static void reassign_by_call(struct history *h)
{
    const char *topic = draw_topic(h);
    int32_t partition = (int32_t)draw(h, 3);

    if (never_had_a_leader(h, topic, partition)) {
        return;
    }
    if (draw(h, 3) == 0) {
        desk_call_cancel(h->d, topic, partition);
    } else {
        desk_call_reassign(h->d, topic, partition, draw_replicas(h, 3));
    }
}

static void elect(struct history *h)
{
    const char *topic = draw_topic(h);
    int32_t partition = (int32_t)draw(h, 3);
    char data[128];

    if (draw(h, 2) == 0) {
        desk_call_elect(h->d, draw(h, 4) == 0 ? NULL : topic, partition, draw(h, 3) == 0);
        return;
    }
    snprintf(data, sizeof data,
             "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":%d}]}", topic,
             partition);
    desk_create(h->d, SM_PATH_PREFERRED, data);
}

static void disturb_the_controller(struct history *h)
{
    switch (draw(h, h->calm ? 2 : 4)) {
    case 0:
        desk_expire(h->d);
        break;
    case 1:
        desk_run(
            h->d); /* a deletion before ControllerChange has armed the watch is seen by nobody */
        desk_delete(h->d, "/controller");
        break;
    case 2:
        desk_expire_at(h->d, 1 + draw(h, 20));
        break;
    default:
        desk_lose_at(h->d, 1 + draw(h, 20));
        h->lost_an_answer = true;
    }
}

static void disturb_a_broker(struct history *h)
{
    static const int32_t apis[] = {WIRE_API_LEADER_AND_ISR, WIRE_API_STOP_REPLICA,
                                   WIRE_API_UPDATE_METADATA};
    int32_t id = 1 + (int32_t)draw(h, LAST_BROKER);
    int32_t api = apis[draw(h, 3)];

    switch (draw(h, 5)) {
    case 0:
        desk_hold(h->d, id, true);
        break;
    case 1:
        desk_hold(h->d, id, false);
        break;
    case 2:
        desk_break(h->d, id, 2);
        break;
    case 3:
        desk_answer(h->d, id, api, 0, draw(h, 2) == 0 ? WIRE_ERROR_KAFKA_STORAGE_ERROR : 0, NULL);
        break;
    default:
        desk_answer(h->d, id, api, draw(h, 2) == 0 ? WIRE_ERROR_STALE_BROKER_EPOCH : 0, 0, NULL);
    }
}

static void others(struct history *h)
{
    char data[64];

    switch (draw(h, 5)) {
    case 0:
        desk_call_shutdown(h->d, 1 + (int32_t)draw(h, LAST_BROKER), -1);
        break;
    case 1:
        desk_timer(h->d, DESK_TIMER_BALANCE);
        break;
    case 2:
        desk_unclean(h->d, draw(h, 2) == 0 ? NULL : draw_topic(h));
        break;
    case 3:
        desk_call_list(h->d, NULL, 0);
        break;
    default:
        snprintf(data, sizeof data, "{\"version\":1,\"broker\":%u,\"event\":1}",
                 1 + draw(h, LAST_BROKER));
        desk_create(h->d, "/log_dir_event_notification/log_dir_event_0000000000", data);
    }
}

static const struct {
    const char *name;
    void (*run)(struct history *);
} acts[] = {
    {"create a topic", create_topic},
    {"create a topic", create_topic},
    {"start or kill", start_or_kill},
    {"start or kill", start_or_kill},
    {"start or kill", start_or_kill},
    {"change an ISR", change_isr},
    {"change an ISR", change_isr},
    {"change an ISR", change_isr},
    {"reassign by znode", reassign_by_znode},
    {"reassign by call", reassign_by_call},
    {"reassign by call", reassign_by_call},
    {"elect", elect},
    {"delete a topic", delete_topic},
    {"disturb the controller", disturb_the_controller},
    {"disturb a broker", disturb_a_broker},
    {"others", others},
    {"bounce", bounce},
    {"add a partition", add_partition},
};

/* Without the answers of brokers, which are many. */
static void print_log(const char *log)
{
    while (*log != '\0') {
        size_t size = strcspn(log, "\n") + 1;
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)size, log);
        if (strstr(line, "Received response") == NULL && strstr(line, "Thread ") == NULL) {
            printf("  %s%s", line, strchr(line, '\n') == NULL ? "\n" : "");
        }
        log += size;
    }
}

static void tell(struct history *h, const char *what)
{
    if (h->tell) {
        print_log(desk_log(h->d));
        printf("%s-- %s\n", desk_story(h->d), what);
        fflush(stdout);
    }
}

static void act(struct history *h)
{
    uint32_t n = draw(h, sizeof acts / sizeof acts[0]);

    acts[n].run(h);
    tell(h, acts[n].name);
    if (h->calm) {
        desk_run(h->d);
        return;
    }
    for (uint32_t steps = draw(h, 4) == 0 ? 2000 : draw(h, 25); steps > 0 && desk_step(h->d);
         steps--) {
    }
}

/* ---- the end ---- */

/* Leaders take all replicas into the ISR and say so. */
static void everybody_catches_up(struct history *h)
{
    static const char *const names[TOPICS] = {"t", "u", "v", "w"};

    for (int i = 0; i < TOPICS; i++) {
        struct topic_text t;
        struct sm_assignment a;
        struct sm_leader_and_isr li;
        int32_t partition;
        if (!open_topic(h->d, names[i], &t)) {
            continue;
        }
        while (sm_topic_next(&t.reader, &partition, &a)) {
            if (!read_state(h->d, names[i], partition, &li) || li.leader < 0) {
                continue;
            }
            bool overflow = false;
            struct sm_list isr = sm_list_union(&li.isr, &a.replicas, &overflow);
            isr = sm_list_intersect(&isr, &a.replicas);
            if (isr.count > 0) {
                desk_isr(h->d, names[i], partition, list_text(&isr), true);
            }
        }
    }
    desk_run(h->d);
}

static void everybody_returns(struct history *h)
{
    desk_expire_at(h->d, 0);
    desk_lose_at(h->d, 0);
    for (int32_t id = 1; id <= LAST_BROKER; id++) {
        desk_answer(h->d, id, WIRE_API_LEADER_AND_ISR, 0, 0, NULL);
        desk_answer(h->d, id, WIRE_API_STOP_REPLICA, 0, 0, NULL);
        desk_answer(h->d, id, WIRE_API_UPDATE_METADATA, 0, 0, NULL);
        desk_break(h->d, id, 0);
        desk_hold(h->d, id, false);
    }
    desk_run(h->d);
    tell(h, "the end begins");
    if (h->lost_an_answer) { /* as in Kafka, a partition that it stranded waits for a failover */
        desk_delete(h->d, "/controller");
        desk_run(h->d);
    }
    for (int32_t id = 1; id <= LAST_BROKER; id++) {
        if (h->alive[id]) {
            desk_bounce(h->d, id);
        } else {
            desk_broker(h->d, id);
        }
        h->alive[id] = true;
        desk_run(h->d);
        tell(h, "a broker is back");
    }
    for (int round = 0; round < 4; round++) {
        everybody_catches_up(h);
    }
}

#define must(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "seed %" PRIu64 ": ", seed_in_work);                                   \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            ck_abort_msg("seed %" PRIu64, seed_in_work);                                           \
        }                                                                                          \
    } while (0)

static void partition_is_served(struct history *h, const char *topic, int32_t partition,
                                const struct sm_assignment *a)
{
    const struct kc_controller *c = desk_controller(h->d);
    struct sm_leader_and_isr stored, believed;
    struct sm_assignment assigned;

    must(!sm_assignment_is_being_reassigned(a), "%s-%d is still being reassigned", topic,
         partition);
    must(!kc_is_being_reassigned(c, topic, partition), "%s-%d is believed to be reassigned", topic,
         partition);
    must(kc_assignment(c, topic, partition, &assigned), "%s-%d is not known", topic, partition);
    must(sm_assignment_equal(&assigned, a), "%s-%d is assigned otherwise", topic, partition);
    if (a->replicas.count == 0) {
        return;
    }
    must(kc_partition_state(c, topic, partition) == SM_PARTITION_ONLINE, "%s-%d is %s", topic,
         partition, sm_partition_state_name(kc_partition_state(c, topic, partition)));
    must(read_state(h->d, topic, partition, &stored), "%s-%d has no state", topic, partition);
    must(kc_leadership(c, topic, partition, &believed), "%s-%d has no leadership", topic,
         partition);
    must(stored.leader == believed.leader && stored.leader_epoch == believed.leader_epoch &&
             stored.zk_version == believed.zk_version && sm_list_equal(&stored.isr, &believed.isr),
         "%s-%d is believed to be other than its znode", topic, partition);
    must(stored.leader > 0 && h->alive[stored.leader], "%s-%d is led by %d", topic, partition,
         stored.leader);
    must(sm_list_has(&stored.isr, stored.leader), "%s-%d: its leader is not in sync", topic,
         partition);
    must(sm_list_subset(&stored.isr, &a->replicas), "%s-%d: in sync without being assigned", topic,
         partition);
    for (int32_t i = 0; i < a->replicas.count; i++) {
        enum sm_replica_state state = kc_replica_state(c, topic, partition, a->replicas.id[i]);
        must(state == SM_REPLICA_ONLINE, "%s-%d on %d is %s", topic, partition, a->replicas.id[i],
             sm_replica_state_name(state));
    }
}

static void nothing_is_left_undone(struct history *h)
{
    static const char *const names[TOPICS] = {"t", "u", "v", "w"};
    const struct kc_controller *c = desk_controller(h->d);
    struct kc_metrics m = kc_controller_metrics(c);
    char path[KZ_PATH_MAX];

    must(kc_controller_is_active(c), "nobody is controller");
    must(kc_controller_is_quiet(c, NULL, NULL), "the controller is not at rest");
    must(m.topics_to_delete_count == 0, "%d topics wait for deletion", m.topics_to_delete_count);
    must(m.offline_partitions_count == 0, "%d partitions count as offline",
         m.offline_partitions_count);
    must(!is_there(h->d, SM_PATH_REASSIGN), "reassignments lie in ZooKeeper");
    must(!is_there(h->d, SM_PATH_PREFERRED), "preferred elections lie in ZooKeeper");
    must(kz_server_next_child(desk_server(h->d), SM_PATH_DELETE_TOPICS, NULL, path, sizeof path) ==
             NULL,
         "deletions lie in ZooKeeper");
    must(kz_server_next_child(desk_server(h->d), SM_PATH_ISR_NOTIFICATION, NULL, path,
                              sizeof path) == NULL,
         "notifications lie in ZooKeeper");
    for (int i = 0; i < TOPICS; i++) {
        struct topic_text t;
        struct sm_assignment a;
        int32_t partition;
        if (!open_topic(h->d, names[i], &t)) {
            continue;
        }
        while (sm_topic_next(&t.reader, &partition, &a)) {
            partition_is_served(h, names[i], partition, &a);
        }
    }
}

/* ---- histories ---- */

static struct history begun(uint64_t seed, const struct kc_config *config)
{
    struct history h = {.d = desk_new_with(config),
                        .chance = seed * 2654435761u + 88172645463325252u};

    seed_in_work = seed;
    for (int i = 0; i < 8; i++) {
        draw(&h, 2);
    }
    for (int32_t id = 1; id <= 3; id++) {
        desk_broker(h.d, id);
        h.alive[id] = true;
    }
    desk_start(h.d);
    return h;
}

static void play(uint64_t seed, const struct kc_config *config, bool whole, bool told)
{
    struct history h = begun(seed, config);

    h.tell = told;
    for (uint32_t n = 4 + draw(&h, ACTS); n > 0; n--) {
        act(&h);
    }
    everybody_returns(&h);
    tell(&h, "all are back");
    if (whole) {
        nothing_is_left_undone(&h);
    }
    desk_free(h.d);
}

/* Returns every znode at the end, owned. */
static char *calm(uint64_t seed, const struct kc_config *config)
{
    struct history h = begun(seed, config);

    h.calm = true;
    desk_run(h.d);
    for (uint32_t n = 4 + draw(&h, ACTS); n > 0; n--) {
        act(&h);
    }
    char *tree = desk_tree_exact(h.d);
    desk_free(h.d);
    return tree;
}

static void draw_groups(struct kc_config *config, uint64_t seed)
{
    static const uint32_t sizes[] = {1, 2, 3, 7, 500};

    config->write_group = sizes[seed % 5];
    config->read_group = sizes[seed / 5 % 5];
}

static struct kc_config config_of(enum sm_version version)
{
    struct kc_config config = desk_config(version, 100);

    config.profile.defects &= ~(UINT64_C(1) << SM_DEFECT_POISON_PREFERRED);
    config.notes = KC_NOTE_ALL;
    return config;
}

START_TEST(everything_ends_well_without_defects)
{
    struct kc_config config = config_of(SM_VERSION_2_8_FIXED);

    signal(SIGABRT, name_the_seed);
    for (uint64_t seed = 1; seed <= CHUNK; seed++) {
        draw_groups(&config, seed);
        play((uint64_t)_i * CHUNK + seed, &config, true, false);
    }
}
END_TEST

START_TEST(the_block_stays_sound_in_every_profile)
{
    static const enum sm_version versions[] = {SM_VERSION_2_8, SM_VERSION_0_9, SM_VERSION_0_8_2};
    struct kc_config config = config_of(versions[_i % 3]);

    signal(SIGABRT, name_the_seed);
    for (uint64_t seed = 1; seed <= CHUNK; seed++) {
        play((uint64_t)(_i / 3) * CHUNK + seed, &config, false, false);
    }
}
END_TEST

START_TEST(groups_do_not_show)
{
    struct kc_config config = config_of(SM_VERSION_2_8);
    struct kc_config grouped = config;

    signal(SIGABRT, name_the_seed);
    for (uint64_t seed = (uint64_t)_i * CHUNK + 1; seed <= ((uint64_t)_i + 1) * CHUNK; seed++) {
        char *expected = calm(seed, &config);
        draw_groups(&grouped, seed);
        char *actual = calm(seed, &grouped);
        must(strcmp(actual, expected) == 0, "in groups of %u and %u:\n%s---- not\n%s",
             grouped.write_group, grouped.read_group, actual, expected);
        free(expected);
        free(actual);
    }
}
END_TEST

static uint64_t only_seed, only_count; /* asked for on the command line */

START_TEST(histories_asked_for)
{
    struct kc_config config = config_of(SM_VERSION_2_8_FIXED);

    signal(SIGABRT, name_the_seed);
    for (uint64_t seed = only_seed; seed < only_seed + only_count; seed++) {
        draw_groups(&config, (seed - 1) % CHUNK + 1);
        play(seed, &config, true, only_count == 1);
    }
}
END_TEST

static TCase *histories(void)
{
    TCase *tc = tcase_create("histories");

    tcase_set_timeout(tc, 280);
    if (only_seed != 0) {
        tcase_add_test(tc, histories_asked_for);
        return tc;
    }
    tcase_add_loop_test(tc, everything_ends_well_without_defects, 0, HISTORIES / CHUNK);
    tcase_add_loop_test(tc, the_block_stays_sound_in_every_profile, 0, 9);
    tcase_add_loop_test(tc, groups_do_not_show, 0, CALM / CHUNK);
    return tc;
}

int main(int argc, char **argv)
{
    only_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    only_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    Suite *s = suite_create("controller: random histories");
    suite_add_tcase(s, histories());
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
