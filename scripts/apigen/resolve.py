# SPDX-License-Identifier: Apache-2.0
"""Ties the packages together: type names to types, inlined messages to flat fields, list types, support levels. Every
inconsistency becomes one file:line message; all of them are reported at once."""
import json
from model import LEVELS, LIST, MAP, ONE, PTR, SCALARS, ApiError, Field, FlatField, Spread, Type

MAX_FIELDS = 255  # by_name holds bytes


class Api:
    def __init__(self, packages):
        self.packages = packages
        self.errors = []

    def error(self, where, message):
        self.errors.append(f"{where}: {message}")

    def types(self):
        return [t for p in self.packages for t in p.types.values()]

    def resources(self):
        return [r for p in self.packages for r in p.resources]

    def gates(self):
        return dict(sorted(g for p in self.packages for g in p.gates.items()))

    def find_package(self, path):
        return next((p for p in self.packages if p.path == path), None)

    def find_type(self, name, package):
        """PodSpec in its own package, core/v1.PodSpec from anywhere."""
        path, dot, local = name.rpartition(".")
        p = self.find_package(path) if dot else package
        return p.types.get(local) if p else None


def add_list_types(api):
    """Every resource that can be listed has KindList: ListMeta and the items. Nobody needs to write that down."""
    for r in api.resources():
        kind = r.package.types.get(r.kind)
        name = r.kind + "List"
        if "list" not in r.verbs or not kind or name in r.package.types:
            continue
        t = Type(r.where, r.package, name, kind=True, level=kind.level, doc=f"{r.kind} objects")
        t.members = [Field(r.where, None, "kind", "string", ONE), Field(r.where, None, "apiVersion", "string", ONE),
                     Field(r.where, 1, "metadata", "meta/v1.ListMeta", ONE, omit="NEVER"),
                     Field(r.where, 2, "items", r.kind, LIST, omit="NEVER", required=True)]
        r.package.types[name] = t


def resolve_types(api):
    for t in api.types():
        for m in t.members:
            if isinstance(m, Spread):
                m.type = api.find_type(m.base, t.package)
                if not m.type:
                    api.error(m.where, f"{t.full}: unknown type {m.base}")
            elif m.base not in SCALARS:
                m.message = api.find_type(m.base, t.package)
                if not m.message:
                    api.error(m.where, f"{t.full}.{m.name}: unknown type {m.base}")


def flatten(api, t, stack=()):
    """The fields of t with those of its inlined messages, JSON order."""
    out = []
    if t in stack:
        api.error(t.where, f"{t.full} is inlined into itself")
        return out
    for m in t.members:
        if isinstance(m, Field):
            out.append(FlatField(m, (m.number,) if m.number else ()))
        elif m.type:
            for inner in flatten(api, m.type, stack + (t,)):
                out.append(FlatField(inner.field, (m.number,) + inner.path))
    return out


def check_field(api, t, f):
    def bad(message):
        api.error(f.where, f"{t.full}.{f.name}: {message}")
    is_list, is_map = f.shape == LIST, f.shape == MAP
    if (f.list_kind != "ATOMIC" or f.merge) and not is_list:
        bad("map, set and merge are for lists")
    if f.list_kind == "MAP" and not f.message:
        bad("map(...) is for lists of messages; use set")
    for key in f.list_keys + ([f.merge_key] if f.merge_key else []):
        if f.message and not f.message.find(key):
            bad(f"{f.message.full} has no field {key}")
    if f.merge and f.message and not (f.merge_key or f.list_keys):
        bad("merge of messages needs a key: merge(name)")
    if f.retain_keys and not f.message:
        bad("retainkeys is for messages and lists of messages")
    if f.atomic and (is_list or not (f.message or is_map)):
        bad("atomic is for messages and maps (a list is atomic unless it says map or set)")
    for gate in f.gate.split(",") if f.gate else ():
        if gate not in api.gates():
            bad(f"gate {gate} is not declared; write in gates.api: gate {gate} on, or off")
    if f.granular and not (f.message and f.message.atomic):
        bad("granular is for a field whose type is atomic")
    if f.enum and f.base != "string":
        bad("enum is for strings")
    if f.required and f.default is not None:
        bad("a required field has no default")
    for value in f.level_values:
        if f.base not in ("string", "bool") or is_map:
            bad(f"{f.level}(...) is for strings, lists of strings and bools")
        elif f.base == "bool" and value not in ("true", "false"):
            bad(f"{f.level}({value}): a bool is true or false")
        elif f.enum and value not in f.enum:
            bad(f"{f.level}({value}): not in its enum")
    if f.default is not None:
        check_default(f, bad)


def check_default(f, bad):
    value = json.loads(f.default)
    kinds = {LIST: (list,), MAP: (dict,)}.get(f.shape)
    if not kinds:
        kinds = {"string": (str,), "bool": (bool,), "int32": (int,), "int64": (int,), "double": (int, float),
                 "intorstring": (int, str), "quantity": (str,)}.get(f.base, (dict,) if f.message else ())
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        bad(f"the default {f.default} does not fit the type")
    elif f.enum and value not in f.enum:
        bad(f"the default {f.default} is not in its enum")


