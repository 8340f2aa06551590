"""From directories to a lab that can be started: read, choose a way, copy, prove, tell.

    analyse      what the directories are; most refusals
    choose       a closed network, or other addresses; the only two ways
    copy         beside, originals hashed before and after
    prove        of copies with other addresses, that nothing in them leads out
    forecast     of the copies as they lie there
    lab.json     last of all: a folder without it is no lab, and is never started

What fails takes the folder away again that was begun.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from walctl.cluster.copying import namespace, proof, rewriting
from walctl.cluster.copying.addresses import Book, Home, parsed
from walctl.cluster.copying.analysis import Analysis, Original, analyse, demand_free
from walctl.cluster.copying.files import (
    SNAP,
    WAL,
    Cloner,
    FilePrint,
    copy_file,
    files_of,
    prints_of,
    remove_tree,
)
from walctl.cluster.copying.forecast import Forecast, etcd_forecast, own_forecast, release
from walctl.cluster.copying.ports import free_ports
from walctl.cluster.lab import (
    ETCD_GROUP,
    HOST,
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
from walctl.errors import AccessError, UnsupportedError, UsageError, WalctlError
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.published import learn_urls
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.starts import starts_of

KV_GROUP = "kv"
"""What the group of raftexample's members is called."""
PORTS_A_NODE = 3
ROOM_BYTES = 64 << 20
"""What has to stay free on the disk behind the copies."""


class Net(enum.StrEnum):
    """How it is kept from the members that it was copied from."""

    NAMESPACE = "ns"
    REWRITE = "rewrite"


class CopyWay(enum.StrEnum):
    """How files are copied."""

    REFLINK = "reflink"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for; `None` where the best of what can be had is wanted.

    `program` and `version` are those of the etcd that will run it, for engine etcd.
    """

    paths: tuple[Path, ...]
    lab: Path
    engine: Engine = Engine.ETCD
    copy: CopyWay | None = None
    net: Net | None = None
    base_port: int | None = None
    program: Path | None = None
    version: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The way that was chosen, and where everything will be."""

    net: Net
    reason: str
    addresses: tuple[str, ...]
    nodes: tuple[Node, ...]
    book: Book


