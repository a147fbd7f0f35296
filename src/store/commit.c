/* SPDX-License-Identifier: Apache-2.0 */
/* store/commit.c: a transaction's way: compared, numbered, queued, made durable by the backend,
 * published, answered. */
#include "base/cleanup.h"
#include "store/store_internal.h"

struct txn_op {
	enum store_op_kind kind;
	uint32_t op; /* its place among the operations that change something */
	struct store_key *key;
	struct store_value *value; /* one reference, until published */
};

struct txn {
	struct list link;
	store_done_fn done;
	void *ctx;
	int code;
	size_t failed_op;
	struct revision revision;
	const struct store_value *current; /* of a conflict, one reference */
	const char *message;		   /* of ERR_INVALID and ERR_LIMIT: constant */
	size_t bytes;
	size_t nops; /* that change something */
	struct txn_op ops[];
};

static void start_later(struct store *store);

/* --- compare, number, queue --- */

/* 0, or why this is no transaction. */
static int check_ops(const struct store_op *ops, size_t nops, const char **ret_message)
{
	size_t bytes = 0;

	*ret_message = "a transaction has 1 to 16 operations";
	if (nops < 1 || nops > STORE_TXN_MAX) {
		return ERR_LIMIT;
	}
	for (size_t i = 0; i < nops; i++) {
		*ret_message = "a key has 1 to 2048 bytes";
		if (ops[i].key.n < 1 || ops[i].key.n > STORE_KEY_MAX) {
			return ERR_LIMIT;
		}
		bytes += ops[i].key.n;
		for (size_t j = 0; j < i; j++) {
			*ret_message = "a key occurs twice in one transaction";
			if (str_eq(ops[i].key, ops[j].key)) {
				return ERR_INVALID;
			}
		}
		if (ops[i].kind != STORE_PUT) {
			continue;
		}
		ASSERT(ops[i].value && ops[i].value->mod_revision.n == 0);
		*ret_message = "a value is larger than 8 MiB";
		if (ops[i].value->n > STORE_VALUE_MAX) {
			return ERR_LIMIT;
		}
		bytes += ops[i].value->n;
	}
	*ret_message = bytes > STORE_TXN_BYTES_MAX ? "a transaction is larger than 12 MiB" : NULL;
	return *ret_message ? ERR_LIMIT : 0;
}

/* 0 or ERR_CONFLICT. */
static int compare(struct store *store, const struct store_op *ops, size_t nops, struct txn *txn)
{
	for (size_t i = 0; i < nops; i++) {
		const struct store_value *met =
			store_key_pending(store_keys_find(&store->keys, ops[i].key));

		if (ops[i].expect.n != STORE_ANY.n &&
		    ops[i].expect.n != (met ? met->mod_revision.n : 0)) {
			txn->failed_op = i;
			txn->current = met ? store_value_ref(met) : NULL;
			return ERR_CONFLICT;
		}
	}
	return 0;
}

static void queue_put(struct txn *txn, struct store_key *key, struct store_value *value)
{
	const struct store_value *prev = store_key_pending(key);

	store_value_fill(value, txn->revision);
	value->op = (uint8_t)txn->nops;
	value->create_revision = prev ? prev->create_revision : txn->revision;
	value->version = prev ? prev->version + 1 : 1;
	key->pending = value;
	key->queued++;
	txn->bytes += value->n + key->n;
	txn->ops[txn->nops] = (struct txn_op){STORE_PUT, (uint32_t)txn->nops, key, value};
	txn->nops++;
}

static void queue_delete(struct txn *txn, struct store_key *key)
{
	key->pending = NULL;
	key->queued++;
	txn->bytes += key->n;
	txn->ops[txn->nops] = (struct txn_op){STORE_DELETE, (uint32_t)txn->nops, key, NULL};
	txn->nops++;
}

static bool changes_something(struct store *store, const struct store_op *op)
{
	return op->kind == STORE_PUT || (op->kind == STORE_DELETE &&
					 store_key_pending(store_keys_find(&store->keys, op->key)));
}

static void queue_ops(struct store *store, const struct store_op *ops, size_t nops, struct txn *txn)
{
	bool any = false;

	for (size_t i = 0; i < nops; i++) {
		any |= changes_something(store, &ops[i]);
	}
	if (any) {
		store->last_revision.n++;
	}
	txn->revision = store->last_revision;
	for (size_t i = 0; i < nops; i++) {
		if (ops[i].kind == STORE_PUT) {
			queue_put(txn, store_keys_find_or_add(&store->keys, ops[i].key),
				  store_value_ref(ops[i].value));
		} else if (changes_something(store, &ops[i])) {
			queue_delete(txn, store_keys_find(&store->keys, ops[i].key));
		}
	}
}

void store_commit(struct store *store, const struct store_op *ops, size_t nops, store_done_fn done,
		  void *ctx)
{
	struct txn *txn =
		mem_new(sizeof(*txn) + MIN(nops, (size_t)STORE_TXN_MAX) * sizeof(txn->ops[0]));

	ASSERT(!store->reading && done);
	txn->done = done;
	txn->ctx = ctx;
	txn->code = store->closing ? ERR_CLOSED : check_ops(ops, nops, &txn->message);
	if (txn->code == 0) {
		txn->code = compare(store, ops, nops, txn);
	}
	if (txn->code == 0) {
		queue_ops(store, ops, nops, txn);
	}
	for (size_t i = 0; i < nops; i++) {
		if (ops[i].kind == STORE_PUT) {
			store_value_unref(ops[i].value);
		}
	}
	if (store->in_flight && list_is_empty(&store->queue) && txn->nops == 0) {
		/* All that it saw is in the batch under way, if not older: no need to wait for
		 * another one. */
		list_add_tail(&store->batch.txns, &txn->link);
		return;
	}
	list_add_tail(&store->queue, &txn->link);
	start_later(store);
}

