"""Every codec there is, and declarations that exercise what no message of etcd's WAL has yet."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from formats import (
    authpb,
    etcdserverpb,
    internalpb,
    leasepb,
    membershippb,
    mvccpb,
    raftpb,
    rpcpb,
    snappb,
    walpb,
)
from formats.codec import Codec
from formats.fields import (
    BOOL,
    BYTES,
    IMPLICIT,
    INT32,
    INT64,
    NESTED,
    STRING,
    UINT32,
    Field,
    UnknownField,
    message,
)


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Something small to nest."""

    key: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    lease: Annotated[int | None, Field(2, INT64, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message(go="tree")
@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Text, a oneof with members of every sort, lists of every sort, and itself."""

    name: Annotated[str | None, Field(3, STRING, IMPLICIT)] = None
    names: Annotated[tuple[str, ...], Field(1, STRING)] = ()
    flags: Annotated[tuple[bool, ...], Field(2, BOOL)] = ()
    counts: Annotated[tuple[int, ...], Field(4, INT32)] = ()
    version: Annotated[int | None, Field(5, INT64, oneof="target")] = None
    leaf: Annotated[Leaf | None, Field(6, NESTED, oneof="target")] = None
    value: Annotated[bytes | None, Field(7, BYTES, oneof="target")] = None
    kind: Annotated[int | None, Field(18, UINT32, go="KIND")] = None
    below: Annotated[tuple["Tree", ...], Field(100, NESTED)] = ()
    only: Annotated["Tree | None", Field(101, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


TREE: Final = Codec(Tree)

CODECS: Final[dict[str, Codec[Any]]] = {
    "walpb.Record": walpb.RECORD,
    "walpb.Snapshot": walpb.SNAPSHOT,
    "raftpb.Entry": raftpb.ENTRY,
    "raftpb.HardState": raftpb.HARD_STATE,
    "raftpb.ConfState": raftpb.CONF_STATE,
    "raftpb.Snapshot": raftpb.SNAPSHOT,
    "raftpb.ConfChange": raftpb.CONF_CHANGE,
    "raftpb.ConfChangeV2": raftpb.CONF_CHANGE_V2,
    "raftpb.Message": raftpb.MESSAGE,
    "snappb.Snapshot": snappb.SNAPSHOT,
    "etcdserverpb.Metadata": etcdserverpb.METADATA,
    "etcdserverpb.Request": etcdserverpb.REQUEST,
    "internalpb.InternalRaftRequest": internalpb.INTERNAL_RAFT_REQUEST,
    "rpcpb.TxnRequest": rpcpb.TXN_REQUEST,
    "rpcpb.AlarmMember": rpcpb.ALARM_MEMBER,
    "membershippb.Member": membershippb.MEMBER,
    "authpb.User": authpb.USER,
    "authpb.Role": authpb.ROLE,
    "mvccpb.KeyValue": mvccpb.KEY_VALUE,
    "mvccpb.Event": mvccpb.EVENT,
    "leasepb.Lease": leasepb.LEASE,
    "tests.Tree": TREE,
}
