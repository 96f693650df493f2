/*
 * The rows of defect.h, to be asked one by one.
 *
 * Source: the JIRAs named there, and the commits of apache/kafka that close them.
 */
#include "statemachine/defect.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct row {
    const char *jira, *versions, *ids, *check, *text;
    enum sm_defect_layer layer;
};

static const struct row rows[SM_DEFECT_END] = {
#define X(id, name, releases, where, catalogue, breaks, sentence)                                  \
    [SM_DEFECT_##id] = {.jira = name,                                                              \
                        .versions = releases,                                                      \
                        .ids = catalogue,                                                          \
                        .check = breaks,                                                           \
                        .text = sentence,                                                          \
                        .layer = SM_LAYER_##where},
    SM_DEFECT_MAP(X)
#undef X
};

static const struct row *row_of(enum sm_defect defect)
{
    assert(defect < SM_DEFECT_END);
    return &rows[defect];
}

enum sm_defect sm_defect_named(const char *jira)
{
    for (int defect = 0; defect < SM_DEFECT_END; defect++)
        if (strcmp(rows[defect].jira, jira) == 0)
            return (enum sm_defect)defect;
    return SM_DEFECT_END;
}

const char *sm_defect_jira(enum sm_defect defect)
{
    return row_of(defect)->jira;
}

const char *sm_defect_versions(enum sm_defect defect)
{
    return row_of(defect)->versions;
}

const char *sm_defect_text(enum sm_defect defect)
{
    return row_of(defect)->text;
}

const char *sm_defect_layer(enum sm_defect defect)
{
    switch (row_of(defect)->layer) {
    case SM_LAYER_CONTROLLER:
        return "controller";
    case SM_LAYER_SESSION:
        return "session";
    case SM_LAYER_BROKER:
        return "broker";
    }
    return "";
}

const char *sm_defect_ids(enum sm_defect defect)
{
    return row_of(defect)->ids;
}

const char *sm_defect_check(enum sm_defect defect)
{
    return row_of(defect)->check;
}
