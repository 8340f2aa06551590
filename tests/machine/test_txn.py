"""Transactions: every kind of condition, branches inside branches, and checks before all."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.rpcpb import (
    AlarmRequest,
    Compare,
    DeleteRangeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from tests.machine.asking import Asked
from walctl.machine.base import Outcome, Result
from walctl.machine.txn import is_met

EQUAL, GREATER, LESS, NOT_EQUAL = range(4)
VERSION, CREATE, MOD, VALUE, LEASE = range(5)
FIELDS = ("version", "create_revision", "mod_revision", "value", "lease")


def put(key: bytes, value: bytes = b"", **more: Any) -> RequestOp:
    return RequestOp(request_put=PutRequest(key=key, value=value or None, **more))


def delete(key: bytes, end: bytes | None = None) -> RequestOp:
    return RequestOp(request_delete_range=DeleteRangeRequest(key=key, range_end=end))


def read(key: bytes, revision: int | None = None) -> RequestOp:
    return RequestOp(request_range=RangeRequest(key=key, revision=revision))


def inside(txn: TxnRequest) -> RequestOp:
    return RequestOp(request_txn=txn)


def compare(target: int, result: int, given: int | bytes, **more: bytes) -> Compare:
    sides: dict[str, Any] = {FIELDS[target]: given, **more}
    return Compare(key=b"k", target=target or None, result=result or None, **sides)


def member_with_a_key() -> Asked:
    """`k` was put at 3 and 4, has version 2, value `v`, lease 5."""
    member = Asked()
    member.grant(5)
    member.put(b"other")
    member.put(b"k", b"u")
    member.put(b"k", b"v", lease=5)
    return member


@pytest.mark.parametrize(
    ("target", "actual", "below", "above"),
    [
        (VERSION, 2, 1, 3),
        (CREATE, 3, 2, 4),
        (MOD, 4, 3, 5),
        (VALUE, b"v", b"uzz", b"v\0"),
        (LEASE, 5, -1, 6),
    ],
)
def test_every_kind_of_condition(
    target: int, actual: int | bytes, below: int | bytes, above: int | bytes
) -> None:
    store = member_with_a_key().machine.store
    met = {
        (result, place): is_met(store, compare(target, result, given))
        for result in range(4)
        for place, given in (("same", actual), ("below", below), ("above", above))
    }
    assert {each for each, holds in met.items() if holds} == {
        (EQUAL, "same"),
        (GREATER, "below"),
        (LESS, "above"),
        (NOT_EQUAL, "below"),
        (NOT_EQUAL, "above"),
    }


def test_a_condition_without_its_side_compares_with_nothing() -> None:
    store = member_with_a_key().machine.store
    assert not is_met(store, Compare(key=b"k", target=MOD))
    assert is_met(store, Compare(key=b"none", target=MOD))
    assert is_met(store, Compare(key=b"k", target=VALUE, result=GREATER))


def test_a_result_that_nobody_knows_is_met_and_so_is_an_unknown_target_when_equal() -> None:
    store = member_with_a_key().machine.store
    assert is_met(store, Compare(key=b"k", target=MOD, result=9, mod_revision=77))
    assert is_met(store, Compare(key=b"k", target=9))
    assert not is_met(store, Compare(key=b"k", target=9, result=NOT_EQUAL))


def test_of_a_key_that_is_not_there_numbers_are_0_and_a_value_compares_to_nothing() -> None:
    store = Asked().machine.store
    for target, result in itertools.product((VERSION, CREATE, MOD, LEASE), range(4)):
        assert is_met(store, compare(target, result, 0)) == (result == EQUAL)
        assert is_met(store, compare(target, result, 1)) == (result in (LESS, NOT_EQUAL))
    for result in range(4):
        assert not is_met(store, compare(VALUE, result, b""))


def test_a_condition_on_a_range_holds_when_it_holds_for_every_key() -> None:
    store = member_with_a_key().machine.store
    assert is_met(store, compare(MOD, LESS, 5, range_end=b"\0"))
    assert not is_met(store, compare(MOD, LESS, 4, range_end=b"\0"))
    assert not is_met(store, compare(MOD, EQUAL, 4, range_end=b"\0"))


def test_all_changes_of_a_transaction_have_one_revision_and_see_each_other() -> None:
    member = member_with_a_key()
    steps = (put(b"a"), delete(b"a"), put(b"a", b"x"), delete(b"k"))
    found = member.ask(txn=TxnRequest(success=steps))
    assert found == Result(Outcome.APPLIED, "txn", revision=5)
    changes = list(member.machine.store.changes(first=5, last=5))
    assert [(each.sub_revision, each.version) for each in changes] == [
        (0, 1),
        (1, 0),
        (2, 1),
        (3, 0),
    ]
    seen = member.key(b"a")
    assert seen is not None
    assert (seen.create_revision, seen.value) == (5, b"x")


def test_a_transaction_that_changes_nothing_makes_no_revision() -> None:
    member = member_with_a_key()
    for txn in (
        TxnRequest(),
        TxnRequest(success=(read(b"k"), delete(b"none"))),
        TxnRequest(compare=(compare(MOD, EQUAL, 1),), success=(put(b"a"),)),
        TxnRequest(success=(RequestOp(),)),
    ):
        assert member.ask(txn=txn) == Result(Outcome.UNCHANGED, "txn")
    assert member.revision == 4


def test_conditions_inside_see_the_state_before_the_entry() -> None:
    member = member_with_a_key()
    nested = TxnRequest(
        compare=(compare(VALUE, EQUAL, b"v"),), success=(put(b"yes"),), failure=(put(b"no"),)
    )
    member.ask(txn=TxnRequest(success=(put(b"k", b"new"), inside(nested))))
    assert member.keys() == [b"k", b"other", b"yes"]


def test_a_branch_that_is_not_taken_is_not_checked() -> None:
    member = member_with_a_key()
    txn = TxnRequest(success=(put(b"a"),), failure=(put(b"b", lease=99), read(b"k", 99)))
    assert member.ask(txn=txn).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (put(b"a", lease=99), "lease not found"),
        (put(b"a", ignore_value=True), "etcdserver: key not found"),
        (put(b"a", ignore_lease=True), "etcdserver: key not found"),
        (read(b"k", 5), "mvcc: required revision is a future revision"),
        (read(b"k", 2), "mvcc: required revision has been compacted"),
    ],
)
def test_one_failed_check_and_the_entry_has_no_effect(step: RequestOp, words: str) -> None:
    member = member_with_a_key()
    member.compact(3)
    before = list(member.machine.store.rows())
    for txn in (
        TxnRequest(success=(put(b"first"), step)),
        TxnRequest(success=(put(b"first"), inside(TxnRequest(success=(step,))))),
    ):
        found = member.ask(txn=txn)
        assert found[:3] == (Outcome.REFUSED, "txn", words)
        assert bool(found.hazard) == (step.request_range is not None)
        assert list(member.machine.store.rows()) == before


def test_a_key_that_this_entry_makes_is_not_there_for_its_checks() -> None:
    member = member_with_a_key()
    txn = TxnRequest(success=(put(b"a", b"x"), put(b"a", ignore_value=True)))
    assert member.ask(txn=txn).words == "etcdserver: key not found"


def test_what_would_end_a_member_in_the_middle_changes_nothing() -> None:
    member = member_with_a_key()
    txn = TxnRequest(success=(put(b"a"), delete(b"a", b"z"), put(b"k", ignore_value=True)))
    found = member.ask(txn=txn)
    assert found.outcome is Outcome.FATAL
    assert member.revision == 4


def test_a_key_that_is_put_again_may_be_kept() -> None:
    member = member_with_a_key()
    kept = put(b"k", ignore_value=True)
    steps = (put(b"k"), delete(b"a", b"\0"), put(b"k", b"x"), put(b"other"), kept)
    assert member.ask(txn=TxnRequest(success=steps)).outcome is Outcome.APPLIED
    assert (found := member.key(b"k")) is not None
    assert (found.value, found.version) == (b"x", 2)


def test_without_space_a_put_in_either_branch_counts_but_not_one_inside() -> None:
    member = member_with_a_key()
    member.ask(alarm=AlarmRequest(action=1, member_id=1, alarm=1))
    no_space = "etcdserver: no space"
    assert member.ask(txn=TxnRequest(failure=(put(b"a"),))).words == no_space
    assert member.ask(txn=TxnRequest(success=(delete(b"k"),))).words is None
    nested = TxnRequest(success=(inside(TxnRequest(success=(put(b"a"),))),))
    assert member.ask(txn=nested).words is None


@given(st.binary(max_size=3), st.binary(max_size=3), st.integers(0, 3))
def test_values_compare_by_their_bytes(stored: bytes, given_: bytes, result: int) -> None:
    member = Asked()
    member.put(b"k", stored)
    truth = {EQUAL: stored == given_, NOT_EQUAL: stored != given_}
    truth |= {GREATER: stored > given_, LESS: stored < given_}
    assert is_met(member.machine.store, compare(VALUE, result, given_)) == truth[result]
