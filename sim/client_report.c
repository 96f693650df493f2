/*
 * The report on clients, made and told: see client_report.h. What became of records is
 * client_fate.c's.
 */
#include "sim/client_report.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "sim/client_state.h"
#include "sim/trace_client.h"

enum { LOST_PRINTED = 3, LOST_JSON = 1000 };

/* ---- making ---- */

static struct sim_client_row row_of(struct sim_world *w, uint32_t index)
{
    const struct sim_client *c = w->clients->client[index];
    struct sim_client_row row = {.name = c->spec->name,
                                 .topic = c->spec->topics[0],
                                 .group = c->spec->config.group_id,
                                 .consumes = c->spec->kind == SIM_CLIENT_CONSUMES,
                                 .transactional = c->spec->config.transactional_id != NULL,
                                 .error = c->error,
                                 .counts = c->counts};
    if (row.consumes)
        row.counts.unread = sim_client_unread(w, index);
    return row;
}

static void add_transforms(const struct sim_world *w, struct sim_client_report *r)
{
    for (uint32_t i = 0; i < w->clients->count; i++) {
        const struct sim_client *c = w->clients->client[i];
        if (!sim_transform_is_first(w, c))
            continue;
        r->transforms =
            sim_realloc(r->transforms, (r->transform_count + 1) * sizeof(*r->transforms));
        r->transforms[r->transform_count++] =
            (struct sim_transform_row){.name = c->spec->row != NULL ? c->spec->row : c->spec->name,
                                       .from = c->spec->topics[0],
                                       .to = sim_transform_other(w, c)->spec->topics[0],
                                       .counts = sim_transform_judge(w, c)};
    }
}

struct sim_client_report *sim_client_report_new(struct sim_world *w)
{
    if (w->clients == NULL)
        return NULL;
    struct sim_client_report *r = sim_alloc(sizeof(*r));
    r->row_count = w->clients->count;
    r->rows = sim_alloc(r->row_count * sizeof(*r->rows));
    for (uint32_t i = 0; i < r->row_count; i++)
        r->rows[i] = row_of(w, i);
    sim_client_report_fates(w, r);
    add_transforms(w, r);
    r->names = sim_alloc(2 * (size_t)r->lost_count * sizeof(*r->names));
    for (uint32_t i = 0; i < r->lost_count; i++) {
        sim_value_write(w, r->lost[i].from, r->names[2 * i]);
        sim_value_write(w, r->lost[i].to, r->names[2 * i + 1]);
    }
    return r;
}

void sim_client_report_free(struct sim_client_report *r)
{
    if (r == NULL)
        return;
    sim_free(r->rows);
    sim_free(r->transforms);
    sim_free(r->lost);
    sim_free(r->names);
    sim_free(r);
}

/* ---- one property ---- */

static bool count_of(const struct sim_client_counts *n, const char *name, int64_t *out)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"sent", n->sent},
                  {"acked", n->acked},
                  {"failed", n->failed},
                  {"possibly", n->possibly},
                  {"open", n->open},
                  {"retries", n->retries},
                  {"committed", n->committed},
                  {"aborted", n->aborted},
                  {"read", n->read},
                  {"duplicates", n->duplicates},
                  {"gaps", n->gaps}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if (strcmp(counts[i].name, name) == 0) {
            *out = (int64_t)counts[i].count;
            return true;
        }
    return false;
}

/* Of a transform the halves are asked together: the reading one knows of the group and of the
   process, the writing one of the transaction and of errors. */
static const char *text_of(const struct sim_world *w, const struct sim_client *c, const char *name)
{
    bool reads = strcmp(name, "state") == 0 || strcmp(name, "group") == 0;
    if (c->spec->transforms && reads != (c->spec->kind == SIM_CLIENT_CONSUMES))
        c = sim_transform_other(w, c);
    if (strcmp(name, "state") == 0)
        return c->shell.life == SIM_DOWN ? "down" : "up";
    if (strcmp(name, "error") == 0)
        return c->error == 0 ? "none" : sim_client_error_name(c->error);
    if (strcmp(name, "transaction") == 0)
        return c->kl == NULL ? "none" : kl_txn_state_name(kl_client_txn_state(c->kl));
    assert(strcmp(name, "group") == 0);
    return c->kl == NULL ? "none" : kl_group_state_name(kl_client_group_state(c->kl));
}

static int64_t transform_property(const struct sim_world *w, const struct sim_client *c,
                                  const char *name)
{
    if (!sim_transform_is_first(w, c))
        return 0;
    struct sim_transform_counts n = sim_transform_judge(w, c);
    return (int64_t)(name[0] == 'o' ? n.outputs : name[0] == 'm' ? n.missing : n.doubled);
}

