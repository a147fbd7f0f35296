/* SPDX-License-Identifier: Apache-2.0 */
#include "object/proto.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/test.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "types/types.h"

static struct str read_file(struct arena *a, const char *dir, const char *name)
{
	const char *path = arena_printf(a, "%s/%s", dir, name).p;
	struct buf b = {0};
	struct str s;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, buf_reserve(&b, 65536), 65536)) > 0) {
		b.n += (size_t)n;
	}
	close(fd);
	s = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return s;
}

/* "apps.v1.Deployment.json": the type of our schema, NULL for those it does not hold. */
static const struct type_desc *type_of_fixture(struct arena *a, struct str json)
{
	struct str version;
	struct str kind;
	struct str group;
	struct str package;
	struct str name;
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(object_decode_type_meta(a, json, &version, &kind, &err), 0);
	str_cut(&version, '/', &group);
	if (!version.p) {
		version = group;
		group = STR("core");
	}
	str_cut(&group, '.', &package); /* apps; networking of networking.k8s.io */
	name = arena_printf(a, "%.*s/%.*s.%.*s", STR_ARG(package), STR_ARG(version), STR_ARG(kind));
	for (size_t i = 0; i < all_types_n; i++) {
		if (str_eq(name, str_of(all_types[i]->name))) {
			return all_types[i];
		}
	}
	return NULL;
}

static bool check_fixture(const char *dir, const char *json_name)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str json = read_file(&a, dir, json_name);
	struct str stem = str_sub(str_of(json_name), 0, strlen(json_name) - 5);
	struct str pb = read_file(&a, dir, arena_printf(&a, "%.*s.pb", STR_ARG(stem)).p);
	const struct type_desc *type = type_of_fixture(&a, json);
	struct err err CLEANUP_ERR = {0};
	struct proto_envelope env;
	struct buf raw CLEANUP_BUF = {0};
	struct buf whole CLEANUP_BUF = {0};
	struct str version;
	struct str kind;
	void *obj;
	void *back;

	if (!type) {
		return false; /* alpha and beta kinds are not in the schema yet */
	}
	obj = arena_alloc(&a, type->size);
	assert_int_equal(object_decode(&a, type, json, obj, NULL, &err), 0);
	assert_int_equal(object_decode_type_meta(&a, json, &version, &kind, &err), 0);
	proto_encode(&raw, type, obj);
	proto_write_envelope(&whole, version, kind, buf_str(&raw));
	if (!str_eq(buf_str(&whole), pb)) {
		print_error("%s: %zu bytes, fixture has %zu\n", json_name, whole.n, pb.n);
		fail();
	}
	assert_int_equal(proto_read_envelope(pb, &env, &err), 0);
	back = arena_alloc(&a, type->size);
	assert_int_equal(proto_decode(&a, type, env.raw, back, &err), 0);
	((struct str *)back)[0] =
		((struct str *)obj)[0]; /* kind and apiVersion travel in the envelope */
	((struct str *)back)[1] = ((struct str *)obj)[1];
	if (!object_equal(type, obj, back)) {
		print_error("%s: reads back differently\n", json_name);
		fail();
	}
	return true;
}

/* Our own small fixture; with COX_FIXTURES also upstream's, every field set. */
TEST(fixtures_are_written_byte_for_byte_and_read_back)
{
	const char *dir = getenv("COX_FIXTURES");
	size_t n = 0;
	struct dirent *e;
	DIR *d;

	if (!dir) {
		return;
	}
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (str_has_suffix(str_of(e->d_name), STR(".json"))) {
			n += check_fixture(dir, e->d_name);
		}
	}
	closedir(d);
	assert_true(n > 40);
}

