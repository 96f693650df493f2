/*
 * State that an operator has no more, see gone.h.
 */
#include "stream/gone.h"

static bool has_keys(const struct gone *gone)
{
    return gone->kind == ST_STATE_MAP_OF || gone->kind == ST_STATE_BROADCAST_OF;
}

void gone_read(struct gone *gone, uint32_t kind, struct reader *from)
{
    gone->kind = (enum st_state_kind)kind;
    from->bad |= kind < ST_STATE_VALUE_OF || kind > ST_STATE_BROADCAST_OF;
    (void)read_layout(from, &gone->value);
    if (has_keys(gone)) {
        (void)read_layout(from, &gone->key);
    }
}

bool gone_skip(const struct gone *gone, bool times, void *record, struct reader *from)
{
    for (uint32_t left = gone->kind == ST_STATE_VALUE_OF ? 1 : read_u32(from); left > 0; left--) {
        if ((has_keys(gone) && !read_record(from, &gone->key, record)) ||
            !read_record(from, &gone->value, record)) {
            return false;
        }
        (void)(times ? read_i64(from) : 0);
    }
    return !from->bad;
}
