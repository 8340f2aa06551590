"""Reads real directories for machines: the entries of a log, the rows of a database; for tests.

What is applied is what etcd would apply: up to the commit index of the last hard state, or what
the database has applied, whichever is more. Truth is read from files that walctl did not write.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpus import manifest, names, unpacked
from walctl.backend import tree
from walctl.backend.pages import Pages
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey, survey
from walctl.fs.real import RealFileSystem
from walctl.machine.base import Machine, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.etcd_rows import FORM, Form, Rows
from walctl.raft.types import Entry
from walctl.wal.entry_frames import entries_of

DISK = RealFileSystem()
FORM_34 = Form(writes_term=False)
CLEAN = ("clean", "benign")


@dataclass(frozen=True, slots=True)
class Place:
    """A member of a directory of the corpus."""

    name: str
    member: str

    def __str__(self) -> str:
        return f"{self.name}/{self.member}"

    @property
    def path(self) -> Path:
        return unpacked(self.name) / self.member

    @property
    def truth(self) -> dict[str, Any] | None:
        """What the running server said before it was stopped."""
        said = manifest(self.name)
        kind = "api.json" if said["kind"] == "scenario" else "before-damage.api.json"
        path = unpacked(self.name) / "truth" / f"{self.member}.{kind}"
        return json.loads(path.read_bytes()) if path.exists() else None


def clean_places() -> list[Place]:
    """Every member of every clean directory with a layout of etcd; none without a corpus."""
    found = []
    for name in names():
        said = manifest(name)
        if said["expected"]["verdict"] in CLEAN and said.get("layout") != "raftexample":
            found += [Place(name, member) for member in said.get("members", ["n1"])]
    return found


def surveyed(path: Path) -> Survey:
    """What the files of a member say."""
    return survey(DISK, understand(DISK, path))


def entries(seen: Survey, *, first: int = 1, last: int | None = None) -> Iterator[Entry]:
    """The entries that count of a log, `first..last` as far as they are there, in order."""
    folder = seen.layout.wal_dir
    assert folder is not None
    with ExitStack() as stack:
        for run in seen.log.live:
            low = max(first, run.first)
            high = run.last if last is None else min(last, run.last)
            if low <= high:
                file = stack.enter_context(DISK.open(folder / run.segment))
                for entry in entries_of(file, run, first=low, last=high):
                    yield Entry(entry.term, entry.index, entry.raw_kind, entry.payload)


def to_apply(seen: Survey) -> int:
    """Index of the last entry that is safe to apply."""
    return max(seen.commit, seen.applied or 0)


def database(path: Path) -> Rows:
    """Every row of a database, by bucket."""
    with DISK.open(path) as file:
        root = tree.root(Pages(file))
        return {
            item.key: [(row.key, row.value) for row in root.open(item).items()]
            for item in root.items()
        }


def database_of(path: Path) -> Rows:
    """The rows of a member's own database."""
    return database(path / "member" / "snap" / "db")


def by_bucket(machine: Etcd, form: Form = FORM) -> dict[bytes, dict[bytes, bytes]]:
    """The rows that a machine would have in a database."""
    found: dict[bytes, dict[bytes, bytes]] = {}
    for row in machine.rows(form):
        found.setdefault(row.bucket, {})[row.key] = row.value
    return found


def replayed(machine: Machine, found: Iterator[Entry]) -> list[Result]:
    """Apply entries; none may stop it."""
    results = []
    for entry in found:
        result = machine.apply(entry)
        assert result.outcome not in (Outcome.UNDECODABLE, Outcome.FATAL), (entry, result)
        results.append(result)
    return results
