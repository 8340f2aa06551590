"""Following logs that real servers left: what is given is what the survey and etcd's decoder have.

The fixtures go everywhere; the corpus is larger, and slow.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests import corpus
from tests.inspect.answers import DISK, logs_in
from tests.inspect.following import Item, findings, places, records
from tests.render.drawing import CASES, laid
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import Survey, survey
from walctl.inspect.follow import follow
from walctl.inspect.frames import frames
from walctl.inspect.row import RecordRow
from walctl.inspect.status import Status
from walctl.model.batch import Batch
from walctl.model.record import Check, Frame
from walctl.wal.scan import Damage, scan

POLLS = 40
LOGS = [(name, member) for name in corpus.names() for member in logs_in(name)]
MISPLACED = ("x-renamed-seq-34", "x-renamed-seq-35")


def log_alone(path: Path) -> Layout:
    """The log of a member, without what else could vouch for a commit."""
    layout = understand(DISK, path)
    assert layout.wal_dir is not None
    return understand(DISK, layout.wal_dir)


def all_of(layout: Layout, *, last: int | None = None) -> list[Item]:
    polls = count()
    return list(follow(DISK, layout, wait=lambda: next(polls) < POLLS, last=last))


def whole_frames(seen: Survey) -> Iterator[Frame]:
    """Every whole record, by the scan, with what is known of its bytes."""
    assert seen.layout.wal_dir is not None
    seed: int | None = None
    next_seq = 0
    for segment in seen.segments:
        name = segment.name.text
        check = Check.UNVERIFIABLE
        seed = seed if segment.seq == next_seq else None
        with DISK.open(seen.layout.wal_dir / name) as file:
            for item in scan(file, segment=name, seed=seed):
                if isinstance(item, Batch):
                    yield from frames(item, first_check=check)
                    check = Check.UNVERIFIABLE
                elif isinstance(item, Damage):
                    check = item.resumed
        seed, next_seq = segment.digest.last_crc, segment.seq + 1


def assert_given_as_surveyed(layout: Layout) -> list[RecordRow]:
    """Every record, every damage and the status of every entry are those of the survey."""
    items, seen = all_of(layout), survey(DISK, layout)
    named = [(each.code, each.finding().place) for each in seen.named]
    assert [(each.finding.code, each.finding.place) for each in findings(items)] == named
    damaged = {(each.damage.segment, each.damage.start) for each in seen.named}
    rows = [row for row in records(items) if places([row])[0] not in damaged]
    assert [row.frame for row in rows] == list(whole_frames(seen))
    status = Status(seen)
    assert [row.status for row in rows] == [status.of(row.frame) for row in rows]
    return rows


@pytest.mark.parametrize("case", [case for case in CASES if case != "empty-segment"])
def test_a_fixture_is_given_as_its_survey_has_it(case: str) -> None:
    assert assert_given_as_surveyed(log_alone(laid(case)))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["flipped-bit-in-length", "zero-page", "etcd-3.5-two-segments"])
def test_the_last_records_of_a_fixture_are_the_end_of_all(case: str) -> None:
    """What is known of their bytes is the same too, but for a segment's head, for which only the
    segment in front of it can vouch."""
    layout = log_alone(laid(case))
    everything = records(all_of(layout))
    for last in range(1, len(everything), 1 + len(everything) // 20):
        shown = records(all_of(layout, last=last))
        assert places(shown) == places(everything[-last:])
        heads = {row.frame.span for row in shown if row.frame.span.start == 0}
        pairs = zip(shown, everything[-last:], strict=True)
        assert all(ours == row for ours, row in pairs if row.frame.span not in heads)


def of_decoder(name: str, member: str) -> list[str]:
    """Place and type of every record that etcd's own decoder read."""
    text = (corpus.unpacked(name) / "truth" / f"{member}.walrecords.txt").read_text()
    return [" ".join(line.split()[:4]) for line in text.splitlines() if not line.startswith("END")]


@pytest.mark.slow
@corpus.needs_corpus
@pytest.mark.parametrize(("name", "member"), [log for log in LOGS if log[0] not in MISPLACED])
def test_a_log_of_the_corpus_is_given_as_its_survey_has_it(name: str, member: str) -> None:
    """Misplaced segments are left out: they are followed by their names, and doctor tells."""
    rows = assert_given_as_surveyed(log_alone(corpus.unpacked(name) / member))
    if name[:2] == "x-":
        return
    frames = [(row.frame, row.type) for row in rows]
    ours = [f"{each.segment} {each.span.start} {each.span.stop} {kind}" for each, kind in frames]
    assert ours == of_decoder(name, member)


@pytest.mark.slow
@corpus.needs_corpus
@pytest.mark.parametrize("name", ["h-20-small-segments-34", "d-cluster3-35"])
def test_the_last_records_of_a_real_log_are_the_end_of_all(name: str) -> None:
    layout = understand(DISK, corpus.unpacked(name) / "n1")
    everything = records(follow(DISK, layout, wait=lambda: False, last=None))
    for last in (0, 1, 10, 333, 2500):
        shown = records(follow(DISK, layout, wait=lambda: False, last=last))
        assert shown == everything[max(len(everything) - last, 0) :]
