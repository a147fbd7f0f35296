# SPDX-License-Identifier: Apache-2.0
"""Reads one .api file into a Package. Errors name file and line. The grammar is in docs/design/schema.md."""
import json
import re
from model import (ALWAYS_WRITTEN, FORMS, LEVELS, LIST, MAP, NULLABLE, ONE, PTR, SCALARS, VERBS, ApiError, Column, Field,
                   Package, Resource, Spread, Subresource, Type)

TOKEN = re.compile(r'\s*(?:(?P<comment>#.*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<punct>[()=])|(?P<word>[^\s"()=#]+))')


class Text(str):
    """A quoted string, where a bare word would mean something else."""


def tokens(line, where):
    """Words, quoted strings (Text), '(' ')' and ('=', json text)."""
    out, pos = [], 0
    line = line.rstrip()
    while pos < len(line):
        m = TOKEN.match(line, pos)
        if not m:
            raise ApiError(f'{where}: cannot read from here on: {line[pos:].strip()!r} (a quote that is not closed?)')
        pos = m.end()
        if m["comment"]:
            break
        if m["string"]:
            out.append(Text(json.loads(m["string"])))
        elif m["punct"] == "=":
            rest = line[pos:]
            try:
                _, used = json.JSONDecoder().raw_decode(rest.lstrip())
            except ValueError:
                raise ApiError(f"{where}: what follows '=' is not JSON: {rest.strip()!r}") from None
            start = pos + len(rest) - len(rest.lstrip())
            out.append(("=", json.dumps(json.loads(line[start:start + used]), separators=(",", ":"))))
            pos = start + used
        else:
            out.append(m["punct"] or m["word"])
    return out


class Line:
    """The tokens of one logical line, taken from the front."""

    def __init__(self, where, toks):
        self.where, self.toks = where, toks

    def fail(self, message):
        raise ApiError(f"{self.where}: {message}")

    def more(self):
        return bool(self.toks)

    def take(self, what):
        if not self.toks:
            self.fail(f"{what} is missing at the end of the line")
        return self.toks.pop(0)

    def word(self, what):
        tok = self.take(what)
        if isinstance(tok, (Text, tuple)) or tok in "()":
            self.fail(f"{what} expected, not {tok!r}")
        return tok

    def text(self):
        """A quoted string if one comes next."""
        if self.toks and isinstance(self.toks[0], Text):
            return str(self.toks.pop(0))
        return None

    def args(self):
        """What stands in parentheses if they come next, else None."""
        if not self.toks or self.toks[0] != "(" or isinstance(self.toks[0], Text):
            return None
        self.toks.pop(0)
        out = []
        while True:
            tok = self.take("')'")
            if tok == ")" and not isinstance(tok, Text):
                return out
            out.append(str(tok))

    def end(self):
        if self.toks:
            self.fail(f"nothing more expected, but there is {self.toks[0]!r}")


def logical_lines(path):
    """A line that ends in a backslash goes on in the next one."""
    held, first = "", 0
    with open(path, encoding="utf-8") as f:
        for number, raw in enumerate(f, 1):
            raw = raw.rstrip("\n")
            first = first or number
            if raw.endswith("\\"):
                held += raw[:-1] + " "
                continue
            where = f"{path}:{first}"
            toks = tokens(held + raw, where)
            held, first = "", 0
            if toks:
                yield Line(where, toks)
    if held:
        raise ApiError(f"{path}:{first}: the file ends after a backslash")


def parse_type_ref(line, text):
    """string, string?, [T], {T} -> (base, shape)"""
    m = re.fullmatch(r"(?:\[(?P<list>[\w/.]+)\]|\{(?P<map>[\w/.]+)\}|(?P<one>[\w/.]+)(?P<ptr>\?)?)", text)
    if not m:
        line.fail(f"{text!r} is not a type: write T, T?, [T] or {{T}}")
    if m["list"]:
        return m["list"], LIST
    if m["map"]:
        return m["map"], MAP
    return m["one"], PTR if m["ptr"] else ONE


def flag(attr):
    def set_flag(line, f):
        setattr(f, attr, True)
    return set_flag


def level(line, f, word):
    f.level = word
    f.level_values = line.args() or []


