"""What the directories are that a lab is to be made from, by reading them; and what is refused.

    two clusters            their logs name different cluster ids
    one member twice        two directories of one id would both vote as it
    a log that is held      a server is at work there: what is copied then never was a state
    no member's directory   a folder of segments alone says nothing of who wrote it

That no majority is among them is only a warning: one member can be looked at alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.cluster.copying.addresses import parsed
from walctl.cluster.lab import NAME, RESERVED, Engine
from walctl.datadir.layout import Layout, Shape, understand
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.membership import Membership, membership
from walctl.inspect.published import learn_urls
from walctl.inspect.reading import Depth
from walctl.inspect.summary import summarise
from walctl.inspect.verify import examine
from walctl.model.finding import Verdict
from walctl.model.member import Member

_RAFTEXAMPLE_NAME = re.compile(r"raftexample-([0-9]{1,18})")
"""How raftexample calls its folders: its members keep their id nowhere else."""
_HOLDERS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """One directory as it was read.

    `name` is what the member is called in the lab. `cluster_id` is `None` where nothing says
    (raftexample). `member` is all that any part says of it; `known` are all members that any part
    names, by ascending id; `current` are those who belong to the cluster now as far as it knows,
    `voters` those of them who vote. `version` is the cluster's, where the data says one.
    """

    path: Path
    layout: Layout
    survey: Survey
    name: str
    member_id: int
    cluster_id: int | None
    member: Member
    known: tuple[Member, ...]
    voters: frozenset[int]
    current: frozenset[int]
    version: str | None
    verdict: Verdict

    @property
    def is_raftexample(self) -> bool:
        """Whether it is etcd's example's, not etcd's."""
        return self.layout.shape is Shape.RAFTEXAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All directories, in the order in which they were named, and what a person should know."""

    originals: tuple[Original, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_raftexample(self) -> bool:
        """Whether they are raftexample's: all of them are, or none."""
        return self.originals[0].is_raftexample

    @property
    def newest(self) -> Original:
        """The one that knows most of what was committed."""
        return max(self.originals, key=lambda each: each.survey.commit)

    def is_removed(self, original: Original) -> bool:
        """Whether a member does not belong to the cluster any more."""
        current = self.newest.current
        return bool(current) and original.member_id not in current

    def peer_urls(self, member: int) -> tuple[str, ...]:
        """Every peer URL that any part of any directory has for a member now, in a fixed order."""
        said = (each for one in self.originals for each in one.known if each.id == member)
        return tuple(dict.fromkeys(url for each in said for url in each.peer_urls))


def analyse(
    disk: WritableFileSystem, paths: Sequence[Path], *, engine: Engine, depth: Depth
) -> Analysis:
    """Read every directory. Raises: WalctlError, for what the module says."""
    found = [_original(disk, path, depth) for path in paths]
    _demand_one_engine(found, engine)
    _demand_one_cluster(found)
    analysis = Analysis(originals=tuple(_named(found)))
    return replace(analysis, warnings=tuple(_warnings(analysis)))


def demand_free(disk: WritableFileSystem, path: Path, survey: Survey) -> None:
    """Raise AccessError where a process holds the log, or files changed while they were read."""
    if not survey.is_moving:
        return
    folders = [each for each in (survey.layout.wal_dir,) if each is not None]
    holders = disk.holders(folders)[:_HOLDERS_MAX]
    who = f" by process {', '.join(map(str, holders))}" if holders else ""
    raise AccessError(
        f"{path}: expected a member that is stopped, found its log held{who}; stop it, or take the"
        " lab from a copy that was made while it was stopped"
    )