int64_t sim_client_property(void *world, int32_t id, const char *name, const char **text)
{
    struct sim_world *w = world;
    struct sim_client *c = sim_client_of(w, id);
    int64_t number = 0;
    if (count_of(&c->counts, name, &number))
        return number;
    if (strcmp(name, "outputs") == 0 || strcmp(name, "missing") == 0 ||
        strcmp(name, "doubled") == 0)
        return transform_property(w, c, name);
    if (strcmp(name, "unread") == 0)
        return (int64_t)sim_client_unread(w, c->index);
    if (strcmp(name, "kept") == 0 || strcmp(name, "lost") == 0)
        return (int64_t)sim_client_fates_of(w, c->index, name[0] == 'k');
    *text = text_of(w, c, name);
    return 0;
}

/* ---- for people ---- */

static void print_part(FILE *out, uint64_t count, const char *what, bool always)
{
    if (count > 0 || always)
        fprintf(out, ", %" PRIu64 " %s", count, what);
}

static void print_row(FILE *out, const struct sim_client_row *row)
{
    const struct sim_client_counts *n = &row->counts;
    if (row->consumes) {
        fprintf(out, "  %-8s reads %s%s%s: %" PRIu64 " records", row->name, row->topic,
                row->group != NULL ? " in group " : "", row->group != NULL ? row->group : "",
                n->read);
        print_part(out, n->duplicates, "twice", false);
        print_part(out, n->gaps, "passed over", false);
        print_part(out, n->unread, "not read", false);
    } else {
        fprintf(out, "  %-8s writes %s: %" PRIu64 " sent", row->name, row->topic, n->sent);
        print_part(out, n->acked, "acknowledged", true);
        print_part(out, n->failed, "failed", false);
        print_part(out, n->possibly, "failed but possibly written", false);
        print_part(out, n->open, "without word", false);
        print_part(out, n->committed, "transactions committed", row->transactional);
        print_part(out, n->aborted, "aborted", false);
    }
    if (row->error != 0)
        fprintf(out, "; ended by %s", sim_client_error_name(row->error));
    fputc('\n', out);
}

static void print_transform(FILE *out, const struct sim_transform_row *t)
{
    const struct sim_transform_counts *n = &t->counts;
    fprintf(out, "  %-8s of %" PRIu64 " records of %s %" PRIu64 " have one output in %s", t->name,
            n->inputs, t->from, n->inputs - n->missing - n->doubled, t->to);
    print_part(out, n->missing, "have none", false);
    print_part(out, n->doubled, "have several", false);
    fputc('\n', out);
}

static void print_taker(FILE *out, const struct sim_lost *l)
{
    if (l->taker < 0) {
        fprintf(out, "      no leader took over without them: the log itself lost them\n");
        return;
    }
    fprintf(out,
            "      broker %" PRId32
            " led without them from %.6gs on: its log ended at offset %" PRId64,
            l->taker, (double)l->taken_us / 1e6, l->taker_start);
    if (l->unclean >= 0)
        fprintf(out, " (%s election)", l->unclean ? "unclean" : "clean");
    fputc('\n', out);
    if (l->fault[0] != '\0')
        fprintf(out, "      because of this: %s\n", l->fault);
    if (l->taken_record != 0)
        fprintf(out, "      kcsim why TRACE --record %" PRIu64 "\n", l->taken_record);
}

static unsigned print_lost(FILE *out, const struct sim_client_report *r, uint32_t index)
{
    const struct sim_lost *l = &r->lost[index];
    const char *from = r->names[2 * index], *to = r->names[2 * index + 1];
    fprintf(out, "    %s%s%s (%s-%" PRId32 " offset %" PRId64, from, l->count > 1 ? " to " : "",
            l->count > 1 ? to : "", l->topic, l->partition, l->offset);
    if (l->count > 1)
        fprintf(out, " to %" PRId64, l->offset + l->count - 1);
    fprintf(out, ") acknowledged by broker %" PRId32 " at %.6gs, acks %s\n", l->leader,
            (double)l->acked_us / 1e6,
            l->acks < 0    ? "all"
            : l->acks == 1 ? "1"
                           : "0");
    print_taker(out, l);
    return l->taker < 0 ? 2 : 2 + (l->fault[0] != '\0') + (l->taken_record != 0);
}

unsigned sim_client_report_print(FILE *out, const struct sim_client_report *r, bool color)
{
    unsigned lines = 1 + r->row_count;
    if (r->row_count == 0)
        return 0;
    fprintf(out, "clients\n");
    for (uint32_t i = 0; i < r->row_count; i++)
        print_row(out, &r->rows[i]);
    for (uint32_t i = 0; i < r->transform_count; i++)
        print_transform(out, &r->transforms[i]);
    lines += r->transform_count;
    if (r->acknowledged == 0)
        return lines;
    fprintf(out, "  of %" PRIu64 " acknowledged records %" PRIu64 " are kept", r->acknowledged,
            r->kept);
    if (r->gone > 0)
        fprintf(out, ", %s%" PRIu64 " are lost%s", color ? "\033[31m" : "", r->gone,
                color ? "\033[0m" : "");
    print_part(out, r->deleted, "were deleted", false);
    print_part(out, r->undecided, "are nowhere to be looked for", false);
    fputc('\n', out);
    lines++;
    for (uint32_t i = 0; i < r->lost_count && i < LOST_PRINTED; i++)
        lines += print_lost(out, r, i);
    if (r->lost_count > LOST_PRINTED) {
        fprintf(out, "    (%u more runs of lost records: --format json)\n",
                r->lost_count - LOST_PRINTED);
        lines++;
    }
    return lines;
}

