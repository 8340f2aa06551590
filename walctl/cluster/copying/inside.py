"""What is done first in a new network namespace: looked at, its `lo` brought up, looked at again.

Nothing is believed: it has to be another namespace than the one we come from, with no device but
`lo` and no route that leaves it. Only then addresses are added; in the namespace of a machine that
would take the address of a production member away from its network. Done by netlink, since `ip`
is not everywhere.

Source: rtnetlink(7), and `struct ifinfomsg`, `struct ifaddrmsg` of Linux.
"""

import ipaddress
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from walctl.cluster.copying.addresses import Ip
from walctl.cluster.copying.namespace import namespace_id
from walctl.cluster.lab import Lab
from walctl.errors import AccessError, UnsupportedError
from walctl.fs.base import FileSystem

DEVICES: Final = Path("/proc/self/net/dev")
ROUTES: Final = Path("/proc/self/net/route")
ROUTES_6: Final = Path("/proc/self/net/ipv6_route")
LO: Final = "lo"
TABLE_BYTES_MAX: Final = 1 << 20

_HEADER: Final = struct.Struct("=IHHII")
_ANSWER: Final = struct.Struct("=i")
_NEW_LINK, _NEW_ADDRESS, _ERROR = 16, 20, 2
_REQUEST, _ACK, _CREATE, _REPLACE = 0x1, 0x4, 0x400, 0x100
_UP = 0x1
_NO_DUPLICATE_CHECK = 0x02
"""IFA_F_NODAD: an IPv6 address is there at once."""
_LOCAL, _ADDRESS = 2, 1
_ANSWER_BYTES = 1 << 16
_EXISTS = 17
_SECONDS = 5.0


def set_up(disk: FileSystem, *, outside: int, addresses: Sequence[str]) -> None:
    """Make this namespace the lab's; `outside` is the one that it must not be.

    Raises: UnsupportedError, when it is that one, is not closed, or takes an address not.
    """
    if namespace_id(disk) == outside:
        raise UnsupportedError("expected a network namespace of its own, found the one outside")
    demand_closed(disk)
    bring_up(addresses)
    demand_closed(disk)


def is_confined(disk: FileSystem, lab: Lab) -> bool:
    """Whether this process may run members of a lab: they can reach nobody from here who is not of
    it, since its copies know no other address, or this network is closed."""
    if not lab.is_closed:
        return True
    try:
        demand_closed(disk)
    except UnsupportedError:
        return False
    return True


def demand_closed(disk: FileSystem) -> None:
    """Raise UnsupportedError where this process sees any device but `lo`, or a way out."""
    # Two lines of headings, then a line for each device.
    devices = {line.partition(":")[0].strip() for line in _lines(disk, DEVICES)[2:]}
    if devices != {LO}:
        raise UnsupportedError(
            f"expected a closed network, found devices {', '.join(sorted(devices)) or 'none'}"
        )
    by_route = {line.split()[0] for line in _lines(disk, ROUTES)[1:]}
    if disk.exists(ROUTES_6):
        by_route |= {line.split()[-1] for line in _lines(disk, ROUTES_6)}
    if by_route - {LO}:
        raise UnsupportedError(f"expected no route, found one by {', '.join(sorted(by_route))}")


def bring_up(addresses: Sequence[str]) -> None:
    """Bring `lo` up, and give it these addresses beside its own.

    Raises: UnsupportedError, when the system refuses one.
    """
    index = socket.if_nametoindex(LO)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(_SECONDS)
        link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _UP, _UP)
        _ask(netlink, _NEW_LINK, 0, link, f"{LO} up")
        for text in addresses:
            address = ipaddress.ip_address(text)
            if not address.is_loopback:
                _ask(netlink, _NEW_ADDRESS, _CREATE | _REPLACE, _address(index, address), text)


def _address(index: int, address: Ip) -> bytes:
    """The body of a request for an address of a single host."""
    packed = address.packed
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    head = struct.pack("=BBBBI", family, 8 * len(packed), _NO_DUPLICATE_CHECK, 0, index)
    parts = (struct.pack("=HH", 4 + len(packed), kind) + packed for kind in (_LOCAL, _ADDRESS))
    return head + b"".join(parts)


def _ask(netlink: socket.socket, kind: int, flags: int, body: bytes, what: str) -> None:
    """One request that is answered. Raises: UnsupportedError."""
    size = _HEADER.size + len(body)
    header = _HEADER.pack(size, kind, _REQUEST | _ACK | flags, 1, 0)
    try:
        netlink.send(header + body)
        answer = netlink.recv(_ANSWER_BYTES)
    except OSError as error:
        raise UnsupportedError(f"{LO} does not take {what}: {error.strerror or error}") from error
    found = _HEADER.unpack_from(answer)[1]
    number = -_ANSWER.unpack_from(answer, _HEADER.size)[0] if found == _ERROR else 0
    if number not in (0, _EXISTS):
        raise UnsupportedError(f"{LO} does not take {what}: error {number}")


def _lines(disk: FileSystem, path: Path) -> list[str]:
    with disk.open(path) as file:
        data = file.read_at(0, TABLE_BYTES_MAX)
    if len(data) >= TABLE_BYTES_MAX:
        raise AccessError(f"{path}: expected a short table, found more than {len(data)} bytes")
    return data.decode("ascii", "replace").splitlines()
