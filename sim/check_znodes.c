/*
 * Checks on what ZooKeeper applies: S2, S3, S4, S5, S10, S13, S17, S18, and the end of a deletion.
 *
 * A request is shown before it is applied, so that the rows of what it names hold the state before
 * it; each change it makes is shown when it is made. Who asked decides what is judged: operators
 * may write what they like, a broker only ISRs, a controller all else.
 */
#include <xxhash.h>

#include "sim/check_state.h"

static bool begins(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool by_process(const struct sim_checks *c)
{
    return c->asking.is_open && c->asking.id >= 0;
}

/* ---- requests ---- */

/* What it names is read while it is still as it was. */
static void read_before(struct sim_checks *c, const char *path)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    if (sm_path_is_partition_state(path, topic, &partition))
        check_row_of(c, topic, partition);
    else if (sm_path_is_topic(path, topic))
        check_topic_of(c, topic);
}

/* S10: a leader whose write was refused for its version does not write at that version again. */
static void ask_isr(struct sim_checks *c, const struct wire_zk_op_view *v)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    if (v->op->opcode != WIRE_ZK_SET_DATA ||
        !sm_path_is_partition_state(v->path, topic, &partition))
        return;
    struct check_row *row = check_row_of(c, topic, partition);
    const struct check_host *h = check_host_of(row, c->asking.id);
    if (v->op->version == WIRE_ZK_ANY_VERSION)
        check_fail_row(c, SIM_CHECK_S10, row, "broker %d writes an ISR over any version",
                       c->asking.id);
    else if (h->lost_version == v->op->version && h->lost_epoch == h->epoch && h->epoch >= 0 &&
             h->lost_data != XXH3_64bits(v->data, v->op->data_size)) /* else sent again unheard */
        check_fail_row(c, SIM_CHECK_S10, row,
                       "broker %d writes an ISR at version %d again, which was refused in epoch %d",
                       c->asking.id, v->op->version, h->epoch);
}

/* What was there before the first process: nobody has written it. */
static void begin(struct sim_checks *c)
{
    char buffer[KZ_PATH_MAX];
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    c->has_begun = true;
    if (kz_server_get(c->w->zk, SM_PATH_CONTROLLER_EPOCH, NULL, &data, &size, &has_data) &&
        sm_znode_decode_epoch((const char *)data, size, &c->controller_epoch) != SM_ERR_OK)
        c->controller_epoch = 0;
    for (const char *path = NULL;
         (path = kz_server_next_child(c->w->zk, SM_PATH_DELETE_TOPICS, path, buffer,
                                      sizeof(buffer))) != NULL;)
        check_deletion_asked(c, path + sizeof(SM_PATH_DELETE_TOPICS), true);
}

void sim_checks_zk_asks(struct sim_checks *c, int32_t id, int32_t epoch,
                        const struct wire_zk_request *request)
{
    struct wire_zk_op_view v = {0};
    c->asking = (struct check_asking){
        .is_open = request != NULL, .id = id, .epoch = epoch, .request = request};
    if (request == NULL)
        return;
    if (!c->has_begun)
        begin(c);
    while (wire_zk_op_next(request, &v)) {
        if (v.op->opcode != WIRE_ZK_CREATE && v.op->opcode != WIRE_ZK_DELETE &&
            v.op->opcode != WIRE_ZK_SET_DATA)
            continue;
        if (!begins(v.path, SM_PATH_TOPICS "/"))
            continue;
        read_before(c, v.path);
        if (id >= 0 && epoch < 0)
            ask_isr(c, &v);
    }
}

/* ---- partition states ---- */

/* S4. Source: OfflinePartitionLeaderElectionStrategy, and what an operator may ask for. */
static void check_election(struct sim_checks *c, struct check_row *row,
                           const struct sm_leader_and_isr *next)
{
    char isr[CHECK_LIST_TEXT];
    if (next->leader == SM_NO_LEADER || next->leader == row->z.leader ||
        sm_list_has(&row->z.isr, next->leader))
        return;
    if (!row->unclean)
        check_fail_row(c, SIM_CHECK_S4, row, "broker %d leads in epoch %d, and the ISR was %s",
                       next->leader, next->leader_epoch, check_list(isr, &row->z.isr));
}

