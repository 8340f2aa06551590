"""URLs of members, and the book that says which of the lab's stands for which.

Every member that is named anywhere gets URLs, for the log tells of those that were removed long
ago too. One that is not of the lab gets an address at which nobody can ever listen: port 0 of a
loopback address of its own, since etcd refuses a second member with the URL of a first.
"""

import ipaddress
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

HTTP: Final = "http"
_NOWHERE_NET: Final = int(ipaddress.IPv4Address("127.1.0.0"))
NOWHERE_MAX: Final = 1 << 16
"""Members that are not of the lab."""

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL taken apart; `address` is `None` where the host is a name."""

    text: str
    scheme: str
    host: str
    port: int
    address: Ip | None

    @property
    def place(self) -> str:
        """Host and port as they stand in the URL."""
        return urllib.parse.urlsplit(self.text).netloc


def parsed(text: str) -> Url | None:
    """A URL with host and port, as etcd wants one; `None` for anything else."""
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not parts.scheme or host is None or port is None:
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    return Url(text=text, scheme=parts.scheme, host=host, port=port, address=address)


def place_of(text: str) -> str:
    """What of a URL leads somewhere: host and port, or a socket's path; never empty."""
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return text
    return parts.netloc.rpartition("@")[2] or parts.path or text


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a member is in the lab."""

    peer_url: str
    client_url: str


def nowhere(number: int) -> Home:
    """An address at which nobody can listen, another one for each `number`.

    A connection to port 0 is refused by the system itself. Seen with etcd 3.5.1, which takes such
    a URL and goes on dialling it in vain.
    """
    assert 0 <= number < NOWHERE_MAX, "so many members no cluster ever had"
    url = f"{HTTP}://{ipaddress.IPv4Address(_NOWHERE_NET + number)}:0"
    return Home(peer_url=url, client_url=url)


@dataclass(slots=True)
class Book:
    """Where every member is in the lab, and every URL that was found.

    A member that nobody has told of gets a place that leads nowhere when it is first met.
    """

    homes: dict[int, Home]
    met: set[str] = field(default_factory=set)
    _strangers: int = 0

    def home(self, member: int) -> Home:
        """Where this member is."""
        found = self.homes.get(member)
        if found is None:
            found = self.homes[member] = nowhere(self._strangers)
            self._strangers += 1
        return found

    def peer_urls(self, member: int, old: Iterable[str]) -> tuple[str, ...]:
        """What is put in the place of these peer URLs; nothing in the place of none."""
        return self._instead(old, self.home(member).peer_url)

    def client_urls(self, member: int, old: Iterable[str]) -> tuple[str, ...]:
        """The same for client URLs."""
        return self._instead(old, self.home(member).client_url)

    def _instead(self, old: Iterable[str], new: str) -> tuple[str, ...]:
        found = tuple(old)
        self.met.update(found)
        return (new,) if found else ()

    @property
    def urls(self) -> frozenset[str]:
        """Every URL that a member has in the lab."""
        each = self.homes.values()
        return frozenset(url for home in each for url in (home.peer_url, home.client_url))