def _original(disk: WritableFileSystem, path: Path, depth: Depth) -> Original:
    layout = understand(disk, path)
    if not layout.is_member and layout.shape is not Shape.RAFTEXAMPLE:
        raise UnsupportedError(
            f"{path}: expected a member's data directory, found a {layout.shape}; name the folder"
            " that holds member/, or raftexample's raftexample-N with raftexample-N-snap beside it"
        )
    seen = examine(disk, layout, depth=depth)
    survey = seen.survey
    demand_free(disk, path, survey)
    if not survey.segments:
        raise UnsupportedError(f"{path}: expected a member's log, found no segment of one")
    learn_urls(disk, survey)
    known = membership(survey)
    member_id, cluster_id = _identity(path, survey)
    return Original(
        path=path,
        layout=layout,
        survey=survey,
        name="",
        member_id=member_id,
        cluster_id=cluster_id,
        member=known.described(member_id),
        known=_all_known(known),
        voters=known.best.voters if known.best is not None else frozenset(),
        current=frozenset(peer.id for peer in known.best.peers) if known.best else frozenset(),
        version=summarise(survey).version,
        verdict=seen.report.verdict,
    )


def _identity(path: Path, survey: Survey) -> tuple[int, int | None]:
    """Member and cluster. Raises: UnsupportedError, where nothing says, or two things are said."""
    said = {
        (each.metadata.node_id, each.metadata.cluster_id)
        for each in survey.metadata
        if each.metadata.node_id
    }
    if len(said) == 1:
        ((member, cluster),) = said
        assert member is not None, "the others were left out"
        return member, cluster
    if said:
        raise UnsupportedError(f"{path}: expected the log of one member, found those of two")
    name = _RAFTEXAMPLE_NAME.fullmatch(path.name)
    if name is None:
        raise UnsupportedError(
            f"{path}: nothing in the log says whose it is, and the folder is not called"
            " raftexample-N either; give it the name that it had"
        )
    return int(name[1]), None


def _all_known(known: Membership) -> tuple[Member, ...]:
    """What each view says of each member that it names; one that several name comes as often."""
    return tuple(
        sorted((peer for view in known.views for peer in view.peers), key=lambda each: each.id)
    )


def _demand_one_engine(found: Sequence[Original], engine: Engine) -> None:
    foreign = [each for each in found if each.is_raftexample]
    if foreign and len(foreign) < len(found):
        other = next(each for each in found if not each.is_raftexample)
        raise UsageError(
            f"{foreign[0].path} is raftexample's, {other.path} is etcd's; make a lab of each"
        )
    if foreign and engine is Engine.ETCD:
        raise UsageError(
            f"{foreign[0].path}: raftexample's directory, which no etcd starts on; use"
            " --engine walctl"
        )


def _demand_one_cluster(found: Sequence[Original]) -> None:
    first = found[0]
    seen: dict[int, Path] = {}
    for each in found:
        if each.cluster_id != first.cluster_id:
            raise UsageError(
                f"{each.path}: of cluster {each.cluster_id or 0:x}, and {first.path} of cluster"
                f" {first.cluster_id or 0:x}; make a lab of each"
            )
        if each.member_id in seen:
            raise UsageError(
                f"{each.path}: member {each.member_id:x}, and so is {seen[each.member_id]}; name"
                " one directory of each member"
            )
        seen[each.member_id] = each.path


def _named(found: Sequence[Original]) -> Iterator[Original]:
    """Each with a name of its own that a lab takes: the member's, else one by its position."""
    taken = {each.member.name for each in found}
    used: set[str] = set()
    for position, each in enumerate(found, start=1):
        name = each.member.name
        if NAME.fullmatch(name) is None or name in RESERVED or name in used:
            name = f"n{each.member_id if each.is_raftexample else position}"
            while name in taken or name in used:
                name += "x"
        used.add(name)
        yield replace(each, name=name)


def _warnings(analysis: Analysis) -> Iterator[str]:
    found, voters = analysis.originals, analysis.newest.voters
    here = {each.member_id for each in found}
    if voters and len(here & voters) * 2 <= len(voters):
        yield (
            f"{len(here & voters)} of {len(voters)} voters: they are no majority and elect no"
            " leader"
        )
    for each in filter(analysis.is_removed, found):
        yield (
            f"{each.path}: member {each.member_id:x} is not in the cluster any more; it is not"
            " started with the others"
        )
    versions = sorted({each.version for each in found if each.version})
    if len(versions) > 1:
        yield f"the directories are of cluster versions {', '.join(versions)}"
    if any(parsed(url) is None for each in found for one in each.known for url in one.peer_urls):
        yield "a member's peer URL is none: it has no host and port"