def make(
    disk: WritableFileSystem,
    wish: Wish,
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
    boots = {each.member_id: _boot(disk, each, wish) for each in analysis.originals}
    plan = _planned(disk, wish, analysis, boots)
    _demand_room(disk, wish, analysis)
    disk.make_dir(wish.lab)
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
    except (WalctlError, KeyboardInterrupt):
        remove_tree(disk, wish.lab)
        raise
    warnings = (*analysis.warnings, *_version_warnings(wish, analysis))
    return Made(lab=lab, net=plan.net, copies=copies, warnings=warnings, reason=plan.reason)


def _demand_place(disk: WritableFileSystem, wish: Wish) -> None:
    """Raise UsageError where the lab has no place of its own."""
    if is_lab(disk, wish.lab):
        raise UsageError(f"{wish.lab}: there is a lab already; name another --lab")
    if disk.exists(wish.lab):
        raise UsageError(f"{wish.lab}: exists and is no lab; name a folder that is not there yet")
    for path in wish.paths:
        if path == wish.lab or path in wish.lab.parents:
            raise UsageError(f"{wish.lab}: lies within {path}, which is only read")
    if len(set(wish.paths)) < len(wish.paths):
        raise UsageError("one directory is named twice; name one directory of each member")


def _demand_room(disk: WritableFileSystem, wish: Wish, analysis: Analysis) -> None:
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


def _boot(disk: WritableFileSystem, original: Original, wish: Wish) -> Boot | None:
    """What etcd would do with the original; for our engine, a release that reads as we do."""
    version = release(wish.version or "3.5.21")
    return starts_of(disk, original.survey).boots.get(version)


def _planned(
    disk: WritableFileSystem, wish: Wish, analysis: Analysis, boots: dict[int, Boot | None]
) -> _Plan:
    """Choose one of the two ways. Raises: UnsupportedError, when there is none."""
    reason = ""
    if wish.net is not Net.REWRITE:
        try:
            addresses = namespace.addresses_of(analysis)
            namespace.demand_possible(disk, addresses)
            return _in_namespace(wish, analysis, addresses)
        except UnsupportedError as error:
            if wish.net is not None:
                raise
            reason = error.message
    try:
        for original in analysis.originals:
            rewriting.demand_whole(original.survey, boots[original.member_id])
    except UnsupportedError as error:
        if wish.net is not None:
            raise
        raise UnsupportedError(
            f"no way to keep the lab from the members of before: {reason}; and {error.message}"
        ) from error
    return _rewriting(wish, analysis, reason)


def _in_namespace(wish: Wish, analysis: Analysis, addresses: tuple[str, ...]) -> _Plan:
    """Everybody keeps his address, behind which the lab's proxy stands."""
    old = {each.member_id: analysis.peer_urls(each.member_id) for each in analysis.originals}
    taken = {url.port for urls in old.values() for url in map(parsed, urls) if url is not None}
    count = PORTS_A_NODE * len(analysis.originals)
    ports = free_ports(count, base=wish.base_port, taken=taken, is_closed=True)
    nodes = []
    for original in analysis.originals:
        urls = old[original.member_id]
        url = parsed(urls[0]) if urls else None
        client, peer, proxy = next(ports), next(ports), next(ports)
        nodes.append(
            Node(
                name=original.name,
                id=original.member_id,
                client_port=client,
                peer_port=peer,
                proxy_port=proxy if url is None else url.port,
                peer_url=None if url is None else url.text,
            )
        )
    return _Plan(
        net=Net.NAMESPACE, reason="", addresses=addresses, nodes=tuple(nodes), book=Book(homes={})
    )


def _rewriting(wish: Wish, analysis: Analysis, reason: str) -> _Plan:
    """Everybody gets another address, none that anybody had."""
    met = [url for one in analysis.originals for each in one.known for url in each.peer_urls]
    met += [url for one in analysis.originals for each in one.known for url in each.client_urls]
    taken = {url.port for url in map(parsed, met) if url is not None}
    ports = free_ports(PORTS_A_NODE * len(analysis.originals), base=wish.base_port, taken=taken)
    nodes = tuple(
        Node(
            name=each.name,
            id=each.member_id,
            client_port=next(ports),
            peer_port=next(ports),
            proxy_port=next(ports),
        )
        for each in analysis.originals
    )
    homes = {
        original.member_id: Home(
            peer_url=f"http://{HOST}:{node.proxy_port}",
            client_url=f"http://{HOST}:{node.client_port}",
        )
        for original, node in zip(analysis.originals, nodes, strict=True)
    }
    return _Plan(net=Net.REWRITE, reason=reason, addresses=(), nodes=nodes, book=Book(homes=homes))


def _group(analysis: Analysis) -> str:
    return KV_GROUP if analysis.is_raftexample else ETCD_GROUP


def _copied(
    disk: WritableFileSystem,
    wish: Wish,
    plan: _Plan,
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
        forecast=_forecast(disk, wish, member.parent),
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


def _forecast(disk: WritableFileSystem, wish: Wish, path: Path) -> Forecast:
    """What the copy will do."""
    seen = _seen(disk, path)
    if wish.engine is Engine.ETCD:
        return etcd_forecast(disk, seen, wish.version or "")
    folder = seen.layout.wal_dir
    assert folder is not None, "every copy has a log"
    return own_forecast(disk, folder, seen)


def _seen(disk: WritableFileSystem, path: Path) -> Survey:
    seen = survey(disk, understand(disk, path))
    learn_urls(disk, seen)
    return seen


def _prove(
    disk: WritableFileSystem,
    wish: Wish,
    analysis: Analysis,
    plan: _Plan,
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


def _version_warnings(wish: Wish, analysis: Analysis) -> Iterator[str]:
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


def _lab(wish: Wish, plan: _Plan, analysis: Analysis, copies: Sequence[Copied], token: str) -> Lab:
    names = tuple(each.name for each in plan.nodes)
    machine = MachineKind.KV if analysis.is_raftexample else MachineKind.ETCD
    return Lab(
        path=wish.lab,
        engine=wish.engine,
        settings=Settings(machine=machine),
        nodes=plan.nodes,
        groups=(Group(name=_group(analysis), first=names, hosts=names),),
        token=token,
        program=None if wish.program is None else str(wish.program),
        is_closed=plan.net is Net.NAMESPACE,
        origin=_origin(wish, plan, analysis, copies),
    )


def _origin(
    wish: Wish, plan: _Plan, analysis: Analysis, copies: Sequence[Copied]
) -> dict[str, Any]:
    """What `lab.json` keeps of where everything came from."""
    strangers = plan.book.homes.keys() - {each.member_id for each in analysis.originals}
    return {
        "net": str(plan.net),
        "addresses": list(plan.addresses),
        "version": wish.version,
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
