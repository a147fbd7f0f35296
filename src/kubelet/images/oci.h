/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/oci.h: the documents of the OCI image specification (v1.1) and of `docker save`, read with limits. These bytes come from
 * outside: only the sandboxed child of unpack.h calls the parsers of index, manifest and config. What it found out goes to the
 * node agent as a record (oci_record_write), in our own words, and is read back by oci_record_read.
 * All strings live in the arena or are borrowed from the text. Pure. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "object/scalar.h"

enum {
	OCI_DOCUMENT_MAX = 4 << 20, /* bytes of one document, as registries limit it */
	OCI_LAYERS_MAX = 127,	    /* as Docker */
	OCI_MANIFESTS_MAX = 1000,
	OCI_STRINGS_MAX = 10000, /* of env, entrypoint, cmd */
	OCI_NAMES_MAX = 1000,
};

/* "sha256:..." checked for form. */
struct oci_descriptor {
	struct str digest;
	struct str media_type;
	int64_t size;			      /* -1: not given */
	struct str ref_name;		      /* annotation; unset if none */
	struct str os, architecture, variant; /* platform; unset if none */
	bool is_attestation;		      /* of Docker's builder: no image */
};

struct oci_index {
	struct oci_descriptor *manifests;
	size_t n;
};

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_descriptor *layers;
	size_t n_layers;
};

/* What a container takes over from its image. */
struct oci_config {
	struct str architecture, os, created;
	struct str user, working_dir, stop_signal;
	struct str_list env, entrypoint, cmd;
	struct str_list volumes, exposed_ports; /* "/data"; "80/tcp" */
	struct str_list diff_ids;		/* "sha256:...", lowest layer first */
};

/* manifest.json of docker save: paths inside the archive. */
struct oci_docker_image {
	struct str config;
	struct str_list names;
	struct str_list layers;
};

struct oci_docker_manifest {
	struct oci_docker_image *images;
	size_t n;
};

MUST_USE int oci_index_parse(struct arena *arena, struct str text, struct oci_index *ret,
			     struct err *err);
MUST_USE int oci_manifest_parse(struct arena *arena, struct str text, struct oci_manifest *ret,
				struct err *err);
MUST_USE int oci_config_parse(struct arena *arena, struct str text, struct oci_config *ret,
			      struct err *err);
MUST_USE int oci_docker_manifest_parse(struct arena *arena, struct str text,
				       struct oci_docker_manifest *ret, struct err *err);
/* True if the media type is that of an index or manifest list. */
bool oci_is_index(struct str media_type);

/* One image as the store keeps it. */
struct oci_record {
	struct str id;	    /* digest of the config: what Kubernetes calls imageID */
	struct str digest;  /* of the manifest; of the config if it came by docker save */
	int64_t size_bytes; /* unpacked */
	struct oci_config config;
};

void oci_record_write(struct buf *out, const struct oci_record *record);
MUST_USE int oci_record_read(struct arena *arena, struct str text, struct oci_record *ret,
			     struct err *err);
