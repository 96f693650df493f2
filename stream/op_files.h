/*
 * The sink of st_write_files: a two-phase sink whose transaction is a file.
 */
#ifndef STREAM_OP_FILES_H
#define STREAM_OP_FILES_H

#include "stream/op_two_phase.h"

extern const st_two_phase files_two_phase;
extern const struct long_transactions files_long_transactions;
extern const size_t files_self_size; /* of ctx->self */

#endif
