/*
 * Readers and writers of the flat records of messages.h.
 *
 * A record of a batch, as it lies in memory (each part begins where the one before it ends):
 *
 *     struct wire_record | pad to 8 | to[set_words] | flag[set_words] | ids … | topic NUL | pad to
 * 8
 *                                   `---- not for UPDATE_METADATA ---´
 *
 * The pad after the head is there because the head has 44 bytes and the sets are read as 64-bit
 * words. Every offset and count that a reader follows is checked against the record that holds it,
 * and that against the whole; bytes that do not hold together end the walk as if nothing came
 * after. The one thing that must be true is that `size` bytes can be read.
 *
 * Source: messages.h; Kafka ApiKeys and Errors for the names.
 */
#include "wire/messages.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_index.h"

_Static_assert(sizeof(struct wire_batch) % 8 == 0, "what follows the head is aligned");
_Static_assert(sizeof(struct wire_broker) % 8 == 0, "what follows the head is aligned");
_Static_assert(sizeof(struct wire_call) % 8 == 0, "what follows the head is aligned");
_Static_assert(sizeof(struct wire_call_item) % 8 == 0, "what follows the head is aligned");

enum { RECORD_HEAD = (sizeof(struct wire_record) + 7) / 8 * 8, WORD_BITS = 64 };

static size_t round_up_8(size_t n)
{
    return (n + 7) / 8 * 8;
}

/* ---- names ---- */

static const struct {
    enum wire_api api;
    const char *name;
} api_names[] = {
#define X(constant, low, name, ...) {WIRE_API_##constant, name},
    WIRE_API_MAP(X)
#undef X
};

const char *wire_api_name(enum wire_api api)
{
    for (size_t i = 0; i < sizeof api_names / sizeof api_names[0]; i++)
        if (api_names[i].api == api)
            return api_names[i].name;
    return "none";
}

enum wire_api wire_api_named(const char *name)
{
    for (size_t i = 0; i < sizeof api_names / sizeof api_names[0]; i++)
        if (strcmp(api_names[i].name, name) == 0)
            return api_names[i].api;
    return WIRE_API_NONE;
}

/* ---- records of a batch ---- */

static const uint8_t *bytes_of(const struct wire_batch *b)
{
    return (const uint8_t *)(const void *)b;
}

/* Where the records end: what the head says, but never past the whole. */
static uint64_t records_end(const struct wire_batch *b)
{
    uint64_t end = (uint64_t)b->records + b->record_bytes;
    return end < b->size ? end : b->size;
}

static bool kind_has_sets(uint8_t kind)
{
    return kind == WIRE_RECORD_LEADER_AND_ISR || kind == WIRE_RECORD_STOP_REPLICA;
}

/* Returns the record at `offset`, of which only size and kind have been looked at, or NULL. */
static const struct wire_record *head_at(const struct wire_batch *b, uint64_t offset)
{
    uint64_t end = records_end(b);
    if (offset % 8 != 0 || offset < sizeof *b || offset + RECORD_HEAD > end)
        return NULL;
    const struct wire_record *r = (const void *)(bytes_of(b) + offset);
    if (r->size % 8 != 0 || r->size < RECORD_HEAD || offset + r->size > end)
        return NULL;
    return r->kind <= WIRE_RECORD_STOP_REPLICA ? r : NULL;
}

/* Points the view into the record at `offset`, a dead one too. False where its parts do not fit;
   the view then keeps what it had. A dead record keeps the kind's shape only in its size: its parts
   are not looked at. */
static bool view_at(const struct wire_batch *b, uint64_t offset, struct wire_record_view *v)
{
    const struct wire_record *r = head_at(b, offset);
    if (r == NULL)
        return false;
    struct wire_record_view seen = {.record = r, .offset = (uint32_t)offset};
    if (r->kind == WIRE_RECORD_DEAD) {
        *v = seen;
        return true;
    }
    uint64_t set_bytes = kind_has_sets(r->kind) ? (uint64_t)b->set_words * 8 : 0;
    uint32_t id_count = 0u + r->isr_count + r->replica_count + r->adding_count + r->removing_count +
                        r->offline_count;
    uint64_t ids_at = RECORD_HEAD + 2 * set_bytes;
    uint64_t topic_at = ids_at + (uint64_t)id_count * 4;
    if (r->topic_size == 0 || topic_at + r->topic_size > r->size)
        return false;
    const uint8_t *start = (const void *)r;
    if (start[topic_at + r->topic_size - 1] != '\0')
        return false;

    if (set_bytes > 0) {
        seen.to = (const void *)(start + RECORD_HEAD);
        seen.flag = seen.to + b->set_words;
    }
    seen.isr = (const void *)(start + ids_at);
    seen.replicas = seen.isr + r->isr_count;
    seen.adding = seen.replicas + r->replica_count;
    seen.removing = seen.adding + r->adding_count;
    seen.offline = seen.removing + r->removing_count;
    seen.topic = (const char *)start + topic_at;
    *v = seen;
    return true;
}