def option_map(line, f):
    f.list_kind, f.list_keys = "MAP", line.args()
    if not f.list_keys:
        line.fail("map needs its keys: map(name)")


def option_set(line, f):
    f.list_kind = "SET"


def option_merge(line, f):
    f.merge = True
    keys = line.args()
    if keys is not None and len(keys) != 1:
        line.fail("merge takes one key: merge(name)")
    f.merge_key = keys[0] if keys else None


def option_enum(line, f):
    f.enum = line.args()
    if not f.enum:
        line.fail("enum needs its values: enum(A B)")


def option_gate(line, f):
    gates = line.args()
    if not gates:
        line.fail("gate needs a name: gate(Name)")
    f.gate = ",".join(gates)


def option_required(line, f):
    f.required = True
    f.omit = "NEVER"


def option_written(line, f):
    f.omit = "NEVER"


def option_omit(line, f):
    how = line.args() or ["empty"]
    if how not in (["empty"], ["zero"]):
        line.fail("omit takes nothing or zero: omit, omit(zero)")
    f.omit = how[0].upper()


FIELD_OPTIONS = {
    "required": option_required, "written": option_written, "omit": option_omit, "map": option_map, "set": option_set,
    "merge": option_merge, "enum": option_enum, "gate": option_gate, "retainkeys": flag("retain_keys"),
    "replace": flag("replace"),
    "atomic": flag("atomic"), "granular": flag("granular"), "sensitive": flag("sensitive"), "immutable": flag("immutable"),
    **{word: (lambda line, f, word=word: level(line, f, word)) for word in LEVELS},
}


def parse_member(line):
    number = line.word("the protobuf number")
    if number != "-" and not re.fullmatch(r"[1-9]\d{0,4}", number):
        line.fail(f"a field begins with its protobuf number, or - if it has none, not {number!r}")
    number = None if number == "-" else int(number)
    name = line.word("the field's JSON name")
    if name == "...":
        base = line.word("the inlined type")
        line.end()
        return Spread(line.where, number, base)
    base, shape = parse_type_ref(line, line.word(f"the type of {name}"))
    if shape == PTR and base in NULLABLE:
        f = Field(line.where, number, name, base, ONE, omit="EMPTY")
    else:
        by_value = shape == ONE and (base in ALWAYS_WRITTEN or base not in SCALARS)
        f = Field(line.where, number, name, base, shape, omit="NEVER" if by_value else "EMPTY")
    while line.more():
        f.doc = line.text()
        if f.doc is not None:
            line.end()
            break
        tok = line.take("an option")
        if isinstance(tok, tuple):
            f.default = tok[1]
        elif tok in FIELD_OPTIONS:
            FIELD_OPTIONS[tok](line, f)
        else:
            line.fail(f"{name}: unknown option {tok!r}; there are: {' '.join(sorted(FIELD_OPTIONS))}")
    return f


def parse_type(line, package, is_kind):
    t = Type(line.where, package, line.word("the type's name"), kind=is_kind)
    while True:
        t.doc = t.doc or line.text()
        word = line.word("'{'")
        if word == "{":
            break
        if word in LEVELS:
            t.level = word
        elif word == "atomic":
            t.atomic = True
        elif word == "form":
            t.form = (line.args() or [""])[0]
            if t.form not in FORMS:
                line.fail(f"form takes one of: {' '.join(FORMS)}")
        else:
            line.fail(f"{t.name}: unknown option {word!r}; there are: {' '.join(LEVELS)} atomic form(...)")
    line.end()
    if is_kind:
        for name in ("kind", "apiVersion"):
            t.members.append(Field(line.where, None, name, "string", ONE))
    return t


def parse_union(line):
    """union type: localhostProfile      union : a b"""
    words = [str(w) for w in line.toks]
    line.toks = []
    head, colon, rest = " ".join(words).partition(":")
    if not colon or not rest.split():
        line.fail("write union DISCRIMINATOR: MEMBER ... (the discriminator may be left out)")
    return f"{head.strip()}:{','.join(rest.split())}"


def parse_verbs(line):
    verbs = []
    while line.more():
        verb = line.word("a verb")
        if verb not in VERBS:
            line.fail(f"unknown verb {verb!r}; there are: {' '.join(VERBS)}")
        verbs.append(verb)
    return verbs


def words(line):
    return [line.word("a word") for _ in range(len(line.toks))]