def check_type(api, t):
    names, c_names = {}, {}
    for flat in t.flat:
        f = flat.field
        for table, key, what in ((names, f.name, "name"), (c_names, f.c_name, "C name")):
            if key in table:
                api.error(f.where, f"{t.full}.{f.name}: {what} {key} is taken by {table[key]}")
            table[key] = f.name
    own = {}
    for m in t.members:
        number = m.number
        label = m.name if isinstance(m, Field) else m.base
        if number and number in own:
            api.error(m.where, f"{t.full}.{label}: number {number} is taken by {own[number]}")
        own[number] = label
        if isinstance(m, Field):
            check_field(api, t, m)
        elif number is None:
            api.error(m.where, f"{t.full}: an inlined type needs its protobuf number")
    if len(t.flat) > MAX_FIELDS:
        api.error(t.where, f"{t.full} has more than {MAX_FIELDS} fields")
    if t.kind and t.find("metadata") and t.flat[2].field.name != "metadata":
        api.error(t.where, f"{t.full}: metadata comes first in a kind")
    if t.kind and not t.doc:
        api.error(t.where, f"{t.full}: a kind needs a description")
    for union in t.unions:
        head, _, members = union.partition(":")
        for name in ([head] if head else []) + members.split(","):
            if not t.find(name):
                api.error(t.where, f"{t.full}: union names {name}, which is no field")


def check_embedding(api):
    """A struct cannot hold itself by value."""
    state = {}

    def visit(t, trail):
        if state.get(t.full) == "done":
            return
        if t.full in trail:
            api.error(t.where, f"{t.full} holds itself by value ({' -> '.join(trail + [t.full])}); write T? or [T]")
            return
        for flat in t.flat:
            if flat.field.message and flat.field.shape == ONE:
                visit(flat.field.message, trail + [t.full])
        state[t.full] = "done"
    for t in api.types():
        visit(t, [])


def resolve_resources(api):
    seen = {}
    for r in api.resources():
        key = (r.package.path, r.name)
        if key in seen:
            api.error(r.where, f"resource {r.name} is already defined at {seen[key]}")
        seen[key] = r.where
        if r.package.group is None:
            api.error(r.where, f"package {r.package.path} has resources but no group line")
        r.type = r.package.types.get(r.kind)
        if not r.type or not r.type.kind:
            api.error(r.where, f"resource {r.name}: no kind {r.kind} in {r.package.path}")
            continue
        if "list" in r.verbs:
            r.list_type = r.package.types.get(r.kind + "List")
        for s in r.subs:
            s.type = api.find_type(s.base, r.package) if s.base else r.type
            if not s.type or not s.type.kind:
                api.error(s.where, f"{r.name}/{s.name}: unknown kind {s.base}")
        if r.storage:
            p = api.find_package(r.storage)
            r.storage_resource = next((o for o in p.resources if o.name == r.name), None) if p else None
            if not r.storage_resource:
                api.error(r.where, f"resource {r.name}: no resource of that name in {r.storage}")
    for r in api.resources():
        for name, paths in r.select:
            for path in paths:
                check_path(api, r, name, path)


def check_path(api, r, name, path):
    t = (r.storage_resource or r).type
    for part in path.split("."):
        f = t.find(part) if t else None
        if not f:
            api.error(r.where, f"resource {r.name}: select {name}: {t.full if t else r.kind} has no field {part}")
            return
        t = f.message


def compute_levels(api):
    """A type is as good as the best way to it: acts if an acting kind reaches it through fields that act. A level written
    at the type is the least it has. Fields inherit their type's level unless they are worse."""
    rank = {t.full: LEVELS.index(t.level) if t.level else None for t in api.types()}
    used = {f.field.message.full for t in api.types() for f in t.flat if f.field.message}
    best = {t.full: rank[t.full] for t in api.types() if rank[t.full] is not None and (t.kind or t.full not in used)}
    work = [t for t in api.types() if t.full in best]
    while work:
        t = work.pop()
        for flat in t.flat:
            m = flat.field.message
            if not m:
                continue
            reach = max(best[t.full], field_rank(flat.field), rank[m.full] or 0)
            if m.kind and rank[m.full] is not None:
                continue
            if m.full not in best or reach < best[m.full]:
                best[m.full] = reach
                work.append(m)
    for t in api.types():
        if t.kind and t.level is None:
            api.error(t.where, f"kind {t.full} has no support level: write acts, stored or refused")
        elif t.emitted and t.full not in best:
            api.error(t.where, f"{t.full} has no support level: no kind reaches it; write acts, stored or refused, or remove it")
        else:
            t.computed_level = LEVELS[best.get(t.full, 0)]
            for flat in t.flat:
                flat.level = LEVELS[max(best.get(t.full, 0), field_rank(flat.field))]


def compute_subresource_levels(api):
    for r in api.resources():
        for s in r.subs:
            levels = [r.type.computed_level, s.type.computed_level, s.level or "acts"]
            s.computed_level = max(levels, key=LEVELS.index)


def field_rank(f):
    return LEVELS.index(f.level) if f.level and not f.level_values else 0


def resolve(packages):
    api = Api(sorted(packages, key=lambda p: (tuple(-n for n in p.priority), p.path)))
    by_path = {}
    for p in packages:
        if p.path in by_path:
            api.error(p.where, f"package {p.path} is already defined at {by_path[p.path]}")
        by_path[p.path] = p.where
    add_list_types(api)
    resolve_types(api)
    for t in api.types():
        t.flat = flatten(api, t)
    spread = {m.type.full for t in api.types() for m in t.members if isinstance(m, Spread) and m.type}
    used = {f.field.message.full for t in api.types() for f in t.flat if f.field.message}
    for t in api.types():
        t.emitted = t.kind or t.full in used or t.full not in spread
        check_type(api, t)
    check_embedding(api)
    resolve_resources(api)
    compute_levels(api)
    if api.errors:
        raise ApiError("\n".join(api.errors))
    compute_subresource_levels(api)
    return api
