"""A rebuilt state as a new file that a cluster is brought up from, and the words that do it.

The way home for a member whose files do not start any more: what its log, or what is left of it,
amounts to becomes a file as `etcdctl snapshot save` makes it. Restored, it is a new cluster of one
member, with another cluster id, so that nobody of the old one talks to it.

Source: etcd-data-dir notes 7.5; tried with etcd 3.5.1.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from formats.authpb import USER
from formats.errors import FormatError
from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.backend.schema import AUTH_USERS
from walctl.datadir.layout import Layout
from walctl.errors import RefusedError, UnsupportedError, UsageError
from walctl.fs.above import lies_within
from walctl.fs.base import FileSystem
from walctl.fs.hashing import blocks_of
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.state import Replayed
from walctl.machine.etcd import Etcd
from walctl.model.member import Member
from walctl.repair.new_file import Stopped, never, placed, write_new
from walctl.replay.apply import committed
from walctl.replay.image import demand_image, image

NAME: Final = "default"
PEER_URL: Final = "http://localhost:2380"
CLIENT_URL: Final = "http://localhost:2379"
RESTORED_SUFFIX: Final = "-restored.etcd"
"""Behind the member's name, for the new data directory."""
USERS_MAX = 5
"""Users that a note names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The new file, and what it takes to bring a cluster up from it.

    `sha256` is of the whole file, in hex. `commands` are words each, for a shell to be quoted.
    `notes` say what is not in it, and what to know before it is used.
    """

    replayed: Replayed
    machine: Etcd
    path: Path
    size: int
    sha256: str
    commands: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def demand_database(found: Replayed) -> Etcd:
    """The machine of a state that a database of etcd can hold.

    Raises: UnsupportedError.
    """
    if not isinstance(found.machine, Etcd):
        raise UnsupportedError(
            f"{found.seen.layout.path}: --to-snapshot: only a state of etcd makes a snapshot that"
            f" etcdutl restores; this log is read as that of `{found.kind}`"
        )
    return found.machine


def demand_outside(disk: FileSystem, layout: Layout, path: Path) -> None:
    """Nothing new comes to lie among a member's own files. Raises: UsageError; AccessError."""
    own = [each for each in (layout.wal_dir, layout.snap_dir) if each is not None]
    if layout.is_member:
        own.append(layout.path)
    if any(lies_within(disk, path, each) for each in own):
        raise UsageError(f"{path}: is in a folder of the member itself; name another place")


def save(
    source: FileSystem,
    disk: WritableFileSystem,
    found: Replayed,
    path: Path,
    *,
    is_stopped: Stopped = never,
) -> Saved:
    """Write the state to the new file `path` of `disk`, read it back, and say how it is used.

    `source` is where the member was read from.

    Raises: UnsupportedError, for a state that is none of etcd; UsageError, for a path among the
    member's own files; AccessError, also when there is such a file; StoppedError.
    """
    machine = demand_database(found)
    demand_outside(disk, found.seen.layout, path)
    known = put_passwords_back(source, found, machine)
    try:
        write_new(
            disk,
            path,
            placed(image(machine)),
            check=lambda part: demand_image(disk, part, machine),
            is_stopped=is_stopped,
        )
    except RefusedError as error:  # the file's own bounds: nothing of a loss is asked about
        raise UnsupportedError(f"{path}: {error.message}") from error
    digest = sha256()
    with disk.open(path) as file:
        size = file.stat().size
        for block in blocks_of(file):
            digest.update(block)
    return Saved(
        replayed=found,
        machine=machine,
        path=path,
        size=size,
        sha256=digest.hexdigest(),
        commands=commands(found, machine, path),
        notes=(*notes(found, machine), *_notes_of_users(machine, known)),
    )


def commands(found: Replayed, machine: Etcd, path: Path) -> tuple[tuple[str, ...], ...]:
    """Restore the file, start the member on it, and ask it for its hash, which is the state's.

    Name and addresses are those of the member whose log it is, as far as the state has them.
    """
    member = own_member(found, machine)
    name = member.name if _is_word(member.name) else NAME
    peers = tuple(filter(_is_word, member.peer_urls)) or (PEER_URL,)
    clients = tuple(filter(_is_word, member.client_urls)) or (CLIENT_URL,)
    folder = f"{name}{RESTORED_SUFFIX}".replace("/", "_")
    cluster = ",".join(f"{name}={url}" for url in peers)
    flags = (
        f"--name={name}",
        f"--data-dir={folder}",
        f"--initial-advertise-peer-urls={','.join(peers)}",
        f"--initial-cluster={cluster}",
        f"--initial-cluster-token=restored-{machine.applied}",
    )
    return (
        ("etcdutl", "snapshot", "restore", str(path), *flags),
        (
            "etcd",
            *flags,
            f"--listen-peer-urls={','.join(map(_listening, peers))}",
            f"--listen-client-urls={','.join(map(_listening, clients))}",
            f"--advertise-client-urls={','.join(clients)}",
        ),
        ("etcdctl", f"--endpoints={','.join(clients)}", "endpoint", "hashkv"),
    )


