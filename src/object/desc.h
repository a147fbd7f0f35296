/* SPDX-License-Identifier: Apache-2.0 */
/* object/desc.h: the descriptor tables that the generator writes from api/ (and that custom resources will build at run time).
 * Everything generic (codecs, defaulting, validation, patches, explain, discovery) reads these and nothing else about a
 * type (invariant I3). All tables are constant; strings in them are NUL-terminated.
 *
 * How a field lies in its struct, by shape and type (T is the type's C form of object/scalar.h, or the message's struct):
 *   ONE   T x;                      never absent; omit says when the JSON key is left out
 *   PTR   T *x;                     NULL is absent
 *   LIST  LIST(T) x;                p == NULL is nil
 *   MAP   STR_KEYED(T) x;           entries sorted by key
 * C forms: STRING struct str; BYTES struct str (decoded); BOOL bool; INT32/INT64 intN_t; DOUBLE double; QUANTITY struct quantity; TIME, MICRO_TIME
 * struct timestamp; DURATION int64_t ns; INT_OR_STRING struct int_or_string; RAW struct str (compact JSON text, {NULL,0} is absent or
 * null); STRINGS struct str_list (a list inside a map, or wrapped in a message in protobuf); MESSAGE the struct.
 * BYTES, RAW and STRINGS are never PTR: p == NULL is unset. Entries of a MAP are { struct str key; T value; }, value at offset 16,
 * padded to 8. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum field_type {
	FIELD_STRING,
	FIELD_BOOL,
	FIELD_INT32,
	FIELD_INT64,
	FIELD_DOUBLE,
	FIELD_BYTES,
	FIELD_QUANTITY,
	FIELD_TIME,
	FIELD_MICRO_TIME,
	FIELD_DURATION,
	FIELD_INT_OR_STRING,
	FIELD_RAW,
	FIELD_STRINGS,
	FIELD_MESSAGE,
};

enum field_shape { SHAPE_ONE, SHAPE_PTR, SHAPE_LIST, SHAPE_MAP };

/* When the JSON key is left out: unset, zero or no items / zero value only / never (a nil list, map or ptr is null). */
enum field_omit { OMIT_EMPTY, OMIT_ZERO, OMIT_NEVER };

enum list_kind { LIST_ATOMIC, LIST_SET, LIST_MAP };

/* I12: what writing the field does. The README's support table is made from these. */
enum support { SUPPORT_ACTS, SUPPORT_STORED, SUPPORT_REFUSED };

enum field_flag {
	FIELD_REQUIRED = 1 << 0,
	FIELD_IMMUTABLE = 1 << 1, /* once the object exists */
	FIELD_SENSITIVE = 1 << 2, /* never in logs or audit */
	FIELD_ATOMIC = 1 << 3,	  /* a struct or map that server-side apply owns as a whole */
	FIELD_PATCH_MERGE =
		1 << 4, /* strategic merge: list merged by patch_merge_key (or as a set) */
	FIELD_PATCH_RETAIN_KEYS = 1 << 5,
	FIELD_ENUM_CLOSED = 1 << 6, /* enum_values is exhaustive and validated */
	/* Protobuf writes it even when zero. Set for SHAPE_ONE but BYTES, STRINGS and optional RAW: those are written when p != NULL. */
	FIELD_PRESENT_VALUE = 1 << 7,
	FIELD_PATCH_REPLACE = 1 << 8, /* strategic merge: an object that is replaced as a whole */
};

struct type_desc;

