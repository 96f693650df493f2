/*
 * Explaining a machine needs four questions about it: how many states, what is a state called, what
 * does it mean, may it move there. The tables answer them; this file adds only where a state stands
 * in the picture.
 *
 * The picture: states stand on a grid, chosen so that no two arrows cross; an arrow goes straight
 * from box to box, beside its opposite where both moves are legal; a move to the same state is a
 * loop at the side that the layout names. All in whole pixels: the same bytes on every machine.
 */
#include "statemachine/explain.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"
#include "statemachine/text.h"

/* How a state is coloured: by what it means for a reader of the partition. */
enum tone { TONE_ABSENT, TONE_WAITING, TONE_SERVING, TONE_RESTING, TONE_LEAVING };

static const char *const tone_names[] = {
    [TONE_ABSENT] = "absent",   [TONE_WAITING] = "waiting", [TONE_SERVING] = "serving",
    [TONE_RESTING] = "resting", [TONE_LEAVING] = "leaving",
};

enum side { SIDE_TOP, SIDE_RIGHT, SIDE_LEFT };

/* Where a state stands: grid cell, side of its loop. */
struct spot {
    int column, row;
    enum side loop;
    enum tone tone;
};

/* The life of a replica runs round the left ring; what cannot be deleted waits at the right. */
static const struct spot replica_spots[SM_REPLICA_STATE_END] = {
    [SM_REPLICA_NEW] = {.column = 0, .row = 0, .loop = SIDE_TOP, .tone = TONE_WAITING},
    [SM_REPLICA_ONLINE] = {.column = 1, .row = 0, .loop = SIDE_TOP, .tone = TONE_SERVING},
    [SM_REPLICA_OFFLINE] = {.column = 1, .row = 1, .loop = SIDE_LEFT, .tone = TONE_RESTING},
    [SM_REPLICA_DELETION_STARTED] = {.column = 1, .row = 2, .tone = TONE_LEAVING},
    [SM_REPLICA_DELETION_SUCCESSFUL] = {.column = 0, .row = 2, .tone = TONE_LEAVING},
    [SM_REPLICA_DELETION_INELIGIBLE] = {.column = 2, .row = 1, .tone = TONE_RESTING},
    [SM_REPLICA_NONEXISTENT] = {.column = 0, .row = 1, .tone = TONE_ABSENT},
};

static const struct spot partition_spots[SM_PARTITION_STATE_END] = {
    [SM_PARTITION_NEW] = {.column = 0, .row = 0, .loop = SIDE_TOP, .tone = TONE_WAITING},
    [SM_PARTITION_ONLINE] = {.column = 1, .row = 0, .loop = SIDE_RIGHT, .tone = TONE_SERVING},
    [SM_PARTITION_OFFLINE] = {.column = 1, .row = 1, .loop = SIDE_RIGHT, .tone = TONE_RESTING},
    [SM_PARTITION_NONEXISTENT] = {.column = 0, .row = 1, .tone = TONE_ABSENT},
};

/* ---- one face for both machines ---- */

static const char *replica_name(int state)
{
    return sm_replica_state_name((enum sm_replica_state)state);
}

static const char *replica_text(int state)
{
    return sm_replica_state_text((enum sm_replica_state)state);
}

static bool replica_may_move(const struct sm_profile *profile, int from, int to)
{
    return sm_replica_may_move(profile, (enum sm_replica_state)from, (enum sm_replica_state)to);
}

static const char *partition_name(int state)
{
    return sm_partition_state_name((enum sm_partition_state)state);
}

static const char *partition_text(int state)
{
    return sm_partition_state_text((enum sm_partition_state)state);
}

static bool partition_may_move(const struct sm_profile *profile, int from, int to)
{
    return sm_partition_may_move(profile, (enum sm_partition_state)from,
                                 (enum sm_partition_state)to);
}

/* States are 1..end-1. */
struct machine {
    const char *name, *thing;
    int end, rows, width; /* width: pixels that the list of refused moves wants */
    const struct spot *spots;
    const char *(*state_name)(int state);
    const char *(*state_text)(int state);
    bool (*may_move)(const struct sm_profile *profile, int from, int to);
};

