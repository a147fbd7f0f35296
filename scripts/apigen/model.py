# SPDX-License-Identifier: Apache-2.0
"""What an .api file says, as Python objects. docs/design/schema.md describes the language."""
import re
from dataclasses import dataclass, field
from typing import Optional

# Name in the IDL -> (enum field_type, C type).
SCALARS = {
    "string": ("STRING", "struct str"),
    "bool": ("BOOL", "bool"),
    "int32": ("INT32", "int32_t"),
    "int64": ("INT64", "int64_t"),
    "double": ("DOUBLE", "double"),
    "bytes": ("BYTES", "struct str"),
    "quantity": ("QUANTITY", "struct quantity"),
    "time": ("TIME", "struct timestamp"),
    "microtime": ("MICRO_TIME", "struct timestamp"),
    "duration": ("DURATION", "int64_t"),
    "intorstring": ("INT_OR_STRING", "struct int_or_string"),
    "raw": ("RAW", "struct str"),
    "strings": ("STRINGS", "struct str_list"),
}
# Go holds these as structs by value, so their key is always written.
ALWAYS_WRITTEN = {"quantity", "time", "microtime", "duration", "intorstring", "raw"}
# These have a null of their own and need no pointer.
NULLABLE = {"raw", "bytes", "strings"}

ONE, PTR, LIST, MAP = "ONE", "PTR", "LIST", "MAP"
LEVELS = ("acts", "stored", "refused")
FORMS = {"object": "OBJECT", "schema-or-bool": "SCHEMA_OR_BOOL", "schema-or-array": "SCHEMA_OR_ARRAY",
         "schema-or-strings": "SCHEMA_OR_STRINGS"}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
# C17 keywords, macros of the headers we include everywhere, and what gnu17 predefines.
C_RESERVED = set("""bool true false auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    asm typeof linux unix i386""".split())


class ApiError(Exception):
    """One or more messages of the form file:line: what is wrong."""


def snake(name):
    """hostIPC -> host_ipc, podCIDRs -> pod_cidrs, $ref -> ref, default -> default_."""
    name = re.sub(r"([A-Z]{2,})s(?=[A-Z]|$)", lambda m: m[1].capitalize() + "s", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return name + "_" if name in C_RESERVED else name


@dataclass(eq=False)
class Field:
    where: str  # file:line
    number: Optional[int]
    name: str
    base: str  # a scalar's name, or a type's as written
    shape: str
    required: bool = False
    omit: str = "EMPTY"
    list_kind: str = "ATOMIC"
    list_keys: list = field(default_factory=list)
    merge: bool = False
    merge_key: Optional[str] = None
    retain_keys: bool = False
    replace: bool = False
    atomic: bool = False
    granular: bool = False  # although its type is atomic
    enum: list = field(default_factory=list)
    default: Optional[str] = None
    gate: Optional[str] = None
    level: Optional[str] = None
    level_values: list = field(default_factory=list)
    sensitive: bool = False
    immutable: bool = False
    doc: Optional[str] = None
    message: Optional["Type"] = None  # filled in by resolve()

    @property
    def c_name(self):
        return snake(self.name)

    @property
    def c_type(self):
        return self.message.c_name if self.message else SCALARS[self.base][1]


@dataclass(eq=False)
class Spread:
    """`2 ... VolumeSource`: an inlined protobuf message whose fields lie flat in the JSON object and in the struct."""
    where: str
    number: int
    base: str
    type: Optional["Type"] = None


@dataclass
class FlatField:
    """A field as it lies in the struct, with the protobuf numbers of the inlined messages around it."""
    field: Field
    path: tuple
    level: Optional[str] = None  # effective, by compute_levels()


@dataclass(eq=False)
class Type:
    where: str
    package: "Package"
    name: str
    kind: bool = False
    level: Optional[str] = None
    atomic: bool = False
    form: str = "object"
    doc: Optional[str] = None
    members: list = field(default_factory=list)
    unions: list = field(default_factory=list)
    flat: list = field(default_factory=list)
    computed_level: Optional[str] = None
    emitted: bool = True  # False: only ever spread into others

    @property
    def full(self):
        return f"{self.package.path}.{self.name}"

    @property
    def ident(self):
        return f"{self.package.prefix}_{snake(self.name)}"

    @property
    def c_name(self):
        return f"struct {self.ident}"

    def find(self, name):
        return next((f.field for f in self.flat if f.field.name == name), None)

    @property
    def has_object_meta(self):
        meta = self.find("metadata")
        return self.kind and meta and meta.shape == ONE and meta.message and meta.message.full == "meta/v1.ObjectMeta"

    @property
    def is_list(self):
        meta, items = self.find("metadata"), self.find("items")
        return (self.kind and meta and meta.message and meta.message.full == "meta/v1.ListMeta" and items
                and items.shape == LIST)


@dataclass
class Column:
    where: str
    name: str
    type: str
    format: str = ""
    priority: int = 0


@dataclass
class Subresource:
    where: str
    name: str
    base: Optional[str]
    verbs: list
    level: Optional[str] = None
    type: Optional[Type] = None
    computed_level: Optional[str] = None  # the worst of its own, its body's and its resource's


@dataclass(eq=False)
class Resource:
    where: str
    package: "Package"
    name: str
    kind: str
    namespaced: bool
    singular: str = ""
    verbs: list = field(default_factory=lambda: list(VERBS))
    short: list = field(default_factory=list)
    categories: list = field(default_factory=list)
    select: list = field(default_factory=list)  # (name, [paths in the storage type])
    columns: list = field(default_factory=list)
    subs: list = field(default_factory=list)
    storage: Optional[str] = None  # package path
    type: Optional[Type] = None
    list_type: Optional[Type] = None
    storage_resource: Optional["Resource"] = None

    @property
    def ident(self):
        return f"resource_{self.package.prefix}_{self.name}"


@dataclass(eq=False)
class Package:
    where: str
    path: str  # core/v1
    group: Optional[str] = None  # None: serves no resources
    proto: Optional[str] = None
    priority: tuple = (0, 0)
    types: dict = field(default_factory=dict)
    resources: list = field(default_factory=list)
    gates: dict = field(default_factory=dict)  # name -> on by default

    @property
    def version(self):
        return self.path.partition("/")[2]

    @property
    def prefix(self):
        name = self.path.partition("/")[0].replace(".", "_")
        return name if self.version in ("", "v1") else f"{name}_{self.version}"

    @property
    def header(self):
        return self.path.replace("/", "_").replace(".", "_") + ".h"
