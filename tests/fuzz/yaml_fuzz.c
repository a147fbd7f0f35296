/* SPDX-License-Identifier: Apache-2.0 */
/* YAML streams: every document becomes JSON that parses and is equal. */
#include "base/alloc.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	bool strict = size && data[0] & 1;
	struct yaml_stream *s = yaml_stream_new(&a, str_make(data, size), strict, &e);
	struct json_value v, w;
	int more = 0;

	while (s && (more = yaml_stream_next(s, &v, &e)) > 0) {
		struct buf b CLEANUP_BUF = {0};

		json_write_value(&b, &v, false);
		ASSERT(json_parse(&a, buf_str(&b), NULL, &w, NULL) == 0 && json_equal(&v, &w));
	}
	ASSERT((more < 0) == (e.msg != NULL));
	yaml_stream_free(s);
	return 0;
}
