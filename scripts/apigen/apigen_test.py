#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input to the IDL's parser, and what the good one becomes. Run: scripts/apigen/apigen_test.py [-k case]"""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import emit_c
from model import ApiError, snake
from parse import parse_file
from resolve import resolve
from support_table import support_table

META = """package meta/v1
proto example.meta.v1
type ObjectMeta {
  1 name string
}
type ListMeta acts {
  1 continue string
}
"""
HEAD = 'package core/v1\ngroup ""\nproto example.core.v1\n'
POD = 'kind Pod acts "a pod" {\n  1 metadata meta/v1.ObjectMeta\n  2 spec PodSpec\n}\n'


class ApigenTest(unittest.TestCase):
    def load(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, text in enumerate(texts):
                paths.append(os.path.join(folder, f"{i}.api"))
                with open(paths[-1], "w", encoding="utf-8") as f:
                    f.write(text)
            return resolve([parse_file(p) for p in paths])

    def core(self, body):
        return self.load(META, HEAD + body)

    def pod(self, spec):
        """The fields of PodSpec stand from line 9 on."""
        return self.core(POD + "type PodSpec {\n" + spec + "\n}\n")

    def fails(self, build, body, *expected):
        with self.assertRaises(ApiError) as caught:
            build(body)
        for text in expected:
            self.assertIn(text, str(caught.exception))

    def field(self, api, name):
        t = next(t for t in api.types() if t.full == "core/v1.PodSpec")
        return next(f for f in t.flat if f.field.name == name)


class BadInput(ApigenTest):
    def test_unknown_type(self):
        self.fails(self.pod, "  1 volumes [Volume]", "1.api:9: core/v1.PodSpec.volumes: unknown type Volume")

    def test_number_used_twice(self):
        self.fails(self.pod, "  1 a string\n  1 b string", "1.api:10:", "core/v1.PodSpec.b: number 1 is taken by a")

    def test_name_used_twice(self):
        self.fails(self.pod, "  1 a string\n  2 a string", "1.api:10:", "name a is taken by a")

    def test_names_that_are_one_in_c(self):
        self.fails(self.pod, "  1 podIP string\n  2 podIp string", "C name pod_ip is taken by podIP")

    def test_number_missing(self):
        self.fails(self.pod, "  nodeName string", "1.api:9: a field begins with its protobuf number", "'nodeName'")

    def test_unknown_option(self):
        self.fails(self.pod, "  1 a string requird", "1.api:9: a: unknown option 'requird'", "required")

    def test_malformed_type(self):
        self.fails(self.pod, "  1 a [string", "1.api:9: '[string' is not a type")

    def test_default_is_not_json(self):
        self.fails(self.pod, "  1 a string = Always", "1.api:9: what follows '=' is not JSON")

    def test_default_does_not_fit(self):
        self.fails(self.pod, "  1 a int32? = \"3\"", "the default \"3\" does not fit the type")

    def test_default_is_not_in_the_enum(self):
        self.fails(self.pod, "  1 a string enum(A B) = \"C\"", "the default \"C\" is not in its enum")

    def test_quote_not_closed(self):
        self.fails(self.pod, "  1 a string \"half", "1.api:9:", "a quote that is not closed?")

    def test_text_after_the_description(self):
        self.fails(self.pod, "  1 a string \"doc\" required", "1.api:9: nothing more expected")

    def test_kind_without_level(self):
        self.fails(self.core, 'kind Pod "a pod" {\n}\n', "kind core/v1.Pod has no support level")

    def test_type_that_no_kind_reaches(self):
        self.fails(self.core, "type Lost {\n  1 a string\n}\n", "core/v1.Lost has no support level: no kind reaches it")

    def test_kind_without_description(self):
        self.fails(self.core, "kind Pod acts {\n}\n", "core/v1.Pod: a kind needs a description")

    def test_key_that_the_element_lacks(self):
        self.fails(lambda b: self.core(POD + b), "type PodSpec {\n  1 c [C] map(name)\n}\ntype C {\n  1 id string\n}\n",
                   "core/v1.C has no field name")

    def test_struct_inside_itself(self):
        self.fails(self.pod, "  1 spec PodSpec", "holds itself by value")

    def test_value_outside_the_enum_refused(self):
        self.fails(self.pod, "  1 a string enum(A) refused(B)", "refused(B): not in its enum")

    def test_resource_of_unknown_kind(self):
        self.fails(self.core, "resource pods Pod namespaced {\n}\n", "1.api:4: resource pods: no kind Pod in core/v1")

    def test_unknown_verb(self):
        self.fails(self.core, "resource pods Pod namespaced {\n  verbs get lst\n}\n", "1.api:5: unknown verb 'lst'")

    def test_selector_without_field(self):
        body = POD + "type PodSpec {\n}\nresource pods Pod namespaced {\n  select spec.nodeName\n}\n"
        self.fails(self.core, body, "select spec.nodeName: core/v1.PodSpec has no field nodeName")

    def test_block_not_closed(self):
        self.fails(self.core, "kind Pod acts \"a pod\" {\n", "1.api:4: Pod is not closed with '}'")

    def test_file_without_package(self):
        self.fails(self.load, "type X {\n}\n", "0.api:1: the first line is: package NAME/VERSION")

    def test_gate_that_is_not_declared(self):
        self.fails(self.pod, "  1 a string gate(Nope)", "core/v1.PodSpec.a: gate Nope is not declared")

    def test_gate_neither_on_nor_off(self):
        self.fails(self.load, "package gates\ngate X beta\n", "0.api:2: gate X is on or off, not 'beta'")

    def test_all_errors_at_once(self):
        self.fails(self.pod, "  1 a Lost\n  2 b Gone", "unknown type Lost", "unknown type Gone")


class GoodInput(ApigenTest):
    def test_c_names(self):
        for name, want in (("nodeName", "node_name"), ("hostIPC", "host_ipc"), ("podCIDRs", "pod_cidrs"), ("hostIPs", "host_ips"),
                           ("clusterIPs", "cluster_ips"), ("$ref", "ref"), ("default", "default_"), ("TCPSocketAction", "tcp_socket_action"),
                           ("x-kubernetes-list-type", "x_kubernetes_list_type"), ("fieldsV1", "fields_v1")):
            self.assertEqual(snake(name), want)

    def test_inlined_message_is_flat_and_keeps_its_path(self):
        api = self.core(POD + "type PodSpec {\n  2 ... Source\n  1 name string\n}\ntype Source {\n  7 path string\n}\n")
        self.assertEqual(self.field(api, "path").path, (2, 7))
        self.assertNotIn("core_source", emit_c.files(api)["core_v1.h"])

    def test_a_field_is_no_better_than_the_way_to_it(self):
        api = self.core(POD + "type PodSpec {\n  1 bad Bad? refused\n  2 good Good?\n}\n"
                        "type Bad {\n  1 a string\n  2 good Good?\n}\ntype Good {\n  1 a string\n}\n")
        levels = {t.name: t.computed_level for t in api.types()}
        self.assertEqual((levels["Bad"], levels["Good"]), ("refused", "acts"))

    def test_a_field_refused_for_one_value_leaves_its_type_alone(self):
        api = self.pod("  1 hostUsers bool? refused(false)")
        text = emit_c.files(api)["types.c"]
        self.assertIn('.support = SUPPORT_REFUSED', text)
        self.assertIn('{"false", NULL}', text)

    def test_list_type_comes_with_the_resource(self):
        api = self.core(POD + "type PodSpec {\n}\nresource pods Pod namespaced {\n}\n")
        header = emit_c.files(api)["core_v1.h"]
        self.assertIn("struct core_pod_list {", header)
        self.assertIn("LIST(struct core_pod) items;", header)

    def test_continued_line_keeps_the_number_of_its_first(self):
        self.fails(self.pod, "  1 a string \\\n    enum(A \\\n    B) nonsense", "1.api:9:")

    def test_output_is_the_same_every_time(self):
        once, again = (emit_c.files(self.pod("  1 a {string}\n  2 b [int32]")) for _ in range(2))
        self.assertEqual(once, again)

    def test_support_table_names_what_does_not_act(self):
        api = self.core(POD + "type PodSpec {\n  1 a string stored\n  2 b string refused(X)\n}\nresource pods Pod namespaced {\n}\n")
        self.assertIn("| core/v1.PodSpec | `a` | `b` (X) |", support_table(api))


if __name__ == "__main__":
    unittest.main()
