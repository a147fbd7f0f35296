#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares api/ with upstream's API as fact tables (tab-separated: fields, types, kinds, resources, columns) in the folder
$COX_FACTS. Whatever differs is printed; the exit status says whether anything did."""
import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

sys.dont_write_bytecode = True
from model import LIST, MAP, ONE, PTR, ApiError

HERE = os.path.dirname(os.path.realpath(__file__))
BUILT_IN = {"meta/v1.Time": "time", "meta/v1.MicroTime": "microtime", "meta/v1.FieldsV1": "raw", "apiextensions/v1.JSON": "raw",
            "runtime.RawExtension": "raw", "api/resource.Quantity": "quantity", "util/intstr.IntOrString": "intorstring",
            "meta/v1.Duration": "duration", "meta/v1.Verbs": "strings", "authentication/v1.ExtraValue": "strings",
            "authorization/v1.ExtraValue": "strings", "certificates/v1.ExtraValue": "strings"}
# In upstream's packages, but in no kind of this release.
UNREACHED = {"core/v1.AvoidPods", "core/v1.PodSignature", "core/v1.PreferAvoidPodsEntry", "core/v1.Preconditions",
             "meta/v1.ApplyOptions", "meta/v1.GroupKind", "meta/v1.GroupResource", "meta/v1.GroupVersion", "meta/v1.List",
             "meta/v1.Patch", "meta/v1.RootPaths", "meta/v1.Timestamp", "meta/v1.TypeMeta", "runtime.Unknown", "runtime.TypeMeta"}
# Named by fields, but no longer gates.
STALE_GATES = {"PodCertificateProjection", "CSIStorageCapacity", "TopologyAwareHints"}
# Written by hand in JSON; their rows describe protobuf only.
HAND_WRITTEN = {"apiextensions/v1.JSONSchemaPropsOrArray", "apiextensions/v1.JSONSchemaPropsOrBool",
                "apiextensions/v1.JSONSchemaPropsOrStringArray"}
ELEMENTS = {"string": "string", "boolean": "bool", "integer:int32": "int32", "integer:int64": "int64", "object": "raw",
            "array<string>": "strings", "string:byte": "bytes"}
PRIMITIVES = {"string": "string", "boolean": "bool", "integer": "int32", "number": "double", "byte": "bytes"}


def load_facts(folder, name):
    with open(os.path.join(folder, name + ".tsv"), encoding="utf-8") as f:
        head, *lines = f.read().rstrip("\n").split("\n")
    keys = head.split("\t")
    return [dict(zip(keys, line.split("\t") + [""] * len(keys))) for line in lines]


def load_api():
    loader = SourceFileLoader("apigen", os.path.join(HERE, "apigen"))
    module = module_from_spec(spec_from_loader("apigen", loader))
    loader.exec_module(module)
    return module.load(module.default_files())


def expected_type(row):
    if row["presence"] == "map":
        return BUILT_IN.get(row["elem"]) or ELEMENTS.get(row["elem"]) or row["elem"], MAP
    if row["json_type"] == "array" and not row["ref"]:
        return BUILT_IN.get(row["elem"]) or ELEMENTS.get(row["elem"]) or row["elem"], LIST
    base = BUILT_IN.get(row["ref"]) or row["ref"]
    if not base:
        fmt = row["json_format"]
        base = fmt if fmt in ("int32", "int64", "double") else PRIMITIVES[fmt if fmt == "byte" else row["json_type"]]
    pointer = row["presence"] == "ptr" and base not in ("raw", "bytes", "strings")
    return base, PTR if pointer else ONE


def expected(row):
    base, shape = expected_type(row)
    strategies = row["patch_strategy"].split(",")
    return {
        "number": row["pb_number"].replace("-", ""), "type": base, "shape": shape,
        "required": row["required"] == "yes", "omit": row["omit"].upper(),
        "list": (row["list_type"] or "atomic").upper(), "keys": row["list_map_keys"],
        "merge": "merge" in strategies, "merge key": row["patch_merge_key"], "retain keys": "retainKeys" in strategies, "replace": "replace" in strategies,
        "atomic": row["map_type"] == "atomic", "enum": row["enum"], "gate": row["gate"],
    }


def actual(flat):
    f = flat.field
    by_type = bool(f.message and f.message.atomic and f.shape in (ONE, PTR) and not f.granular)
    return {
        "number": ".".join(map(str, flat.path)), "type": f.message.full if f.message else f.base, "shape": f.shape,
        "required": f.required, "omit": f.omit, "list": f.list_kind, "keys": ",".join(f.list_keys),
        "merge": f.merge, "merge key": f.merge_key or (f.list_keys[0] if f.merge and f.list_keys else ""),
        "retain keys": f.retain_keys, "replace": f.replace, "atomic": f.atomic or by_type, "enum": "|".join(f.enum), "gate": f.gate or "",
    }


class Checker:
    def __init__(self, folder):
        self.folder, self.api, self.bad = folder, load_api(), []
        self.types = {t.full: t for t in self.api.types()}

    def same(self, what, have, want):
        if have != want:
            self.bad.append(f"{what}: api/ says {have!r}, the facts say {want!r}")

    def check_fields(self):
        rows = {}
        for row in load_facts(self.folder, "fields"):
            if row["field"] not in ("(inline)", "-"):
                rows.setdefault(row["type"], []).append(row)
        for name, of_type in rows.items():
            if name in UNREACHED or name in BUILT_IN:
                continue
            t = self.types.get(name)
            if not t:
                self.bad.append(f"{name}: not in api/")
                continue
            self.same(f"{name}: fields", [f.field.name for f in t.flat], [r["field"] for r in of_type])
            for row in of_type:
                flat = next((f for f in t.flat if f.field.name == row["field"]), None)
                have, want = actual(flat) if flat else {}, expected(row)
                for key in have:
                    self.same(f"{name}.{row['field']}: {key}", have[key], want[key])
        for name in self.types:
            if name not in rows and name not in HAND_WRITTEN and self.types[name].flat:
                self.bad.append(f"{name}: not in the facts")

    def check_types(self):
        for row in load_facts(self.folder, "types"):
            t = self.types.get(row["type"])
            if not t or row["scope"] != "ga":
                continue
            self.same(f"{t.full}: atomic", t.atomic, row["map_type"] == "atomic")
            self.same(f"{t.full}: union", t.unions, [row["union"]] if row["union"] else [])
            if row["pb_message"] not in ("", "-"):
                self.same(f"{t.full}: proto", f"{t.package.proto}.{t.name}", row["pb_message"])

    def check_kinds(self):
        for row in load_facts(self.folder, "kinds"):
            if row["served"] in ("on", "protocol") and row["type"] not in self.types:
                self.bad.append(f"kind {row['type']}: not in api/")

    def check_resources(self):
        ours = {}
        for r in self.api.resources():
            where = (r.package.group, r.package.version, r.name)
            ours[where + ("",)] = (r.type.full, r.namespaced, r.verbs, r.short, r.categories, r.singular)
            for s in r.subs:
                ours[where + (s.name,)] = (s.type.full, r.namespaced, s.verbs, [], [], "")
        packages = {(p.group, p.version): p.path for p in self.api.packages}
        for row in load_facts(self.folder, "resources"):
            key = (row["group"], row["version"], row["resource"], row["subresource"])
            other = row["kind_version"] != ""
            path = packages[row["kind_group"] if other else row["group"], row["kind_version"] or row["version"]]
            want = (f"{path}.{row['kind']}", row["namespaced"] == "true", row["verbs"], row["short_names"], row["categories"],
                    row["singular"])
            have = ours.pop(key, None)
            if have:
                have = (have[0], have[1], ",".join(sorted(have[2])), ",".join(have[3]), ",".join(have[4]), have[5])
            self.same(f"resource {key}", have, want)
        for key in ours:
            self.bad.append(f"resource {key}: not in the facts")

    def check_gates(self):
        rows = {row["gate"]: row["default"] == "true" for row in load_facts(self.folder, "gates")}
        for name, on in self.api.gates().items():
            if name not in STALE_GATES:
                self.same(f"gate {name}: on", on, rows.get(name))

    def check_columns(self):
        want = {}
        for row in load_facts(self.folder, "columns"):
            if row["source"] in ("printer", "own"):
                want.setdefault((row["group"], row["kind"]), []).append(
                    (row["column"], row["type"], row["format"], int(row["priority"])))
        for r in self.api.resources():
            have = [(c.name, c.type, c.format, c.priority) for c in r.columns or (r.storage_resource or r).columns]
            self.same(f"columns of {r.package.group}/{r.kind}", have, want.get((r.package.group, r.kind), []))


def main():
    folder = os.environ.get("COX_FACTS")
    if not folder:
        print("check_facts: set COX_FACTS to the folder with the fact tables", file=sys.stderr)
        return 2
    try:
        checker = Checker(folder)
    except (ApiError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    for check in (checker.check_fields, checker.check_types, checker.check_kinds, checker.check_resources, checker.check_columns,
                  checker.check_gates):
        check()
    for line in checker.bad:
        print(line)
    fields = sum(len(t.flat) for t in checker.types.values())
    print(f"{len(checker.types)} types, {fields} fields, {len(checker.api.resources())} resources compared: "
          f"{len(checker.bad)} differences")
    return 1 if checker.bad else 0


if __name__ == "__main__":
    sys.exit(main())
