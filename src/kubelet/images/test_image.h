/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/test_image.h: makes image archives for tests, in memory: layers from entries, OCI layouts and docker-save archives from
 * layers. Tests only. */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "kubelet/images/digest.h"
#include "linux/file.h"

struct test_entry {
	const char *path;
	char type;	  /* f file, d directory, l symbolic link, h hard link, c device */
	const char *data; /* contents or target */
	size_t n;	  /* of data; 0: strlen */
	unsigned mode;	  /* 0: 0644 or 0755 */
	unsigned uid;
};

struct test_layer {
	const struct test_entry *entries;
	size_t n;
	char filter; /* 0 plain, g gzip, z zstd */
};

struct test_blob {
	struct str data;
	char hex[DIGEST_HEX + 1];
};

static la_ssize_t test_write_(struct archive *a, void *ctx, const void *p, size_t n)
{
	(void)a;
	buf_add(ctx, p, n);
	return (la_ssize_t)n;
}

static void test_add_entry_(struct archive *a, const struct test_entry *t)
{
	struct archive_entry *e = archive_entry_new();
	size_t n = t->n ? t->n : t->data ? strlen(t->data) : 0;

	archive_entry_set_pathname(e, t->path);
	archive_entry_set_uid(e, t->uid);
	archive_entry_set_gid(e, t->uid);
	archive_entry_set_mtime(e, 1700000000, 0);
	archive_entry_set_perm(e, t->mode ? t->mode : t->type == 'd' ? 0755 : 0644);
	archive_entry_set_filetype(e, t->type == 'd'   ? AE_IFDIR
				      : t->type == 'l' ? AE_IFLNK
				      : t->type == 'c' ? AE_IFCHR
						       : AE_IFREG);
	if (t->type == 'l') {
		archive_entry_set_symlink(e, t->data);
	} else if (t->type == 'h') {
		archive_entry_set_hardlink(e, t->data);
	} else if (t->type == 'f') {
		archive_entry_set_size(e, (la_int64_t)n);
	}
	ASSERT(archive_write_header(a, e) == ARCHIVE_OK);
	if (t->type == 'f' && n) {
		ASSERT(archive_write_data(a, t->data, n) == (la_ssize_t)n);
	}
	archive_entry_free(e);
}

/* The bytes of a tar, in the arena. */
static UNUSED struct str test_tar(struct arena *arena, const struct test_entry *entries, size_t n,
				  char filter)
{
	struct archive *a = archive_write_new();
	struct buf out CLEANUP_BUF = {0};

	archive_write_set_format_pax_restricted(a);
	if (filter == 'g') {
		archive_write_add_filter_gzip(a);
	} else if (filter == 'z') {
		archive_write_add_filter_zstd(a);
	}
	archive_write_set_bytes_in_last_block(a, 1);
	ASSERT(archive_write_open(a, &out, NULL, test_write_, NULL) == ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		test_add_entry_(a, &entries[i]);
	}
	ASSERT(archive_write_close(a) == ARCHIVE_OK);
	archive_write_free(a);
	return arena_str(arena, buf_str(&out));
}

static struct test_blob test_blob_(struct str data)
{
	struct test_blob b = {.data = data};

	digest_of(data, b.hex);
	return b;
}

struct test_image {
	const struct test_layer *layers;
	size_t n;
	const char *config; /* members of "config", e.g. "\"User\":\"1\"" */
	const char *name;   /* ref.name or RepoTag; NULL: none */
	const char *arch;   /* NULL: amd64 */
	bool docker;
	bool corrupt; /* one byte of the first layer is wrong */
};

/* A whole archive, in the arena. */
static UNUSED struct str test_archive(struct arena *a, const struct test_image *image)
{
	struct test_entry files[64] = {
		{.path = "oci-layout", .type = 'f', .data = "{\"imageLayoutVersion\":\"1.0.0\"}"}};
	size_t n = image->docker ? 0 : 1;
	struct buf diff_ids CLEANUP_BUF = {0};
	struct buf layers CLEANUP_BUF = {0};
	struct test_blob config;
	struct test_blob manifest;
	struct str index;

	for (size_t i = 0; i < image->n; i++) {
		const struct test_layer *l = &image->layers[i];
		struct test_blob plain = test_blob_(test_tar(a, l->entries, l->n, 0));
		struct test_blob packed = test_blob_(test_tar(a, l->entries, l->n, l->filter));

		buf_printf(&diff_ids, "%s\"sha256:%s\"", i ? "," : "", plain.hex);
		if (image->docker) {
			files[n].path = arena_printf(a, "%s/layer.tar", plain.hex).p;
			buf_printf(&layers, "%s\"%s\"", i ? "," : "", files[n].path);
		} else {
			files[n].path = arena_printf(a, "blobs/sha256/%s", packed.hex).p;
			buf_printf(&layers,
				   "%s{\"mediaType\":\"application/"
				   "vnd.oci.image.layer.v1.tar\",\"size\":%zu,\"digest\":\"sha256:%"
				   "s\"}",
				   i ? "," : "", packed.data.n, packed.hex);
		}
		if (image->corrupt && i == 0) {
			((char *)packed.data.p)[packed.data.n / 2] ^= 1;
		}
		files[n].type = 'f';
		files[n].data = packed.data.p;
		files[n++].n = packed.data.n;
	}
	config = test_blob_(arena_printf(a,
					 "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{%s}"
					 ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
					 image->arch ? image->arch : "amd64",
					 image->config ? image->config : "", buf_cstr(&diff_ids)));
	if (image->docker) {
		struct str config_path = arena_printf(a, "%s.json", config.hex);

		files[n++] = (struct test_entry){.path = config_path.p,
						 .type = 'f',
						 .data = config.data.p,
						 .n = config.data.n};
		index = arena_printf(a,
				     "[{\"Config\":\"%s\",\"RepoTags\":[\"%s\"],\"Layers\":[%s]}]",
				     config_path.p, image->name, buf_cstr(&layers));
		files[n++] = (struct test_entry){
			.path = "manifest.json", .type = 'f', .data = index.p, .n = index.n};
		return test_tar(a, files, n, 0);
	}
	manifest = test_blob_(arena_printf(a,
					   "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%"
					   "s\",\"size\":%zu},\"layers\":[%s]}",
					   config.hex, config.data.n, buf_cstr(&layers)));
	index = arena_printf(
		a,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
		"vnd.oci.image.manifest.v1+json\","
		"\"digest\":\"sha256:%s\",\"size\":%zu%s%s%s}]}",
		manifest.hex, manifest.data.n,
		image->name ? ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" : "",
		image->name ? image->name : "", image->name ? "\"}" : "");
	files[n++] = (struct test_entry){.path = arena_printf(a, "blobs/sha256/%s", config.hex).p,
					 .type = 'f',
					 .data = config.data.p,
					 .n = config.data.n};
	files[n++] = (struct test_entry){.path = arena_printf(a, "blobs/sha256/%s", manifest.hex).p,
					 .type = 'f',
					 .data = manifest.data.p,
					 .n = manifest.data.n};
	files[n++] = (struct test_entry){
		.path = "index.json", .type = 'f', .data = index.p, .n = index.n};
	return test_tar(a, files, n, 0);
}

/* A descriptor to read these bytes from. */
static UNUSED int test_fd(struct str data)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	ASSERT(fd >= 0 && file_write_all(fd, data.p, data.n) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}
