"""The predicted start, held against real starts of 3.4.23 and 3.5.1 on every damaged directory."""

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import manifest, names, needs_corpus, unpacked
from tests.wal import test_owner as logs
from walctl.datadir.boot import (
    FIRST_ENTRIES,
    Act,
    Boot,
    BootFacts,
    BootKind,
    SnapFact,
    boot,
    consequence,
)
from walctl.wal.decoder import Source, Version

BOOTED = {"3.4.23": Version.V3_4, "3.5.1": Version.V3_5_0}

EXCUSED_FILES = {
    "0.tmp": "the spare for the next segment: made by every start that gets to open the log",
    "tmp123456": "rubbish that every start deletes",
}
"""Names whose coming and going says nothing of the start, with the reason."""

PURGED = "x-purged-first-two"
"""Old `.snap` files beyond the five that are kept go while the server runs, not when it starts."""


def cases() -> list[Any]:
    found = []
    for name in names():
        for release in manifest(name).get("etcd_boot", {}):
            files = manifest(name)["files"]
            is_long = sum(path.endswith(".wal") for path in files) > 1
            marks = [pytest.mark.slow] if is_long else []
            found.append(pytest.param(name, release, id=f"{name}-{release}", marks=marks))
    return found


def damaged_member(name: str) -> str:
    said = manifest(name)
    member: str = said.get("damaged_member", said["members"][0])
    return member


def facts_of(name: str, sources: Sequence[Source]) -> BootFacts:
    """The facts of a directory from the truth beside it, so that no other reader is trusted."""
    member, folder = damaged_member(name), unpacked(name)
    snaps = json.loads((folder / "truth" / f"{member}.snaps.json").read_text())
    there = {path.name for path in (folder / member / "member" / "snap").iterdir()}
    return BootFacts(
        sources=sources,
        snaps=[
            SnapFact(
                name=snap,
                index=snaps[snap].get("index"),
                term=snaps[snap].get("term"),
                problem=snaps[snap].get("error"),
            )
            for snap in sorted(snaps, reverse=True)
        ],
        snapdb_indexes=frozenset(
            int(each.removesuffix(".snap.db"), 16) for each in there if each.endswith(".snap.db")
        ),
        db_exists="db" in there,
        db_consistent_index=consistent_index(folder / "truth" / f"{member}.db-meta.txt"),
        members=len(manifest(name)["members"]),
    )


def consistent_index(path: Path) -> int | None:
    found = (
        re.search(r'key="consistent_index", value=(".*")', path.read_text())
        if path.exists()
        else None
    )
    return int.from_bytes(ast.literal_eval("b" + found[1]), "big") if found else None


def predicted(name: str, version: Version) -> Boot:
    with logs.sources(name, damaged_member(name)) as sources:
        return boot(facts_of(name, sources), version)


def last_line(recorded: dict[str, Any]) -> dict[str, Any]:
    """The line that a server which did not come up ended with."""
    lines = [line for line in recorded["messages"] if line.get("level") in ("fatal", "panic")]
    last: dict[str, Any] = lines[-1]
    return last


@needs_corpus
@pytest.mark.parametrize(("name", "release"), cases())
def test_a_start_ends_as_the_real_one_did(name: str, release: str) -> None:
    recorded, start = manifest(name)["etcd_boot"][release], predicted(name, BOOTED[release])
    if recorded.get("note") == "started while the leader ran":
        # The start itself goes well; the leader's first word is what kills it.
        assert start.serves
        assert start.follower_panic == last_line(recorded)["msg"]
        return
    if recorded["result"] == "ready":
        assert start.kind in (BootKind.START, BootKind.CUT_AND_START)
        assert start.last_index is not None
        assert 0 < recorded["raft_index"] - start.last_index <= 5
    else:
        line = last_line(recorded)
        assert (start.message, start.error) == (line["msg"], line.get("error"))
        assert start.kind is (BootKind.REFUSE if recorded["rc"] == 1 else BootKind.PANIC)


