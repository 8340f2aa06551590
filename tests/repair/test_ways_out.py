"""The ways out of a costly plan: each is true of the cluster, and its commands can be typed."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.inspect.answers import DISK
from walctl.datadir.layout import understand
from walctl.model.member import Member
from walctl.repair.case import Case
from walctl.repair.plan import Option
from walctl.repair.planning import case_of
from walctl.repair.ways_out import HEAL, LAST_SURVIVOR, REJOIN, ways_out


def case_with(path: Path, *, voters: int | None) -> Case:
    """The case of a member, of a cluster of so many voters; `None`: nobody knows them."""
    case = case_of(DISK, understand(DISK, path))
    own = case.membership.own_id
    assert own is not None
    peers = tuple(Member(id=own + number) for number in range(voters or 0))
    views = tuple(replace(each, peers=peers) for each in case.membership.views[:1])
    case.__dict__["membership"] = replace(case.membership, views=views if voters else ())
    assert case.membership.size == voters
    return case


def ways(case: Case, *, survivor: str | None = None) -> dict[str, Option]:
    return {each.name: each for each in ways_out(case, heal=None, survivor=survivor)}


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("zero-page", tmp_path / "-my member")


@pytest.mark.parametrize(
    ("voters", "told"),
    [
        (1, ""),
        (2, ""),
        (3, "2 of the 2 other voters"),
        (4, "3 of the 3 other voters"),
        (5, "3 of the 4 other voters"),
        (None, "where there are other members"),
    ],
)
def test_a_member_is_replaced_only_by_a_majority_of_the_whole_cluster(
    member: Path, voters: int | None, told: str
) -> None:
    rejoin = ways(case_with(member, voters=voters))[REJOIN]
    assert rejoin.is_possible == bool(told)
    assert told in rejoin.words if told else not rejoin.commands


def test_healing_names_as_many_others_as_there_are(member: Path) -> None:
    two, three, unknown = (
        ways(case_with(member, voters=count))[HEAL].words for count in (2, 3, None)
    )
    assert "a copy of the other member's directory" in two
    assert "all 2 of them" in three
    assert "where there are any" in unknown


def test_every_command_names_the_parts_that_lie_elsewhere(member: Path, tmp_path: Path) -> None:
    log = tmp_path / "fast disk"
    (member / "member/wal").rename(log)
    case = case_of(DISK, understand(DISK, member, wal_dir=log))
    case.__dict__["membership"] = case_with_three(case)
    found = ways(case)
    closed = ways(case, survivor="it has no sound database")[LAST_SURVIVOR]
    for command in (*found[HEAL].commands, *found[LAST_SURVIVOR].commands, *closed.commands):
        words = shlex.split(command)
        assert words[2:5] == [str(member), "--wal-dir", str(log)]
    aside = [shlex.split(each) for each in found[REJOIN].commands[-2:]]
    assert aside == [["mv", "-T", "--", str(each), f"{each}.old"] for each in (member, log)]


def case_with_three(case: Case) -> object:
    view = case.membership.views[0]
    peers = tuple(Member(id=number) for number in (1, 2, 3))
    return replace(case.membership, views=(replace(view, peers=peers),))
