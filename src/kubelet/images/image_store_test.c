/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root: it unpacks, mounts in a private mount namespace, and leaves nothing behind. */
#include "kubelet/images/image_store.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/test.h"
#include "kubelet/images/image_store_internal.h"
#include "kubelet/images/reference.h"
#include "kubelet/images/test_image.h"
#include "kubelet/images/unpack.h"

static const char *const unpack_argv[] = {"/proc/self/exe", "image-unpack", NULL};

struct fixture {
	char root[64];
	struct image_store *store;
	struct arena arena;
};

static struct fixture fixture_new(void)
{
	struct fixture f = {.root = "/tmp/cox-images-XXXXXX"};
	struct image_store_config config = {f.root, unpack_argv};
	struct err err CLEANUP_ERR = {0};

	assert_non_null(mkdtemp(f.root));
	if (image_store_open(&config, &f.store, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	return f;
}

static void fixture_reopen(struct fixture *f)
{
	struct image_store_config config = {f->root, unpack_argv};

	image_store_close(f->store);
	assert_int_equal(image_store_open(&config, &f->store, NULL), 0);
}

static void fixture_fini(struct fixture *f)
{
	image_store_close(f->store);
	assert_int_equal(file_tree_remove(f->root, NULL), 0);
	arena_fini(&f->arena);
}

static int load(struct fixture *f, const struct test_image *image, const char *name,
		struct err *err)
{
	int fd CLEANUP_FD = test_fd(test_archive(&f->arena, image));
	struct image_load_opts opts = {.name = str_of(name), .timeout_ms = 60000};
	struct image_loaded loaded;
	int r = image_store_load(f->store, fd, &opts, &loaded, err);

	if (r == 0) {
		image_loaded_fini(&loaded);
	}
	return r;
}

static void load_ok(struct fixture *f, const struct test_image *image)
{
	struct err err CLEANUP_ERR = {0};

	if (load(f, image, NULL, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
}

static size_t count_layers(struct fixture *f)
{
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	size_t n = 0;

	assert_int_equal(dir_list(arena_printf(&f->arena, "%s/layers", f->root).p, &names, NULL),
			 0);
	for (size_t i = 0; i < names.n; i++) {
		n += strlen(names.p[i]) == DIGEST_HEX;
	}
	return n;
}

static const struct test_entry base_files[] = {
	{.path = "./", .type = 'd'},
	{.path = "etc/", .type = 'd'},
	{.path = "etc/passwd", .type = 'f', .data = "app:x:7:8::/:/bin/sh\n"},
	{.path = "usr/lib/", .type = 'd'},
	{.path = "lib", .type = 'l', .data = "/usr/lib"},
	{.path = "lib/inside", .type = 'f', .data = "through the link", .mode = 04755, .uid = 33},
	{.path = "gone", .type = 'f', .data = "x"},
	{.path = "dir/", .type = 'd'},
	{.path = "dir/old", .type = 'f', .data = "old"},
	{.path = "hard", .type = 'h', .data = "etc/passwd"},
	{.path = "dev/null", .type = 'c'},
};
static const struct test_entry top_files[] = {
	{.path = ".wh.gone", .type = 'f'},
	{.path = "dir/", .type = 'd'},
	{.path = "dir/.wh..wh..opq", .type = 'f'},
	{.path = "dir/new", .type = 'f', .data = "new"},
};
static const struct test_layer two_layers[] = {{base_files, ARRAY_LEN(base_files), 'g'},
					       {top_files, ARRAY_LEN(top_files), 'z'}};
static const struct test_image two_layer_image = {
	.layers = two_layers,
	.n = 2,
	.name = "me/app:v1",
	.config = "\"User\":\"app\",\"Env\":[\"A=b\"],\"Entrypoint\":[\"/"
		  "run\"],\"Cmd\":[\"x\"],\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\"",
};

TEST(names_are_normalised_as_docker_does)
{
	static const char *const cases[][2] = {
		{"busybox", "docker.io/library/busybox:latest"},
		{"me/app:v2", "docker.io/me/app:v2"},
		{"localhost/x", "localhost/x:latest"},
		{"localhost:5000/a/b", "localhost:5000/a/b:latest"},
		{"index.docker.io/nginx:1", "docker.io/library/nginx:1"},
		{"ghcr.io/a_b/c__d.e-f--g:T.1", "ghcr.io/a_b/c__d.e-f--g:T.1"},
		{"postgres:15-alpine", "docker.io/library/postgres:15-alpine"},
		{"a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		 "docker.io/library/"
		 "a@sha256:0123456789012345678901234567890123456789012345678901234567890123"},
	};
	static const char *const bad[] = {"",	  "UPPER", "a//b",  "a:",      ":x",  "a@sha256:12",
					  "a:-x", "a/.b",  "a___b", "x/y:z/w", "a b", "-a/b",
					  "a-"};
	struct arena a CLEANUP_ARENA = {0};
	struct reference ref;

	assert_int_equal(reference_parse(&a, STR("host.x\0y/app"), &ref, NULL), ERR_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(reference_parse(&a, str_of(cases[i][0]), &ref, NULL), 0);
		EXPECT_STR(ref.name, cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (reference_parse(&a, str_of(bad[i]), &ref, NULL) != ERR_INVALID) {
			fail_msg("\"%s\" was taken for a name", bad[i]);
		}
	}
}

TEST(loaded_image_is_found_by_every_form_of_its_name_also_after_reopening)
{
	struct fixture f = fixture_new();

	load_ok(&f, &two_layer_image);
	for (int round = 0; round < 2; round++) {
		bool local = false;
		struct image *image = image_store_find(f.store, STR("me/app:v1"), &local);
		struct image *again;

		assert_non_null(image);
		assert_true(local);
		EXPECT_STR(image->record.config.user, "app");
		EXPECT_STR(image->record.config.entrypoint.p[0], "/run");
		EXPECT_STR(image->record.config.stop_signal, "SIGINT");
		assert_int_equal(image->record.size_bytes,
				 strlen("app:x:7:8::/:/bin/sh\nthrough the linkxoldnew"));
		again = image_store_find(f.store, image->record.id, NULL);
		assert_ptr_equal(again, image);
		image_unref(again);
		again = image_store_find(f.store, str_sub(image->record.id, 7, 12), NULL);
		assert_ptr_equal(again, image);
		image_unref(again);
		image_unref(image);
		assert_null(image_store_find(f.store, STR("me/app"), NULL));
		fixture_reopen(&f);
	}
	fixture_fini(&f);
}

static void expect_file(struct fixture *f, const char *path, const char *want)
{
	struct buf text CLEANUP_BUF = {0};
	const char *full = arena_printf(&f->arena, "%s/c/rootfs/%s", f->root, path).p;

	if (!want) {
		assert_false(file_exists(full));
		return;
	}
	assert_int_equal(file_read(AT_FDCWD, full, 1000, &text, NULL), 0);
	EXPECT_STR(buf_str(&text), want);
}

TEST(layers_stack_with_whiteouts_links_owners_and_modes)
{
	struct fixture f = fixture_new();
	const char *dir = arena_printf(&f.arena, "%s/c", f.root).p;
	struct err err CLEANUP_ERR = {0};
	struct image *image;
	struct stat st;
	struct stat st2;

	load_ok(&f, &two_layer_image);
	image = image_store_find(f.store, STR("me/app:v1"), NULL);
	assert_int_equal(mkdir(dir, 0700), 0);
	for (int round = 0; round < 2; round++) { /* mounting twice is harmless */
		if (image_store_mount(f.store, image, dir, &err) < 0) {
			fail_msg("%s", err_msg(&err));
		}
	}
	expect_file(&f, "etc/passwd", "app:x:7:8::/:/bin/sh\n");
	expect_file(&f, "usr/lib/inside", "through the link");
	expect_file(&f, "gone", NULL);
	expect_file(&f, "dir/old", NULL);
	expect_file(&f, "dir/new", "new");
	expect_file(&f, "dev/null", NULL);
	assert_int_equal(stat(arena_printf(&f.arena, "%s/rootfs/usr/lib/inside", dir).p, &st), 0);
	assert_int_equal(st.st_uid, 33);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_mtime, 1700000000);
	assert_int_equal(stat(arena_printf(&f.arena, "%s/rootfs/hard", dir).p, &st), 0);
	assert_int_equal(stat(arena_printf(&f.arena, "%s/rootfs/etc/passwd", dir).p, &st2), 0);
	assert_true(st.st_ino == st2.st_ino && st.st_nlink == 2);
	assert_int_equal(image_store_unmount(dir, NULL), 0);
	assert_int_equal(image_store_unmount(dir, NULL), 0);
	assert_false(file_exists(arena_printf(&f.arena, "%s/rootfs", dir).p));
	image_unref(image);
	fixture_fini(&f);
}

TEST(docker_save_archives_load_and_share_layers)
{
	struct fixture f = fixture_new();
	struct test_image docker = two_layer_image;
	struct image_list list;

	load_ok(&f, &two_layer_image);
	assert_int_equal(count_layers(&f), 2);
	docker.docker = true;
	docker.name = "app:docker";
	load_ok(&f, &docker);
	assert_int_equal(count_layers(&f), 2);
	image_store_list(f.store, &list);
	assert_int_equal(list.n, 1); /* the same config is the same image */
	assert_int_equal(list.items[0].n_names, 2);
	EXPECT_STR(list.items[0].names[0], "docker.io/library/app:docker");
	assert_true(list.items[0].image->record.size_bytes > 40);
	image_list_fini(&list);
	fixture_fini(&f);
}

TEST(a_name_can_be_given_to_an_unnamed_image_only)
{
	struct fixture f = fixture_new();
	struct test_image unnamed = two_layer_image;
	struct err err CLEANUP_ERR = {0};
	struct image *image;

	unnamed.name = NULL;
	assert_int_equal(load(&f, &unnamed, NULL, &err), ERR_INVALID);
	assert_non_null(strstr(err_msg(&err), "give it a name"));
	assert_int_equal(load(&f, &unnamed, "mine:1", &err), 0);
	image = image_store_find(f.store, STR("docker.io/library/mine:1"), NULL);
	assert_non_null(image);
	image_unref(image);
	fixture_fini(&f);
}

static void expect_refused(const struct test_entry *entries, size_t n, const char *words)
{
	struct fixture f = fixture_new();
	const struct test_layer layer = {entries, n, 'g'};
	const struct test_image image = {.layers = &layer, .n = 1, .name = "bad:1"};
	struct dir_names staged CLEANUP_DIR_NAMES = {0};
	struct err err CLEANUP_ERR = {0};

	assert_true(load(&f, &image, NULL, &err) < 0);
	if (!strstr(err_msg(&err), words)) {
		fail_msg("\"%s\" does not say \"%s\"", err_msg(&err), words);
	}
	assert_null(image_store_find(f.store, STR("bad:1"), NULL));
	assert_int_equal(count_layers(&f), 0);
	assert_int_equal(dir_list(arena_printf(&f.arena, "%s/staging", f.root).p, &staged, NULL),
			 0);
	assert_int_equal(staged.n, 0);
	fixture_fini(&f);
}

TEST(hostile_layers_are_refused_and_leave_nothing)
{
	static const struct test_entry upwards[] = {
		{.path = "a/../../x", .type = 'f', .data = "x"}};
	static const struct test_entry device[] = {{.path = "sda", .type = 'c'}};
	static const struct test_entry whiteout[] = {{.path = "a/.wh...", .type = 'f'}};
	static const struct test_entry hardlink[] = {
		{.path = "x", .type = 'h', .data = "../../etc/passwd"}};

	expect_refused(upwards, 1, "leads upwards");
	expect_refused(device, 1, "device node");
	expect_refused(whiteout, 1, "hides nothing");
	expect_refused(hardlink, 1, "leads upwards");
}

TEST(symbolic_links_never_lead_out_of_the_layer)
{
	static const struct test_entry entries[] = {
		{.path = "out", .type = 'l', .data = "../../../../../../../../tmp"},
		{.path = "out/cox-escaped", .type = 'f', .data = "x"},
		{.path = "abs", .type = 'l', .data = "/etc"},
		{.path = "abs/cox-escaped", .type = 'f', .data = "x"},
		{.path = "grab", .type = 'h', .data = "abs/cox-escaped"},
	};
	static const struct test_layer layer = {entries, ARRAY_LEN(entries), 0};
	static const struct test_image image = {.layers = &layer, .n = 1, .name = "link:1"};
	struct fixture f = fixture_new();
	struct image *loaded;
	const char *root;

	load_ok(&f, &image);
	assert_false(file_exists("/tmp/cox-escaped"));
	assert_false(file_exists("/etc/cox-escaped"));
	loaded = image_store_find(f.store, STR("link:1"), NULL);
	root = image_store_path(f.store, &f.arena, "layers",
				image_store_hex(loaded->record.config.diff_ids.p[0]));
	assert_true(file_exists(arena_printf(&f.arena, "%s/tmp/cox-escaped", root).p));
	assert_true(file_exists(arena_printf(&f.arena, "%s/etc/cox-escaped", root).p));
	assert_true(file_exists(arena_printf(&f.arena, "%s/grab", root).p));
	image_unref(loaded);
	fixture_fini(&f);
}

TEST(corrupt_foreign_and_senseless_archives_are_refused_with_a_reason)
{
	struct fixture f = fixture_new();
	struct test_image bad = two_layer_image;
	struct err err CLEANUP_ERR = {0};
	struct image_loaded loaded;
	int fd CLEANUP_FD = test_fd(STR("this is no tar at all, but long enough to be looked at "
					"twice by any reader of archives"));

	bad.corrupt = true;
	assert_true(load(&f, &bad, NULL, &err) < 0);
	assert_non_null(strstr(err_msg(&err), "was promised"));
	bad = two_layer_image;
	bad.arch = "arm64";
	assert_true(load(&f, &bad, NULL, &err) < 0);
	assert_non_null(strstr(err_msg(&err), "linux/arm64"));
	bad = two_layer_image;
	bad.name = "Not:A:Name";
	assert_true(load(&f, &bad, NULL, &err) < 0);
	assert_non_null(strstr(err_msg(&err), "Not:A:Name"));
	assert_true(image_store_load(f.store, fd, &(struct image_load_opts){0}, &loaded, &err) < 0);
	assert_non_null(strstr(err_msg(&err), "cannot read the image archive"));
	load_ok(&f, &two_layer_image);
	fixture_fini(&f);
}

TEST(removed_images_are_collected_unless_a_container_uses_them)
{
	struct fixture f = fixture_new();
	struct image_gc_result gc;
	struct image *image;
	struct str id;

	load_ok(&f, &two_layer_image);
	assert_int_equal(image_store_gc(f.store, NULL, 0, &gc, NULL), 0);
	assert_int_equal(gc.layers, 0);
	image = image_store_find(f.store, STR("me/app:v1"), NULL);
	id = arena_str(&f.arena, image->record.id);
	image_unref(image);
	assert_int_equal(image_store_remove(f.store, STR("me/app:v1"), NULL), 0);
	assert_int_equal(image_store_remove(f.store, STR("me/app:v1"), NULL), ERR_NOT_FOUND);
	assert_int_equal(image_store_gc(f.store, &id, 1, &gc, NULL), 0);
	assert_int_equal(count_layers(&f), 2);
	assert_int_equal(image_store_gc(f.store, NULL, 0, &gc, NULL), 0);
	assert_int_equal(gc.images, 1);
	assert_int_equal(gc.layers, 2);
	assert_true(gc.bytes > 40);
	assert_int_equal(count_layers(&f), 0);
	assert_null(image_store_find(f.store, id, NULL));
	fixture_fini(&f);
}

TEST(a_store_is_open_in_one_process_only)
{
	struct fixture f = fixture_new();
	struct image_store_config config = {f.root, unpack_argv};
	struct err err CLEANUP_ERR = {0};
	struct image_store *other;

	assert_int_equal(image_store_open(&config, &other, &err), ERR_BUSY);
	assert_non_null(strstr(err_msg(&err), "in use"));
	fixture_fini(&f);
}

TEST(pulling_is_refused_with_what_to_do)
{
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(image_pull(NULL, NULL, STR("nginx"), &err), ERR_UNSUPPORTED);
	assert_string_equal(
		err_msg(&err),
		"image nginx is not on this node and pulling from registries is not supported yet: "
		"load it with `cox image load`");
}

int cases_main(int argc, char **argv);
#define main cases_main
TEST_MAIN(names_are_normalised_as_docker_does,
	  loaded_image_is_found_by_every_form_of_its_name_also_after_reopening,
	  layers_stack_with_whiteouts_links_owners_and_modes,
	  docker_save_archives_load_and_share_layers, a_name_can_be_given_to_an_unnamed_image_only,
	  hostile_layers_are_refused_and_leave_nothing, symbolic_links_never_lead_out_of_the_layer,
	  corrupt_foreign_and_senseless_archives_are_refused_with_a_reason,
	  removed_images_are_collected_unless_a_container_uses_them,
	  a_store_is_open_in_one_process_only, pulling_is_refused_with_what_to_do)
#undef main

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "image-unpack") == 0) {
		image_unpack_main(argc - 1, argv + 1);
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "%s needs root: %s\n", argv[0], strerror(errno));
		return 1;
	}
	return cases_main(argc, argv);
}