static void note_unclean(struct check_row *row, const struct sm_leader_and_isr *next)
{
    if (next->leader == SM_NO_LEADER || sm_list_has(&row->z.isr, next->leader))
        return;
    row->unclean_epoch = next->leader_epoch;
    row->unclean_pending = true;
}

/* S2 */
static void check_epochs(struct sim_checks *c, const struct check_row *row,
                         const struct sm_leader_and_isr *next)
{
    const struct sm_leader_and_isr *was = &row->z;
    if (next->zk_version != was->zk_version + 1)
        check_fail_row(c, SIM_CHECK_S2, row, "version %d is written over version %d",
                       next->zk_version, was->zk_version);
    if (next->leader_epoch < was->leader_epoch)
        check_fail_row(c, SIM_CHECK_S2, row, "leader epoch falls from %d to %d", was->leader_epoch,
                       next->leader_epoch);
    if (next->leader != was->leader && next->leader_epoch <= was->leader_epoch)
        check_fail_row(c, SIM_CHECK_S2, row, "leader %d follows leader %d in the same epoch %d",
                       next->leader, was->leader, next->leader_epoch);
}

/* S3 */
static void check_isr(struct sim_checks *c, const struct check_row *row,
                      const struct sm_leader_and_isr *li)
{
    char isr[CHECK_LIST_TEXT], replicas[CHECK_LIST_TEXT];
    if (li->isr.count == 0)
        check_fail_row(c, SIM_CHECK_S3, row, "the ISR is empty");
    else if (li->leader != SM_NO_LEADER && !sm_list_has(&li->isr, li->leader))
        check_fail_row(c, SIM_CHECK_S3, row, "leader %d is not in the ISR %s", li->leader,
                       check_list(isr, &li->isr));
    else if (row->assigned && !sm_list_subset(&li->isr, &row->a.replicas) &&
             !sm_list_subset(&li->isr, &row->z.isr) && /* one that was removed leaves later */
             !sm_list_subset(&li->isr,
                             &row->before)) /* and its leader may take it back until then */
        check_fail_row(c, SIM_CHECK_S3, row, "the ISR %s is not within the replicas %s",
                       check_list(isr, &li->isr), check_list(replicas, &row->a.replicas));
}

/* S5: whoever elects does it in the epoch that stands in /controller_epoch now. */
static void check_decided_by(struct sim_checks *c, const struct check_row *row,
                             const struct sm_leader_and_isr *next)
{
    if (next->controller_epoch != c->controller_epoch)
        check_fail_row(c, SIM_CHECK_S5, row,
                       "a state decided in controller epoch %d is written in epoch %d",
                       next->controller_epoch, c->controller_epoch);
}

/* S10: only the leader changes an ISR. */
static void check_isr_writer(struct sim_checks *c, const struct check_row *row,
                             const struct sm_leader_and_isr *next)
{
    char was[CHECK_LIST_TEXT], is[CHECK_LIST_TEXT];
    if (!sm_list_equal(&next->isr, &row->z.isr) &&
        (c->asking.id != row->z.leader || c->asking.epoch >= 0))
        check_fail_row(c, SIM_CHECK_S10, row, "%s %d writes ISR %s over %s, and broker %d leads",
                       c->asking.epoch >= 0 ? "controller" : "broker", c->asking.id,
                       check_list(is, &next->isr), check_list(was, &row->z.isr), row->z.leader);
}

static void state_applied(struct sim_checks *c, const struct kz_output *o, const char *topic,
                          int32_t partition)
{
    struct check_row *row = check_row_of(c, topic, partition);
    struct sm_leader_and_isr next;
    if (o->type == WIRE_ZK_DELETE) {
        row->exists = false;
        return;
    }
    if (sm_znode_decode_state((const char *)o->data, o->data_size, o->stat->version, &next) !=
        SM_ERR_OK) {
        row->exists = false; /* an operator's work */
        return;
    }
    if (by_process(c) && o->type == WIRE_ZK_CREATE) {
        check_decided_by(c, row, &next);
        check_isr(c, row, &next);
    } else if (by_process(c) && row->exists) {
        check_epochs(c, row, &next);
        check_isr(c, row, &next);
        if (next.leader_epoch != row->z.leader_epoch || next.leader != row->z.leader) {
            check_decided_by(c, row, &next);
            check_election(c, row, &next);
            note_unclean(row, &next);
        } else {
            check_isr_writer(c, row, &next);
        }
    }
    row->z = next;
    row->exists = true;
    check_touch(c, row);
}

