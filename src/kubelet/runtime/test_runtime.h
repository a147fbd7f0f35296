/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/test_runtime.h: what the runtime's tests share: a fixture with an image of busybox and a crun runtime, calls that wait, and a main that
 * runs the cases in a scope of their own (test_scope.h). Real containers: needs root, crun, conmon and busybox-static. Tests only. */
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/test.h"
#include "base/vec.h"
#include "kubelet/images/image_store.h"
#include "kubelet/images/test_image.h"
#include "kubelet/images/unpack.h"
#include "kubelet/runtime/cri_log.h"
#include "kubelet/runtime/crun.h"
#include "kubelet/runtime/test_scope.h"
#include "linux/file.h"
#include "linux/mounts.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "loop/loop.h"

enum { PATIENCE_MS = 20000 };

static const char *const unpack_argv[] = {"/proc/self/exe", "image-unpack", NULL};

struct fixture {
	struct arena arena;
	struct loop *loop;
	struct image_store *images;
	struct runtime *rt;
	char image_id[80];
	struct env_timer patience;
	bool waiting, gave_up;
	/* of the last done */
	bool done;
	struct err err;
	char id[80];
	int exits; /* events */
	/* of the last exec */
	struct exec_result exec;
	struct buf out, errs;
	int terminal;
};

/* Where everything of one run of this program lives; argv of the crash test gives it to another process. */
static char base_dir[64] = "/tmp/cox-rt-XXXXXX";

static UNUSED void give_up(struct env_timer *timer)
{
	struct fixture *f = CONTAINER_OF(timer, struct fixture, patience);

	f->gave_up = true;
	loop_stop(f->loop);
}

static UNUSED void wait_until(struct fixture *f, const bool *condition)
{
	f->gave_up = false;
	f->patience.fn = give_up;
	env_timer_start_in(loop_env(f->loop), &f->patience, PATIENCE_MS * NS_PER_MS);
	f->waiting = true;
	while (!*condition && !f->gave_up) {
		loop_run(f->loop);
	}
	env_timer_stop(loop_env(f->loop), &f->patience);
	assert_false(f->gave_up);
}

static UNUSED void on_done(void *ctx, struct str id, const struct err *err)
{
	struct fixture *f = ctx;

	f->done = true;
	err_clear(&f->err);
	if (err) {
		err_set(&f->err, err->code, "%s", err_msg(err));
	}
	snprintf(f->id, sizeof(f->id), "%.*s", STR_ARG(id));
	loop_stop(f->loop);
}

static UNUSED void on_exit_event(void *ctx, const struct container_status *status UNUSED)
{
	struct fixture *f = ctx;

	f->exits++;
	loop_stop(f->loop);
}

static UNUSED int wait_done(struct fixture *f)
{
	wait_until(f, &f->done);
	f->done = false;
	return f->err.code;
}

#define OK(f, call)                                                                                \
	do {                                                                                       \
		call;                                                                              \
		if (wait_done(f) < 0) {                                                            \
			fail_msg("%s", err_msg(&(f)->err));                                        \
		}                                                                                  \
	} while (0)

