"""The protections of those who change members and groups, and of members that are changed; and of
groups that share a node."""

from dataclasses import replace
from typing import Any, Final

from walctl.cluster import member_flow
from walctl.cluster.lab import Lab, load
from walctl.cluster.membership import Keeper
from walctl.cluster.own_members import OwnMembership
from walctl.raft import election
from walctl.raft.core import Raft
from walctl.raft.types import Message
from walctl.sim.safeguard import Safeguard
from walctl.sim.site import Site

_answer: Final = election.answer
_begin: Final = Site._begin
_replace: Final = OwnMembership.replace
# What the overrides lean on is taken here, before any of them is in its place.


async def _stay_at_the_head(
    members: OwnMembership, lab: Lab, group: str, gone: int, stay: frozenset[int]
) -> None:
    """Who leads and is to go leads on."""


async def _leave_first(
    members: OwnMembership, control: Keeper, lab: Lab, group: str, old: str, new: str, **wishes: Any
) -> None:
    here = load(members._disk, lab.path).group(group)
    hosts = tuple(each for each in here.hosts if each != old)
    await control.put_group(replace(here, first=(), hosts=hosts), was=here.hosts)
    await _replace(members, control, lab, group, old, new, **wishes)


def _count_nothing(*args: object) -> None:
    """Whatever a removal leaves is fine."""


def _vote_as_voter(raft: Raft, ask: Message) -> None:
    if not raft.is_learner:
        _answer(raft, ask)


def _begin_or_end(site: Site, group: str) -> None:
    _begin(site, group)
    seat = site.seats[group]
    if seat.driver is None and site.is_up:
        site._give_up(seat.words)


OF_OPERATORS: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "leavers-hand-on",
        "a new member that waits for the vote of one that has left",
        OwnMembership,
        "_handed_on",
        _stay_at_the_head,
        ("L1",),
    ),
    Safeguard(
        "places-follow-votes",
        "a member that votes in a group and has no place in it",
        OwnMembership,
        "replace",
        _leave_first,
        ("I16",),
    ),
    Safeguard(
        "removals-leave-a-majority",
        "a group that can decide nothing any more, as the wrong one was taken out",
        member_flow,
        "demand_quorum",
        _count_nothing,
        ("L3",),
    ),
    Safeguard(
        "learners-vote-when-asked",
        "a cluster without a leader, as a voter does not know that it is one",
        election,
        "answer",
        _vote_as_voter,
        ("L1",),
    ),
    Safeguard(
        "members-start-by-themselves",
        "a node that one bad log keeps down, with all its other groups",
        Site,
        "_begin",
        _begin_or_end,
        ("I14",),
    ),
)
