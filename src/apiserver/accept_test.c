/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/accept.h"
#include "base/test.h"

static const struct {
	const char *header;
	bool forms, ok;
	enum answer_form form;
} cases[] = {
	{"", true, true, ANSWER_PLAIN},
	{"*/*", true, true, ANSWER_PLAIN},
	{"application/json", true, true, ANSWER_PLAIN},
	/* kubectl get */
	{"application/json;as=Table;v=v1;g=meta.k8s.io,application/"
	 "json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
	 true, true, ANSWER_TABLE},
	{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", false, true,
	 ANSWER_PLAIN},
	/* client-go's metadata client */
	{"application/"
	 "vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/"
	 "json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
	 true, true, ANSWER_METADATA_LIST},
	{"application/vnd.kubernetes.protobuf,application/json", true, true, ANSWER_PLAIN},
	{"application/vnd.kubernetes.protobuf", true, false, ANSWER_PLAIN},
	{"text/html", true, false, ANSWER_PLAIN},
	{"application/json;as=Unknown;g=meta.k8s.io;v=v1", true, false, ANSWER_PLAIN},
	{"application/json;q=0", true, false, ANSWER_PLAIN},
	{"application/json;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9", true, true,
	 ANSWER_TABLE},
};

TEST(accept_headers_choose_the_best_form_we_serve)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct accepted got = {ANSWER_PLAIN, false};

		assert_int_equal(accept_choose(str_of(cases[i].header), cases[i].forms, &got),
				 cases[i].ok);
		if (cases[i].ok) {
			assert_int_equal(got.form, cases[i].form);
		}
	}
}

TEST_MAIN(accept_headers_choose_the_best_form_we_serve)