static const struct machine machines[SM_MACHINE_END] = {
    [SM_MACHINE_REPLICA] = {.name = "ReplicaStateMachine",
                            .thing = "replica",
                            .end = SM_REPLICA_STATE_END,
                            .rows = 3,
                            .width = 1080,
                            .spots = replica_spots,
                            .state_name = replica_name,
                            .state_text = replica_text,
                            .may_move = replica_may_move},
    [SM_MACHINE_PARTITION] = {.name = "PartitionStateMachine",
                              .thing = "partition",
                              .end = SM_PARTITION_STATE_END,
                              .rows = 2,
                              .width = 720,
                              .spots = partition_spots,
                              .state_name = partition_name,
                              .state_text = partition_text,
                              .may_move = partition_may_move},
};

static const struct machine *machine_of(enum sm_machine machine)
{
    assert(machine > SM_MACHINE_NONE);
    assert(machine < SM_MACHINE_END);
    return &machines[machine];
}

enum sm_machine sm_machine_named(const char *name)
{
    for (int machine = SM_MACHINE_NONE + 1; machine < SM_MACHINE_END; machine++)
        if (strcmp(machines[machine].name, name) == 0)
            return (enum sm_machine)machine;
    return SM_MACHINE_NONE;
}

const char *sm_machine_name(enum sm_machine machine)
{
    return machine_of(machine)->name;
}

/* ---- putting ---- */

static void put(const struct sm_sink *sink, const char *text)
{
    sink->put(sink->ctx, text, strlen(text));
}

static void put_int(const struct sm_sink *sink, int n)
{
    char digits[24];
    struct sm_text t = sm_text_begin(digits, sizeof digits);
    sm_text_int(&t, n);
    sink->put(sink->ctx, digits, t.size);
}

/* Puts ` name="value"`. */
static void put_attribute(const struct sm_sink *sink, const char *name, int value)
{
    put(sink, " ");
    put(sink, name);
    put(sink, "=\"");
    put_int(sink, value);
    put(sink, "\"");
}

/* ---- Markdown ---- */

static void put_grid_head(const struct machine *m, const struct sm_sink *sink)
{
    put(sink, "| from \\ to |");
    for (int to = 1; to < m->end; to++) {
        put(sink, " ");
        put(sink, m->state_name(to));
        put(sink, " |");
    }
    put(sink, "\n|---|");
    for (int to = 1; to < m->end; to++)
        put(sink, ":---:|");
    put(sink, "\n");
}

static void put_grid_row(const struct machine *m, const struct sm_profile *profile, int from,
                         const struct sm_sink *sink)
{
    put(sink, "| **");
    put(sink, m->state_name(from));
    put(sink, "** |");
    for (int to = 1; to < m->end; to++)
        put(sink, m->may_move(profile, from, to) ? " ✓ |" : " · |");
    put(sink, "\n");
}

static void put_meanings(const struct machine *m, const struct sm_sink *sink)
{
    put(sink, "\n| state | meaning |\n|---|---|\n");
    for (int state = 1; state < m->end; state++) {
        put(sink, "| ");
        put(sink, m->state_name(state));
        put(sink, " | ");
        put(sink, m->state_text(state));
        put(sink, " |\n");
    }
}

/* Returns the bit set of versions that allow the move. */
static uint32_t versions_with(const struct machine *m, int from, int to)
{
    uint32_t versions = 0;
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++) {
        struct sm_profile profile = sm_profile_of((enum sm_version)version);
        if (m->may_move(&profile, from, to))
            versions |= 1u << version;
    }
    return versions;
}

static void put_version_names(uint32_t versions, const struct sm_sink *sink)
{
    const char *separator = " ";
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++) {
        if ((versions >> version & 1u) == 0)
            continue;
        put(sink, separator);
        put(sink, sm_version_name((enum sm_version)version));
        separator = ", ";
    }
}

static void put_differences(const struct machine *m, const struct sm_sink *sink)
{
    const uint32_t all = (1u << SM_VERSION_END) - (1u << (SM_VERSION_NONE + 1));
    for (int from = 1; from < m->end; from++) {
        for (int to = 1; to < m->end; to++) {
            uint32_t versions = versions_with(m, from, to);
            if (versions == 0 || versions == all)
                continue;
            put(sink, "\n");
            put(sink, m->state_name(from));
            put(sink, " → ");
            put(sink, m->state_name(to));
            put(sink, " is legal in these versions only:");
            put_version_names(versions, sink);
            put(sink, ".\n");
        }
    }
}

