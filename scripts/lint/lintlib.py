# SPDX-License-Identifier: Apache-2.0
"""What the lints share: which files, C without its comments, exceptions, the report.

A lint looks at the files named one a line in $LINT_FILES, else at all files git knows or would
add, relative to the directory it is run in. It prints file:line of every finding and exits 1."""
import fnmatch
import os
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def files(*patterns):
    """Paths of existing files that match one of the patterns ('src/*.h' covers all depths)."""
    named = os.environ.get("LINT_FILES")
    if named:
        names = pathlib.Path(named).read_text().splitlines()
    else:
        listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"],
                                 check=True, capture_output=True, text=True).stdout
        names = listing.split("\0")
    return sorted({name for name in names
                   if any(fnmatch.fnmatchcase(name, p) for p in patterns) and os.path.isfile(name)})


def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")


# Raw strings and trigraphs do not occur; a line comment is kept apart because it is an error itself.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(text):
    """C text with comments and literals blanked; lines and columns stay where they were."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return _TOKEN.sub(blank, text)


def line_comments(text):
    """Offsets of // comments that are neither in a literal nor in a block comment."""
    return [m.start() for m in _TOKEN.finditer(text) if m.group().startswith("//")]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def cflags():
    """The project's compiler flags, from make; the default suits a tree that needs no library."""
    return shlex.split(os.environ.get("LINT_CFLAGS", "-std=gnu17 -D_GNU_SOURCE -Isrc -Ibuild/gen"))


class Report:
    def __init__(self, name, reason, fix):
        self.name, self.reason, self.fix = name, reason, fix
        self.findings, self.used, self.exceptions = [], set(), []
        path = pathlib.Path(os.environ.get("LINT_EXCEPTIONS", HERE / "exceptions"))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            fields = line.split(None, 3)
            if fields and not line.startswith("#"):
                if len(fields) < 4:
                    sys.exit(f"{path}:{number}: an exception is: lint file what reason")
                if fields[0] == name:
                    self.exceptions.append((f"{path}:{number}", fields[1], fields[2]))

    def add(self, path, line, text, what=None):
        """`what` is the name by which scripts/lint/exceptions can let the finding pass."""
        for place, pattern, name in self.exceptions:
            if what and name == what and fnmatch.fnmatchcase(path, pattern):
                self.used.add(place)
                return
        self.findings.append((path, line, text))

    def finish(self):
        for place, pattern, name in self.exceptions:
            if place not in self.used:
                self.findings.append((place.rpartition(":")[0], int(place.rpartition(":")[2]),
                                      f"the exception for {name} in {pattern} is no longer needed: remove it"))
        for path, line, text in sorted(set(self.findings)):
            print(f"{path}:{line}: {text}")
        if self.findings:
            print(f"lint {self.name}: {self.reason}")
            print(f"  fix: {self.fix}")
        sys.exit(1 if self.findings else 0)
