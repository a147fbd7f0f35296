/* SPDX-License-Identifier: Apache-2.0 */
/* Every object under tests/golden/objects, or in the folder that COX_FIXTURES names (upstream's
 * fixtures as GROUP.VERSION.KIND.json), is decoded, strictly, and comes out again byte for byte but
 * for white space. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/test.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "types/types.h"

static const struct type_desc *find_type(struct str name)
{
	for (size_t i = 0; i < all_types_n; i++) {
		if (str_eq(str_of(all_types[i]->name), name)) {
			return all_types[i];
		}
	}
	return NULL;
}

/* admission.k8s.io.v1.AdmissionReview -> admission/v1.AdmissionReview, core.v1.Status ->
 * meta/v1.Status; NULL for what is not GA. */
static const struct type_desc *type_of_fixture(struct arena *a, struct str stem)
{
	ptrdiff_t dot = str_rfind_char(stem, '.');
	struct str kind = str_from(stem, (size_t)dot + 1);
	struct str group = str_sub(stem, 0, (size_t)dot);
	const struct type_desc *type;
	struct str version, package;

	dot = str_rfind_char(group, '.');
	version = str_from(group, (size_t)dot + 1);
	group.n = (size_t)dot;
	str_cut(&group, '.', &package);
	type = find_type(arena_printf(a, "%.*s/%.*s.%.*s", STR_ARG(package), STR_ARG(version),
				      STR_ARG(kind)));
	return type ? type
		    : find_type(arena_printf(a, "meta/%.*s.%.*s", STR_ARG(version), STR_ARG(kind)));
}

static struct str read_file(struct arena *a, const char *path)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = arena_bytes(a, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	return str_make(p, (size_t)st.st_size);
}

static void check_fixture(const char *folder, struct str stem)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct buf want CLEANUP_BUF = {0};
	struct buf got CLEANUP_BUF = {0};
	struct decode_report report = {.notes = {.arena = &a}};
	const struct type_desc *type = type_of_fixture(&a, stem);
	struct str text;
	void *obj, *copy;

	if (!type) {
		assert_true(str_contains(stem, STR("alpha")) || str_contains(stem, STR("beta")));
		return;
	}
	text = read_file(&a, arena_printf(&a, "%s/%.*s.json", folder, STR_ARG(stem)).p);
	obj = arena_alloc(&a, type->size);
	copy = arena_alloc(&a, type->size);
	if (object_decode(&a, type, text, obj, &report, &e) < 0) {
		print_error("%.*s: %s\n", STR_ARG(stem), err_msg(&e));
		fail();
	}
	assert_int_equal(report.notes.n, 0);
	json_write_compact(&want, text);
	object_dup(&a, type, obj, copy);
	assert_true(object_equal(type, obj, copy));
	object_encode(&got, type, copy, NULL, NULL);
	EXPECT_STR(buf_str(&got), buf_cstr(&want));
}

TEST(every_fixture_survives_decoding_and_encoding)
{
	const char *folder = getenv("COX_FIXTURES");
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	folder = folder ? folder : "tests/golden/objects";
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		struct str name = str_of(entry->d_name);

		if (str_has_suffix(name, STR(".json"))) {
			check_fixture(folder, str_sub(name, 0, name.n - 5));
			n++;
		}
	}
	closedir(dir);
	assert_true(n > 3);
}

TEST_MAIN(every_fixture_survives_decoding_and_encoding)