void sm_explain_markdown(enum sm_machine machine, const struct sm_profile *profile,
                         const struct sm_sink *sink)
{
    const struct machine *m = machine_of(machine);
    put(sink, "### ");
    put(sink, m->name);
    put(sink, ", Kafka ");
    put(sink, sm_version_name((enum sm_version)profile->version));
    put(sink, "\n\n✓ legal, · refused: logged, and the ");
    put(sink, m->thing);
    put(sink, " stays in its state.\n\n");
    put_grid_head(m, sink);
    for (int from = 1; from < m->end; from++)
        put_grid_row(m, profile, from, sink);
    put_meanings(m, sink);
    put_differences(m, sink);
}

/* ---- JSON ---- */

/* Names and texts of states are ours: letters, blanks, commas, semicolons; nothing needs an escape. */
static void put_state_json(const struct machine *m, int state, const struct sm_sink *sink)
{
    const struct spot *spot = &m->spots[state];
    put(sink, state > 1 ? ",{\"name\":\"" : "{\"name\":\"");
    put(sink, m->state_name(state));
    put(sink, "\",\"text\":\"");
    put(sink, m->state_text(state));
    put(sink, "\",\"tone\":\"");
    put(sink, tone_names[spot->tone]);
    put(sink, "\",\"column\":");
    put_int(sink, spot->column);
    put(sink, ",\"row\":");
    put_int(sink, spot->row);
    put(sink, "}");
}

void sm_explain_json(enum sm_machine machine, const struct sm_profile *profile,
                     const struct sm_sink *sink)
{
    const struct machine *m = machine_of(machine);
    put(sink, "{\"name\":\"");
    put(sink, m->name);
    put(sink, "\",\"states\":[");
    for (int state = 1; state < m->end; state++)
        put_state_json(m, state, sink);
    put(sink, "],\"moves\":[");
    const char *comma = "";
    for (int from = 1; from < m->end; from++) {
        for (int to = 1; to < m->end; to++) {
            if (!m->may_move(profile, from, to))
                continue;
            put(sink, comma);
            put(sink, "[");
            put_int(sink, from - 1);
            put(sink, ",");
            put_int(sink, to - 1);
            put(sink, "]");
            comma = ",";
        }
    }
    put(sink, "]}");
}

/* ---- SVG ---- */

enum {
    BOX_WIDTH = 232,
    BOX_HEIGHT = 46,
    COLUMN_PITCH = 340,
    ROW_PITCH = 130,
    MARGIN = 40,
    TITLE_HEIGHT = 84, /* room for the title and a loop on top */
    LIST_LINE = 22,
    LIST_GAP = 40,     /* from the statechart to the list */
    LIST_INDENT = 218, /* where the refused targets begin */
    LANE = 9,          /* an arrow keeps this far from the middle where its opposite exists */
    LOOP_WIDTH = 26,   /* of a move to the same state */
};

struct point {
    int x, y;
};

static struct point centre(const struct spot *spot)
{
    return (struct point){.x = MARGIN + BOX_WIDTH / 2 + spot->column * COLUMN_PITCH,
                          .y = TITLE_HEIGHT + MARGIN + BOX_HEIGHT / 2 + spot->row * ROW_PITCH};
}

static int magnitude(int n)
{
    return n < 0 ? -n : n;
}

