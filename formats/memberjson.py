"""A member of a cluster as etcd writes one down in JSON: the value of a row of bucket `members`.

    {"id": 1, "peerURLs": [...], "isLearner": true?, "name": "..."?, "clientURLs": [...]?}

What is empty is left out, as Go leaves it out; `peerURLs` never is.

Source: etcd-data-dir notes 8.2; rows of etcd 3.4.23 and 3.5.1 come back byte for byte.
"""

from collections.abc import Sequence
from typing import Protocol

from formats import gojson


class Member(Protocol):
    """What is written of a member; `name` and URLs may be empty."""

    @property
    def id(self) -> int:
        """Its number of 64 bits."""

    @property
    def name(self) -> str:
        """What it calls itself."""

    @property
    def peer_urls(self) -> Sequence[str]:
        """Where other members find it."""

    @property
    def client_urls(self) -> Sequence[str]:
        """Where clients find it."""

    @property
    def is_learner(self) -> bool:
        """Whether it is fed and does not vote."""


def member_json(member: Member) -> bytes:
    """The JSON of a member. Raises: FormatError, for a name or URL that is no Unicode text."""
    found: dict[str, object] = {"id": member.id, "peerURLs": list(member.peer_urls)}
    if member.is_learner:
        found["isLearner"] = True
    if member.name:
        found["name"] = member.name
    if member.client_urls:
        found["clientURLs"] = list(member.client_urls)
    return gojson.build(found)