static UNUSED void load_busybox(struct fixture *f)
{
	static const char *const names[] = {
		"sh",	    "sleep", "cat",   "echo", "id",  "tail",  "stty",	"ls",	"touch",
		"hostname", "ip",    "kill",  "env",  "pwd", "mkdir", "grep",	"head", "true",
		"sysctl",   "df",    "mount", "seq",  "wc",  "ps",    "unshare"};
	struct test_entry entries[64] = {
		{.path = "bin/", .type = 'd'},
		{.path = "tmp/", .type = 'd', .mode = 01777},
		{.path = "etc/", .type = 'd'},
		{.path = "etc/passwd",
		 .type = 'f',
		 .data = "root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n"},
		{.path = "etc/group",
		 .type = 'f',
		 .data = "root:x:0:\nextra:x:77:app,other\nstaff:x:50:\n"},
	};
	struct buf busybox CLEANUP_BUF = {0};
	size_t n = 5;
	struct test_layer layer = {entries, 0, 'g'};
	struct test_image image = {
		.layers = &layer,
		.n = 1,
		.name = "busybox:test",
		.config = "\"Cmd\":[\"sh\"],\"Env\":[\"FROM_IMAGE=1\",\"BOTH=image\"]"};
	struct image_loaded loaded;
	struct err err CLEANUP_ERR = {0};
	int fd CLEANUP_FD = -1;

	assert_int_equal(file_read(AT_FDCWD, "/bin/busybox", 16 << 20, &busybox, NULL), 0);
	entries[n++] = (struct test_entry){.path = "bin/busybox",
					   .type = 'f',
					   .data = busybox.p,
					   .n = busybox.n,
					   .mode = 0755};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		entries[n++] =
			(struct test_entry){.path = arena_printf(&f->arena, "bin/%s", names[i]).p,
					    .type = 'l',
					    .data = "busybox"};
	}
	layer.n = n;
	fd = test_fd(test_archive(&f->arena, &image));
	if (image_store_load(f->images, fd, &(struct image_load_opts){0}, &loaded, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	image_loaded_fini(&loaded);
}

/* Of a test that failed in the middle: the next one can still open the store. */
static struct fixture *unfinished;

static UNUSED struct fixture *fixture_new(void)
{
	struct fixture *f = NEW(struct fixture);
	struct runtime_config config = {0};
	struct image_store_config store = {arena_printf(&f->arena, "%s/images", base_dir).p,
					   unpack_argv};
	struct err err CLEANUP_ERR = {0};
	struct image *image;

	if (unfinished) {
		image_store_close(unfinished->images);
	}
	unfinished = f;
	f->terminal = -1;
	f->loop = loop_new();
	if (image_store_open(&store, &f->images, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	image = image_store_find(f->images, STR("busybox:test"), NULL);
	if (!image) {
		load_busybox(f);
		image = image_store_find(f->images, STR("busybox:test"), NULL);
	}
	snprintf(f->image_id, sizeof(f->image_id), "%.*s", STR_ARG(image->record.id));
	image_unref(image);
	config.loop = f->loop;
	config.images = f->images;
	config.state_dir = arena_printf(&f->arena, "%s/state", base_dir).p;
	config.run_dir = arena_printf(&f->arena, "%s/run", base_dir).p;
	if (crun_new(&config, &f->rt, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	f->rt->exited = on_exit_event;
	f->rt->exited_ctx = f;
	OK(f, runtime_start(f->rt, on_done, f));
	return f;
}

/* Leaves containers alone. */
static UNUSED void fixture_close(struct fixture *f)
{
	unfinished = NULL;
	runtime_free(f->rt);
	image_store_close(f->images);
	loop_free(f->loop);
	err_clear(&f->err);
	buf_fini(&f->out);
	buf_fini(&f->errs);
	arena_fini(&f->arena);
	mem_free(f);
}

static UNUSED void expect_empty(struct fixture *f, const char *sub)
{
	struct dir_names names CLEANUP_DIR_NAMES = {0};

	assert_int_equal(dir_list(arena_printf(&f->arena, "%s/%s", base_dir, sub).p, &names, NULL),
			 0);
	for (size_t i = 0; i < names.n; i++) {
		print_error("left: %s/%s\n", sub, names.p[i]);
	}
	assert_int_equal(names.n, 0);
}

/* Removes every pod and shows that nothing is left of them. */
static UNUSED void fixture_fini(struct fixture *f)
{
	struct dir_names mounts CLEANUP_DIR_NAMES = {0};
	const struct sandbox_status *s;
	size_t i = 0;

	while ((s = sandbox_next(f->rt, &i))) {
		struct str id = arena_str(&f->arena, s->id);

		OK(f, sandbox_remove(f->rt, id, on_done, f));
		i = 0;
	}
	expect_empty(f, "state/containers");
	expect_empty(f, "state/sandboxes");
	expect_empty(f, "run/crun");
	expect_empty(f, "run/sandboxes");
	expect_empty(f, "run/exits");
	expect_empty(f, "run/attach");
	expect_empty(f, "run/exec");
	assert_int_equal(mount_list(base_dir, &mounts, NULL), 0);
	assert_int_equal(mounts.n, 0);
	fixture_close(f);
}

static UNUSED struct sandbox_spec pod_spec(const char *uid)
{
	return (struct sandbox_spec){
		.pod_uid = str_of(uid),
		.pod_namespace = STR("default"),
		.pod_name = str_of(uid),
		.hostname = STR("podhost"),
		.qos = QOS_BURSTABLE,
		.limits = {.cpu_shares = 512},
	};
}

static UNUSED struct str pod(struct fixture *f, const char *uid)
{
	struct sandbox_spec spec = pod_spec(uid);

	OK(f, sandbox_create(f->rt, &spec, on_done, f));
	return arena_str(&f->arena, str_of(f->id));
}

/* A container that runs a shell script. */
static UNUSED struct container_spec script(struct fixture *f, struct str sandbox, const char *name,
					   const char *text)
{
	struct str *argv = ARENA_ARRAY(&f->arena, 3, struct str);

	argv[0] = STR("sh");
	argv[1] = STR("-c");
	argv[2] = str_of(text);
	return (struct container_spec){
		.sandbox_id = sandbox,
		.name = str_of(name),
		.image_id = str_of(f->image_id),
		.image_name = STR("busybox:test"),
		.command = {argv, 3},
		.log_path = arena_printf(&f->arena, "%s/logs/%s.log", base_dir, name),
		.run_as_user = RUNTIME_ID_UNSET,
		.run_as_group = RUNTIME_ID_UNSET,
	};
}

static UNUSED struct str started(struct fixture *f, const struct container_spec *spec)
{
	struct str id;

	unlink(arena_cstr(&f->arena, spec->log_path));
	OK(f, container_create(f->rt, spec, on_done, f));
	id = arena_str(&f->arena, str_of(f->id));
	OK(f, container_start(f->rt, id, on_done, f));
	return id;
}

static UNUSED const struct container_status *ended(struct fixture *f, struct str id)
{
	for (;;) {
		const struct container_status *st = container_find(f->rt, id);
		int before = f->exits;
		bool ready = false;

		assert_non_null(st);
		if (st->state == CONTAINER_EXITED) {
			return st;
		}
		f->patience.fn = give_up;
		f->gave_up = false;
		env_timer_start_in(loop_env(f->loop), &f->patience, PATIENCE_MS * NS_PER_MS);
		while (!ready && !f->gave_up) {
			loop_run(f->loop);
			ready = f->exits != before;
		}
		env_timer_stop(loop_env(f->loop), &f->patience);
		assert_false(f->gave_up);
	}
}

/* The text of a log without times and tags. */
static UNUSED struct str log_text(struct fixture *f, const struct container_spec *spec)
{
	struct buf raw CLEANUP_BUF = {0};
	struct buf out CLEANUP_BUF = {0};
	struct str rest;
	struct str line;

	assert_int_equal(
		file_read(AT_FDCWD, arena_cstr(&f->arena, spec->log_path), 1 << 20, &raw, NULL), 0);
	rest = buf_str(&raw);
	while (str_cut(&rest, '\n', &line)) {
		struct str time;
		struct str stream;
		struct str tag;

		if (str_cut(&line, ' ', &time) && str_cut(&line, ' ', &stream) &&
		    str_cut(&line, ' ', &tag)) {
			buf_add_str(&out, line);
			if (str_is(tag, "F")) {
				buf_add_char(&out, '\n');
			}
		}
	}
	return arena_str(&f->arena, buf_str(&out));
}

static UNUSED struct str run_script(struct fixture *f, const struct container_spec *spec,
				    int want_code)
{
	struct str id = started(f, spec);

	assert_int_equal(ended(f, id)->exit_code, want_code);
	return log_text(f, spec);
}

static UNUSED void expect_contains(struct str text, const char *want)
{
	if (!str_contains(text, str_of(want))) {
		fail_msg("\"%.*s\" does not contain \"%s\"", STR_ARG(text), want);
	}
}

/* Waits until a container has logged a line that contains this. */
static UNUSED void wait_log(struct fixture *f, const struct container_spec *spec, const char *want)
{
	struct cri_log_opts opts = {.tail_lines = -1, .limit_bytes = -1, .follow = true};
	struct buf text CLEANUP_BUF = {0};
	struct cri_log *log;

	assert_int_equal(cri_log_open(arena_cstr(&f->arena, spec->log_path), &opts, &log, NULL), 0);
	for (;;) {
		struct pollfd p = {cri_log_fd(log), POLLIN, 0};

		while (cri_log_read(log, &text, 65536, NULL) > 0) {
		}
		if (str_contains(buf_str(&text), str_of(want))) {
			break;
		}
		if (poll(&p, 1, PATIENCE_MS) != 1) {
			fail_msg("the log never said \"%s\"", want);
		}
	}
	cri_log_free(log);
}

/* ---- exec ---- */

static UNUSED void on_exec(void *ctx, const struct exec_result *result, const struct err *err)
{
	struct fixture *f = ctx;

	f->exec = (struct exec_result){0};
	buf_clear(&f->out);
	buf_clear(&f->errs);
	if (result) {
		f->exec = *result;
		buf_add_str(&f->out, result->out);
		buf_add_str(&f->errs, result->err);
	}
	on_done(f, STR(""), err);
}

static UNUSED void on_terminal(void *ctx, int fd)
{
	((struct fixture *)ctx)->terminal = fd;
	loop_stop(((struct fixture *)ctx)->loop);
}

static UNUSED struct exec_spec exec_of(struct fixture *f, struct str id, const char *text)
{
	struct container_spec s = script(f, id, "x", text);

	return (struct exec_spec){.container_id = id,
				  .command = s.command,
				  .stdin_fd = -1,
				  .stdout_fd = -1,
				  .stderr_fd = -1,
				  .output_limit_bytes = 4096};
}

static UNUSED int exec_code(struct fixture *f, struct str id, const char *text)
{
	struct exec_spec spec = exec_of(f, id, text);

	exec_sync(f->rt, &spec, on_exec, f);
	if (wait_done(f) < 0) {
		fail_msg("%s", err_msg(&f->err));
	}
	return f->exec.exit_code;
}

static UNUSED struct str find_by_name(struct fixture *f, const char *name)
{
	const struct container_status *st;

	for (size_t i = 0; (st = container_next(f->rt, &i));) {
		if (str_eq(st->name, str_of(name))) {
			return st->id;
		}
	}
	fail_msg("no container %s", name);
	return STR_NULL;
}

static UNUSED int pid_in_file(const char *path)
{
	struct buf text CLEANUP_BUF = {0};
	int64_t pid = 0;

	assert_int_equal(file_read(AT_FDCWD, path, 64, &text, NULL), 0);
	assert_int_equal(str_to_int64(str_trim(buf_str(&text)), &pid), 0);
	return (int)pid;
}

/* A test file names its TEST_MAIN cases_main, and its main sets test_other_ (or leaves it NULL) and calls test_runtime_main_. What test_other_ knows to
 * do by its first argument is done instead of the cases: "agent" outside of a scope, all else inside. It returns -1 for what it does not know. */
int cases_main(int argc, char **argv);

static int (*test_other_)(int argc, char **argv);

static int test_inside_(int argc, char **argv)
{
	int r;

	if (!mkdtemp(base_dir)) {
		perror(base_dir);
		return 1;
	}
	r = argc > 1 && test_other_ ? test_other_(argc, argv) : -1;
	r = r < 0 ? cases_main(argc, argv) : r;
	if (mount_remove_below(base_dir, NULL) < 0 || file_tree_remove(base_dir, NULL) < 0) {
		fprintf(stderr, "cannot remove %s\n", base_dir);
		return r ? r : 1;
	}
	return r;
}

static int test_runtime_main_(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "image-unpack") == 0) {
		image_unpack_main(argc - 1, argv + 1);
	}
	if (argc > 2 && strcmp(argv[1], "agent") == 0) {
		return test_other_(argc, argv);
	}
	return test_scope_run(test_inside_, argc, argv);
}
