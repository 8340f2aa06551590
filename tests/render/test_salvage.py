"""What salvage tells a person: one screen, the loss in plain words, nothing of the log's own."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_tree, needs_corpus, unpacked
from tests.repair.salvaging import salvaged
from walctl.payload.base import Redaction
from walctl.render.salvage import BLIND, show
from walctl.render.screen import Screen
from walctl.repair.salvage import Salvage

LINES_MAX = 36
"""The names of a test's folders take some of them."""


def drawn(result: Salvage, *, width: int = 80, redaction: Redaction = Redaction.AUTH) -> str:
    paper = io.StringIO()
    show(Screen(paper, io.StringIO(), width=width), result, redaction=redaction)
    return paper.getvalue()


def flowing(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


@pytest.fixture
def hurt(tmp_path: Path) -> Path:
    """A member with a zeroed page and no database."""
    member = unpack("zero-page", tmp_path / "m.etcd")
    (member / "member/snap/db").unlink()
    return member


def test_one_screen_says_what_is_lost_and_what_is_not_in_the_member(
    hurt: Path, tmp_path: Path
) -> None:
    text = drawn(salvaged(hurt, tmp_path / "out"))
    words = flowing(text)
    assert "acknowledged data may be lost, see below" in words
    assert "nothing here has their effect" in words
    assert "(--skip-holes passes over them)" in words
    assert "from the log's beginning" in words
    assert "member a002 of cluster a001, both new" in words
    assert text.count("\n") <= LINES_MAX


def test_holes_that_were_skipped_are_told_with_what_hangs_on_them(
    hurt: Path, tmp_path: Path
) -> None:
    words = flowing(drawn(salvaged(hurt, tmp_path / "out", skips_holes=True)))
    assert "--skip-holes" not in words
    assert "leases, users and permissions" in words
    assert "emptied or filled in" in words


def test_hidden_keys_are_not_on_the_screen(hurt: Path, tmp_path: Path) -> None:
    result = salvaged(hurt, tmp_path / "out")
    prefix = result.coverage.prefixes[0].name.decode()
    assert f'"{prefix}"' in drawn(result)
    hidden = drawn(result, redaction=Redaction.KEYS)
    assert f'"{prefix}"' not in hidden
    assert "a prefix that is hidden" in flowing(hidden)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_any_width_will_do(hurt: Path, tmp_path: Path, width: int) -> None:
    text = drawn(salvaged(hurt, tmp_path / "out"), width=width)
    longest = max(len(word) for word in text.split())
    prose = [line for line in text.splitlines() if "  walctl " not in line and "etcd -" not in line]
    assert all(len(line) <= max(width, longest + 12) for line in prose)


def test_a_name_with_controls_in_it_does_no_harm(hurt: Path, tmp_path: Path) -> None:
    evil = tmp_path / "a\x1b[31m\nb.etcd"
    hurt.rename(evil)
    text = drawn(salvaged(evil, tmp_path / "out"))
    assert "\x1b" not in text
    assert "\\x1b" in text


@needs_corpus
def test_a_member_of_three_is_told_that_the_others_may_be_better(tmp_path: Path) -> None:
    source = copy_tree(unpacked("d-cluster3-35") / "n2", tmp_path / "source")
    words = flowing(drawn(salvaged(source, tmp_path / "out")))
    assert "the old cluster had 3 voters" in words
    assert "replace this one instead" in words
    assert "nothing that these files tell of is lost" in words


def test_of_segments_alone_nobody_says_that_nothing_is_lost(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "m")
    words = flowing(drawn(salvaged(member / "member/wal", tmp_path / "out")))
    assert f"nothing is known to be lost, but {BLIND}" in words
    assert f"lost nothing that the log tells of; {BLIND}" in words
    assert "nothing that these files tell of" not in words
    whole = flowing(drawn(salvaged(member, tmp_path / "whole")))
    assert BLIND not in whole


def test_where_no_member_can_be_made_it_says_why(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-two-segments", tmp_path / "m")
    (member / "member/snap/db").unlink()
    sorted((member / "member/wal").glob("*.wal"))[0].unlink()
    words = flowing(drawn(salvaged(member, tmp_path / "out")))
    assert "none can be made that would start: there is no database; the log begins at" in words
    assert "records.ndjson" in words


def test_commands_are_lines_of_their_own_that_can_be_copied(hurt: Path, tmp_path: Path) -> None:
    target = tmp_path / "a folder - with room"
    lines = drawn(salvaged(hurt, target), width=40).splitlines()
    assert f"next      walctl verify '{target}'" in lines
    assert f"          etcd --data-dir '{target}'" in lines


@pytest.mark.parametrize(
    ("voters", "told"),
    [
        (None, "a snapshot that was saved elsewhere may hold more"),
        (1, "a snapshot that was saved elsewhere may hold more"),
        (2, "the other one may hold what is lost here"),
        (4, "Where 3 of the 3 others are well, replace this one"),
        (5, "Where 3 of the 4 others are well, replace this one"),
    ],
)
def test_what_may_be_better_goes_by_the_size_of_the_old_cluster(
    hurt: Path, tmp_path: Path, voters: int | None, told: str
) -> None:
    result = replace(salvaged(hurt, tmp_path / "out"), cluster_size=voters)
    words = flowing(drawn(result))
    assert told in words
    assert ("member remove" in words) is ("replace" in told)