/* --- batches --- */

static void handle_done(struct env_task *task);

static void add_rows(struct store_batch *batch, const struct txn *txn)
{
	for (size_t i = 0; i < txn->nops; i++) {
		const struct txn_op *op = &txn->ops[i];

		*vec_push(&batch->rows) = (struct store_batch_row){
			store_row_id(txn->revision, op->op), op->key, op->value};
	}
}

static void start_batch(struct store *store)
{
	struct store_batch *batch = &store->batch;
	struct txn *txn;
	size_t bytes = 0;

	if (store->in_flight || list_is_empty(&store->queue)) {
		return;
	}
	vec_clear(&batch->rows);
	while ((txn = LIST_FIRST(&store->queue, struct txn, link))) {
		if (batch->rows.n && (batch->rows.n + txn->nops > STORE_BATCH_ROWS_MAX ||
				      bytes + txn->bytes > STORE_BATCH_BYTES_MAX)) {
			break;
		}
		list_remove(&txn->link);
		list_add_tail(&batch->txns, &txn->link);
		add_rows(batch, txn);
		bytes += txn->bytes;
	}
	batch->code = 0;
	batch->wall_ns = env_wall_ns(store->env);
	store->in_flight = true;
	if (batch->rows.n) {
		store->batches++;
		store->backend->commit(store, batch);
	} else {
		env_post(store->env, &batch->done);
	}
}

static void handle_start(struct env_task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, start);

	store->start_posted = false;
	start_batch(store);
}

/* At the end of this turn, so that everything that comes in one turn shares a sync. */
static void start_later(struct store *store)
{
	if (!store->in_flight && !store->start_posted) {
		store->start_posted = true;
		env_post(store->env, &store->start);
	}
}

static void publish_op(struct store *store, const struct txn *txn, struct txn_op *op,
		       int64_t mono_ns)
{
	struct store_key *key = op->key;
	struct store_value *value = STEAL(op->value);
	const struct store_value *prev =
		store_key_set_durable(&store->keys, key, value ? store_value_ref(value) : NULL);

	key->queued--;
	store->live_bytes += store_value_size(value);
	store->live_bytes -= store_value_size(prev);
	store_history_add(&store->history, (struct store_change){.revision = txn->revision,
								 .key = key,
								 .value = value,
								 .prev = prev,
								 .mono_ns = mono_ns,
								 .op = op->op});
}

static void publish(struct store *store, struct txn *txn)
{
	int64_t mono_ns = env_mono_ns(store->env);

	for (size_t i = 0; i < txn->nops; i++) {
		publish_op(store, txn, &txn->ops[i], mono_ns);
	}
	if (txn->nops) {
		store->revision = txn->revision;
		store->commits++;
	}
}

/* It never happened. */
static void undo(struct store *store, struct txn *txn, int code)
{
	if (txn->code == 0 || txn->code == ERR_CONFLICT) {
		txn->code = code;
	}
	for (size_t i = 0; i < txn->nops; i++) {
		struct store_key *key = txn->ops[i].key;

		key->queued--; /* all that is queued is undone: at 0 the key falls back to durable */
		store_value_unref(STEAL(txn->ops[i].value));
		store_keys_drop(&store->keys, key);
	}
	store_value_unref(txn->current);
	txn->current = NULL;
}

static void answer(struct txn *txn, const char *message)
{
	struct store_result result = {
		.code = txn->code,
		.revision = txn->code == 0 ? txn->revision : (struct revision){0},
		.failed_op = txn->failed_op,
		.current = txn->current,
		.message = txn->code == 0 ? NULL
			   : txn->message ? txn->message
			   : message	  ? message
					  : err_text(txn->code),
	};

	txn->done(txn->ctx, &result);
	store_value_unref(txn->current);
	mem_free(txn);
}

static void move_all(struct list *to, struct list *from)
{
	while (!list_is_empty(from)) {
		struct list *l = from->next;

		list_remove(l);
		list_add_tail(to, l);
	}
}

static void handle_done(struct env_task *task)
{
	struct store_batch *batch = CONTAINER_OF(task, struct store_batch, done);
	struct store *store = batch->store;
	size_t from = store->history.n;
	struct list answers;
	struct err err CLEANUP_ERR = batch->err;

	batch->err = (struct err){0};
	list_init(&answers);
	move_all(&answers, &batch->txns);
	if (batch->code < 0) {
		/* What is still queued was compared against what just failed. */
		move_all(&answers, &store->queue);
	}
	LIST_FOR_EACH(l, &answers)
	{
		struct txn *txn = CONTAINER_OF(l, struct txn, link);

		if (batch->code == 0) {
			publish(store, txn);
		} else {
			undo(store, txn, batch->code);
		}
	}
	store->in_flight = false;
	start_batch(store); /* the disk works while the callbacks run */
	while (!list_is_empty(&answers)) {
		struct txn *txn = CONTAINER_OF(answers.next, struct txn, link);

		list_remove(&txn->link);
		answer(txn, err.msg);
	}
	store_watchers_dispatch(store, from);
	store_trim_if_needed(store);
	store_close_if_drained(store);
}

void store_commit_init(struct store *store)
{
	list_init(&store->queue);
	list_init(&store->batch.txns);
	store->batch.store = store;
	store->batch.done.fn = handle_done;
	store->start.fn = handle_start;
}