@needs_corpus
@pytest.mark.parametrize(("name", "release"), cases())
def test_a_start_repairs_when_the_real_one_did(name: str, release: str) -> None:
    recorded, start = manifest(name)["etcd_boot"][release], predicted(name, BOOTED[release])
    said = {line["msg"]: line for line in recorded["messages"] if "msg" in line}
    assert (start.repair is not None) == ("repaired WAL" in said)
    if start.repair is not None:
        assert Path(said["repairing"]["path"]).name == start.repair.segment
        assert said["repaired"]["error"] == start.repair.words


@needs_corpus
@pytest.mark.parametrize(("name", "release"), cases())
def test_a_start_changes_the_files_that_the_real_one_changed(name: str, release: str) -> None:
    recorded, start = manifest(name)["etcd_boot"][release], predicted(name, BOOTED[release])
    if "files_added" not in recorded or name.startswith(PURGED):
        return
    added = {act.target or act.name for act in start.acts if act.act is not Act.CUT}
    gone = {act.name for act in start.acts if act.act in (Act.RENAME, Act.DELETE)}
    assert added == set(recorded["files_added"]) - EXCUSED_FILES.keys()
    assert gone == set(recorded["files_gone"]) - EXCUSED_FILES.keys()
    for act in start.acts:
        if act.act is Act.CUT and act.size is not None:
            # What is there was written behind the cut, by the server as it ran.
            _, after = recorded["files_resized"][act.name]
            assert act.size < after <= act.size + 4096


@needs_corpus
@pytest.mark.parametrize(("name", "release"), cases())
def test_puts_time_out_where_they_really_did(name: str, release: str) -> None:
    recorded, start = manifest(name)["etcd_boot"][release], predicted(name, BOOTED[release])
    if recorded["result"] != "ready":
        return
    ahead = 0 if start.hangs_until is None else start.hangs_until - (start.last_index or 0)
    assert (ahead > FIRST_ENTRIES) is (recorded["put_after_boot"] != "ok")
    assert ("client writes time out" in start.sentence) is (recorded["put_after_boot"] != "ok")


SENTENCES = {
    "x-zero-page-mid-35": "every version starts, cuts everything from entry 231 on without asking"
    " (copy in 0000000000000000-0000000000000000.wal.broken), then client writes time out"
    " until the index has passed 477",
    "x-zero-length-last-35": "every version starts, its log ends at 361, then client writes time"
    " out until the index has passed 460",
    "x-snap-flip-35": "every version starts, renames 0000000000000002-0000000000000194.snap to"
    " 0000000000000002-0000000000000194.snap.broken, its log ends at 477",
    "x-flip-type-unknown-35": "every version refuses to start: failed to read WAL, cannot be"
    " repaired: unexpected block type 10",
    "x-missing-middle-35": "3.4, 3.5.0-3.5.4, 3.5.5-3.5.6, 3.5.7+: refuses to start: discovery"
    " failed: wal: crc mismatch; 3.6: refuses to start: discovery failed: walpb: crc mismatch",
    "x-garbage-appended-35": "every version starts, wipes what lies behind byte 272816 of"
    " 0000000000000000-0000000000000000.wal, its log ends at 477",
    "d2-snapdb-crash-35-b": "3.4, 3.5.5-3.5.6, 3.5.7+, 3.6: starts, renames"
    " 0000000000001506.snap.db to db, its log ends at 5382; 3.5.0-3.5.4: panics, renames"
    " 0000000000001506.snap.db to db: assertion failed: tx closed; the start after that one goes"
    " well",
}


@needs_corpus
@pytest.mark.parametrize("name", SENTENCES)
def test_a_person_is_told_in_one_sentence(name: str) -> None:
    assert (
        consequence({version: predicted(name, version) for version in Version}) == (SENTENCES[name])
    )


def facts(sources: Sequence[Source], **more: Any) -> BootFacts:
    """Facts of a small log that reaches to entry 4, and a database that has applied all of it."""
    return BootFacts(sources=sources, **({"db_consistent_index": 4, "members": 1} | more))


