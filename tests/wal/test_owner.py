"""What etcd returns, says and cuts on opening: held against its own WAL package, on all the corpus.

The truth is in the manifests: the `wal` packages of 3.4.23, 3.5.1 and 3.6.14 were run over every
directory. What is said below of 3.5.5 and later releases of 3.5 rests on their source alone.
"""

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import manifest, names, needs_corpus, unpacked
from walctl.fs.real import RealFileSystem
from walctl.wal import names as segment_names
from walctl.wal.decoder import Source, Version, Whole, decode
from walctl.wal.fold import Digest, digest
from walctl.wal.owner import (
    Reading,
    ValidSnapshots,
    read_all,
    repair,
    repaired,
    valid_snapshots,
    verify,
)

DISK = RealFileSystem()
PEERS = {"3.4.23": Version.V3_4, "3.5.1": Version.V3_5_0, "3.6.14": Version.V3_6}

EXCUSED = {
    "dump_logs": "what the program etcd-dump-logs prints, which is more than a pass over the log",
    "renamed_by_the_tools": "what loading `.snap` files does; `datadir.boot` answers for that",
}
"""Recorded questions that are not answered here, with the reason; of the others none differs."""


def members() -> list[Any]:
    """Every member directory whose WAL etcd's package was asked about."""
    found = []
    for name in names():
        for member in sorted(asked(name)):
            segments = list(manifest(name)["files"])
            is_long = sum(path.endswith(".wal") for path in segments) > 1 or name.startswith("d")
            marks = [pytest.mark.slow] if is_long else []
            found.append(pytest.param(name, member, id=f"{name}-{member}", marks=marks))
    return found


def asked(name: str) -> dict[str, dict[str, Any]]:
    """By member, by version: what etcd's package answered."""
    said = manifest(name)
    if "per_member" in said:
        return {member: each["peers"] for member, each in said["per_member"].items()}
    if set(said["peers"]) & set(PEERS):
        return {said["members"][0]: said["peers"]}
    return dict(said["peers"])


def wal_folder(name: str, member: str) -> Path:
    folder = unpacked(name) / member
    return folder / "member" / "wal" if (folder / "member").is_dir() else folder


@functools.cache
def digests(name: str, member: str) -> dict[str, Digest]:
    folder = wal_folder(name, member)
    found = {}
    for segment in segment_names.in_order(DISK.names(folder)):
        with DISK.open(folder / segment.text) as file:
            found[segment.text] = digest(file, segment=segment.text)
    return found


@contextlib.contextmanager
def sources(name: str, member: str) -> Iterator[list[Source]]:
    folder = wal_folder(name, member)
    with contextlib.ExitStack() as stack:
        yield [
            Source(
                name=segment,
                file=stack.enter_context(DISK.open(folder / segment.text)),
                digest=digests(name, member)[segment.text],
            )
            for segment in segment_names.in_order(DISK.names(folder))
        ]


def newest_snapshot(name: str, member: str, valid: ValidSnapshots) -> tuple[int, int]:
    """Index and term that a server starts from, by the readable `.snap` files in the truth."""
    read = json.loads((unpacked(name) / "truth" / f"{member}.snaps.json").read_text())
    marks = {(mark.index, mark.term) for mark in valid.marks}
    for file in sorted(read, reverse=True):
        place = (read[file].get("index"), read[file].get("term"))
        if place in marks:
            return place
    return 0, 0


def as_recorded(reading: Reading, index: int, term: int) -> dict[str, Any]:
    """A reading in the form in which the manifests have it."""
    said: dict[str, Any] = {
        "start_index": index,
        "start_term": term,
        "entries": reading.entries,
        "first": reading.first,
        "last": reading.last,
    }
    error = reading.error
    if error is not None and error.is_on_opening:
        return said | {"open_error": error.words}
    state = reading.hard_state
    vote = f"{state.vote:x}"
    said["hardstate"] = {"term": state.term, "vote": vote, "commit": state.commit}
    if error is not None:
        said["readall_error"] = error.words
    if reading.metadata is not None and reading.metadata.node_id is not None:
        said["node_id"] = f"{reading.metadata.node_id:x}"
        said["cluster_id"] = f"{reading.metadata.cluster_id:x}"
    return said


def answers(name: str, member: str, version: Version) -> dict[str, Any]:
    """Everything that the manifests record of a version, as this model gives it."""
    with sources(name, member) as segments:
        events = list(decode(segments, version))
        valid = valid_snapshots(segments, version)
        index, term = newest_snapshot(name, member, valid)
        whole_log = read_all(segments, index=0, term=0, version=version, for_write=False)
        said: dict[str, Any] = {
            "records_end": str(events[-1]),
            "records": sum(
                event.stretch.frames if isinstance(event, Whole) else 1 for event in events[:-1]
            ),
            "valid_snapshots": [f"{mark.term} {mark.index}" for mark in valid.marks],
            "verify_from_0": checked(segments, 0, 0, version),
            "readall_from_0": as_recorded(whole_log, 0, 0),
            "repair": as_repaired(segments, version),
        }
        if valid.error is not None:
            told = f"ValidSnapshotEntries: {valid.error.words}"
            return said | {
                "valid_snapshots": [f"error: {valid.error.words}"],
                "verify_from_latest_snapshot": told,
                "readall_from_latest_snapshot": told,
            }
        latest = read_all(segments, index=index, term=term, version=version, for_write=False)
        said["verify_from_latest_snapshot"] = checked(segments, index, term, version)
        said["readall_from_latest_snapshot"] = as_recorded(latest, index, term)
    return said


def checked(segments: list[Source], index: int, term: int, version: Version) -> str:
    error = verify(segments, index=index, term=term, version=version).error
    return "ok" if error is None else f"error: {error.words}"


def as_repaired(segments: list[Source], version: Version) -> dict[str, Any]:
    done = repair(segments, version)
    said: dict[str, Any] = {
        "returned": str(done.returned).lower(),
        "files_added": [],
        "resized": {},
    }
    if done.cut_to is not None:
        said["files_added"] = [done.backup]
        said["resized"] = {done.segment: [segments[-1].size, done.cut_to]}
        after = repaired(segments, done)
        reading = read_all(after, index=0, term=0, version=version, for_write=True)
        said["last_index_after"] = reading.last
    return said


@needs_corpus
@pytest.mark.parametrize(("name", "member"), members())
def test_every_pass_gives_what_etcds_own_package_gave(name: str, member: str) -> None:
    for peer, version in PEERS.items():
        recorded = asked(name)[member][peer]
        given = answers(name, member, version)
        assert recorded.keys() <= given.keys() | EXCUSED.keys()
        for question in recorded.keys() - EXCUSED.keys():
            assert given[question] == recorded[question], (peer, question)
