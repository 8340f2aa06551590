"""A member of a cluster, as any of the places that name members has it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member; `name` and URLs are empty where the source does not say (never published)."""

    id: int
    name: str = ""
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a member said of itself in the entry `index`: its name and client URLs."""

    index: int
    member: Member
