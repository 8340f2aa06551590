"""The etcd server's own messages (upstream: etcdserverpb); so far, whose log it is."""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import ALWAYS, UINT64, Field, UnknownField, message


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The data of a log's metadata record: which member of which cluster writes it."""

    node_id: Annotated[int | None, Field(1, UINT64, ALWAYS, go="NodeID")] = None
    cluster_id: Annotated[int | None, Field(2, UINT64, ALWAYS, go="ClusterID")] = None
    unknown: tuple[UnknownField, ...] = ()


METADATA: Final = Codec(Metadata)