/* ---- topics ---- */

/* S13: a reassignment ends with its target or with what was there before. */
static void check_reassigned(struct sim_checks *c, const struct check_row *row,
                             const struct sm_assignment *was)
{
    char is[CHECK_LIST_TEXT];
    if (!sm_assignment_is_being_reassigned(was) || sm_assignment_is_being_reassigned(&row->a))
        return;
    struct sm_list target = sm_assignment_target(was), origin = sm_assignment_origin(was);
    if (!sm_list_equal(&row->a.replicas, &target) &&
        !sm_list_same_members(&row->a.replicas, &origin))
        check_fail_row(c, SIM_CHECK_S13, row,
                       "the reassignment ends with %s, neither its target nor the original",
                       check_list(is, &row->a.replicas));
}

struct before {
    struct check_row *row;
    struct sm_assignment a;
};

/* The rows of a topic that a controller writes, as they were: an array that grows by doubling. */
static void topic_changed(struct sim_checks *c, struct check_topic *t, const struct kz_output *o)
{
    struct before *was = NULL;
    uint32_t count = 0, capacity = 0;
    bool moves = by_process(c) && c->asking.epoch >= 0;
    for (struct check_row *row = t->rows; moves && row != NULL; row = row->next_of_topic) {
        if (!row->assigned)
            continue;
        if (count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            was = sim_realloc(was, capacity * sizeof(*was));
        }
        was[count++] = (struct before){.row = row, .a = row->a};
    }
    check_topic_read(c, t, (const char *)o->data, o->data_size);
    for (uint32_t i = 0; i < count; i++)
        if (was[i].row->assigned) {
            check_reassigned(c, was[i].row, &was[i].a);
            check_asked_begins(c, was[i].row, &was[i].a);
        }
    free(was);
}

/* S12: the deletion of a topic is complete, so no replica has a log of it. */
static void topic_deleted(struct sim_checks *c, struct check_topic *t)
{
    struct kb_partition_view view;
    bool by_controller = by_process(c) && c->asking.epoch >= 0;
    for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
        for (int32_t i = 0; by_controller && row->assigned && i < row->a.replicas.count; i++)
            if (check_view(c, row, row->a.replicas.id[i], &view))
                check_fail_row(c, SIM_CHECK_S12, row,
                               "the deletion is complete, and broker %d still has the log",
                               row->a.replicas.id[i]);
        row->exists = row->assigned = false;
        check_logs_forget(row);
    }
    t->exists = false;
    t->deleted = by_controller;
    t->begin = c->last_batch;
    c->reassigning -= t->is_reassigning;
    t->is_reassigning = false;
}

static void topic_applied(struct sim_checks *c, const struct kz_output *o, const char *topic)
{
    struct check_topic *t = check_topic_of(c, topic);
    if (o->type == WIRE_ZK_DELETE) {
        topic_deleted(c, t);
        return;
    }
    if (o->type == WIRE_ZK_CREATE) {
        for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
            check_logs_forget(row);
        t->incarnation++;
        t->begin = c->last_batch;
        t->deleted = false;
    }
    topic_changed(c, t, o);
}

/* ---- controllers and brokers ---- */

static void controller_applied(struct sim_checks *c, const struct kz_output *o)
{
    if (o->type == WIRE_ZK_DELETE) {
        c->controller_owner = 0;
    } else if (o->type == WIRE_ZK_CREATE) {
        c->controller_owner = o->stat->ephemeral_owner;
        c->controller_began = false;
        if (c->deleting > 0)
            check_seen(c, SIM_SOMETIMES_MOVE_IN_DELETION);
        if (c->reassigning > 0)
            check_seen(c, SIM_SOMETIMES_MOVE_IN_REASSIGNMENT);
    }
}