bool wire_batch_at(const struct wire_batch *b, uint32_t offset, struct wire_record_view *v)
{
    return view_at(b, offset, v);
}

static uint64_t first_after(const struct wire_batch *b, const struct wire_record_view *v)
{
    return v->record == NULL ? b->records : (uint64_t)v->offset + v->record->size;
}

bool wire_batch_next(const struct wire_batch *b, enum wire_record_kind kind,
                     struct wire_record_view *v)
{
    const struct wire_record *r;
    for (uint64_t at = first_after(b, v); (r = head_at(b, at)) != NULL; at += r->size)
        if (r->kind != WIRE_RECORD_DEAD && (kind == WIRE_RECORD_DEAD || r->kind == kind))
            return view_at(b, at, v);
    return false;
}

static bool has_bit(const uint64_t *words, uint32_t word_count, uint32_t index)
{
    return index / WORD_BITS < word_count &&
           (words[index / WORD_BITS] >> index % WORD_BITS & 1) != 0;
}

/* Whether the record has sets, and their first one names the broker. */
static bool names_broker(const struct wire_batch *b, const struct wire_record *r, uint32_t index)
{
    if (RECORD_HEAD + 16ull * b->set_words > r->size)
        return true; /* does not fit: whoever looks closer will see */
    const uint64_t *to = (const void *)((const uint8_t *)(const void *)r + RECORD_HEAD);
    return has_bit(to, b->set_words, index);
}

static bool holds(const struct wire_batch *b, uint64_t at, uint64_t bytes)
{
    return at % 4 == 0 && at >= sizeof *b && at + bytes <= b->size;
}

/* The index, where its lists lie within the batch. */
static const struct wire_batch_index *index_of(const struct wire_batch *b)
{
    if (b->index == 0 || b->index % 8 != 0 || !holds(b, b->index, sizeof(struct wire_batch_index)))
        return NULL;
    const struct wire_batch_index *x = wire_batch_index(b);
    return holds(b, x->starts, 4 * (2ull * x->brokers + 1)) ? x : NULL;
}

/* Goes on in the list that the index has of the broker. */
static bool next_listed(const struct wire_batch *b, const struct wire_batch_index *x,
                        enum wire_record_kind kind, uint32_t index, struct wire_record_view *v)
{
    const uint32_t *starts = (const void *)(bytes_of(b) + x->starts);
    const uint32_t *offsets = (const void *)(bytes_of(b) + x->offsets);
    uint32_t list = 2 * index + (kind == WIRE_RECORD_STOP_REPLICA ? 1 : 0);
    uint32_t at = v->record == NULL ? starts[list] : v->place - 1;
    if (at >= starts[list + 1] || !holds(b, x->offsets, 4ull * starts[list + 1]) ||
        !view_at(b, offsets[at], v))
        return false;
    v->place = at + 2;
    return true;
}

/* Most records of a large batch are for others: those are passed by unread. */
bool wire_batch_next_for(const struct wire_batch *b, enum wire_record_kind kind, uint32_t index,
                         struct wire_record_view *v)
{
    const struct wire_batch_index *x = index_of(b);
    if (x != NULL && kind_has_sets((uint8_t)kind) && index < x->brokers &&
        (v->record == NULL || v->place != 0))
        return next_listed(b, x, kind, index, v);
    bool metadata = wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, index);
    const struct wire_record *r;
    for (uint64_t at = first_after(b, v); (r = head_at(b, at)) != NULL; at += r->size) {
        if (r->kind == WIRE_RECORD_DEAD || (kind != WIRE_RECORD_DEAD && r->kind != kind))
            continue;
        if (kind_has_sets(r->kind) ? names_broker(b, r, index) : metadata)
            return view_at(b, at, v);
    }
    return false;
}

bool wire_batch_is_for(const struct wire_batch *b, enum wire_record_kind kind, uint32_t index)
{
    if (kind == WIRE_RECORD_DEAD)
        return wire_batch_is_for(b, WIRE_RECORD_LEADER_AND_ISR, index) ||
               wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, index) ||
               wire_batch_is_for(b, WIRE_RECORD_STOP_REPLICA, index);
    uint64_t set_bytes = (uint64_t)b->set_words * 8;
    uint64_t at = b->sets + set_bytes * ((uint64_t)kind - WIRE_RECORD_LEADER_AND_ISR);
    if (b->sets % 8 != 0 || b->sets < sizeof *b || kind > WIRE_RECORD_STOP_REPLICA ||
        at + set_bytes > b->size)
        return false;
    return has_bit((const void *)(bytes_of(b) + at), b->set_words, index);
}

