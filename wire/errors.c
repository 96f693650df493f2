/*
 * Kafka's errors by code. Codes run from -1 without a gap (asserted), so that a code is an index.
 *
 * Source: errors.h.
 */
#include "wire/errors.h"

#include <stddef.h>

struct row {
    const char *name;
    const char *text;
    bool retriable;
};

static const struct row rows[] = {
#define X(name, code, retriable, text) [(code) + 1] = {#name, text, (retriable) != 0},
    WIRE_ERRORS_MAP(X)
#undef X
};

#define X(name, code, retriable, text) +1
_Static_assert(sizeof rows / sizeof rows[0] == 0 WIRE_ERRORS_MAP(X), "codes have no gap");
#undef X

static const struct row *row_of(int32_t error)
{
    return error >= -1 && error < (int32_t)(sizeof rows / sizeof rows[0]) - 1 ? &rows[error + 1]
                                                                              : NULL;
}

const char *wire_error_name(int32_t error)
{
    const struct row *row = row_of(error);
    return row != NULL ? row->name : "ERROR";
}

const char *wire_error_text(int32_t error)
{
    const struct row *row = row_of(error);
    return (row != NULL ? row : &rows[0])->text;
}

bool wire_error_is_retriable(int32_t error)
{
    const struct row *row = row_of(error);
    return row != NULL && row->retriable;
}
