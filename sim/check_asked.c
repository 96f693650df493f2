/*
 * Reassignments that somebody asks for: S13 (none begins that nobody asks for), V6 (none is
 * forgotten).
 *
 *     /admin/reassign_partitions  t-0 -> [1, 9]        gone                  t-0 -> [1, 2]
 *     asked                       [1, 9]               none, [1, 9] before   [1, 2]
 *
 * An operator's last word counts. A controller that has read the znode may begin what it said
 * before, as long as it is the same controller: the next one reads again. What calls ask for is not
 * followed here; a partition that a call has named is left alone from then on.
 */
#include "sim/check_state.h"

static void ask(struct sim_checks *c, struct check_row *row, const struct sm_list *target)
{
    if (sm_list_equal(&row->asked, target))
        return;
    row->asked_before = row->asked;
    row->asked_epoch = c->controller_epoch;
    row->asked = *target;
}

/* Linear in the partitions, as reading the znode is for a controller. */
static void withdraw_all(struct sim_checks *c)
{
    static const struct sm_list none;
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
            ask(c, row, &none);
}

void check_asked(struct sim_checks *c, const char *data, size_t size)
{
    struct sm_partitions_reader r;
    struct sm_partition_item item;
    if (c->asking.is_open && c->asking.id >= 0)
        return; /* a controller takes out what is done: nobody withdraws it */
    if (size == 0) {
        withdraw_all(c);
        return;
    }
    if (sm_partitions_open(&r, data, size) != SM_ERR_OK)
        return;
    while (sm_partitions_next(&r, &item))
        if (check_topic_find(c, item.topic) != NULL || item.has_replicas)
            ask(c, check_row_of(c, item.topic, item.partition), &item.replicas);
}

/* A call may ask for it. */
static bool is_called_for(const struct sim_checks *c, const struct check_row *row)
{
    for (const struct sim_call *call = c->w->calls; call != NULL; call = call->next) {
        struct wire_call_view v = {0};
        if (call->call->api != WIRE_API_ALTER_PARTITION_REASSIGNMENTS)
            continue;
        while (wire_call_next(call->call, &v))
            if (v.item->partition == row->partition && strcmp(v.topic, row->topic->name) == 0)
                return true;
    }
    return false;
}

void check_asked_begins(struct sim_checks *c, struct check_row *row,
                        const struct sm_assignment *was)
{
    struct sm_list target = sm_assignment_target(&row->a), before = sm_assignment_target(was);
    char text[CHECK_LIST_TEXT];
    /* it may say what is already so: the znode is overruled all the same */
    if (is_called_for(c, row)) {
        row->asked_by_call = true;
        row->asked.count = 0;
        return;
    }
    if (sm_list_equal(&target, &before) && sm_list_equal(&row->a.replicas, &was->replicas))
        return;
    if (!sm_assignment_is_being_reassigned(&row->a) || row->asked_by_call ||
        sm_list_equal(&target, &before) || sm_list_equal(&target, &row->asked) ||
        (row->asked_epoch == c->controller_epoch && sm_list_equal(&target, &row->asked_before)))
        return;
    check_fail_row(c, SIM_CHECK_S13, row, "its reassignment to %s begins, and nobody asks for it",
                   check_list(text, &target));
}

bool check_asked_forgotten(const struct check_row *row)
{
    struct sm_list target = sm_assignment_target(&row->a);
    return row->asked.count > 0 && !row->asked_by_call && row->topic->incarnation == 0 &&
           !sm_list_equal(&target, &row->asked);
}