/* ---- for machines ---- */

static void put(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static json_t *row_json(const struct sim_client_row *row)
{
    const struct sim_client_counts *n = &row->counts;
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(row->name));
    json_object_set_new(object, row->consumes ? "consume" : "produce", json_string(row->topic));
    if (row->group != NULL)
        json_object_set_new(object, "group", json_string(row->group));
    if (row->consumes) {
        put(object, "read", (int64_t)n->read);
        put(object, "duplicates", (int64_t)n->duplicates);
        put(object, "gaps", (int64_t)n->gaps);
        put(object, "unread", (int64_t)n->unread);
    } else {
        put(object, "sent", (int64_t)n->sent);
        put(object, "acked", (int64_t)n->acked);
        put(object, "failed", (int64_t)n->failed);
        put(object, "possibly", (int64_t)n->possibly);
        put(object, "open", (int64_t)n->open);
        put(object, "retries", (int64_t)n->retries);
    }
    if (row->transactional) {
        put(object, "committed", (int64_t)n->committed);
        put(object, "aborted", (int64_t)n->aborted);
    }
    if (row->error != 0)
        json_object_set_new(object, "error", json_string(sim_client_error_name(row->error)));
    return object;
}

static json_t *transform_json(const struct sim_transform_row *t)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(t->name));
    json_object_set_new(object, "from", json_string(t->from));
    json_object_set_new(object, "to", json_string(t->to));
    put(object, "inputs", (int64_t)t->counts.inputs);
    put(object, "outputs", (int64_t)t->counts.outputs);
    put(object, "missing", (int64_t)t->counts.missing);
    put(object, "doubled", (int64_t)t->counts.doubled);
    return object;
}

static json_t *lost_json(const struct sim_client_report *r, uint32_t index)
{
    const struct sim_lost *l = &r->lost[index];
    json_t *object = json_object();
    json_object_set_new(object, "first", json_string(r->names[2 * index]));
    json_object_set_new(object, "last", json_string(r->names[2 * index + 1]));
    json_object_set_new(object, "topic", json_string(l->topic));
    put(object, "partition", l->partition);
    put(object, "offset", l->offset);
    put(object, "count", l->count);
    put(object, "acks", l->acks);
    put(object, "acked_us", l->acked_us);
    put(object, "leader", l->leader);
    put(object, "leader_epoch", l->leader_epoch);
    if (l->acked_record != 0)
        put(object, "acked_record", (int64_t)l->acked_record);
    if (l->taker >= 0) {
        put(object, "lost_by", l->taker);
        put(object, "lost_by_epoch", l->taker_epoch);
        put(object, "lost_by_start", l->taker_start);
        put(object, "lost_us", l->taken_us);
    }
    if (l->taken_record != 0)
        put(object, "lost_record", (int64_t)l->taken_record);
    if (l->unclean >= 0)
        json_object_set_new(object, "unclean", json_boolean(l->unclean));
    if (l->fault_record != 0) {
        put(object, "fault_record", (int64_t)l->fault_record);
        json_object_set_new(object, "fault", json_string(l->fault));
    }
    return object;
}

void sim_client_report_json(const struct sim_client_report *r, void *into)
{
    json_t *rows = json_array(), *acked = json_object(), *lost = json_array(),
           *transforms = json_array();
    for (uint32_t i = 0; i < r->row_count; i++)
        json_array_append_new(rows, row_json(&r->rows[i]));
    for (uint32_t i = 0; i < r->transform_count; i++)
        json_array_append_new(transforms, transform_json(&r->transforms[i]));
    put(acked, "count", (int64_t)r->acknowledged);
    put(acked, "kept", (int64_t)r->kept);
    put(acked, "lost", (int64_t)r->gone);
    put(acked, "deleted", (int64_t)r->deleted);
    put(acked, "undecided", (int64_t)r->undecided);
    for (uint32_t i = 0; i < r->lost_count && i < LOST_JSON; i++)
        json_array_append_new(lost, lost_json(r, i));
    json_object_set_new(acked, "losses", lost);
    json_object_set_new(into, "clients", rows);
    if (r->transform_count > 0)
        json_object_set_new(into, "transforms", transforms);
    else
        json_decref(transforms);
    json_object_set_new(into, "acknowledged", acked);
}
