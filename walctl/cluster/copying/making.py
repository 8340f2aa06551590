"""From directories to a lab that can be started: read, choose a way, copy, prove, tell.

    analyse      what the directories are; most refusals
    choose       a closed network, or other addresses; the only two ways
    copy         beside, originals hashed before and after
    prove        of copies with other addresses, that nothing in them leads out
    forecast     of the copies as they lie there
    lab.json     last of all: a folder without it is no lab, and is never started

What fails takes the folder away again that was begun.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from walctl.cluster.copying import proof, rewriting
from walctl.cluster.copying.analysis import Analysis, Original, analyse, demand_free
from walctl.cluster.copying.files import (
    SNAP,
    WAL,
    Cloner,
    FilePrint,
    copy_file,
    files_of,
    prints_of,
)
from walctl.cluster.copying.forecast import Forecast, etcd_forecast, release
from walctl.cluster.copying.planning import CopyWay, CopyWish, Net, Plan, planned
from walctl.cluster.copying.rehearsal import own_forecast
from walctl.cluster.lab import (
    ETCD_GROUP,
    Engine,
    Group,
    Lab,
    MachineKind,
    Node,
    Settings,
    is_lab,
    save,
)
from walctl.datadir.boot import Boot
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey, survey
from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.trees import remove_tree
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.published import learn_urls
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.starts import starts_of

KV_GROUP = "kv"
"""What the group of raftexample's members is called."""
_LIKE_US = "3.5.21"
"""The release of etcd that cuts a torn log where our engine does."""
ROOM_BYTES = 64 << 20
"""What has to stay free on the disk behind the copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One member of the lab: where it came from and what it will do.

    `prints` are the original's files, the same before and after. `is_shared`: all of its bytes are
    still those of the original, on the disk. `left_out` are names that were not copied, `cut` is
    where its log was cut before it could be written anew.
    """

    node: Node
    original: Original
    forecast: Forecast
    prints: dict[str, FilePrint]
    is_shared: bool
    left_out: tuple[str, ...] = ()
    cut: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A lab that was made. `reason` says why it is not a namespace, where nobody asked for that."""

    lab: Lab
    net: Net
    copies: tuple[Copied, ...]
    warnings: tuple[str, ...]
    reason: str = ""


def make(
    disk: WritableFileSystem,
    wish: CopyWish,
    *,
    token: str,
    cloner: Cloner | None,
    depth: Depth = ONE_PROCESS,
    say: Callable[[str], None] = lambda line: None,
) -> Made:
    """Make the lab; it is not started.

    `token` is the secret of the lab's file, `cloner` copies by sharing blocks where the disk can.
    Raises: WalctlError, and then there is no lab and no folder of one.
    """
    _demand_place(disk, wish)
    say("reading the members")
    analysis = analyse(disk, wish.paths, engine=wish.engine, depth=depth)
    _demand_outside(wish, analysis)
    boots = {each.member_id: _boot(disk, each, wish) for each in analysis.originals}
    plan = planned(disk, wish, analysis, boots)
    _demand_room(disk, wish, analysis)
    disk.make_dir(wish.lab)
    is_made = False
    try:
        copies = tuple(
            _copied(disk, wish, plan, original, node, boots[original.member_id], cloner, say)
            for original, node in zip(analysis.originals, plan.nodes, strict=True)
        )
        if plan.net is Net.REWRITE:
            say("proving that nothing leads out of the lab")
            _prove(disk, wish, analysis, plan, copies)
        lab = _lab(wish, plan, analysis, copies, token)
        save(disk, lab)
        is_made = True
    finally:
        if not is_made:
            remove_tree(disk, wish.lab)
    warnings = (*analysis.warnings, *_version_warnings(wish, analysis))
    return Made(lab=lab, net=plan.net, copies=copies, warnings=warnings, reason=plan.reason)


def _demand_place(disk: WritableFileSystem, wish: CopyWish) -> None:
    """Raise UsageError where the lab has no place of its own."""
    if is_lab(disk, wish.lab):
        raise UsageError(f"{wish.lab}: there is a lab already; name another --lab")
    if disk.exists(wish.lab):
        raise UsageError(f"{wish.lab}: exists and is no lab; name a folder that is not there yet")
    if len(set(wish.paths)) < len(wish.paths):
        raise UsageError("one directory is named twice; name one directory of each member")


def _demand_outside(wish: CopyWish, analysis: Analysis) -> None:
    """Raise UsageError where the lab would lie within what is only read."""
    for original in analysis.originals:
        layout = original.layout
        for folder in (layout.path, layout.wal_dir, layout.snap_dir):
            if folder in wish.lab.parents:
                raise UsageError(f"{wish.lab}: lies within {folder}, which is only read")


def _demand_room(disk: WritableFileSystem, wish: CopyWish, analysis: Analysis) -> None:
    wanted = sum(
        stat.size if stat.allocated_bytes is None else stat.allocated_bytes
        for each in analysis.originals
        for stat in map(disk.stat, files_of(disk, each.layout).values())
    )
    free = disk.free_bytes(wish.lab.parent)
    if wish.copy is not CopyWay.REFLINK and free < wanted + ROOM_BYTES:
        raise AccessError(
            f"{wish.lab.parent}: expected {wanted + ROOM_BYTES:,} free bytes for the copies, found"
            f" {free:,}"
        )


def _boot(disk: WritableFileSystem, original: Original, wish: CopyWish) -> Boot | None:
    """What etcd would do with the original; for our engine, a release that reads as we do."""
    version = release(wish.version or _LIKE_US)
    return starts_of(disk, original.survey).boots.get(version)


def _group(analysis: Analysis) -> str:
    return KV_GROUP if analysis.is_raftexample else ETCD_GROUP


def _copied(
    disk: WritableFileSystem,
    wish: CopyWish,
    plan: Plan,
    original: Original,
    node: Node,
    boot: Boot | None,
    cloner: Cloner | None,
    say: Callable[[str], None],
) -> Copied:
    """Copy one member, and see that the original is what it was."""
    say(f"copying {original.path}")
    files = files_of(disk, original.layout)
    before = prints_of(disk, files)
    group = KV_GROUP if original.is_raftexample else ETCD_GROUP
    member = wish.lab / node.name / group / "member"
    for folder in (member.parents[1], member.parent, member, member / WAL, member / SNAP):
        disk.make_dir(folder)
    left_out: tuple[str, ...] = ()
    cut = None
    is_shared = plan.net is Net.NAMESPACE
    if plan.net is Net.REWRITE:
        written = rewriting.rewritten_member(disk, original.survey, boot, member, plan.book)
        left_out, cut = written.left_out, written.cut
    else:
        for name, path in files.items():
            wanted = cloner if wish.copy is not CopyWay.FULL else None
            is_clone = copy_file(disk, path, member / name, wanted)
            if not is_clone and wish.copy is CopyWay.REFLINK:
                raise UnsupportedError(
                    f"{path}: cannot share its blocks with {wish.lab}; use --copy full"
                )
            is_shared = is_shared and is_clone
    _sync(disk, member)
    _demand_unchanged(disk, original, files, before)
    return Copied(
        node=node,
        original=original,
        forecast=_forecast(disk, wish, member.parent, original, boot),
        prints=before,
        is_shared=is_shared,
        left_out=left_out,
        cut=cut,
    )


def _sync(disk: WritableFileSystem, member: Path) -> None:
    for folder in (member / WAL, member / SNAP, member, member.parent, member.parents[1]):
        disk.sync_dir(folder)


def _demand_unchanged(
    disk: WritableFileSystem,
    original: Original,
    files: dict[str, Path],
    before: dict[str, FilePrint],
) -> None:
    """Raise AccessError where the original is not what it was, or a process holds it now."""
    now = files_of(disk, original.layout)
    if now != files or prints_of(disk, now) != before:
        raise AccessError(
            f"{original.path}: it changed while it was copied: a server may be at work"
        )
    demand_free(disk, original.path, survey(disk, original.layout, is_quick=True))


def _forecast(
    disk: WritableFileSystem, wish: CopyWish, path: Path, original: Original, boot: Boot | None
) -> Forecast:
    """What the copy will do."""
    if wish.engine is Engine.ETCD:
        return etcd_forecast(disk, _seen(disk, path), wish.version or "")
    return own_forecast(
        disk,
        path,
        member_id=original.member_id,
        is_etcd=not original.is_raftexample,
        may_panic=None if boot is None else boot.follower_panic,
    )


def _seen(disk: WritableFileSystem, path: Path) -> Survey:
    seen = survey(disk, understand(disk, path))
    learn_urls(disk, seen)
    return seen


def _prove(
    disk: WritableFileSystem,
    wish: CopyWish,
    analysis: Analysis,
    plan: Plan,
    copies: Sequence[Copied],
) -> None:
    """Raise RefusedError where anything in the copies leads out of the lab."""
    known = (each for original in analysis.originals for each in original.known)
    old = {*plan.book.met, *(url for each in known for url in (*each.peer_urls, *each.client_urls))}
    for copied in copies:
        path = wish.lab / copied.node.name / _group(analysis)
        seen = _seen(disk, path)
        proof.prove(disk, seen, plan.book, old)
        met = rewriting.addresses_met(disk, seen.layout, seen, plan.book)
        proof.demand_ours(path, met, plan.book)


def _version_warnings(wish: CopyWish, analysis: Analysis) -> Iterator[str]:
    """Data of a release that the program is not."""
    own = _minor(wish.version) if wish.version is not None else None
    for each in analysis.originals:
        cluster = _minor(each.version) if each.version is not None else None
        if own is None or cluster is None or own == cluster:
            continue
        what = "does not start on it" if own < cluster else "may raise that"
        yield f"{each.path}: the cluster's version is {each.version}: etcd {wish.version} {what}"


def _minor(version: str) -> tuple[int, ...] | None:
    """The first two numbers of a version; `None` for what is none."""
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if all(each.isdecimal() for each in parts) else None


def _lab(
    wish: CopyWish, plan: Plan, analysis: Analysis, copies: Sequence[Copied], token: str
) -> Lab:
    names = tuple(each.name for each in plan.nodes)
    hosts = tuple(each.name for each in analysis.originals if not analysis.is_removed(each))
    machine = MachineKind.KV if analysis.is_raftexample else MachineKind.ETCD
    return Lab(
        path=wish.lab,
        engine=wish.engine,
        settings=Settings(machine=machine),
        nodes=plan.nodes,
        groups=(Group(name=_group(analysis), first=names, hosts=hosts),),
        token=token,
        program=None if wish.program is None else str(wish.program),
        is_closed=plan.net is Net.NAMESPACE,
        origin=_origin(wish, plan, analysis, copies),
    )


def _origin(
    wish: CopyWish, plan: Plan, analysis: Analysis, copies: Sequence[Copied]
) -> dict[str, Any]:
    """What `lab.json` keeps of where everything came from."""
    strangers = plan.book.homes.keys() - {each.member_id for each in analysis.originals}
    return {
        "net": str(plan.net),
        "addresses": list(plan.addresses),
        "version": wish.version,
        "voters": len(analysis.newest.voters),
        "absent": {f"{each:x}": plan.book.homes[each].peer_url for each in sorted(strangers)},
        "members": {each.node.name: _origin_of(each, analysis) for each in copies},
    }


def _origin_of(copied: Copied, analysis: Analysis) -> dict[str, Any]:
    original = copied.original
    cluster = original.cluster_id
    return {
        "path": str(original.path),
        "member": f"{original.member_id:x}",
        "cluster": None if cluster is None else f"{cluster:x}",
        "peer_urls": list(analysis.peer_urls(original.member_id)),
        "verdict": str(original.verdict),
        "forecast": copied.forecast.document,
        "left_out": list(copied.left_out),
        "cut": copied.cut,
        "files": {name: asdict(each) for name, each in copied.prints.items()},
    }
