/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "crypto/base64.h"

void secret_random(void *p, size_t n)
{
	ASSERT(n <= INT32_MAX && RAND_bytes(p, (int)n) == 1);
}

void secret_token(struct buf *out, size_t n)
{
	unsigned char bytes[64];

	ASSERT(n <= sizeof(bytes));
	secret_random(bytes, n);
	base64url_encode(out, str_make(bytes, n));
	secret_wipe(bytes, sizeof(bytes));
}

bool secret_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
	if (p) {
		OPENSSL_cleanse(p, n);
	}
}

void secret_buf_fini(struct buf *b)
{
	secret_wipe(b->p, b->cap);
	buf_fini(b);
}

static int write_all(int fd, struct str data)
{
	while (data.n) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -errno;
		}
		data = str_from(data, (size_t)n);
	}
	return 0;
}

static int sync_parent(const char *path)
{
	struct str whole = str_of(path);
	ptrdiff_t slash = str_rfind_char(whole, '/');
	char *dir CLEANUP_FREE = slash < 0    ? str_dup_cstr(STR("."))
				 : slash == 0 ? str_dup_cstr(STR("/"))
					      : str_dup_cstr(str_sub(whole, 0, (size_t)slash));
	int fd CLEANUP_FD = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int secret_file_write(const char *path, struct str data, bool is_public, struct err *err)
{
	struct buf tmp CLEANUP_BUF = {0};
	int fd CLEANUP_FD = -1;
	unsigned char unique[6];
	int rc;

	secret_random(unique, sizeof(unique));
	buf_printf(&tmp, "%s.new-", path);
	base64url_encode(&tmp, str_make(unique, sizeof(unique)));
	fd = open(buf_cstr(&tmp), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot write %s", path);
	}
	rc = write_all(fd, data);
	if (rc == 0 && ((is_public && fchmod(fd, 0644) < 0) || fsync(fd) < 0)) {
		rc = -errno;
	}
	if (rc == 0 && rename(tmp.p, path) < 0) {
		rc = -errno;
	}
	if (rc < 0) {
		unlink(tmp.p);
		return err_set_errno(err, -rc, "cannot write %s", path);
	}
	rc = sync_parent(path);
	return rc < 0 ? err_set_errno(err, -rc, "cannot sync the directory of %s", path) : 0;
}

int secret_file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	size_t start = out->n;

	if (fd < 0) {
		return err_set_errno(err, errno, "cannot read %s", path);
	}
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, 4096), 4096);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			out->n = start;
			return err_set_errno(err, errno, "cannot read %s", path);
		}
		if (n == 0) {
			return 0;
		}
		out->n += (size_t)n;
		if (out->n - start > max_bytes) {
			out->n = start;
			return err_set(err, ERR_LIMIT,
				       "%s is larger than the %zu bytes expected at most", path,
				       max_bytes);
		}
	}
}