def own_member(found: Replayed, machine: Etcd) -> Member:
    """The member whose log it is, as the state knows it; one without a name where it does not."""
    members = machine.state.membership.members
    own = [placed.metadata.node_id for placed in found.seen.metadata]
    known = [members[node] for node in own if node is not None and node in members]
    return known[-1] if known else Member(id=0)


def notes(found: Replayed, machine: Etcd) -> Iterator[str]:
    """What is not in the file, and what to know before it is used."""
    state, seen = machine.state, found.seen
    safe = committed(seen)
    if machine.applied < safe:
        yield (
            f"entries {machine.applied + 1:,} to {safe:,} are committed, and not in it:"
            " what they wrote is lost to whoever goes on from it"
        )
    if machine.applied > safe:
        yield (
            f"entries {safe + 1:,} to {machine.applied:,} are in it, though they are not committed"
        )
    if found.agreement is not None and not found.agreement.is_equal:
        yield "it has what the log makes, which the database differs from: see `db-differs`"
    alone = "it becomes a new cluster of one member, with another cluster id"
    if len(state.membership.members) > 1:
        yield (
            f"{alone}; the other members of the old one do not join it with their data: stop"
            " them, and add them as new members with empty data directories"
        )
    else:
        yield f"{alone}; the old directory stays as it is: never start both"
    yield from _notes_of_state(machine)
    urls = own_member(found, machine)
    if any(each.startswith("https:") for each in (*urls.peer_urls, *urls.client_urls)):
        yield "the member used TLS: add its certificate flags to `etcd` and `etcdctl`"
    if (state.cluster_version or "").startswith("3.4."):
        yield "with the programs of etcd 3.4 the first command is `etcdctl snapshot restore`"


def _notes_of_state(machine: Etcd) -> Iterator[str]:
    state = machine.state
    if state.auth.is_enabled:
        yield "authentication is on in it: `etcdctl` needs --user"
    if state.alarms:
        yield "alarms stand in it, of members that are no more: `etcdctl alarm disarm`"
    if state.leases.leases:
        yield "leases begin anew with all of their time"


def _notes_of_users(machine: Etcd, known: tuple[str, ...]) -> Iterator[str]:
    """Whose passwords no log has: etcd 3.4 logs what was typed, and hashes it member by member."""
    if known:
        yield f"the passwords of {_named(known)} are those of the database: no log of etcd 3.4 has"
    without = _without_password(machine)
    if without:
        yield (
            f"users without a password in it, who cannot log in: {_named(without)}. A log of etcd"
            " 3.4 has none, and there is no database that tells"
        )


def _without_password(machine: Etcd) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name, user in machine.state.auth.users.items()
            if not user.password and not (user.options is not None and user.options.no_password)
        )
    )


def _named(users: tuple[str, ...]) -> str:
    return ", ".join(users[:USERS_MAX]) + (" …" if len(users) > USERS_MAX else "")


def put_passwords_back(source: FileSystem, found: Replayed, machine: Etcd) -> tuple[str, ...]:
    """Give users whose passwords the log does not have (3.4) those of the member's own database.

    Names of the users who got one; none where the database does not read.
    """
    wanted, path, seen = _without_password(machine), found.seen.layout.database, found.seen
    if not wanted or path is None or not seen.database_exists or seen.database_problem is not None:
        return ()
    stored: dict[str, bytes] = {}
    try:
        with source.open(path) as file:
            root = tree.root(Pages(file))
            for bucket in (each for each in root.items() if each.key == AUTH_USERS):
                for row in root.open(bucket).items():
                    user = USER.parse(row.value)
                    stored[row.key.decode("utf-8", "surrogateescape")] = user.password or b""
    except (PageError, FormatError):
        return ()
    users = machine.state.auth.users
    for name in (each for each in wanted if stored.get(each)):
        users[name] = replace(users[name], password=stored[name])
    return tuple(each for each in wanted if stored.get(each))


def _is_word(text: str) -> bool:
    """Whether something out of a log can stand in a command: nothing that a terminal obeys, and
    nothing that splits a list."""
    return bool(text) and text.isprintable() and not set(text) & set(" ,='\"")


def _listening(url: str) -> str:
    """Where a server listens whose address is `url`: etcd takes no names there but localhost."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if host != "localhost":
            ipaddress.ip_address(host)
    except ValueError:
        return _anywhere(url)
    return url if port is not None else _anywhere(url)


def _anywhere(url: str) -> str:
    """The same port on every address."""
    scheme, _, rest = url.partition("://")
    port = rest.rpartition(":")[2].rstrip("/")
    return f"{scheme}://0.0.0.0:{port}" if port.isdecimal() else url