/* Returns the largest integer whose square is at most n. */
static int root(int n)
{
    int r = 0;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

/* Returns where the ray from `from` (inside the box around `middle`) in direction d leaves the box,
   grown by `gap`. */
static struct point leave_box(struct point middle, struct point from, struct point d, int gap)
{
    int right = BOX_WIDTH / 2 + gap - (from.x - middle.x) * (d.x < 0 ? -1 : 1);
    int down = BOX_HEIGHT / 2 + gap - (from.y - middle.y) * (d.y < 0 ? -1 : 1);
    int dx = magnitude(d.x), dy = magnitude(d.y);
    if (dx * down > dy * right)
        return (struct point){.x = from.x + (d.x < 0 ? -right : right),
                              .y = from.y + d.y * right / dx};
    return (struct point){.x = from.x + d.x * down / dy, .y = from.y + (d.y < 0 ? -down : down)};
}

static void put_line(struct point from, struct point to, const struct sm_sink *sink)
{
    put(sink, "<path class=\"move\" d=\"M");
    put_int(sink, from.x);
    put(sink, " ");
    put_int(sink, from.y);
    put(sink, " L");
    put_int(sink, to.x);
    put(sink, " ");
    put_int(sink, to.y);
    put(sink, "\" marker-end=\"url(#tip)\">");
}

/* Draws the move as a straight arrow. `beside` keeps a lane, to the right of its direction. */
static void put_arrow(struct point a, struct point b, bool beside, const struct sm_sink *sink)
{
    struct point d = {.x = b.x - a.x, .y = b.y - a.y};
    struct point back = {.x = -d.x, .y = -d.y};
    int length = root(d.x * d.x + d.y * d.y), lane = beside ? LANE : 0;
    struct point shift = {.x = -d.y * lane / length, .y = d.x * lane / length};
    struct point start = {.x = a.x + shift.x, .y = a.y + shift.y};
    struct point end = {.x = b.x + shift.x, .y = b.y + shift.y};
    put_line(leave_box(a, start, d, 1), leave_box(b, end, back, 4), sink);
}

/* Draws a move to the same state. */
static void put_loop(struct point at, enum side side, const struct sm_sink *sink)
{
    struct point out = {0}, along = {0};
    switch (side) {
    case SIDE_TOP:
        out = (struct point){.x = 0, .y = -1};
        along = (struct point){.x = 1, .y = 0};
        break;
    case SIDE_RIGHT:
        out = (struct point){.x = 1, .y = 0};
        along = (struct point){.x = 0, .y = 1};
        break;
    case SIDE_LEFT:
        out = (struct point){.x = -1, .y = 0};
        along = (struct point){.x = 0, .y = -1};
        break;
    }
    int reach = side == SIDE_TOP ? BOX_HEIGHT / 2 : BOX_WIDTH / 2;
    int half = side == SIDE_TOP ? LOOP_WIDTH : LOOP_WIDTH / 2;
    put(sink, "<path class=\"move\" d=\"M");
    put_int(sink, at.x + out.x * (reach + 1) - along.x * half);
    put(sink, " ");
    put_int(sink, at.y + out.y * (reach + 1) - along.y * half);
    put(sink, " c");
    put_int(sink, out.x * 38);
    put(sink, " ");
    put_int(sink, out.y * 38);
    put(sink, " ");
    put_int(sink, out.x * 38 + along.x * half * 2);
    put(sink, " ");
    put_int(sink, out.y * 38 + along.y * half * 2);
    put(sink, " ");
    put_int(sink, out.x * 3 + along.x * half * 2);
    put(sink, " ");
    put_int(sink, out.y * 3 + along.y * half * 2);
    put(sink, "\" marker-end=\"url(#tip)\">");
}

static void put_move(const struct machine *m, const struct sm_profile *profile, int from, int to,
                     const struct sm_sink *sink)
{
    struct point a = centre(&m->spots[from]), b = centre(&m->spots[to]);
    if (from == to)
        put_loop(a, m->spots[from].loop, sink);
    else
        put_arrow(a, b, m->may_move(profile, to, from), sink);
    put(sink, "<title>");
    put(sink, m->state_name(from));
    put(sink, " → ");
    put(sink, m->state_name(to));
    put(sink, "</title></path>\n");
}

static void put_moves(const struct machine *m, const struct sm_profile *profile,
                      const struct sm_sink *sink)
{
    for (int from = 1; from < m->end; from++)
        for (int to = 1; to < m->end; to++)
            if (m->may_move(profile, from, to))
                put_move(m, profile, from, to, sink);
}

static void put_state(const struct machine *m, int state, const struct sm_sink *sink)
{
    struct point at = centre(&m->spots[state]);
    put(sink, "<g class=\"state ");
    put(sink, tone_names[m->spots[state].tone]);
    put(sink, "\"><title>");
    put(sink, m->state_text(state));
    put(sink, "</title><rect rx=\"9\"");
    put_attribute(sink, "x", at.x - BOX_WIDTH / 2);
    put_attribute(sink, "y", at.y - BOX_HEIGHT / 2);
    put_attribute(sink, "width", BOX_WIDTH);
    put_attribute(sink, "height", BOX_HEIGHT);
    put(sink, "/><text");
    put_attribute(sink, "x", at.x);
    put_attribute(sink, "y", at.y + 5);
    put(sink, ">");
    put(sink, m->state_name(state));
    put(sink, "</text></g>\n");
}

static void put_label(const char *class, int x, int y, const struct sm_sink *sink)
{
    put(sink, "<text class=\"");
    put(sink, class);
    put(sink, "\"");
    put_attribute(sink, "x", x);
    put_attribute(sink, "y", y);
    put(sink, ">");
}

static void put_refused_targets(const struct machine *m, const struct sm_profile *profile, int from,
                                const struct sm_sink *sink)
{
    const char *separator = "";
    for (int to = 1; to < m->end; to++) {
        if (m->may_move(profile, from, to))
            continue;
        put(sink, separator);
        put(sink, m->state_name(to));
        separator = ", ";
    }
}

/* Lists, state by state, what the picture cannot show: where it must not go. */
static void put_refused(const struct machine *m, const struct sm_profile *profile, int top,
                        const struct sm_sink *sink)
{
    put_label("heading", MARGIN, top, sink);
    put(sink, "Refused (logged; the ");
    put(sink, m->thing);
    put(sink, " stays where it is)</text>\n");
    for (int from = 1; from < m->end; from++) {
        int y = top + LIST_LINE * from + 4;
        put_label("from", MARGIN, y, sink);
        put(sink, m->state_name(from));
        put(sink, " ↛</text>");
        put_label("refused", MARGIN + LIST_INDENT, y, sink);
        put_refused_targets(m, profile, from, sink);
        put(sink, "</text>\n");
    }
}

static const char style[] =
    "<style>\n"
    "text{font:14px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1d2430}\n"
    ".paper{fill:#fbfbf9}.title{font-size:20px;font-weight:600}.note{fill:#5b6472}\n"
    ".heading{font-weight:600}.from{fill:#5b6472}.refused{font-size:12px}\n"
    ".state text{text-anchor:middle;font-weight:600}\n"
    ".state rect{stroke-width:1.6}\n"
    ".absent rect{fill:#fbfbf9;stroke:#8b93a1;stroke-dasharray:5 4}\n"
    ".waiting rect{fill:#e6effb;stroke:#3d74b8}\n"
    ".serving rect{fill:#e2f3e6;stroke:#2f8a4c}\n"
    ".resting rect{fill:#fbf0d9;stroke:#b07d1b}\n"
    ".leaving rect{fill:#f8e4e1;stroke:#b5493b}\n"
    ".move{fill:none;stroke:#5b6472;stroke-width:1.7}.tip{fill:#5b6472}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e7eaf0}.paper{fill:#14181f}.note,.from{fill:#9aa4b4}\n"
    ".absent rect{fill:#14181f;stroke:#77808f}\n"
    ".waiting rect{fill:#1b2c45;stroke:#6aa0e0}\n"
    ".serving rect{fill:#17341f;stroke:#58b976}\n"
    ".resting rect{fill:#3a2d10;stroke:#d6a542}\n"
    ".leaving rect{fill:#3d1e1a;stroke:#e07a6b}\n"
    ".move{stroke:#9aa4b4}.tip{fill:#9aa4b4}\n"
    "}\n"
    "</style>\n"
    "<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
    "markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.8 L10 5 L0 9.2 z\"/></marker>"
    "</defs>\n";

static int chart_bottom(const struct machine *m)
{
    return TITLE_HEIGHT + MARGIN + BOX_HEIGHT + (m->rows - 1) * ROW_PITCH;
}

static void put_document_head(const struct machine *m, int width, int height,
                              const struct sm_sink *sink)
{
    put(sink, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"");
    put(sink, m->name);
    put(sink, "\"");
    put_attribute(sink, "width", width);
    put_attribute(sink, "height", height);
    put(sink, " viewBox=\"0 0 ");
    put_int(sink, width);
    put(sink, " ");
    put_int(sink, height);
    put(sink, "\">\n");
    put(sink, style);
    put(sink, "<rect class=\"paper\"");
    put_attribute(sink, "width", width);
    put_attribute(sink, "height", height);
    put(sink, "/>\n");
}

static void put_title(const struct machine *m, const struct sm_profile *profile,
                      const struct sm_sink *sink)
{
    put_label("title", MARGIN, MARGIN, sink);
    put(sink, m->name);
    put(sink, "</text>\n");
    put_label("note", MARGIN, MARGIN + 24, sink);
    put(sink, "Kafka ");
    put(sink, sm_version_name((enum sm_version)profile->version));
    put(sink, ": each arrow is a legal move of one ");
    put(sink, m->thing);
    put(sink, "</text>\n");
}

void sm_explain_svg(enum sm_machine machine, const struct sm_profile *profile,
                    const struct sm_sink *sink)
{
    const struct machine *m = machine_of(machine);
    int list_top = chart_bottom(m) + LIST_GAP;
    put_document_head(m, m->width, list_top + LIST_LINE * m->end + MARGIN / 2, sink);
    put_title(m, profile, sink);
    put_moves(m, profile, sink);
    for (int state = 1; state < m->end; state++)
        put_state(m, state, sink);
    put_refused(m, profile, list_top, sink);
    put(sink, "</svg>\n");
}
