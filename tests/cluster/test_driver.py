"""One member of a group: what it writes, says and applies, and in which order."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.raftpb import MessageType
from tests.cluster.members import PLACE, Members, Site, ask, with_place
from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.recovery import reopen
from walctl.cluster.service import KvService
from walctl.cluster.surroundings import Surroundings
from walctl.cluster.waiting import Proposals, Told
from walctl.errors import AccessError, CorruptionError
from walctl.fs.crash import KEPT, LOST, Sampled
from walctl.fs.faults import Fault
from walctl.fs.nodes import Call
from walctl.raft.types import Change, ChangeKind, ConfChange, Message

SMALL = with_place(snapshot_count=5, catch_up_entries=2)


def add(kind: ChangeKind, node: int) -> ConfChange:
    return ConfChange(changes=(Change(kind=kind, node_id=node),), is_v1=True)


def values(members: Members, key: bytes) -> list[bytes | None]:
    return [site.alive.service.read(key) for site in members.sites.values() if site.driver]


def test_a_put_is_told_with_its_index_once_it_is_applied_everywhere() -> None:
    members = Members()
    leader = members.elect(1)
    told = members.put(1, b"/a", b"1")
    leader.work()
    assert told == []  # one of three has it
    members.settle()
    assert told == [Told(fate=Fate.OK, index=leader.applied)]
    members.tick()
    assert values(members, b"/a") == [b"1"] * 3


def test_what_is_proposed_in_one_round_is_one_append_and_one_sync() -> None:
    members = Members()
    leader = members.elect(1)
    calls: list[Call] = []
    members.sites[1].disk.on_call = lambda call, path: calls.append(call)
    told = [members.put(1, b"/k%d" % number, b"v") for number in range(100)]
    leader.work()
    assert calls.count(Call.SYNC) == 1
    assert sum(len(each.entries) for each in members.flying if each.target == 2) == 100
    members.settle()
    assert [each[0].fate for each in told] == [Fate.OK] * 100


def test_a_member_that_does_not_lead_refuses_and_proposes_nothing() -> None:
    members = Members()
    members.elect(1)
    last = members[2].storage.last_index()
    told = members.put(2, b"/a", b"1")
    members.settle()
    assert told == [Told(fate=Fate.FAIL, words="not the leader")]
    assert members[2].storage.last_index() == last


def test_a_proposal_that_another_leader_overwrote_has_failed_for_certain() -> None:
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: 1 in (source, target)
    lost = members.put(1, b"/a", b"lost")
    members.settle()
    assert lost == []
    members.until(lambda: members[2].is_leader or members[3].is_leader)
    other = 2 if members[2].is_leader else 3
    kept = members.put(other, b"/a", b"kept")
    members.settle()
    assert kept[0].fate is Fate.OK
    members.is_cut = lambda source, target: False
    members.tick(3)
    assert lost[0].fate is Fate.FAIL
    assert values(members, b"/a") == [b"kept"] * 3


def test_whoever_lost_its_place_in_the_log_to_the_same_leader_is_told() -> None:
    """It led, was deposed, and leads again: another entry stands where the first one stood."""
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: 1 in (source, target)
    lost = members.put(1, b"/a", b"lost")
    index = members[1].node.raft.log.last_index() + 1
    members.settle()
    members.until(lambda: members[2].is_leader or members[3].is_leader)
    members.is_cut = lambda source, target: False
    other = members.leader()
    assert other is not None
    members.tick(2)
    other.transfer(1)
    members.until(lambda: members[1].is_leader)
    members.put(1, b"/a", b"kept")
    members.settle()
    assert members[1].node.raft.log.last_index() > index
    assert lost[0].fate is Fate.FAIL


def test_a_place_that_is_given_again_leaves_the_first_to_wait_there_in_doubt() -> None:
    told: list[Told] = []
    waiting = Proposals()
    waiting.add(5, 1, told.append)
    waiting.add(5, 3, told.append)
    assert told == [Told(fate=Fate.UNKNOWN, words="entry 5 was overwritten here")]
    waiting.applied(5, 3, Told(fate=Fate.OK, index=5))
    assert told[1].fate is Fate.OK


def test_whoever_waits_when_a_member_ends_is_told_that_nobody_knows() -> None:
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: True
    told = members.put(1, b"/a", b"1")
    read = ask(members[1], members[1].read)
    members[1].work()
    members.stop(1)
    assert told == [Told(fate=Fate.UNKNOWN, words="stopped")]
    assert read == [Told(fate=Fate.FAIL, words="stopped")]


@pytest.mark.parametrize("asked", [1, 2])
def test_a_read_waits_for_a_quorum_and_sees_all_that_was_acknowledged(asked: int) -> None:
    members = Members()
    members.elect(1)
    members.put(1, b"/a", b"1")
    members.settle()
    told = ask(members[asked], members[asked].read)
    members[asked].work()
    assert told == []
    members.settle()
    assert told[0].fate is Fate.OK
    assert members[asked].service.read(b"/a") == b"1"


def test_a_lease_is_what_a_quorum_has_given_of_late() -> None:
    members = Members()
    leader = members.elect(1)
    first = ask(leader, leader.read_by_lease)
    assert first == []  # nobody has confirmed anything yet, so it is asked
    members.settle()
    assert first[0].fate is Fate.OK
    members.is_cut = lambda source, target: 1 in (source, target)
    assert not ask(leader, leader.read)
    by_lease = ask(leader, leader.read_by_lease)
    members.settle()
    assert by_lease[0].fate is Fate.OK
    members.tick(PLACE.election_ticks - 1)
    late = ask(leader, leader.read_by_lease)
    members.settle()
    assert late == []
    members.tick(2 * PLACE.election_ticks)
    assert not leader.is_leader
    assert ask(leader, leader.read_by_lease)[0].fate is Fate.FAIL


@pytest.mark.parametrize("phase", range(12))
def test_no_lease_outlives_the_election_of_another(phase: int) -> None:
    members = Members()
    leader = members.elect(1)
    members.tick(phase)
    ask(leader, leader.read)
    members.settle()
    members.is_cut = lambda source, target: 1 in (source, target)
    for _ in range(40):
        members.tick()
        told = ask(leader, leader.read_by_lease)
        members.settle()
        if members[2].is_leader or members[3].is_leader:
            assert not told or told[0].fate is Fate.FAIL
            return
        assert all(each.fate is Fate.OK for each in told[:1]) or not leader.is_leader
    raise AssertionError("nobody was elected")


def test_a_node_that_stood_still_has_no_lease_when_it_goes_on() -> None:
    members = Members()
    leader = members.elect(1)
    ask(leader, leader.read)
    members.settle()
    members.now_us += 2 * PLACE.election_ticks * PLACE.tick_us  # and not a tick
    members.is_cut = lambda source, target: 1 in (source, target)
    told = ask(leader, leader.read_by_lease)
    members.settle()
    assert told == []


def test_a_question_that_got_lost_is_asked_again() -> None:
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: (source, target) == (2, 1)
    told = ask(members[2], members[2].read)
    members.settle()
    members.is_cut = lambda source, target: False
    members.until(lambda: bool(told))
    assert told[0].fate is Fate.OK


@pytest.mark.parametrize("asked", [1, 2])
@pytest.mark.parametrize("delay_ticks", [2, 4, 7])
def test_a_read_gets_its_answer_however_slow_the_links_are(asked: int, delay_ticks: int) -> None:
    members = Members(place=with_place(election_ticks=40))
    members.elect(1)
    told = ask(members[asked], members[asked].read)
    on_way: list[tuple[int, Message]] = []
    for now in range(10 * delay_ticks):
        for site in members.sites.values():
            site.alive.tick()
            site.alive.work()
        on_way += [(now + delay_ticks, each) for each in members.flying]
        members.flying = [each for due, each in on_way if due <= now]
        on_way = [(due, each) for due, each in on_way if due > now]
        members.deliver()
        for site in members.sites.values():
            site.alive.work()
        on_way += [(now + delay_ticks, each) for each in members.flying]
        members.flying = []
    assert told
    assert told[0].fate is Fate.OK


def test_a_lost_question_is_not_forgotten_for_those_that_come_after_it() -> None:
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: (source, target) == (2, 1)
    lost = ask(members[2], members[2].read)
    members.settle()
    members.is_cut = lambda source, target: False
    for _ in range(12):
        ask(members[2], members[2].read)
        members.tick()
    assert lost[0].fate is Fate.OK


def test_an_answer_to_an_earlier_life_is_no_answer() -> None:
    """A member asked, and began again; the answer to its question of then must not be taken for
    one to its question of now."""
    members = Members()
    leader = members.elect(1)
    ask(members[2], members[2].read)
    members[2].work()
    members.deliver()
    leader.work()
    members.deliver()
    for each in (2, 3):
        members[each].work()
    members.deliver()
    leader.work()
    held = [each for each in members.flying if each.type is MessageType.READ_INDEX_RESP]
    assert held
    members.flying = []
    members.crash(2, LOST)
    put = members.put(1, b"/a", b"new")
    members.settle()
    assert put[0].fate is Fate.OK
    members.start(2)
    members[2].node.raft.lead = 1
    told = ask(members[2], members[2].read)
    members[2].work()
    members.flying = list(held)
    members.deliver()
    members[2].work()
    assert told == []


def test_reads_are_told_when_nobody_leads_for_long() -> None:
    members = Members()
    members.elect(1)
    members.is_cut = lambda source, target: True
    members.tick(3 * PLACE.election_ticks)
    told = ask(members[2], members[2].read)
    members.tick(3 * PLACE.election_ticks)
    assert told == [Told(fate=Fate.FAIL, words="no leader is known")]


def test_a_swap_that_does_not_fit_fails_with_what_is_there() -> None:
    members = Members()
    leader = members.elect(1)
    members.put(1, b"/a", b"1")
    told: list[Told] = []
    leader.propose(leader.service.swap(b"/a", b"2", b"3"), told.append)
    members.settle()
    assert (told[0].fate, told[0].value) == (Fate.FAIL, b"1")
    assert told[0].index is not None
    assert leader.service.read(b"/a") == b"1"


def test_two_changes_of_the_membership_at_once_are_one_too_many() -> None:
    members = Members()
    leader = members.elect(1)
    told: list[list[Told]] = [[], []]
    for node, tell in zip((4, 5), told, strict=True):
        leader.change(add(ChangeKind.ADD_LEARNER_NODE, node), tell.append)
    members.settle()
    assert told[0][0].fate is Fate.OK
    assert told[1][0] == Told(fate=Fate.FAIL, words="another change of the membership is under way")
    assert leader.conf_state.learners == (4,)


def test_a_member_that_applies_its_own_removal_knows_that_it_is_over() -> None:
    members = Members()
    leader = members.elect(1)
    told = ask(leader, lambda tell: leader.change(add(ChangeKind.REMOVE_NODE, 3), tell))
    members.settle()
    members.tick(2)
    assert told[0].fate is Fate.OK
    assert members[3].is_removed
    assert not members[1].is_removed


def test_a_leader_that_is_removed_steps_down() -> None:
    members = Members()
    leader = members.elect(1)
    ask(leader, lambda tell: leader.change(add(ChangeKind.REMOVE_NODE, 1), tell))
    members.settle()
    assert leader.is_removed
    assert not leader.is_leader
    members.stop(1)
    members.until(lambda: members.leader() is not None)


def test_a_joining_member_gets_a_snapshot_in_which_it_is_a_member() -> None:
    """The newest snapshot may be older than the change that brought it in: it would be ignored."""
    members = Members(place=SMALL)
    leader = members.elect(1)
    for number in range(40):
        members.put(1, b"/%d" % (number % 7), b"%d" % number)
        members.settle()
    assert leader.storage.first_index() > 10
    newcomer = members.add(4)
    ask(leader, lambda tell: leader.change(add(ChangeKind.ADD_LEARNER_NODE, 4), tell))
    members.until(lambda: newcomer.alive.applied >= leader.applied)
    assert newcomer.told(EventKind.SNAP_RECV)
    assert newcomer.alive.service.digest() == leader.service.digest()
    assert newcomer.alive.conf_state.learners == (4,)


def test_a_snapshot_that_is_built_elsewhere_does_not_hold_up_the_member() -> None:
    members = Members(place=SMALL)
    leader = members.elect(1)
    for number in range(10):
        members.put(1, b"/a", b"%d" % number)
        leader.work()
        members.deliver()
        for each in (2, 3):
            members[each].work()
        members.deliver()
    leader.work()
    assert leader.is_snapshot_due
    job = leader.begin_snapshot()
    index = job.snapshot.index
    told = members.put(1, b"/a", b"later")
    members.settle()
    assert told[0].fate is Fate.OK
    job.run()
    leader.end_snapshot(job)
    assert leader.snapshot_index == index < leader.applied
    members.crash(1, LOST)
    again = members.start(1)
    assert (again.snapshot_index, again.service.read(b"/a")) == (index, b"9")


def test_a_snapshot_that_came_too_late_counts_for_nothing() -> None:
    members = Members(place=SMALL)
    leader = members.elect(1)
    members.is_cut = lambda source, target: 3 in (source, target)
    slow = members[3]
    slow.wants_snapshot = True
    job = slow.begin_snapshot()
    for number in range(20):
        members.put(1, b"/a", b"%d" % number)
        members.settle()
    members.is_cut = lambda source, target: False
    members.until(lambda: slow.applied == leader.applied)
    installed = slow.snapshot_index
    assert installed > job.snapshot.index
    job.run()
    slow.end_snapshot(job)
    assert slow.snapshot_index == installed


@pytest.mark.parametrize("how", [LOST, KEPT, Sampled(3), Sampled(8)])
def test_a_member_that_lost_its_power_has_all_that_was_acknowledged(how: object) -> None:
    members = Members(place=SMALL)
    leader = members.elect(1)
    for number in range(12):
        told = members.put(1, b"/%d" % number, b"x")
        members.settle()
        assert told[0].fate is Fate.OK
    applied = leader.applied
    for each in (1, 2, 3):
        members.crash(each, how)  # type: ignore[arg-type]
    for each in (1, 2, 3):
        members.start(each)
    members.until(lambda: members.leader() is not None)
    members.tick(3)
    found = members.leader()
    assert found is not None
    assert found.applied > applied
    assert all(found.service.read(b"/%d" % number) == b"x" for number in range(12))
    assert len({site.alive.service.digest() for site in members.sites.values()}) == 1


def test_a_disk_that_fails_ends_the_member() -> None:
    members = Members()
    members.elect(1)
    members.sites[1].disk.fail_call(Fault(number=0, calls=frozenset({Call.SYNC})))
    members.put(1, b"/a", b"1")
    with pytest.raises(AccessError):
        members[1].work()


def test_a_log_that_is_damaged_in_the_middle_is_refused_with_its_place() -> None:
    members = Members()
    members.elect(1)
    for number in range(10):
        members.put(1, b"/%d" % number, b"x" * 50)
        members.settle()
    members.stop(1)
    disk = members.sites[1].disk
    name = disk.names(PLACE.wal)[0]
    with disk.open_file(PLACE.wal / name) as file:
        byte = file.read_at(700, 1)[0]
        file.write_at(700, bytes([byte ^ 0x10]))
    with pytest.raises(CorruptionError, match=f"{name}:"):
        members.start(1)


PROMISES = {MessageType.APP_RESP, MessageType.VOTE_RESP}


def assert_durable(site: Site, messages: Sequence[Message]) -> None:
    """What is promised is what a member that lost its power now would remember."""
    promises = [each for each in messages if each.type in PROMISES and not each.reject]
    if not promises:
        return
    storage = reopen(
        site.disk.crash(LOST), PLACE.wal, PLACE.snap, segment_bytes=PLACE.segment_bytes
    ).storage
    state, _ = storage.initial_state()
    for each in promises:
        assert state.term >= each.term
        if each.type is MessageType.VOTE_RESP:
            assert (state.term, state.vote) == (each.term, each.target)
        elif each.term == state.term:
            assert storage.last_index() >= each.index
    storage.close()


def cut_off(number: int) -> Callable[[int, int], bool]:
    return lambda source, target: number in (source, target)


@given(st.lists(st.integers(0, 1 << 16), max_size=40))
def test_nothing_is_said_before_what_it_promises_is_on_the_disk(deeds: list[int]) -> None:
    members = Members(place=SMALL)
    members.on_send = assert_durable
    for number, deed in enumerate(deeds):
        kind, rest = deed % 6, deed // 6
        match kind:
            case 0 | 1:
                members.put(rest % 3 + 1, b"/%d" % (rest % 5), b"%d" % number)
                members.settle()
            case 2:
                members.tick(rest % 12)
            case 3:
                members[rest % 3 + 1].campaign()
                members.settle()
            case 4:
                members.is_cut = cut_off(rest % 4)
            case _:
                members.is_cut = lambda source, target: False
                members.tick(2)


def test_a_member_that_died_before_its_first_write_may_begin_again() -> None:
    members = Members()
    for each in (1, 2, 3):
        members.crash(each, LOST)  # the log was made, and nothing is in it
    for each in (1, 2, 3):
        assert members.start(each).is_blank
        members[each].bootstrap((1, 2, 3))
        assert not members[each].is_blank
    members.elect(1)
    members.crash(1, LOST)
    assert not members.start(1).is_blank


def test_a_snapshot_of_something_else_is_refused_when_a_member_starts() -> None:
    members = Members(place=SMALL)
    members.elect(1)
    for number in range(10):
        members.put(1, b"/%d" % number, b"x")
        members.settle()
    members.stop(1)

    class Picky(KvService):
        def restore(self, data: bytes) -> None:
            raise ValueError("no such map")

    site = members.sites[1]
    world = Surroundings(
        disk=site.disk,
        draw=lambda n: 0,
        now_us=lambda: 0,
        send=lambda messages: None,
        tell=lambda kind, fields: None,
    )
    with pytest.raises(CorruptionError, match="no such map"):
        Driver.take_up(1, place=SMALL, service=Picky(), world=world)


def test_who_stays_comes_back_from_a_crash_without_the_vote_of_one_that_left() -> None:
    members = Members(2)
    members.elect(2)
    members[2].change(add(ChangeKind.REMOVE_NODE, 1), lambda told: None)
    members.until(lambda: members[1].is_removed)
    # It ended as soon as it heard of it; the other one had to know that by heart before.
    members.stop(1)
    members.crash(2, LOST)
    members.start(2)
    members.until(lambda: members[2].is_leader)
    assert members[2].members == {2}
