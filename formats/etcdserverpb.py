"""The etcd server's own messages (upstream: etcdserverpb/etcdserver.proto).

The other schemas of that package have modules of their own: `formats.internalpb` what an entry
holds, `formats.rpcpb` the requests in it. Every command reads whose log it is, and few need those.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import ALWAYS, BOOL, INT64, STRING, UINT64, Field, UnknownField, message


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The data of a log's metadata record: which member of which cluster writes it."""

    node_id: Annotated[int | None, Field(1, UINT64, ALWAYS, go="NodeID")] = None
    cluster_id: Annotated[int | None, Field(2, UINT64, ALWAYS, go="ClusterID")] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of the v2 interface, and in etcd up to 3.5 what members log about themselves.

    It is an entry's whole data: etcd tries it where the data is no `InternalRaftRequest`. `method`
    is PUT, POST, DELETE, QGET or SYNC. All fields but 8 and 17 are always on the wire; etcd 3.7 has
    this message no more. Times are nanoseconds since 1970.
    """

    id: Annotated[int | None, Field(1, UINT64, ALWAYS, go="ID", proto="ID")] = None
    method: Annotated[str | None, Field(2, STRING, ALWAYS, proto="Method")] = None
    path: Annotated[str | None, Field(3, STRING, ALWAYS, proto="Path")] = None
    val: Annotated[str | None, Field(4, STRING, ALWAYS, proto="Val")] = None
    dir: Annotated[bool | None, Field(5, BOOL, ALWAYS, proto="Dir")] = None
    prev_value: Annotated[str | None, Field(6, STRING, ALWAYS, proto="PrevValue")] = None
    prev_index: Annotated[int | None, Field(7, UINT64, ALWAYS, proto="PrevIndex")] = None
    prev_exist: Annotated[bool | None, Field(8, BOOL, proto="PrevExist")] = None
    expiration: Annotated[int | None, Field(9, INT64, ALWAYS, proto="Expiration")] = None
    wait: Annotated[bool | None, Field(10, BOOL, ALWAYS, proto="Wait")] = None
    since: Annotated[int | None, Field(11, UINT64, ALWAYS, proto="Since")] = None
    recursive: Annotated[bool | None, Field(12, BOOL, ALWAYS, proto="Recursive")] = None
    sorted: Annotated[bool | None, Field(13, BOOL, ALWAYS, proto="Sorted")] = None
    quorum: Annotated[bool | None, Field(14, BOOL, ALWAYS, proto="Quorum")] = None
    time: Annotated[int | None, Field(15, INT64, ALWAYS, proto="Time")] = None
    stream: Annotated[bool | None, Field(16, BOOL, ALWAYS, proto="Stream")] = None
    refresh: Annotated[bool | None, Field(17, BOOL, proto="Refresh")] = None
    unknown: tuple[UnknownField, ...] = ()


METADATA: Final = Codec(Metadata)
REQUEST: Final = Codec(Request)