struct field_desc {
	const char *name; /* JSON name */
	uint8_t name_len;
	uint8_t type;  /* enum field_type */
	uint8_t shape; /* enum field_shape */
	uint8_t omit;  /* enum field_omit */
	uint8_t list;  /* enum list_kind */
	uint8_t support; /* never better than that of the struct that holds it: report it only where it is worse */
	uint16_t flags;
	uint32_t offset;
	uint32_t elem_size;		 /* sizeof(T) */
	const struct type_desc *message; /* of a FIELD_MESSAGE */
	/* Protobuf field numbers from the outermost inlined message inwards, ended by 0; NULL: not in protobuf. */
	const uint16_t *proto_path;
	const char *const *list_keys;	/* of a LIST_MAP, NULL-terminated */
	const char *patch_merge_key;	/* NULL: none */
	const char *const *enum_values; /* NULL-terminated, or NULL */
	/* Of a string, list of strings or bool whose support is not SUPPORT_ACTS: it holds for these values only ("Localhost",
	 * "false"), the others act; NULL-terminated. NULL: it holds for every value. */
	const char *const *support_values;
	const char *default_json; /* unconditional default as JSON, or NULL */
	const char *gate;	  /* feature gate, or NULL */
	const char *doc;	  /* our own words, or NULL */
};

/* How the type is written in JSON: as an object, or by hand. */
enum type_form { FORM_OBJECT, FORM_SCHEMA_OR_BOOL, FORM_SCHEMA_OR_ARRAY, FORM_SCHEMA_OR_STRINGS };

struct type_desc {
	const char *name;	/* "core/v1.PodSpec" */
	const char *proto_name; /* "k8s.io.api.core.v1.PodSpec" */
	uint32_t size;		/* of the struct */
	uint16_t nfields;
	uint8_t form;
	const struct field_desc
		*fields;	/* in JSON order; in a kind: kind, apiVersion, metadata first */
	const uint8_t *by_name; /* indexes into fields, sorted by name: binary search */
	/* "discriminator:member,member", blank discriminator where there is none; NULL: no union. */
	const char *union_spec;
	const char *doc;
};

/* NULL if the type has no such field. */
const struct field_desc *type_find_field(const struct type_desc *type, struct str name);

enum verb {
	VERB_GET = 1 << 0,
	VERB_LIST = 1 << 1,
	VERB_WATCH = 1 << 2,
	VERB_CREATE = 1 << 3,
	VERB_UPDATE = 1 << 4,
	VERB_PATCH = 1 << 5,
	VERB_DELETE = 1 << 6,
	VERB_DELETECOLLECTION = 1 << 7,
};

struct column_desc {
	const char *name;
	const char *type;   /* string, integer, date, ... */
	const char *format; /* "name" or "" */
	uint8_t priority;   /* > 0: only with -o wide */
};

struct subresource_desc {
	const char *name;		    /* "status" */
	const char *group, *version, *kind; /* of the body */
	const struct type_desc *type;
	uint16_t verbs;
	uint8_t support; /* enum support */
};

struct resource_desc {
	const char *group, *version; /* group "" is core */
	const char *resource, *singular, *kind, *list_kind;
	const struct type_desc *type;
	const struct type_desc
		*list_type; /* ListMeta + items of type; NULL where the kind has no list */
	bool namespaced;
	uint8_t support;
	uint16_t verbs;
	const char *const *short_names; /* NULL-terminated */
	const char *const *categories;
	const struct subresource_desc *subresources;
	uint8_t nsubresources;
	uint8_t ncolumns;
	const struct column_desc *columns; /* none: Name and Created At */
	/* Same objects under another group-version (events): the resource whose storage is used; NULL: its own. */
	const struct resource_desc *storage;
	/* Field selectors beyond metadata.name and metadata.namespace: "spec.nodeName", or "source=source.component,reportingComponent"
	 * where the value lies elsewhere (the first that is not empty). Paths are those of the storage resource's type. */
	const char *const *selectable;
};

/* A feature gate that fields name, and whether it is on unless --feature-gates says otherwise. */
struct gate_desc {
	const char *name;
	bool on;
};

/* All served resources, discovery order; generated (types/types.h). */
extern const struct resource_desc *const all_resources[];
extern const size_t all_resources_n;
extern const struct type_desc *const all_types[];
extern const size_t all_types_n;
/* Every gate of any field_desc.gate ("A,B": both must be on), sorted by name. */
extern const struct gate_desc all_gates[];
extern const size_t all_gates_n;