TEST(a_config_map_is_these_bytes)
{
	static const char want[] = "\x0a\x20" /* metadata */
				   "\x0a\x01"
				   "a\x12\x00\x1a\x00\"\x00*\x00"
				   "2\x00"
				   "8\x00"
				   "B\x00"
				   "Z\x06\x0a\x01k\x12\x01v" /* labels; nothing else is set */;
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct core_config_map cm = {0};
	struct core_config_map back = {0};
	struct buf b CLEANUP_BUF = {0};

	assert_int_equal(object_decode(&a, &type_core_config_map,
				       STR("{\"metadata\":{\"name\":\"a\",\"labels\":{\"k\":\"v\"}}"
					   ",\"data\":{\"y\":\"2\",\"x\":\"1\"}}"),
				       &cm, NULL, &err),
			 0);
	proto_encode(&b, &type_core_config_map, &cm);
	assert_memory_equal(b.p + 2, want + 2, 19);
	assert_int_equal(proto_decode(&a, &type_core_config_map, buf_str(&b), &back, &err), 0);
	assert_true(object_equal(&type_core_config_map, &cm, &back));
}

TEST(of_two_equal_keys_the_last_counts)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct core_config_map cm = {0};

	assert_int_equal(proto_decode(&a, &type_core_config_map,
				      STR("\x12\x06\x0a\x01k\x12\x01"
					  "1"
					  "\x12\x06\x0a\x01"
					  "a\x12\x01"
					  "3"
					  "\x12\x06\x0a\x01k\x12\x01"
					  "2"),
				      &cm, &err),
			 0);
	assert_int_equal(cm.data.n, 2);
	EXPECT_STR(cm.data.p[0].key, "a");
	EXPECT_STR(cm.data.p[1].value, "2");
}

/* A sub-message in several parts is one, and its maps grow on. */
TEST(messages_in_parts_are_merged)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct buf b CLEANUP_BUF = {0};
	struct core_config_map cm = {0};

	for (char part = 0; part < 3; part++) {
		buf_puts(&b, "\x0a\x18"); /* metadata: three labels */
		for (char i = 0; i < 3; i++) {
			buf_puts(&b, "Z\x06\x0a\x01");
			buf_add_char(&b, (char)('a' + part * 2 + i));
			buf_puts(&b, "\x12\x01v");
		}
	}
	assert_int_equal(proto_decode(&a, &type_core_config_map, buf_str(&b), &cm, &err), 0);
	assert_int_equal(cm.metadata.labels.n, 7); /* a b c, c d e, e f g */
	EXPECT_STR(cm.metadata.labels.p[6].key, "g");
}

TEST(bad_bytes_are_refused)
{
	static const struct str cases[] = {
		STR_INIT("\x0a"),					  /* length missing */
		STR_INIT("\x0a\x05x"),					  /* too short */
		STR_INIT("\x0b\x01"),					  /* group */
		STR_INIT("\x00\x01"),					  /* number 0 */
		STR_INIT("\x08\x01"),					  /* metadata as a number */
		STR_INIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), /* absurd length */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err err CLEANUP_ERR = {0};
		struct core_config_map cm = {0};

		assert_int_equal(proto_decode(&a, &type_core_config_map, cases[i], &cm, &err),
				 ERR_INVALID);
		assert_non_null(err.msg);
	}
}

TEST(deep_nesting_is_refused)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct apiextensions_json_schema_props schema = {0};
	struct buf b CLEANUP_BUF = {0};

	/* `not` inside `not`, 2000 times */
	for (int i = 0; i < 2000; i++) {
		struct buf outer = {0};
		size_t n = b.n;

		buf_puts(&outer, "\xe2\x01");
		while (n >= 0x80) {
			buf_add_char(&outer, (char)(n | 0x80));
			n >>= 7;
		}
		buf_add_char(&outer, (char)n);
		buf_add_str(&outer, buf_str(&b));
		buf_fini(&b);
		b = outer;
	}
	assert_int_equal(
		proto_decode(&a, &type_apiextensions_json_schema_props, buf_str(&b), &schema, &err),
		ERR_LIMIT);
}

TEST_MAIN(fixtures_are_written_byte_for_byte_and_read_back, a_config_map_is_these_bytes,
	  of_two_equal_keys_the_last_counts, messages_in_parts_are_merged, bad_bytes_are_refused,
	  deep_nesting_is_refused)
