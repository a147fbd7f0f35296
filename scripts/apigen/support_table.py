# SPDX-License-Identifier: Apache-2.0
"""The README's support table: what writing each kind and field does."""


def reaches(kinds):
    """Full names of the types that can stand inside these kinds."""
    seen, work = set(), list(kinds)
    while work:
        t = work.pop()
        if t.full in seen:
            continue
        seen.add(t.full)
        work += [f.field.message for f in t.flat if f.field.message]
    return seen


def marked(t, level):
    out = []
    for flat in t.flat:
        f = flat.field
        if f.level == level:
            out.append(f"`{f.name}`" + (f" ({', '.join(f.level_values)})" if f.level_values else ""))
    return ", ".join(out)


def support_table(api):
    lines = ["| API | acts | stored only | refused |", "|---|---|---|---|"]
    for p in api.packages:
        kinds = {}
        for r in p.resources:
            kinds.setdefault(r.type.computed_level, []).append(r.kind)
        if kinds:
            row = " | ".join(", ".join(kinds.get(level, [])) for level in ("acts", "stored", "refused"))
            lines.append(f"| {p.group or 'core'}/{p.version} | {row} |")
    subs = {}
    for r in api.resources():
        for s in r.subs:
            if r.type.computed_level == "acts" and s.computed_level != "acts":
                subs.setdefault(s.computed_level, []).append(f"`{r.name}/{s.name}`")
    for level, names in sorted(subs.items()):
        lines += ["", f"Subresources that are {level}: {', '.join(names)}."]
    lines += ["", "Within kinds that act, these fields do not:", "", "| Type | stored only | refused |", "|---|---|---|"]
    acting = reaches([r.type for r in api.resources() if r.type.computed_level == "acts"])
    for t in api.types():
        stored, refused = marked(t, "stored"), marked(t, "refused")
        if t.full in acting and t.emitted and t.computed_level == "acts" and (stored or refused):
            lines.append(f"| {t.full} | {stored} | {refused} |")
    return "\n".join(lines)