/* ---- brokers of a batch ---- */

static const struct wire_broker *broker_at(const struct wire_batch *b, uint64_t offset)
{
    if (offset % 8 != 0 || offset < sizeof *b || offset + sizeof(struct wire_broker) > b->size)
        return NULL;
    const struct wire_broker *broker = (const void *)(bytes_of(b) + offset);
    if (broker->size % 8 != 0 || broker->size < sizeof *broker || offset + broker->size > b->size)
        return NULL;
    return broker;
}

/* The entries have no end mark of their own. They stand between the head and the records or the
   sets, whichever comes first behind them; and their ids ascend. */
const struct wire_broker *wire_batch_next_broker(const struct wire_batch *b,
                                                 const struct wire_broker *previous)
{
    if (previous == NULL)
        return b->broker_count > 0 ? broker_at(b, b->brokers) : NULL;
    uint64_t at =
        (uint64_t)((const uint8_t *)(const void *)previous - bytes_of(b)) + previous->size;
    if ((b->records > b->brokers && at >= b->records) || (b->sets > b->brokers && at >= b->sets))
        return NULL;
    const struct wire_broker *next = broker_at(b, at);
    return next != NULL && next->id > previous->id ? next : NULL;
}

const struct wire_broker *wire_batch_broker(const struct wire_batch *b, int32_t id)
{
    const struct wire_broker *broker = wire_batch_next_broker(b, NULL);
    while (broker != NULL && broker->id != id)
        broker = wire_batch_next_broker(b, broker);
    return broker;
}

uint32_t wire_batch_bit(const struct wire_batch *b, int32_t id)
{
    const struct wire_broker *broker = wire_batch_broker(b, id);
    return broker == NULL ? 0 : broker->index;
}

/* Copies the text at *at, cut to `capacity`, and steps over it. False where it has no end. */
static bool take_text(const uint8_t *bytes, uint32_t size, uint32_t *at, char *out, size_t capacity)
{
    const uint8_t *nul = memchr(bytes + *at, '\0', size - *at);
    if (nul == NULL)
        return false;
    size_t length = (size_t)(nul - (bytes + *at));
    size_t kept = length < capacity ? length : capacity - 1;
    memcpy(out, bytes + *at, kept);
    *at += (uint32_t)length + 1;
    return true;
}

static bool take_endpoint(const uint8_t *bytes, uint32_t size, uint32_t *at,
                          struct sm_endpoint *out)
{
    if (size - *at < sizeof out->port)
        return false;
    memcpy(&out->port, bytes + *at, sizeof out->port);
    *at += (uint32_t)sizeof out->port;
    return take_text(bytes, size, at, out->listener, sizeof out->listener) &&
           take_text(bytes, size, at, out->protocol, sizeof out->protocol) &&
           take_text(bytes, size, at, out->host, sizeof out->host);
}

void wire_broker_decode(const struct wire_broker *b, struct sm_broker *out)
{
    const uint8_t *bytes = (const void *)b;
    uint32_t at = sizeof *b;
    memset(out, 0, sizeof *out);
    out->id = b->id;
    if (b->rack_size > 0 && !take_text(bytes, b->size, &at, out->rack, sizeof out->rack))
        return;
    int32_t count = b->endpoint_count < SM_ENDPOINTS_MAX ? b->endpoint_count : SM_ENDPOINTS_MAX;
    for (int32_t i = 0; i < count; i++) {
        struct sm_endpoint endpoint = {0};
        if (!take_endpoint(bytes, b->size, &at, &endpoint))
            return;
        out->endpoint[out->endpoint_count++] = endpoint;
    }
}

/* Bytes of a text with its NUL; a field that is full to the brim counts as cut by one. */
static size_t text_size(const char *text, size_t capacity)
{
    const char *nul = memchr(text, '\0', capacity - 1);
    return nul != NULL ? (size_t)(nul - text) + 1 : capacity;
}

uint32_t wire_broker_size(const struct sm_broker *from)
{
    assert(from->endpoint_count >= 0);
    assert(from->endpoint_count <= SM_ENDPOINTS_MAX);
    size_t size = sizeof(struct wire_broker);
    if (from->rack[0] != '\0')
        size += text_size(from->rack, sizeof from->rack);
    for (int32_t i = 0; i < from->endpoint_count; i++) {
        const struct sm_endpoint *e = &from->endpoint[i];
        size += sizeof e->port + text_size(e->listener, sizeof e->listener) +
                text_size(e->protocol, sizeof e->protocol) + text_size(e->host, sizeof e->host);
    }
    return (uint32_t)round_up_8(size);
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t capacity)
{
    size_t size = text_size(text, capacity);
    memcpy(at, text, size - 1);
    at[size - 1] = '\0';
    return at + size;
}

