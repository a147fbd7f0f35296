/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of images: index, manifest, config, docker's manifest.json, our own record, and image names. A record that was read is written and
 * read again: the second time nothing may change. */
#include <stdint.h>

#include "base/alloc.h"
#include "kubelet/images/layer.h"
#include "kubelet/images/oci.h"
#include "kubelet/images/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void parse_documents(struct arena *a, struct str text)
{
	struct oci_docker_manifest docker;
	struct oci_manifest manifest;
	struct oci_config config;
	struct oci_index index;

	if (oci_index_parse(a, text, &index, NULL) == 0) {
		for (size_t i = 0; i < index.n; i++) {
			ASSERT(reference_is_digest(index.manifests[i].digest));
		}
	}
	if (oci_manifest_parse(a, text, &manifest, NULL) == 0) {
		ASSERT(manifest.n_layers <= OCI_LAYERS_MAX);
	}
	if (oci_config_parse(a, text, &config, NULL) == 0) {
		ASSERT(config.diff_ids.n <= OCI_LAYERS_MAX);
	}
	if (oci_docker_manifest_parse(a, text, &docker, NULL) == 0) {
		ASSERT(docker.n <= OCI_MANIFESTS_MAX);
	}
}

static void parse_record(struct arena *a, struct str text)
{
	struct oci_record record;
	struct buf first CLEANUP_BUF = {0};
	struct buf second CLEANUP_BUF = {0};

	if (oci_record_read(a, text, &record, NULL) < 0) {
		return;
	}
	oci_record_write(&first, &record);
	ASSERT(oci_record_read(a, buf_str(&first), &record, NULL) == 0);
	oci_record_write(&second, &record);
	ASSERT(str_eq(buf_str(&first), buf_str(&second)));
}

static void parse_names(struct arena *a, struct str text)
{
	struct reference ref;
	struct reference again;
	struct str clean;

	if (reference_parse(a, text, &ref, NULL) == 0) {
		ASSERT(reference_parse(a, ref.name, &again, NULL) == 0 &&
		       str_eq(ref.name, again.name));
	}
	if (layer_clean_path(a, text, &clean, NULL) == 0) {
		ASSERT(!str_has_prefix(clean, STR("/")) && !str_has_prefix(clean, STR("../")) &&
		       !str_contains(clean, STR("/../")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str text = str_make(p, n);

	parse_documents(&a, text);
	parse_record(&a, text);
	parse_names(&a, text);
	return 0;
}
