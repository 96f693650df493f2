/*
 * State in a checkpoint that its operator has no more (-n): read by what is written of its types,
 * and left. A value, elements of a list or entries of a map, with or without times.
 */
#ifndef STREAM_GONE_H
#define STREAM_GONE_H

#include "stream/bytes.h"

struct gone {
    enum st_state_kind kind;
    struct layout key, value; /* key: of a map */
};

/* Reads its types; of a kind that is none, `from` is bad. */
void gone_read(struct gone *gone, uint32_t kind, struct reader *from);
/* Passes over what one key, or one subtask, has of it. `times`: each record is followed by one.
 * `record` has room for any. Returns false if it is damaged. */
bool gone_skip(const struct gone *gone, bool times, void *record, struct reader *from);

#endif