def test_a_whole_log_starts_from_the_newest_snapshot_that_it_knows() -> None:
    snaps = [
        SnapFact(name="0000000000000002-0000000000000003.snap", index=3, term=2),
        SnapFact(name="0000000000000002-0000000000000002.snap", problem="snap: crc mismatch"),
        SnapFact(name="0000000000000001-0000000000000002.snap", index=2, term=2),
        SnapFact(name="0000000000000001-0000000000000001.snap", problem="snap: empty snapshot"),
    ]
    for version in Version:
        start = boot(facts(logs.opened(*logs.LOG), snaps=snaps), version)
        assert start.kind is BootKind.START
        assert (start.started_from, start.first_index, start.last_index) == ((2, 2), 3, 4)
        assert [(act.act, act.name) for act in start.acts] == [(Act.RENAME, snaps[1].name)]


def test_without_a_log_a_member_begins_anew_on_its_old_database() -> None:
    start = boot(facts([], db_consistent_index=477), Version.V3_5_0)
    assert (start.kind, start.hangs_until) == (BootKind.FRESH, 477)
    assert start.sentence == (
        "starts as a new member with an empty log on top of the old database, then client writes"
        " time out until the index has passed 477"
    )


def test_a_log_without_one_good_name_is_a_log_that_is_not_found() -> None:
    start = boot(facts([], has_log=True), Version.V3_6)
    assert (start.kind, start.error) == (BootKind.REFUSE, "wal: file not found")


def test_a_database_that_does_not_open_comes_before_any_fault_of_the_log() -> None:
    start = boot(facts([], db_problem="file size too small"), Version.V3_4)
    assert (start.kind, start.message) == (BootKind.PANIC, "failed to open database")
    assert start.sentence == "panics: failed to open database: file size too small"


def test_an_emptied_first_segment_leaves_a_member_without_an_id() -> None:
    for version in Version:
        start = boot(facts(logs.opened(b"")), version)
        assert (start.kind, start.message) == (BootKind.PANIC, "cannot use none as id")


def test_a_commit_beyond_the_log_is_a_panic_with_both_ends_of_the_log() -> None:
    log = logs.segments_of(logs.FIRST, [*logs.SECOND, logs.state(2, 9)])
    snaps = [SnapFact(name="0000000000000002-0000000000000002.snap", index=2, term=2)]
    start = boot(facts(logs.opened(*log), snaps=snaps), Version.V3_5_7)
    assert start.kind is BootKind.PANIC
    assert start.message == "1 state.commit 9 is out of range [2, 4]"


def test_readable_entries_behind_a_zero_length_field_are_wiped_and_that_is_told() -> None:
    items = [*logs.SECOND, logs.entry(5, 2), logs.entry(6, 2)]
    first, second = logs.segments_of(logs.FIRST, items)
    frame = len(logs.segments_of(logs.FIRST, logs.SECOND[:-1], tail=b"")[1])
    log = logs.opened(first, second[:frame] + bytes(8) + second[frame + 8 :])
    start = boot(facts(log, db_consistent_index=6, members=3), Version.V3_5_0)
    assert (start.kind, start.is_wiped) == (BootKind.CUT_AND_START, True)
    assert (start.last_index, start.dropped, start.hangs_until) == (3, (4, 6), 6)
    assert start.sentence.startswith(
        "starts, wipes everything from entry 4 on without a word, then client writes time out"
        " until the index has passed 6, or, told of a later commit by a leader, panics: tocommit(6)"
    )


def test_one_that_is_not_alone_panics_when_a_leader_knows_more() -> None:
    alone = boot(facts(logs.opened(*logs.LOG), db_consistent_index=9), Version.V3_6)
    assert (alone.hangs_until, alone.follower_panic) == (9, None)
    unsure = facts(logs.opened(*logs.LOG), db_consistent_index=9, members=None)
    assert boot(unsure, Version.V3_6).follower_panic == (
        "tocommit(9) is out of range [lastIndex(4)]."
        " Was the raft log corrupted, truncated, or lost?"
    )


def test_a_log_that_was_cut_in_vain_is_refused_the_second_time() -> None:
    """The repair looks at the last segment only, and finds nothing to cut there."""
    torn = logs.LOG[0][:-3]
    start = boot(facts(logs.opened(torn, logs.LOG[1])), Version.V3_4)
    assert start.kind is BootKind.REFUSE
    assert start.message == "failed to read WAL, cannot be repaired"
    assert start.error == "unexpected EOF"
    assert start.repair is not None
    assert start.repair.cut_to is None
