/*
 * One row per error: what it says, and who has to act on it. The list itself stands in error.h.
 */
#include "statemachine/error.h"

#include <assert.h>

struct row {
    const char *text;
    enum sm_err_actor actor;
};

/* Errors are zero or negative without gaps, so that -err is the row. */
#define ROW_OF(value) (-(value))

static const struct row rows[] = {
#define X(name, value, who, sentence) [ROW_OF(value)] = {.text = sentence, .actor = SM_ACTOR_##who},
    SM_ERR_MAP(X)
#undef X
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct row *row_of(enum sm_err err)
{
    assert(err <= 0);
    assert(ROW_OF(err) < ROW_COUNT);
    return &rows[ROW_OF(err)];
}

const char *sm_err_text(enum sm_err err)
{
    return row_of(err)->text;
}

enum sm_err_actor sm_err_actor(enum sm_err err)
{
    return row_of(err)->actor;
}