def parse_select(line, r):
    """select spec.nodeName status.successful(status.succeeded)"""
    while line.more():
        name = line.word("a field selector")
        r.select.append((name, line.args() or [name]))


def parse_sub(line, r):
    """sub scale autoscaling/v1.Scale get patch update       sub resize refused get patch update"""
    name = line.word("the subresource's name")
    base = level_word = None
    if line.more() and line.toks[0] not in VERBS + LEVELS:
        base = line.word("the body's type")
    if line.more() and line.toks[0] in LEVELS:
        level_word = line.word("the support level")
    r.subs.append(Subresource(line.where, name, base, parse_verbs(line), level_word))


def parse_column(line, r):
    """column "Nominated Node" string wide"""
    name = line.text() or line.word("the column's name")
    c = Column(line.where, name, line.word("the column's type"))
    while line.more():
        word = line.word("an option")
        if word == "name":
            c.format = "name"
        elif word == "wide":
            c.priority = 1
        else:
            line.fail(f"column {name}: unknown option {word!r}; there are: name wide")
    r.columns.append(c)


def parse_resource_line(line, r):
    key = line.word("a keyword")
    if key in ("short", "categories"):
        getattr(r, key).extend(words(line))
    elif key == "select":
        parse_select(line, r)
    elif key == "verbs":
        r.verbs = parse_verbs(line)
    elif key == "storage":
        r.storage = line.word("a package")
    elif key == "sub":
        parse_sub(line, r)
    elif key == "column":
        parse_column(line, r)
    else:
        line.fail(f"resource {r.name}: unknown keyword {key!r}; there are: short categories select verbs storage sub column")
    line.end()


def parse_resource(line, package):
    """resource pods Pod namespaced {"""
    name, kind, scope = line.word("the resource's name"), line.word("its kind"), line.word("its scope")
    if scope not in ("namespaced", "cluster"):
        line.fail(f"resource {name}: scope is namespaced or cluster, not {scope!r}")
    if line.word("'{'") != "{":
        line.fail("'{' expected")
    line.end()
    return Resource(line.where, package, name, kind, scope == "namespaced", singular=kind.lower())


def parse_gate(line, package):
    """gate PodLevelResources on"""
    name, state = line.word("the gate's name"), line.word("on or off")
    if state not in ("on", "off"):
        line.fail(f"gate {name} is on or off, not {state!r}")
    if name in package.gates:
        line.fail(f"gate {name} is already declared")
    package.gates[name] = state == "on"


def parse_package_line(line, package, key):
    if key == "group":
        package.group = line.text()
        if package.group is None:
            package.group = line.word("the group")
    elif key == "proto":
        package.proto = line.word("the protobuf package")
    elif key == "priority":
        package.priority = tuple(int(line.word("a number")) for _ in range(2))
    elif key == "gate":
        parse_gate(line, package)
    else:
        line.fail(f"unknown keyword {key!r}; there are: group proto priority gate type kind resource")
    line.end()


def parse_block_line(line, block):
    if isinstance(block, Resource):
        parse_resource_line(line, block)
    elif line.toks[0] == "union":
        line.take("union")
        block.unions.append(parse_union(line))
    else:
        block.members.append(parse_member(line))


def parse_file(path):
    package, block = None, None
    for line in logical_lines(path):
        if block is not None:
            if line.toks == ["}"]:
                block = None
            else:
                parse_block_line(line, block)
            continue
        key = line.word("a keyword")
        if key == "package":
            if package:
                line.fail("one file holds one package")
            package = Package(line.where, line.word("the package, such as core/v1"))
            line.end()
        elif package is None:
            line.fail("the first line is: package NAME/VERSION")
        elif key in ("type", "kind"):
            block = parse_type(line, package, key == "kind")
            if block.name in package.types:
                line.fail(f"{block.name} is already defined at {package.types[block.name].where}")
            package.types[block.name] = block
        elif key == "resource":
            block = parse_resource(line, package)
            package.resources.append(block)
        else:
            parse_package_line(line, package, key)
    if package is None:
        raise ApiError(f"{path}:1: the file is empty; its first line is: package NAME/VERSION")
    if block is not None:
        raise ApiError(f"{block.where}: {block.name} is not closed with '}}'")
    return package
