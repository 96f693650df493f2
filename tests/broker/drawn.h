/*
 * Requests by chance: every field of a message by the tables, from a few texts and numbers that
 * often fit and seldom do.
 */
#ifndef TESTS_BROKER_DRAWN_H
#define TESTS_BROKER_DRAWN_H

#include "broker/broker.h"
#include "wire/codec.h"
#include "wire/flat.h"
#include "wire/schema.h"

void draw_from(uint64_t seed);
uint32_t draw(uint32_t bound); /* below bound */
/* Fills a message whose head has its defaults. */
void draw_message(struct wire_flat *w, const struct wire_layout *layout, void *head,
                  int16_t version);
/* An API that is served to clients. */
const struct wire_api_info *draw_api(void);

#endif
