/*
 * Texts in rooms of a fixed size: what does not fit is cut, never an error. For lines that a person
 * reads.
 */
#ifndef SIM_TEXT_H
#define SIM_TEXT_H

#include <stddef.h>

/* Write a text into `out`, or behind the text that is there; `capacity` bytes, the NUL included. */
void sim_text_put(char *out, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_text_append(char *out, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
