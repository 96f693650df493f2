/*
 * Transactions: to be written.
 */
#include "client/state.h"

int32_t kl_transaction_refuses(const struct kl_client *c)
{
    return c->is_transactional ? KL_ERR_STATE : 0;
}

void kl_transaction_touch(struct kl_turn *t, uint32_t partition)
{
    (void)t, (void)partition;
}

bool kl_transaction_may_send(struct kl_turn *t, uint32_t partition)
{
    (void)partition;
    return !t->c->is_transactional;
}

void kl_transaction_on_pid(struct kl_turn *t)
{
    (void)t;
}

void kl_transaction_fatal(struct kl_turn *t, int32_t error, const char *text)
{
    kl_error(t, error, true, 0, text);
}

void kl_transaction_abortable(struct kl_turn *t, int32_t error, bool bump)
{
    (void)t, (void)error, (void)bump;
}

void kl_on_transaction(struct kl_turn *t)
{
    kl_done_now(t, KL_ERR_STATE);
}

void kl_serve_transaction(struct kl_turn *t)
{
    (void)t;
}

void kl_on_add_partitions(struct kl_turn *t, struct kl_request *q, int32_t error,
                          const struct wire_add_partitions_to_txn_response *r)
{
    (void)t, (void)q, (void)error, (void)r;
}

void kl_on_add_offsets(struct kl_turn *t, struct kl_request *q, int32_t error,
                       const struct wire_add_offsets_to_txn_response *r)
{
    (void)t, (void)q, (void)error, (void)r;
}

void kl_on_txn_offset_commit(struct kl_turn *t, struct kl_request *q, int32_t error,
                             const struct wire_txn_offset_commit_response *r)
{
    (void)t, (void)q, (void)error, (void)r;
}

void kl_on_end_txn(struct kl_turn *t, struct kl_request *q, int32_t error,
                   const struct wire_end_txn_response *r)
{
    (void)t, (void)q, (void)error, (void)r;
}
