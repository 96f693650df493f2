/*
 * What the C tools make of a trace, as JSON lines: the page's script must make the same of it.
 *
 *     oracle sentences TRACE          a string a record: sim_narrate
 *     oracle chains TRACE STEP        [n, chain, chain with all] of every STEP-th record:
 * sim_why_print oracle facts TRACE N            [key, value] of every fact at record N:
 * sim_facts_next oracle targets TRACE N          [target, value, setter] of all that `kcsim why`
 * can be asked at record N
 */
#define _GNU_SOURCE /* open_memstream */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/facts.h"
#include "sim/narrate.h"
#include "sim/trace.h"
#include "sim/why.h"

static void print_text(const char *text)
{
    const struct sim_value value = {
        .type = SIM_V_TEXT, .text = text, .size = (uint32_t)strlen(text)};
    sim_value_print(stdout, &value);
}

static void print_sentences(const struct sim_trace *trace)
{
    enum { LONGEST = 1 << 20 };
    char *sentence = malloc(LONGEST);
    struct sim_record r;
    if (sentence == NULL)
        abort();
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        sim_narrate(&r, sentence, LONGEST);
        print_text(sentence);
        putchar('\n');
    }
    free(sentence);
}

static void print_chain(const struct sim_trace *trace, uint64_t n, bool all)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    sim_why_print(out, trace, n, &(struct sim_why_options){.all = all});
    fclose(out);
    print_text(text);
    free(text);
}

static void print_chains(const struct sim_trace *trace, uint64_t step)
{
    for (uint64_t n = step; n <= sim_trace_count(trace); n += step) {
        printf("[%" PRIu64 ",", n);
        print_chain(trace, n, false);
        putchar(',');
        print_chain(trace, n, true);
        puts("]");
    }
}

static void print_facts(const struct sim_facts *facts, uint64_t n)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    while (sim_facts_next(facts, "", n, &walk, &fact)) {
        putchar('[');
        print_text(fact.key);
        putchar(',');
        sim_value_print(stdout, &fact.value);
        printf(",%" PRIu64 "]\n", fact.n);
    }
}

static void print_target(const struct sim_facts *facts, const char *text, uint64_t n)
{
    struct sim_effect target;
    char value[1024], error[512];
    uint64_t setter;
    if (!sim_why_target(facts, text, n, &target, error, sizeof(error)) ||
        !sim_why_value(facts, &target, n, value, sizeof(value), &setter))
        return;
    putchar('[');
    print_text(text);
    putchar(',');
    print_text(value);
    printf(",%" PRIu64 "]\n", setter);
}

/* Of ".../topics/T/partitions/P/state" the three questions about T-P. */
static void print_partition(const struct sim_facts *facts, const char *key, uint64_t n)
{
    static const char *const questions[] = {"leader of", "isr of", "state of"};
    char topic[256], text[400];
    int partition, used = 0;
    if (sscanf(key, "zn:/brokers/topics/%255[^/]/partitions/%d/state%n", topic, &partition,
               &used) != 2 ||
        used == 0)
        return;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        snprintf(text, sizeof(text), "%s %s-%d", questions[i], topic, partition);
        print_target(facts, text, n);
    }
}

static void print_targets(const struct sim_facts *facts, uint64_t n)
{
    print_target(facts, "controller", n);
    for (size_t i = 0; i < sim_facts_count(facts); i++) {
        const char *key = sim_facts_key(facts, i);
        print_partition(facts, key, n);
        if (strlen(key) < 200)
            print_target(facts, key, n);
    }
}

int main(int argc, char **argv)
{
    struct sim_trace_error error;
    bool cut;
    if (argc < 3)
        return 64;
    struct sim_trace *trace = sim_trace_open(argv[2], &cut, &error);
    if (trace == NULL) {
        fprintf(stderr, "%s:%u: %s\n", argv[2], error.line, error.text);
        return 65;
    }
    uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    struct sim_facts *facts = sim_facts_new(trace);
    if (strcmp(argv[1], "sentences") == 0)
        print_sentences(trace);
    else if (strcmp(argv[1], "chains") == 0)
        print_chains(trace, number);
    else if (strcmp(argv[1], "facts") == 0)
        print_facts(facts, number);
    else if (strcmp(argv[1], "targets") == 0)
        print_targets(facts, number);
    sim_facts_free(facts);
    sim_trace_free(trace);
    return 0;
}
