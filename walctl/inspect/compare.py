"""compare: several members of one cluster held against each other.

Same cluster? Who has what, from where on do they part, what does a majority hold, what was
committed, which copy is the good one, who may be replaced? Reads, and never writes; the parts are
in `comparing`. Damage is in the answer; what keeps one directory from being read is told, and the
others are compared all the same.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.layout import Shape
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.inspect.comparing.divergence import Divergence, divergences
from walctl.inspect.comparing.given import DepthFor, Given, read_given
from walctl.inspect.comparing.hashes import KeySpaces, key_spaces
from walctl.inspect.comparing.judging import Court, Judgement, Standing
from walctl.inspect.comparing.quorum import Quorum, quorum_of
from walctl.inspect.comparing.sections import Section, Step, sections_of
from walctl.inspect.comparing.seen import Seen, findings_of
from walctl.inspect.comparing.timeline import Term, timeline
from walctl.inspect.reading import ONE_PROCESS
from walctl.inspect.report import worst
from walctl.model.finding import Severity, Verdict, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The answer. `given` and `judgements` are of all directories, in the order in which they were
    named; `members` are those of one cluster that were compared, and every position in `sections`,
    `divergences`, `quorum`, `terms` and `spaces` is one in `members`."""

    given: tuple[Given, ...]
    judgements: tuple[Judgement, ...]
    members: tuple[Given, ...]
    cluster_id: int | None
    sections: tuple[Section, ...]
    stopped_at: int | None
    divergences: tuple[Divergence, ...]
    quorum: Quorum
    terms: tuple[Term, ...]
    spaces: KeySpaces
    findings: tuple[Seen, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found of the members and between them."""
        own = [each for given in self.given for each in given.report.findings]
        return verdict([*own, *(each.finding for each in self.findings)])

    @property
    def exit_status(self) -> ExitStatus:
        """What the command ends with."""
        status = worst([each.report for each in self.given])
        if status is ExitStatus.USAGE:
            status = ExitStatus.UNFINISHED  # of one path among several
        if status is ExitStatus.UNFINISHED or self.stopped_at is not None:
            return ExitStatus.UNFINISHED
        if len(self.members) < 2:
            return ExitStatus.DAMAGE
        return {
            Verdict.DAMAGED: ExitStatus.DAMAGE,
            Verdict.HARMLESS: ExitStatus.HARMLESS,
            Verdict.CLEAN: ExitStatus.CLEAN,
        }[self.verdict]

    @property
    def newest_safe(self) -> Given | None:
        """The one to build upon."""
        pairs = zip(self.given, self.judgements, strict=True)
        return next((each for each, said in pairs if said.standing is Standing.NEWEST), None)

    @property
    def first_divergence(self) -> Divergence | None:
        """Where members part: the first place at which Raft does not allow it, else the first."""
        wrong = (each for each in self.divergences if not each.is_allowed)
        return next(wrong, self.divergences[0] if self.divergences else None)

    def count(self, severity: Severity) -> int:
        """How many findings of that severity there are between the members."""
        return sum(each.finding.severity is severity for each in self.findings)


def compare(
    disk: FileSystem,
    paths: Sequence[Path],
    *,
    depth_for: DepthFor = lambda path: nullcontext(ONE_PROCESS),
    step: Step = lambda done, total: None,
) -> Compared:
    """Compare the members in `paths`.

    `depth_for` says how deep each is read, `step` is told how far the comparison has come.

    Raises: UsageError, for fewer than two different paths. AccessError, when a log changes while
    it is compared.
    """
    given = read_given(disk, paths, depth_for)
    read = [each for each in given if each.survey is not None]
    cluster_id = _cluster_of(read)
    members = [each for each in read if _belongs(each, cluster_id, read)]
    sections = sections_of(disk, members, step=step)
    quorum = quorum_of(members, sections.found)
    parted = divergences(disk, members, sections.found, committed=quorum.committed_to)
    terms = timeline(members)
    spaces = key_spaces(disk, members, set(quorum.present.values()))
    court = Court(
        members=members,
        quorum=quorum,
        divergences=parted,
        odd_hashes=_odd(spaces),
    )
    judged = dict(zip((each.name for each in members), court.judged(), strict=True))
    return Compared(
        given=tuple(given),
        judgements=tuple(judged.get(each.name) or _outside(each) for each in given),
        members=tuple(members),
        cluster_id=cluster_id,
        sections=sections.found,
        stopped_at=sections.stopped_at,
        divergences=tuple(parted),
        quorum=quorum,
        terms=tuple(terms),
        spaces=spaces,
        findings=tuple(findings_of(read, members, quorum, parted, terms, spaces)),
    )


def _cluster_of(read: Sequence[Given]) -> int | None:
    """The cluster that most name; the first of them at a tie, `None` when nobody names one."""
    named = Counter(each.cluster_id for each in read if each.cluster_id is not None)
    return named.most_common(1)[0][0] if named else None


def _belongs(given: Given, cluster_id: int | None, read: Sequence[Given]) -> bool:
    """Whether a directory is of this cluster; one that does not say so is, if it names nobody, or
    somebody whom the others know. raftexample's logs are never of a cluster that has an id."""
    if cluster_id is None or given.cluster_id is not None:
        return given.cluster_id == cluster_id
    if given.seen.layout.shape is Shape.RAFTEXAMPLE:
        return False
    known = set().union(*(_ids(each) for each in read if each.cluster_id == cluster_id))
    own = _ids(given)
    return not own or bool(own & known)


def _ids(given: Given) -> set[int]:
    """Everybody whom a directory names, itself included."""
    named = {peer.id for view in given.membership.views for peer in view.peers}
    witness = given.seen.database
    if witness is not None:
        named |= {member.id for member in witness.members} | set(witness.removed_members)
    return named | ({given.node_id} if given.node_id is not None else set())


def _odd(spaces: KeySpaces) -> frozenset[int]:
    """Positions of the members whose hash is not that of most; all of them at a tie."""
    counts = Counter(each.hash for each in spaces.found if each.hash is not None)
    if len(counts) < 2:
        return frozenset()
    (first, most), (_, second) = counts.most_common(2)
    usual = first if most > second else None
    return frozenset(
        at for at, each in enumerate(spaces.found) if each.hash is not None and each.hash != usual
    )


def _outside(given: Given) -> Judgement:
    """Of a directory that was not compared."""
    if given.survey is None:
        return Judgement(
            standing=Standing.UNREADABLE, words="could not be read", why="not known what it holds"
        )
    return Judgement(
        standing=Standing.FOREIGN,
        words="of another cluster: not compared",
        why="of another cluster",
    )
