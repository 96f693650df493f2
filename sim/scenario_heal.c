/*
 * Reading `heal: {at: 60s, core: all | random | [1, 2]}`.
 */
#include <string.h>

#include "sim/scenario_read.h"

enum { HEAL_HORIZON_US = 1800000000 }; /* more than any bound of sim/check_heal.c by default */

static void read_core(struct sim_reader *r, const struct sim_yaml *node, struct sim_heal *heal)
{
    struct sm_list ids;
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "all") == 0) {
        heal->core = SIM_CORE_ALL;
    } else if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "random") == 0) {
        heal->core = SIM_CORE_RANDOM;
    } else if (node->kind == SIM_YAML_LIST && sim_read_ids(r, node, "core", &ids)) {
        heal->core = SIM_CORE_IDS;
        heal->id_count = (uint32_t)ids.count;
        heal->ids = sim_memory_take(r->memory, (size_t)ids.count * sizeof(*heal->ids) + 1);
        memcpy(heal->ids, ids.id, (size_t)ids.count * sizeof(*heal->ids));
    } else if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "core is all, random or a list of ids");
    }
}

void sim_read_heal(struct sim_reader *r, const struct sim_yaml *node)
{
    struct sim_heal *heal = &r->s->heal;
    const struct sim_yaml *value;
    if (node == NULL || !sim_read_keys(r, node, SIM_SHAPE_HEAL, SIM_SHAPE_END)) {
        return;
    }
    heal->place = node->place;
    value = sim_yaml_get(node, "at");
    if (value == NULL) {
        sim_error(r->d, node->place, "when do the faults stop? heal: {at: 60s}");
    } else {
        heal->is_on = sim_read_time(r, value, "at", &heal->at_us);
        sim_read_note_time(r, heal->at_us + HEAL_HORIZON_US);
    }
    if ((value = sim_yaml_get(node, "core")) != NULL) {
        read_core(r, value, heal);
    }
}