static void epoch_applied(struct sim_checks *c, const struct kz_output *o)
{
    int32_t epoch;
    if (o->type == WIRE_ZK_DELETE ||
        sm_znode_decode_epoch((const char *)o->data, o->data_size, &epoch) != SM_ERR_OK)
        return;
    if (by_process(c) && o->type == WIRE_ZK_SET_DATA && epoch <= c->controller_epoch)
        check_fail(c, SIM_CHECK_S5, "controller epoch", "epoch %d is written over epoch %d", epoch,
                   c->controller_epoch);
    c->controller_epoch = epoch;
    memmove(&c->last_epochs_us[1], &c->last_epochs_us[0], 2 * sizeof(c->last_epochs_us[0]));
    c->last_epochs_us[0] = c->w->now_us;
}

static void broker_applied(struct sim_checks *c, const struct kz_output *o, int32_t id)
{
    struct check_process *p = check_process_of(c, id);
    char object[32];
    if (p == NULL || o->type != WIRE_ZK_CREATE)
        return;
    snprintf(object, sizeof(object), "broker %d", id);
    if (by_process(c) && o->stat->ephemeral_owner == 0)
        check_fail(c, SIM_CHECK_S17, object, "the registration outlives its session");
    if (o->stat->czxid != o->zxid)
        check_fail(c, SIM_CHECK_S17, object, "the registration was made at zxid %lld, not %lld",
                   (long long)o->stat->czxid, (long long)o->zxid);
    memmove(&p->registrations[1], &p->registrations[0],
            (CHECK_REGISTRATIONS - 1) * sizeof(p->registrations[0]));
    p->registrations[0] = o->stat->czxid;
    if (p->first_registration == 0)
        p->first_registration = o->stat->czxid;
    if (p->life_epoch == 0)
        p->life_epoch = o->stat->czxid;
}

/* ---- ephemerals ---- */

static void ephemeral_made(struct sim_checks *c, const struct kz_output *o)
{
    if (c->ephemeral_count == c->ephemeral_capacity) {
        c->ephemeral_capacity = c->ephemeral_capacity == 0 ? 16 : c->ephemeral_capacity * 2;
        c->ephemerals = sim_realloc(c->ephemerals, c->ephemeral_capacity * sizeof(*c->ephemerals));
    }
    c->ephemerals[c->ephemeral_count++] = (struct check_ephemeral){
        .session = o->stat->ephemeral_owner, .path = sim_copy(o->path, strlen(o->path) + 1)};
}

static void ephemeral_gone(struct sim_checks *c, const struct kz_output *o)
{
    for (uint32_t i = 0; i < c->ephemeral_count; i++)
        if (strcmp(c->ephemerals[i].path, o->path) == 0) {
            free(c->ephemerals[i].path);
            c->ephemerals[i] = c->ephemerals[--c->ephemeral_count];
            break;
        }
}

/* S18: of a session that has ended nothing is left, but where a fault says so. */
void check_znodes_event(struct sim_checks *c)
{
    for (uint32_t i = 0; i < c->expired_count; i++)
        for (uint32_t k = 0; k < c->ephemeral_count; k++)
            if (c->ephemerals[k].session == c->expired[i])
                check_fail(c, SIM_CHECK_S18, "session", "%s outlives session 0x%llx",
                           c->ephemerals[k].path, (unsigned long long)c->expired[i]);
    c->expired_count = 0;
}

static void expired(struct sim_checks *c, int64_t session, bool leaves)
{
    if (!leaves && c->expired_count < sizeof(c->expired) / sizeof(c->expired[0]))
        c->expired[c->expired_count++] = session;
    /* /controller goes before its session is told to have ended */
    if (session == c->last_owner && !c->last_began)
        check_seen(c, SIM_SOMETIMES_EXPIRY_BEFORE_EPOCH);
}

/* ---- dispatch ---- */

/* S5, of what only controllers write. */
static void check_fence(struct sim_checks *c, const struct kz_output *o)
{
    char object[64];
    if (!by_process(c) || c->asking.epoch < 0 || c->asking.epoch == c->controller_epoch ||
        !(begins(o->path, SM_PATH_TOPICS "/") || begins(o->path, "/admin/") ||
          begins(o->path, SM_PATH_ISR_NOTIFICATION "/") ||
          begins(o->path, SM_PATH_LOG_DIR_EVENT "/")))
        return;
    snprintf(object, sizeof(object), "controller %d", c->asking.id);
    check_fail(c, SIM_CHECK_S5, object,
               "its write to %s, asked in epoch %d, is applied in epoch %d", o->path,
               c->asking.epoch, c->controller_epoch);
}

