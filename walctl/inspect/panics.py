"""explain of a server's message: which page it is, what its numbers tell, and which of the causes
fits the member's directory.

The directory is examined as doctor does, and nothing in it is written. What a start would say of
it is foretold for every version of the server that walctl knows, so that a text can be compared
with what this directory would make the server say now.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.boot import Boot
from walctl.datadir.layout import Layout, understand
from walctl.errors import UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import copy_commands, quoted_word, repair_command
from walctl.inspect.doctor import Step
from walctl.inspect.explanation import COPY, DOCTOR, PEER, REPAIR
from walctl.inspect.membership import Membership, membership
from walctl.inspect.panic import (
    pages_cluster,
    pages_database,
    pages_frames,
    pages_log,
    pages_raft,
    pages_raft_rules,
    pages_records,
    pages_state,
    pages_versions,
    pages_wal,
)
from walctl.inspect.panic.cause import ORDER, Cause, Facts, Fit, Judged, Numbers
from walctl.inspect.panic.page import Gravity, Page
from walctl.inspect.panic.text import Reading, Sighting, closest, numbers_agree, read_text
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import examine
from walctl.wal.decoder import Version

PAGES: tuple[Page, ...] = (
    *pages_raft.PAGES,
    *pages_raft_rules.PAGES,
    *pages_wal.PAGES,
    *pages_state.PAGES,
    *pages_database.PAGES,
    *pages_records.PAGES,
    *pages_log.PAGES,
    *pages_cluster.PAGES,
    *pages_versions.PAGES,
    *pages_frames.PAGES,
)
"""Of two that stand in one line the first counts, so the one that says more comes first."""
BY_TOPIC = {page.topic: page for page in PAGES}

CLOSE_MAX = 3
TEXT_TOLD_CHARS = 60
KEPT_CHARS = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A cause with what was made of it."""

    cause: Cause
    judged: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicReport:
    """The answer for one text.

    `sighting` is `None` where a page was asked for by its name. `causes` are ranked, those that
    fit first. `foretold` compares the text with what a start on the directory would say; it is
    empty without one. `do` and `do_not` are in order, with the path's own commands. `also` are
    other messages that stood in the text. `path` and `understood_as` are empty without a path.
    """

    page: Page
    sighting: Sighting | None = None
    version: str | None = None
    causes: tuple[Weighed, ...] = ()
    foretold: str = ""
    do: tuple[Step, ...] = ()
    do_not: tuple[str, ...] = ()
    also: tuple[Sighting, ...] = ()
    notes: tuple[str, ...] = ()
    path: Path | None = None
    understood_as: str = ""

    @property
    def numbers(self) -> Numbers:
        """What stood in the text."""
        return self.sighting.numbers if self.sighting is not None else {}


