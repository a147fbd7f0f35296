/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/buf.h"

const char *err_text(int code)
{
	switch (code) {
#define ERR(name, number, text)                                                                    \
	case -(number):                                                                            \
		return text;
#include "base/errors.def"
#undef ERR
	default:
		return code >= 0 ? "success" : "unknown error";
	}
}

void err_clear(struct err *err)
{
	mem_free(err->msg);
	*err = (struct err){0};
}

static void err_take(struct err *err, int code, struct buf *msg)
{
	err_clear(err);
	err->code = code;
	err->msg = buf_steal(msg);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	struct buf msg = {0};
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		buf_vprintf(&msg, fmt, ap);
		va_end(ap);
		err_take(err, code, &msg);
	}
	return code;
}

static int code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EIO:
		return ERR_IO;
	default:
		return ERR_SYSTEM;
	}
}

int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
	int code = code_of_errno(errnum);
	struct buf msg = {0};
	char text[128];
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		buf_vprintf(&msg, fmt, ap);
		va_end(ap);
		buf_printf(&msg, ": %s", strerror_r(errnum, text, sizeof(text)));
		err_take(err, code, &msg);
	}
	return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	struct buf msg = {0};
	va_list ap;

	if (!err) {
		return ERR_INVALID;
	}
	va_start(ap, fmt);
	buf_vprintf(&msg, fmt, ap);
	va_end(ap);
	buf_printf(&msg, ": %s", err_msg(err));
	err_take(err, err->code, &msg);
	return err->code;
}

const char *err_msg(const struct err *err)
{
	return err->msg ? err->msg : err_text(err->code);
}
