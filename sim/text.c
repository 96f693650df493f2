/*
 * vsnprintf, which is told where the text ends.
 */
#include "sim/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sim_text_put(char *out, size_t capacity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, capacity, format, args);
    va_end(args);
}

void sim_text_append(char *out, size_t capacity, const char *format, ...)
{
    const size_t size = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + size, capacity - size, format, args);
    va_end(args);
}