def recognise(text: str) -> Sighting | None:
    """The gravest known message in `text`; `None` when none is known."""
    found = read_text([text], PAGES).sightings
    return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The member that a text is held against; `wal_dir` and `snap_dir` as verify takes them."""

    path: Path
    wal_dir: Path | None = None
    snap_dir: Path | None = None


def explain_page(disk: FileSystem, page: Page, where: Where | None = None) -> PanicReport:
    """A page without a text, held against a member where one is given.

    Raises: WalctlError when the path cannot be read.
    """
    return _report(disk, page, Reading(), where)


def explain_text(
    disk: FileSystem, pieces: Iterable[str], where: Where | None = None
) -> PanicReport:
    """Explain the gravest known message of a text, held against a member where one is given.

    Raises: UsageError with the closest pages when nothing in the text is known; WalctlError when
    the path cannot be read.
    """
    kept: list[str] = []
    reading = read_text(_keep_start(pieces, kept), PAGES)
    if not reading.sightings:
        raise UsageError(_nothing_known("".join(kept), reading))
    return _report(disk, reading.sightings[0].page, reading, where)


def _keep_start(pieces: Iterable[str], kept: list[str]) -> Iterable[str]:
    for piece in pieces:
        if not kept:
            kept.append(piece[:KEPT_CHARS])
        yield piece


def _nothing_known(text: str, reading: Reading) -> str:
    told = " ".join(text.split())[:TEXT_TOLD_CHARS]
    near = [page.topic for page in closest(text, PAGES, count=CLOSE_MAX)]
    hint = f"; near to it: {', '.join(near)}" if near else ""
    what = repr(told) if reading.lines <= 1 else f"{reading.lines:,} lines from {told!r} on"
    what += " (no more were read)" if reading.is_cut else ""
    return (
        f"no known message in {what}{hint}; `walctl explain` lists those that are known, and"
        " `walctl doctor DIR` finds what is wrong with a directory"
    )


def _report(disk: FileSystem, page: Page, reading: Reading, where: Where | None) -> PanicReport:
    sighting = reading.sightings[0] if reading.sightings else None
    numbers = sighting.numbers if sighting is not None else {}
    layout, facts = _facts(disk, numbers, reading.version, where)
    causes = _weighed(page, facts)
    steps = [step for each in causes if each.judged.fit is Fit.FITS for step in each.cause.do]
    do = tuple(dict.fromkeys([*steps, *page.do]))
    return PanicReport(
        page=page,
        sighting=sighting,
        version=reading.version,
        causes=causes,
        foretold=_foretold(page, sighting, facts.boots),
        do=tuple(_steps(do, layout, facts.membership)),
        do_not=page.avoid,
        also=tuple(each for each in reading.sightings[1:] if _is_worth_telling(each, page)),
        notes=tuple(_notes(facts, reading)),
        path=where.path if where is not None else None,
        understood_as=facts.report.understood_as if facts.report is not None else "",
    )


def _facts(
    disk: FileSystem, numbers: Numbers, version: str | None, where: Where | None
) -> tuple[Layout | None, Facts]:
    if where is None:
        return None, Facts(numbers=numbers, version=version)
    layout = understand(disk, where.path, wal_dir=where.wal_dir, snap_dir=where.snap_dir)
    examination = examine(disk, layout)
    seen = examination.survey
    return layout, Facts(
        numbers=numbers,
        version=version,
        report=examination.report,
        survey=seen,
        membership=membership(seen),
        boots=starts_of(disk, seen).boots,
    )


def _weighed(page: Page, facts: Facts) -> tuple[Weighed, ...]:
    """The causes with their verdicts, those that fit first; else in the order of the page."""
    held = [
        Weighed(cause=cause, judged=cause.test(facts))
        for cause in page.causes
        if facts.survey is not None or not cause.needs_path
    ]
    return tuple(sorted(held, key=lambda each: ORDER[each.judged.fit]))


def _foretold(page: Page, sighting: Sighting | None, boots: Mapping[Version, Boot]) -> str:
    """Whether a start on the directory as it is now would end with the same message."""
    if not boots:
        return ""
    same: list[Version] = []
    like: list[Version] = []
    for version, boot in boots.items():
        said = recognise(words_of(boot))
        if said is None or said.page is not page:
            continue
        numbers = sighting.numbers if sighting is not None else {}
        agrees = numbers_agree(numbers, said.numbers, page.free)
        (same if agrees else like).append(version)
    if same:
        return f"walctl foretells exactly this message for a start now by {_named(same)}"
    if like:
        return f"walctl foretells this message, with other numbers, for {_named(like)}"
    if page.gravity is not Gravity.END:
        return ""
    return (
        "no version of etcd that walctl knows would say this at a start on the directory as it is"
        " now: it has changed since, another member said it, or it came while the server ran"
    )


def _named(versions: list[Version]) -> str:
    if len(versions) == len(Version):
        return f"every version of etcd that it knows ({Version.V3_4} to {Version.V3_6})"
    return f"etcd {', '.join(versions)}"


def words_of(boot: Boot) -> str:
    """What a start that was foretold says, as one line."""
    cut = boot.repair is not None and boot.repair.cut_to is not None
    parts = [boot.message, boot.error, boot.follower_panic, "repaired WAL" if cut else None]
    return " ".join(part for part in parts if part)


def _steps(
    steps: tuple[str, ...], layout: Layout | None, members: Membership | None
) -> Iterator[Step]:
    """The steps with the commands for this path in place of those for any; what needs other
    members is left out where there are none."""
    for step in steps:
        if layout is not None and step == COPY:
            commands = " && ".join(copy_commands(layout))
            yield Step(text="Copy everything before all else, and work on it:", command=commands)
        elif layout is not None and step == DOCTOR:
            command = f"walctl doctor {quoted_word(str(layout.path))}"
            yield Step(text="Look at everything that the directory says:", command=command)
        elif layout is not None and layout.is_member and step == REPAIR:
            yield Step(
                text=(
                    "See how it can be put right. This reads only; a repair keeps a backup, and can"
                    " be taken back:"
                ),
                command=repair_command(layout),
            )
        elif members is None or members.size != 1 or PEER not in step:
            yield Step(text=step)


def _is_worth_telling(sighting: Sighting, page: Page) -> bool:
    """Frames say nothing beside what they frame."""
    return sighting.page.gravity is not Gravity.FRAME or page.gravity is Gravity.NOTE


def _notes(facts: Facts, reading: Reading) -> Iterable[str]:
    if reading.is_cut:
        yield f"only the first {reading.lines:,} lines were read"
    if facts.report is not None and facts.report.is_moving:
        yield "a server is at work in this directory: what is said of it is of a moment"
