"""The rows of the tables that `replay --export` writes."""

import json
from typing import Any

import pytest

from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import (
    AuthUserAddRequest,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRangeRequest,
    LeaseCheckpoint,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from tests.corpus import needs_corpus, unpacked
from tests.machine.replays import entries, surveyed
from walctl.inspect.export_rows import (
    REQUESTS,
    TABLES,
    Row,
    Type,
    plain_put_row,
    redaction_of,
    request_rows,
)
from walctl.machine.shortcut import simple_id, simple_put
from walctl.model.record import EntryKind
from walctl.payload.base import Redaction
from walctl.payload.etcd import EtcdDecoder

SHOWN = redaction_of(is_value_hidden=False)
HIDDEN = redaction_of(is_value_hidden=True)
HEADER = RequestHeader(id=0xABC, username="ann")


def rows(
    request: InternalRaftRequest | bytes, redaction: Redaction = SHOWN
) -> list[dict[str, Any]]:
    data = request if isinstance(request, bytes) else INTERNAL_RAFT_REQUEST.build(request)
    found = EtcdDecoder().decode(data, EntryKind.NORMAL)
    assert found is not None
    return [named(each) for each in request_rows(7, found, redaction)]


def named(row: Row) -> dict[str, Any]:
    """What of a row is there."""
    columns = [column.name for column in REQUESTS.columns]
    cells = zip(columns, row, strict=True)
    return {name: cell for name, cell in cells if cell is not None}


def test_a_put_fills_its_columns() -> None:
    put = PutRequest(key=b"k", value=b"v", lease=0x3E9)
    assert rows(InternalRaftRequest(put=put, header=HEADER)) == [
        {
            "index": 7,
            "ordinal": 0,
            "position": "put",
            "kind": "put",
            "key": b"k",
            "value": b"v",
            "value_size": 1,
            "lease": "3e9",
            "request_id": "abc",
            "username": "ann",
        }
    ]


def test_a_put_of_nothing_has_an_empty_value_and_one_that_keeps_it_has_none() -> None:
    (empty,) = rows(InternalRaftRequest(put=PutRequest(key=b"k")))
    assert (empty["value"], empty["value_size"]) == (b"", 0)
    (kept,) = rows(InternalRaftRequest(put=PutRequest(key=b"k", ignore_value=True)))
    assert not {"value", "value_size"} & set(kept)
    assert json.loads(kept["detail"]) == {"ignore_value": True}


def test_every_condition_and_step_of_nested_transactions_is_a_row_at_its_position() -> None:
    inner = TxnRequest(
        compare=(Compare(key=b"c", version=0),),
        failure=(RequestOp(request_delete_range=DeleteRangeRequest(key=b"a", range_end=b"\0")),),
    )
    value = Compare(
        target=CompareTarget.VALUE, result=CompareResult.NOT_EQUAL, key=b"k", value=b"x"
    )
    outer = TxnRequest(
        compare=(value,),
        success=(
            RequestOp(request_put=PutRequest(key=b"k", value=b"y")),
            RequestOp(request_txn=inner),
            RequestOp(request_range=RangeRequest(key=b"r", revision=5, limit=3)),
        ),
    )
    found = rows(InternalRaftRequest(txn=outer))
    assert [each["ordinal"] for each in found] == list(range(7))
    assert [(each["position"], each["kind"]) for each in found] == [
        ("txn", "txn"),
        ("txn/compare/0", "compare"),
        ("txn/success/0", "put"),
        ("txn/success/1", "txn"),
        ("txn/success/1/compare/0", "compare"),
        ("txn/success/1/failure/0", "delete_range"),
        ("txn/success/2", "range"),
    ]
    compare, least, deleted, asked = found[1], found[4], found[5], found[6]
    assert (compare["compare_target"], compare["compare_result"]) == ("VALUE", "NOT_EQUAL")
    assert compare["value"] == b"x"
    assert (least["compare_target"], least["compare_result"]) == ("VERSION", "EQUAL")
    assert least["compare_number"] == 0
    assert (deleted["key"], deleted["range_end"]) == (b"a", b"\0")
    assert (asked["revision"], json.loads(asked["detail"])) == (5, {"limit": 3})


def test_leases_have_their_ids_and_seconds() -> None:
    (grant,) = rows(InternalRaftRequest(lease_grant=LeaseGrantRequest(id=255, ttl=60)))
    assert (grant["lease"], grant["ttl"]) == ("ff", 60)
    noted = (LeaseCheckpoint(id=1, remaining_ttl=5), LeaseCheckpoint(id=2, remaining_ttl=6))
    found = rows(InternalRaftRequest(lease_checkpoint=LeaseCheckpointRequest(checkpoints=noted)))
    assert [(each["position"], each["lease"], each["ttl"]) for each in found] == [
        ("lease_checkpoint/0", "1", 5),
        ("lease_checkpoint/1", "2", 6),
    ]


@pytest.mark.parametrize("redaction", [SHOWN, HIDDEN])
def test_a_secret_is_in_no_row(redaction: Redaction) -> None:
    user = AuthUserAddRequest(name="ann", password="pa55word", hashed_password="h45h")
    found = rows(InternalRaftRequest(auth_user_add=user), redaction)
    assert "pa55word" not in repr(found)
    assert "h45h" not in repr(found)
    assert json.loads(found[0]["detail"])["name"] == "ann"


def test_hidden_values_leave_their_sizes() -> None:
    steps = (RequestOp(request_put=PutRequest(key=b"k", value=b"abc")),)
    compare = Compare(target=CompareTarget.VALUE, key=b"k", value=b"abcd")
    found = rows(InternalRaftRequest(txn=TxnRequest(compare=(compare,), success=steps)), HIDDEN)
    assert [each.get("value_size") for each in found] == [None, 4, 3]
    assert not any("value" in each for each in found)


@needs_corpus
@pytest.mark.parametrize("redaction", [SHOWN, HIDDEN])
@pytest.mark.parametrize("name", ["b-single-allops-35", "a-single-20puts-34"])
def test_the_fast_row_of_a_put_is_that_of_the_decoder(name: str, redaction: Redaction) -> None:
    decoder, count = EtcdDecoder(), 0
    for entry in entries(surveyed(unpacked(name) / "n1")):
        put = simple_put(entry.data) if entry.data and not entry.type else None
        if put is not None and entry.data is not None:
            request = decoder.decode(entry.data, EntryKind.NORMAL)
            assert request is not None
            row = plain_put_row(entry.index, put, simple_id(entry.data), redaction)
            assert [row] == list(request_rows(entry.index, request, redaction))
            count += 1
    assert count > 10


def test_columns_are_snake_case_and_of_plain_types() -> None:
    for table in TABLES:
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert all(name.replace("_", "").isalpha() and name.islower() for name in names)
        assert {column.type for column in table.columns} <= set(Type)
