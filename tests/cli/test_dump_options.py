"""Which rows `walctl dump` shows: every option against the same choice in plain Python."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.cli.dumping import (
    CLEAN,
    DAMAGED,
    Row,
    clean_and_long,
    dump,
    entries,
    frame,
    member,
    payload,
    reached,
    request_type,
    rows,
    touched,
    touches,
    touches_prefix,
    whole,
)
from walctl.payload.base import Redaction

NONE = ("--redact", "none")
"""Rows are compared with their secrets, so that nothing hidden makes two of them equal."""


def expect(name: str, words: tuple[str, ...], wanted: Callable[[Row], bool]) -> int:
    """The rows shown are those wanted; how many there are."""
    expected = [row for row in whole(name) if wanted(row)]
    assert rows(member(name), *NONE, *words) == expected
    return len(expected)


def between(name: str, first: int, last: int) -> list[Row]:
    return [row for at, row in reached(whole(name)) if first <= at <= last]


@pytest.mark.parametrize("name", clean_and_long())
@pytest.mark.parametrize("kind", ["entry", "state", "crc", "metadata", "snapshot"])
def test_types_of_records(name: str, kind: str) -> None:
    assert expect(name, ("-r", kind), lambda row: row["type"] == kind) > 0


@pytest.mark.parametrize("name", clean_and_long())
def test_types_of_requests(name: str) -> None:
    kinds = {request_type(row) for row in whole(name)} - {None}
    assert "put" in kinds
    for kind in sorted(map(str, kinds)):
        wanted = partial(lambda row, kind: request_type(row) == kind, kind=kind)
        assert expect(name, ("-r", kind), wanted) > 0
    both = {"put", "noop", None}
    expect(
        name,
        ("-r", "put,noop", "-r", "state"),
        lambda row: request_type(row) in both and row["type"] in ("entry", "state"),
    )


def test_every_type_that_list_tells_is_taken_and_no_other() -> None:
    told = dump("-r", "list")
    assert (told.status, told.err) == (0, "")
    words = [line.split()[1] for line in told.out.splitlines()]
    assert {request_type(row) for row in whole(CLEAN[0])} - {None} <= set(words)
    path = member(CLEAN[0])
    for word in words:
        assert dump("-n", "1", "-r", word, path).status == 0
    wrong = dump("-r", "putt", path)
    assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "put" in wrong.err.replace("putt", "")


@pytest.mark.parametrize("name", clean_and_long())
@pytest.mark.parametrize(
    ("word", "low", "high"), [("2", 2, 2), ("1-2", 1, 2), ("3-", 3, 99), ("1,3-4", 1, 4)]
)
def test_terms(name: str, word: str, low: int, high: int) -> None:
    without = 2 if word == "1,3-4" else None
    expect(
        name,
        ("--term", word),
        lambda row: low <= row.get("term", -1) <= high and row.get("term") != without,
    )


@pytest.mark.parametrize("name", [*clean_and_long(), "flipped-bit-in-data"])
@pytest.mark.parametrize("status", ["committed", "uncommitted", "overwritten", "unknown"])
def test_status(name: str, status: str) -> None:
    is_shown = partial(lambda row, s: row.get("status") == s or row["kind"] == "finding", s=status)
    expect(name, ("--status", status), is_shown)


@pytest.mark.parametrize("name", clean_and_long())
def test_keys_also_in_ranges_and_transactions(name: str) -> None:
    keys = sorted({key for row in whole(name) for key, _ in touched(row)})
    for key in [*keys[:: max(1, len(keys) // 4)], b"nobody"]:
        given = f"hex:{key.hex()}"
        count = expect(name, ("--key", given), partial(touches, key=key))
        assert count > 0 or key == b"nobody"
        prefix = key[: len(key) // 2 + 1]
        text = prefix.decode("latin-1")
        word = text if text.isascii() and text.isprintable() else f"hex:{prefix.hex()}"
        expect(name, ("--prefix", word), partial(touches_prefix, prefix=prefix))
    two = keys[:2]
    words = ("--key", f"hex:{two[0].hex()}", "--key", f"hex:{two[-1].hex()}")
    expect(name, words, lambda row: any(touches(row, key) for key in two))


@pytest.mark.parametrize("name", clean_and_long())
def test_request_ids(name: str) -> None:
    found = [row["request"]["id"] for row in entries(whole(name)) if row["request"]]
    for word in list(filter(None, found))[:: len(found) // 4]:
        wanted = partial(lambda row, w: (row.get("request") or {}).get("id") == w, w=word)
        assert expect(name, ("--request-id", word), wanted) == found.count(word)


@pytest.mark.parametrize("name", clean_and_long())
@pytest.mark.parametrize("pattern", [r"k[/e]", r"[0-9]{3}", r"\x08.\x10", r"(?i)K", "no such text"])
def test_grep_in_payloads_and_in_the_frames_of_other_records(name: str, pattern: str) -> None:
    search = re.compile(pattern.encode()).search

    def matches(row: Row) -> bool:
        data = payload(row) if row["type"] == "entry" else frame(name, row)
        return search(data) is not None

    expect(name, ("--grep", pattern), matches)


@pytest.mark.parametrize("name", clean_and_long())
@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("size > 40", lambda row: (row.get("size") or 0) > 40),
        (
            "type == 'state' and commit < 9",
            lambda row: row["type"] == "state" and row["commit"] < 9,
        ),
        ("not (type == 'entry')", lambda row: row["type"] != "entry"),
        (
            "index >= 5 and request.type == 'put'",
            lambda row: row.get("index", 0) >= 5 and request_type(row) == "put",
        ),
        (
            "request.put.key ~ '^k'",
            lambda row: request_type(row) == "put" and touched(row)[0][0].startswith(b"k"),
        ),
    ],
)
def test_conditions(name: str, condition: str, wanted: Callable[[Row], bool]) -> None:
    expect(name, ("--where", condition), wanted)


@pytest.mark.parametrize("name", clean_and_long())
def test_all_conditions_have_to_hold(name: str) -> None:
    middle = entries(whole(name))[len(entries(whole(name))) // 2]["index"]
    words = ("-r", "put,txn,state", "--status", "committed", "--where", "size > 10")
    shown = [
        row
        for row in between(name, middle, 1 << 40)
        if request_type(row) in ("put", "txn") and row["status"] == "committed" and row["size"] > 10
    ]
    assert rows(member(name), *NONE, *words, "-s", str(middle)) == shown
    assert rows(member(name), *NONE, *words, "-s", str(middle), "--tail", "2") == shown[-2:]


# --- positions


def places(name: str) -> dict[str, int]:
    """Named positions, by the rows and by the names of the snapshot files."""
    found = entries(whole(name))
    commit = [row["commit"] for row in whole(name) if row["type"] == "state"][-1]
    files = [int(path.stem.partition("-")[2], 16) for path in member(name).rglob("*.snap")]
    marks = {row["index"] for row in whole(name) if row["type"] == "snapshot"}
    snaps = [index for index in files if index <= commit and index in marks]
    return {
        "first": found[0]["index"],
        "last": found[-1]["index"],
        "commit": commit,
        "snap": max(snaps, default=0),
    }


@pytest.mark.parametrize("name", clean_and_long())
@pytest.mark.parametrize("word", ["first", "last", "commit", "snap"])
@pytest.mark.parametrize("distance", [0, 3, -7, -100_000])
def test_named_positions(name: str, word: str, distance: int) -> None:
    index = max(places(name)[word] + distance, 0)
    text = f"{word}{distance:+}" if distance else word
    assert rows(member(name), *NONE, "-s", text) == between(name, index, 1 << 60)
    assert rows(member(name), *NONE, "-e", text) == between(name, 0, index)


@pytest.mark.parametrize("name", clean_and_long())
def test_indexes_and_terms(name: str) -> None:
    found = entries(whole(name))
    marks = [row["index"] + 1 for row in whole(name) if row["type"] == "snapshot"]
    for index in [*(row["index"] for row in found[:: len(found) // 4]), *marks[:2], marks[-1]]:
        assert rows(member(name), *NONE, "-s", str(index)) == between(name, index, 1 << 60)
        assert rows(member(name), *NONE, "-e", str(index)) == between(name, 0, index)
    kept = [row for row in found if row["status"] != "overwritten"]
    for term in {row["term"] for row in kept}:
        of_it = [row["index"] for row in kept if row["term"] == term]
        words = ("-s", f"@{term}", "-e", f"@{term}")
        assert rows(member(name), *NONE, *words) == between(name, of_it[0], of_it[-1])
    wrong = dump("-s", "@77", member(name))
    assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "no entry of the log is of term 77" in wrong.err


@pytest.mark.parametrize("name", clean_and_long())
def test_offsets_and_segments(name: str) -> None:
    given = list(whole(name))
    for place in range(0, len(given), len(given) // 3):
        row = given[place]
        at = f"{row['segment']}:{row['offset']}"
        assert rows(member(name), *NONE, "-s", at) == given[place:]
        assert rows(member(name), *NONE, "-e", at) == given[: place + 1]
        # An offset in the midst of a record means the record.
        within = f"{row['segment']}:{row['offset'] + row['length'] - 1}"
        assert rows(member(name), *NONE, "-s", within) == given[place:]
        assert rows(member(name), *NONE, "-e", within) == given[: place + 1]
    for segment in dict.fromkeys(row["segment"] for row in given):
        of_it = [row for row in given if row["segment"] == segment]
        assert rows(member(name), *NONE, "-s", segment, "-e", segment) == of_it
    wrong = dump("-s", "other.wal:16", member(name))
    assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", clean_and_long())
def test_from_a_snapshot_file(name: str) -> None:
    for path in sorted(member(name).rglob("*.snap"))[:2]:
        index = int(path.stem.partition("-")[2], 16)
        expected = between(name, index, 1 << 60)
        assert rows(member(name), *NONE, "--from-snapshot", str(path)) == expected
        ended = rows(member(name), *NONE, "--from-snapshot", str(path), "-e", str(index + 2))
        assert ended == between(name, index, index + 2)


# --- numbers of rows


@pytest.mark.parametrize("name", [CLEAN[0], "zero-page"])
@pytest.mark.parametrize("tail", [None, 0, 1, 7, 100_000])
@pytest.mark.parametrize("limit", [None, 0, 2, 100_000])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_last_the_first_and_the_other_way_round(
    name: str, tail: int | None, limit: int | None, is_reversed: bool
) -> None:
    """`--tail` chooses rows, `--reverse` turns them round, `--limit` takes the first of those."""
    words: tuple[str, ...] = ()
    expected = list(whole(name))
    if tail is not None:
        words += ("--tail", str(tail))
        expected = expected[len(expected) - tail :] if tail < len(expected) else expected
    if is_reversed:
        words += ("--reverse",)
        expected = expected[::-1]
    if limit is not None:
        words += ("-n", str(limit))
        expected = expected[:limit]
    assert rows(member(name), *NONE, *words) == expected


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("context", [None, 0, 1, 3, 100_000])
def test_damage_alone_with_what_is_around_it(name: str, context: int | None) -> None:
    given = list(whole(name))
    near = context or 0
    bad = [
        place
        for place, row in enumerate(given)
        if row["kind"] == "finding" or row["check"] == "failed"
    ]
    shown = {p for b in bad for p in range(max(0, b - near), min(len(given), b + near + 1))}
    words = ("--damage-only",) if context is None else ("--damage-only", "-C", str(context))
    found = rows(member(name), *NONE, *words)
    assert [row for row in found if row["kind"] != "gap"] == [given[p] for p in sorted(shown)]
    assert bad
    gaps = [row["rows"] for row in found if row["kind"] == "gap"]
    assert sum(gaps) + len(shown) == len(given)
    assert min(gaps, default=1) > 0
    text = dump(*words, member(name)).out
    assert len(re.findall(r"^ +… +[0-9,]+ rows? left out$", text, re.MULTILINE)) == len(gaps)


@pytest.mark.parametrize("name", CLEAN)
def test_without_damage_nothing_is_shown_of_it(name: str) -> None:
    told = dump("--damage-only", "-C", "2", member(name))
    assert (told.status, told.out) == (0, "")
    assert told.err.count("\n") == 1


# --- what does not go together

SNAP = "--from-snapshot"


@pytest.mark.parametrize(
    "words",
    [
        ("-C", "3"),
        ("--damage-only", "--tail", "3"),
        ("--damage-only", "--reverse"),
        ("-x", "--explain"),
        ("-x", "--template", "{index}"),
        ("--explain", "--template", "{index}"),
        ("-x", "-o", "json"),
        ("--explain", "-o", "ndjson"),
        ("--template", "{index}", "-o", "csv"),
        ("--decoder", "etcd", "--decoder-cmd", "cat"),
        ("--proto", "a.desc:M", "--stream-decoder", "cat"),
        ("-f", "-n", "3"),
        ("-f", "--reverse"),
        ("-f", "-e", "5"),
        ("-f", "--damage-only"),
        ("-f", "-x"),
        ("-f", "--explain"),
        ("-f", "--template", "{index}"),
        ("-f", "--save-payloads", "out"),
        ("-f", SNAP, "x.snap"),
        ("-f", "-o", "json"),
        ("-f", "-o", "csv"),
        ("-f", "-o", "hex"),
        ("-f", "-o", "dump-logs"),
        ("-o", "dump-logs", "-n", "3"),
        ("-o", "dump-logs", "--tail", "3"),
        ("-o", "dump-logs", "-e", "3"),
        ("-o", "dump-logs", "-r", "put"),
        ("-o", "dump-logs", "--key", "k"),
        ("-o", "dump-logs", "--where", "size > 3"),
        ("-o", "dump-logs", "--full"),
        ("-o", "dump-logs", "-s", "last"),
        ("-o", "dump-logs", "--decoder", "k8s"),
        ("-n", "-1"),
        ("--tail", "x"),
        ("-C", "-2", "--damage-only"),
        ("--term", "x"),
        ("--term", "4-2"),
        ("--status", "lost"),
        ("--key", "hex:zz"),
        ("--key", "base64:*"),
        ("--request-id", "xyz"),
        ("--grep", "(["),
        ("--where", "size >"),
        ("--template", "{indx}"),
        ("--redact", "some"),
        ("--decoder", "nobody"),
        ("--proto", "nofile"),
        ("--decoder-cmd", ""),
        ("--stream-decoder", "'"),
        ("-o", "xml"),
        ("--nonsense",),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_wrong_command_line(words: tuple[str, ...]) -> None:
    told = dump(*words, member(CLEAN[0]))
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err.startswith("walctl: ")


@pytest.mark.parametrize(
    ("condition", "character"),
    [
        ("size >> 3", 7),
        ("sized > 3", 1),
        ("size > 3 andd term == 2", 10),
        ("size > 'x", 8),
        ("(size > 3", None),
        ("request.put.key ~ '('", 20),
        ("", None),
    ],
)
def test_a_wrong_condition_points_at_the_character(condition: str, character: int | None) -> None:
    told = dump("--where", condition, member(CLEAN[0]))
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err.startswith("walctl: --where")
    if character is not None:
        assert f"at character {character}: {condition[character - 1 :]}" in told.err


def test_a_snapshot_and_a_start_are_two_beginnings() -> None:
    (path, *_) = sorted(member(CLEAN[0]).rglob("*.snap"))
    told = dump("--from-snapshot", path, "-s", "3", member(CLEAN[0]))
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    missing = dump("--from-snapshot", Path("/no/such.snap"), member(CLEAN[0]))
    assert (missing.status, missing.out, missing.err.count("\n")) == (4, "", 1)


def test_every_word_of_redact_is_taken() -> None:
    for redaction in Redaction:
        assert dump("--redact", redaction.value, "-n", "3", member(CLEAN[0])).status == 0