void wire_broker_encode(struct wire_broker *out, uint32_t index, int64_t epoch,
                        const struct sm_broker *from)
{
    uint32_t size = wire_broker_size(from);
    memset(out, 0, size);
    out->size = size;
    out->index = index;
    out->id = from->id;
    out->endpoint_count = (uint8_t)from->endpoint_count;
    out->epoch = epoch;
    uint8_t *at = (uint8_t *)(void *)out + sizeof *out;
    if (from->rack[0] != '\0') {
        out->rack_size = (uint8_t)text_size(from->rack, sizeof from->rack);
        at = put_text(at, from->rack, sizeof from->rack);
    }
    for (int32_t i = 0; i < from->endpoint_count; i++) {
        const struct sm_endpoint *e = &from->endpoint[i];
        memcpy(at, &e->port, sizeof e->port);
        at = put_text(at + sizeof e->port, e->listener, sizeof e->listener);
        at = put_text(at, e->protocol, sizeof e->protocol);
        at = put_text(at, e->host, sizeof e->host);
    }
}

/* ---- calls ---- */

bool wire_call_next(const struct wire_call *c, struct wire_call_view *v)
{
    const uint8_t *bytes = (const void *)c;
    uint64_t at = v->next == 0 ? sizeof *c : v->next;
    if (at % 8 != 0 || at + sizeof(struct wire_call_item) > c->size)
        return false;
    const struct wire_call_item *item = (const void *)(bytes + at);
    if (item->size % 8 != 0 || item->size < sizeof *item || at + item->size > c->size)
        return false;
    uint32_t id_count = 0u + item->replica_count + item->adding_count + item->removing_count;
    uint64_t topic_at = sizeof *item + (uint64_t)id_count * 4;
    if (item->topic_size == 0 || topic_at + item->topic_size > item->size ||
        bytes[at + topic_at + item->topic_size - 1] != '\0')
        return false;
    v->item = item;
    v->replicas = (const void *)(bytes + at + sizeof *item);
    v->adding = v->replicas + item->replica_count;
    v->removing = v->adding + item->adding_count;
    v->topic = (const char *)bytes + at + topic_at;
    v->next = (uint32_t)(at + item->size);
    return true;
}

void wire_call_begin(struct wire_call_builder *b, void *bytes, size_t capacity,
                     const struct wire_call *head)
{
    *b = (struct wire_call_builder){.bytes = bytes, .capacity = capacity};
    if (capacity < sizeof *head) {
        b->overflow = true;
        return;
    }
    struct wire_call *call = bytes;
    *call = *head;
    call->size = sizeof *head;
    call->count = 0;
}

static uint8_t *put_ids(uint8_t *at, const struct sm_list *list)
{
    size_t size = (size_t)list->count * sizeof list->id[0];
    memcpy(at, list->id, size);
    return at + size;
}

void wire_call_add(struct wire_call_builder *b, const char *topic, int32_t partition, int32_t error,
                   bool cancel, const struct sm_assignment *assignment)
{
    static const struct sm_assignment no_lists = {0};
    const struct sm_assignment *a = assignment != NULL ? assignment : &no_lists;
    if (b->overflow)
        return;
    struct wire_call *call = (void *)b->bytes;
    size_t topic_size = strlen(topic) + 1;
    size_t id_count = (size_t)(a->replicas.count + a->adding.count + a->removing.count);
    size_t size = round_up_8(sizeof(struct wire_call_item) + id_count * 4 + topic_size);
    if (size > b->capacity - call->size || call->size + size > UINT32_MAX) {
        b->overflow = true;
        return;
    }
    uint8_t *start = b->bytes + call->size;
    memset(start, 0, size);
    struct wire_call_item *item = (void *)start;
    item->size = (uint32_t)size;
    item->partition = partition;
    item->error = error;
    item->replica_count = (uint8_t)a->replicas.count;
    item->adding_count = (uint8_t)a->adding.count;
    item->removing_count = (uint8_t)a->removing.count;
    item->cancel = cancel;
    item->topic_size = (uint32_t)topic_size;
    uint8_t *at = put_ids(start + sizeof *item, &a->replicas);
    at = put_ids(put_ids(at, &a->adding), &a->removing);
    memcpy(at, topic, topic_size);
    call->size += (uint32_t)size;
    call->count++;
}

const struct wire_call *wire_call_end(struct wire_call_builder *b)
{
    return b->overflow ? NULL : (const struct wire_call *)(const void *)b->bytes;
}
