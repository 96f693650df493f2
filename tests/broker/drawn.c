#include "tests/broker/drawn.h"

#include <string.h>

static uint64_t seed;

void draw_from(uint64_t number)
{
    seed = number;
}

uint32_t draw(uint32_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % bound;
}

static const char *const texts[] = {
    "t",
    "u",
    "v.w",
    "v_w",
    "",
    "0",
    "1",
    "9",
    "a b",
    "__consumer_offsets",
    "__transaction_state",
    "retention.ms",
    "cleanup.policy",
    "compact",
    "delete,compact",
    "segment.bytes",
    "100",
    "-1",
    "log.retention.ms",
    "min.cleanable.dirty.ratio",
    "0.5",
    "listeners",
    "<default>",
    "group",
    "kcat",
    "1.0",
    "PLAINTEXT",
    "\xf0\x9f\x98\x80",
    "..",
    "a-name-that-is-longer-than-any-topic-may-be-a-name-that-is-longer-than-any-topic-may-be-a-"
    "name-"
    "that-is-longer-than-any-topic-may-be-a-name-that-is-longer-than-any-topic-may-be-a-name-that-"
    "is-"
    "longer-than-any-topic-may-be-a-name-that-is-longer-than-any-topic-may-be"};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static const int64_t numbers[] = {0,  1,  2,   3,    -1,    -2,        4,         8,
                                  14, 50, 100, 1000, 60000, INT32_MIN, 1ll << 40, -5};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static int64_t number(void)
{
    return draw(3) > 0 ? (int64_t)draw(4) : numbers[draw(NUMBERS)];
}

static void fill(struct wire_flat *w, const struct wire_layout *layout, uint8_t *at,
                 int16_t version, int depth);

static void fill_array(struct wire_flat *w, const struct wire_field *field, uint8_t *at,
                       int16_t version, int depth)
{
    struct wire_array a;
    int32_t count = (int32_t)draw(depth > 3 ? 1 : 4);
    size_t size = field->kind == WIRE_ARRAY_INT32    ? 4
                  : field->kind == WIRE_ARRAY_INT64  ? 8
                  : field->kind == WIRE_ARRAY_STRING ? sizeof(struct wire_string)
                                                     : field->layout->size;
    if (field->nullable && version >= field->null_since && draw(6) == 0)
        count = -1;
    a = wire_flat_array(w, count, size);
    memcpy(at, &a, sizeof a);
    for (int32_t i = 0; i < a.count; i++) {
        uint8_t *element = (uint8_t *)wire_flat_at(w, a.at) + (size_t)i * size;
        if (field->kind == WIRE_ARRAY_INT32) {
            int32_t n = (int32_t)number();
            memcpy(element, &n, sizeof n);
        } else if (field->kind == WIRE_ARRAY_INT64) {
            int64_t n = number();
            memcpy(element, &n, sizeof n);
        } else if (field->kind == WIRE_ARRAY_STRING) {
            struct wire_string s = wire_flat_string(w, texts[draw(TEXTS)]);
            memcpy(element, &s, sizeof s);
        } else {
            wire_defaults_of(field->layout, element);
            fill(w, field->layout, element, version, depth + 1);
        }
    }
}

static void fill_field(struct wire_flat *w, const struct wire_field *field, uint8_t *at,
                       int16_t version, int depth)
{
    int64_t n = number();
    int32_t n32 = (int32_t)n;
    int16_t n16 = (int16_t)n;
    struct wire_string s;
    struct wire_bytes b;
    switch ((enum wire_kind)field->kind) {
    case WIRE_BOOL:
        *at = (uint8_t)draw(2);
        return;
    case WIRE_INT8:
        *at = (uint8_t)(draw(2) ? n : (int64_t[]){2, 4, 8, 0}[draw(4)]);
        return;
    case WIRE_INT16:
        memcpy(at, &n16, sizeof n16);
        return;
    case WIRE_INT32:
        memcpy(at, &n32, sizeof n32);
        return;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        memcpy(at, &n, sizeof n);
        return;
    case WIRE_UUID:
        at[draw(16)] = (uint8_t)(draw(3) == 0);
        return;
    case WIRE_STRING:
        s = field->nullable && version >= field->null_since && draw(6) == 0
                ? WIRE_NULL_STRING
                : wire_flat_string(w, texts[draw(TEXTS)]);
        memcpy(at, &s, sizeof s);
        return;
    case WIRE_BYTES:
    case WIRE_RECORDS:
        b = wire_flat_bytes(w, "bytes", draw(6));
        memcpy(at, &b, sizeof b);
        return;
    case WIRE_STRUCT:
        fill(w, field->layout, at, version, depth + 1);
        return;
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        fill_array(w, field, at, version, depth);
        return;
    }
}

static void fill(struct wire_flat *w, const struct wire_layout *layout, uint8_t *at,
                 int16_t version, int depth)
{
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *field = &layout->fields[i];
        bool has = version >= field->since && (field->gone == 0 || version < field->gone);
        if (has && draw(8) > 0)
            fill_field(w, field, at + field->offset, version, depth);
    }
}

void draw_message(struct wire_flat *w, const struct wire_layout *layout, void *head,
                  int16_t version)
{
    fill(w, layout, head, version, 0);
}

const struct wire_api_info *draw_api(void)
{
    const struct wire_api_info *api = NULL;
    do {
        api = wire_api_next(api);
        if (api == NULL)
            api = wire_api_next(NULL);
    } while (!kb_broker_serves(api->key) || api->key == WIRE_API_LEADER_AND_ISR ||
             api->key == WIRE_API_STOP_REPLICA || api->key == WIRE_API_UPDATE_METADATA ||
             draw(30) > 0);
    return api;
}
