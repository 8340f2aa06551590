"""Members that were made for a comparison, and what compare says of them; for tests only."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.repair.members import bootstrap, written
from tests.wal.builders import STATE, state
from walctl.fs.real import RealFileSystem
from walctl.inspect.compare import Compared, compare
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.judging import Judgement

DISK = RealFileSystem()
VOTERS = (0xA1, 0xA2, 0xA3)
Records = list[tuple[int, bytes]]
Make = Callable[..., Compared]


def member(
    node: int,
    *parts: Sequence[tuple[int, bytes]],
    voters: Sequence[int] = VOTERS,
    cluster: int = 0xC0,
) -> Records:
    """The log of a member: its beginning, then `parts`."""
    return [*bootstrap(node, voters, cluster), *(each for part in parts for each in part)]


def knows(term: int, vote: int, commit: int) -> Records:
    """A hard state."""
    return [(STATE, state(term, vote, commit))]


def made(folder: Path, *logs: Records, cuts: Sequence[int] = ()) -> list[Path]:
    """The logs as `n1`, `n2` … in `folder`: data directories without a database."""
    paths = []
    for number, items in enumerate(logs, start=1):
        path = folder / f"n{number}"
        written(path / "member" / "wal", items, cuts)
        (path / "member" / "snap").mkdir()
        paths.append(path)
    return paths


def compared(*paths: Path) -> Compared:
    """What compare says of these directories."""
    return compare(DISK, paths)


def compared_logs(folder: Path, *logs: Records) -> Compared:
    """The same of logs that are made for it, as folders of segments: no database is missed."""
    paths = []
    for number, items in enumerate(logs, start=1):
        written(folder / f"n{number}", items)
        paths.append(folder / f"n{number}")
    return compared(*paths)


def spans(found: Compared) -> list[tuple[int, int, str]]:
    """First, last and kind of each section."""
    return [(each.first, each.last, each.kind) for each in found.sections]


def codes(found: Compared) -> list[tuple[str, str]]:
    """Code and severity of what was found between the members."""
    return [(str(each.finding.code), str(each.finding.severity)) for each in found.findings]


def said(found: Compared, name: str) -> Judgement:
    """What is said of one directory."""
    pairs: list[tuple[Given, Judgement]] = list(zip(found.given, found.judgements, strict=True))
    return next(judged for given, judged in pairs if given.name == name)


def standings(found: Compared) -> list[str]:
    """The words for scripts, one for each directory."""
    return [str(each.standing) for each in found.judgements]
