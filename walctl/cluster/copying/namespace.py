"""A lab that runs where the old addresses are its own: a network namespace with nothing but `lo`.

    unshare --net PYTHON -m walctl.cli.cluster_inside --outside INODE --address A ... -- COMMAND

`unshare` makes the namespace; `inside` looks at what that gave, brings the loopback device up with
the old addresses on it, and becomes COMMAND, the lab's supervisor. There is no device that leads
out, so what a member dials is answered in the lab or by nobody. A name instead of an address would
have to be looked up, and nobody answers in there; https would need the members' certificates.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from walctl.cluster.closed import PROBE_SECONDS, isolation
from walctl.cluster.copying.addresses import HTTP, Ip, Url, parsed
from walctl.cluster.copying.analysis import Analysis
from walctl.cluster.runtime import environment
from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem

NAMESPACE = Path("/proc/self/ns/net")
MODULE = "walctl.cli.cluster_inside"
_UNSHARE = "this system gives no network namespace (unshare --net)"


def closed_command(
    disk: FileSystem, addresses: Sequence[str], command: Sequence[str | Path]
) -> list[str]:
    """The words that run `command` in a new namespace with these addresses and nothing else.

    They need the environment of our own programs (`runtime.environment`), and end with the status
    of `command`.
    Raises: UnsupportedError, where the system gives no namespace.
    """
    way = isolation(is_leashed=False)
    if way is None:
        raise UnsupportedError(f"{_UNSHARE}")
    words = [*way.words, sys.executable, "-m", MODULE, "--outside", str(namespace_id(disk))]
    for address in addresses:
        words += ["--address", address]
    return [*words, "--", *map(str, command)]


def namespace_id(disk: FileSystem) -> int:
    """What the network namespace of this process is known by. Raises: AccessError."""
    return disk.stat(NAMESPACE).inode


def addresses_of(analysis: Analysis) -> tuple[str, ...]:
    """The addresses that the members of the lab have, for its `lo`.

    Raises: UnsupportedError, where the lab cannot have one of them, with the reason.
    """
    found: dict[str, Ip] = {}
    owners: dict[str, int] = {}
    for original in analysis.originals:
        for url in _peer_urls(analysis, original.member_id):
            assert url.address is not None, "names were refused"
            found[url.host] = url.address
            other = owners.setdefault(url.place, original.member_id)
            if other != original.member_id:
                raise UnsupportedError(
                    f"members {other:x} and {original.member_id:x} are both at {url.place}"
                )
    return tuple(sorted(str(each) for each in found.values()))


def _peer_urls(analysis: Analysis, member: int) -> Iterator[Url]:
    for text in analysis.peer_urls(member):
        url = parsed(text)
        problem = "no URL with host and port" if url is None else _problem(url)
        if url is None or problem:
            raise UnsupportedError(f"member {member:x} is at {text}: {problem}")
        yield url


def _problem(url: Url) -> str:
    """Why a URL cannot be had in a namespace; empty for one that can."""
    if url.scheme != HTTP:
        return f"{url.scheme}, and the lab has no certificates"
    if url.address is None:
        return "a name, which nobody answers for in a closed network"
    if url.address.is_unspecified or url.address.is_multicast or url.port == 0:
        return "no address that a device can have"
    return ""


def demand_possible(disk: FileSystem, addresses: Sequence[str]) -> None:
    """Raise UnsupportedError where such a namespace cannot be had here; it is tried."""
    words = closed_command(disk, addresses, [sys.executable, "-c", ""])
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(""),
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnsupportedError(f"{_UNSHARE}: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"status {done.returncode}"
        raise UnsupportedError(f"no closed network with the old addresses: {why}")