static void applied(struct sim_checks *c, const struct kz_output *o)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t number;
    if (o->zxid < c->zxid)
        check_fail(c, SIM_CHECK_S18, "zxid", "zxid %lld comes after %lld", (long long)o->zxid,
                   (long long)c->zxid);
    c->zxid = o->zxid;
    check_fence(c, o);
    if (strcmp(o->path, SM_PATH_CONTROLLER) == 0 && o->type == WIRE_ZK_DELETE) {
        c->last_owner = c->controller_owner;
        c->last_began = c->controller_began;
    }
    if (o->type == WIRE_ZK_CREATE && o->stat->ephemeral_owner != 0)
        ephemeral_made(c, o);
    else if (o->type == WIRE_ZK_DELETE && o->stat->ephemeral_owner != 0)
        ephemeral_gone(c, o);
    if (strcmp(o->path, SM_PATH_CONTROLLER) == 0)
        controller_applied(c, o);
    else if (strcmp(o->path, SM_PATH_CONTROLLER_EPOCH) == 0)
        epoch_applied(c, o);
    else if (sm_path_is_partition_state(o->path, topic, &number))
        state_applied(c, o, topic, number);
    else if (sm_path_is_topic(o->path, topic))
        topic_applied(c, o, topic);
    else if (sm_path_is_broker(o->path, &number))
        broker_applied(c, o, number);
    else if (strcmp(o->path, SM_PATH_REASSIGN) == 0)
        check_asked(c, (const char *)o->data, o->type == WIRE_ZK_DELETE ? 0 : o->data_size);
    else if (begins(o->path, "/config/brokers/"))
        c->dynamic_unclean = true; /* may be; rare enough to believe it */
    else if (begins(o->path, SM_PATH_DELETE_TOPICS "/") && o->type != WIRE_ZK_SET_DATA)
        check_deletion_asked(c, o->path + sizeof(SM_PATH_DELETE_TOPICS), o->type == WIRE_ZK_CREATE);
}

/* ---- replies: what is seen sometimes ---- */

static void isr_write_refused(struct sim_checks *c)
{
    struct wire_zk_op_view v = {0};
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    if (!wire_zk_op_next(c->asking.request, &v) || v.op->opcode != WIRE_ZK_SET_DATA ||
        !sm_path_is_partition_state(v.path, topic, &partition))
        return;
    struct check_host *h = check_host_of(check_row_of(c, topic, partition), c->asking.id);
    h->lost_version = v.op->version;
    h->lost_epoch = h->epoch;
    h->lost_data = XXH3_64bits(v.data, v.op->data_size);
    check_seen(c, SIM_SOMETIMES_ISR_CAS_LOST);
}

static void replied(struct sim_checks *c, const struct wire_zk_reply *reply)
{
    struct wire_zk_op_view v = {0};
    if (!by_process(c) || reply->err == WIRE_ZK_OK)
        return;
    if (!reply->multi) {
        if (reply->err == WIRE_ZK_BAD_VERSION && c->asking.epoch < 0)
            isr_write_refused(c);
        return;
    }
    check_seen(c, SIM_SOMETIMES_MULTI_FAILED);
    if (reply->err == WIRE_ZK_BAD_VERSION && wire_zk_op_next(c->asking.request, &v) &&
        v.op->opcode == WIRE_ZK_CHECK && strcmp(v.path, SM_PATH_CONTROLLER_EPOCH) == 0 &&
        c->asking.epoch >= 0 && c->asking.epoch < c->controller_epoch)
        check_seen(c, SIM_SOMETIMES_ZOMBIE_WRITE_REFUSED);
}

void sim_checks_zk_says(struct sim_checks *c, const struct kz_output *o)
{
    if (o->kind == KZ_OUT_APPLIED)
        applied(c, o);
    else if (o->kind == KZ_OUT_REPLY)
        replied(c, o->reply);
    else if (o->kind == KZ_OUT_EXPIRED)
        expired(c, o->session, o->type != 0);
}

void sim_checks_notified(struct sim_checks *c, int32_t id, const char *path, bool late)
{
    (void)id;
    (void)path;
    if (late)
        check_seen(c, SIM_SOMETIMES_WATCH_AFTER_EXPIRY);
}
