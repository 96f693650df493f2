/*
 * What a new controller makes of /admin/preferred_replica_election, step 14 of a failover: the
 * partitions that its predecessor was asked to elect for and may not have finished.
 *
 *     no such partition         completed: it was deleted
 *     led by its first replica  completed
 *     its topic waits to go     skipped
 *     any other                 pending: into KC_SET_LISTED, elected for next
 *
 * An entry whose partition has never had a leader is poison: Kafka throws at it, and every later
 * controller does the same while the znode is there (SM_DEFECT_POISON_PREFERRED).
 *
 * Source: Kafka KafkaController.fetchPendingPreferredReplicaElections.
 */
#include "controller/line.h"

static bool ask_preferred(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                          struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_PREFERRED);
    ask->watch = 1;
    return true;
}

enum pending { PENDING, COMPLETED, SKIPPED, POISON };

static enum pending pending_of(struct kc_controller *c, const struct sm_partition_item *item,
                               uint32_t *row)
{
    *row = kc_row_named(c, item->topic, item->partition);
    if (*row == KC_NO_ROW || kc_row_at(c, *row)->replica_count == 0) {
        return COMPLETED; /* deleted */
    }
    const struct kc_partition *p = kc_row_at(c, *row);
    if (!kc_has_leadership(c, *row)) {
        return POISON;
    }
    if (p->leader == kc_broker(c, kc_replicas(c, p)[0])->id) {
        return COMPLETED;
    }
    return kc_is_queued(c, *row) ? SKIPPED : PENDING;
}

/* One line for each thing that came of the partitions asked for. */
static void log_preferred(struct kc_controller *c, const struct wire_zk_result_view *r)
{
    static const struct {
        const char *text;
        bool all;
        enum pending which;
    } lines[] = {
        {"Partitions undergoing preferred replica election: ", true, PENDING},
        {"Partitions that completed preferred replica election: ", false, COMPLETED},
        {"Skipping preferred replica election for partitions due to topic deletion: ", false,
         SKIPPED},
        {"Resuming preferred replica election for partitions: ", false, PENDING},
    };
    struct sm_partitions_reader reader;
    struct sm_partition_item item;
    struct kc_line l;
    uint32_t row;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        kc_line_begin(&l);
        bool more = r != NULL && sm_partitions_open(&reader, (const char *)r->data,
                                                    r->result->data_size) == SM_ERR_OK;
        while (more && sm_partitions_next(&reader, &item)) {
            if (lines[i].all || pending_of(c, &item, &row) == lines[i].which) {
                kc_line_separate(&l, 0, ",");
                kc_line_add(&l, kc_is_old(c) ? "[%s,%d]" : "%s-%d", item.topic, item.partition);
            }
        }
        if (lines[i].which == SKIPPED) {
            kc_log_new(c, KC_INFO, "[Controller id=%d] %s%s", c->config.broker.id, lines[i].text,
                       l.text);
        } else {
            kc_log(c, KC_INFO, "[Controller id=%d] %s%s", c->config.broker.id, lines[i].text,
                   l.text);
        }
    }
}

static enum kc_slot_next answer_preferred(struct kc_controller *c, struct kc_frame *f,
                                          struct kc_slot *s, int32_t err,
                                          const struct wire_zk_result_view *r)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;
    uint32_t row;

    (void)f, (void)s;
    kc_set_clear(c, KC_SET_LISTED);
    if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
        return kc_slot_throw(c, err);
    }
    bool readable = err == WIRE_ZK_OK && sm_partitions_open(&reader, (const char *)r->data,
                                                            r->result->data_size) == SM_ERR_OK;
    if (err == WIRE_ZK_OK && !readable) {
        kc_log_unreadable(c, SM_PATH_PREFERRED);
    }
    while (readable && sm_partitions_next(&reader, &item)) {
        switch (pending_of(c, &item, &row)) {
        case PENDING:
            kc_set_add(c, KC_SET_LISTED, row);
            break;
        case COMPLETED:
        case SKIPPED:
            break;
        case POISON:
            if (kc_defect(c, SM_DEFECT_POISON_PREFERRED)) {
                kc_throw(c, SM_ERR_NO_ELEMENT, "java.util.NoSuchElementException: None.get");
                return KC_SLOT_FAIL;
            }
            break;
        }
    }
    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        log_preferred(c, readable ? r : NULL);
    }
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_read_preferred = {
    .select = kc_select_once, .ask = ask_preferred, .answer = answer_preferred};
