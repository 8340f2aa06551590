"""What each field of etcd's requests reveals, and a request as the tree that is shown.

Every field of bytes or text that a payload of etcd may hold has its privacy here, and a test holds
the tables against the declarations: a new field cannot be shown before someone has judged it. What
an unknown field holds nobody can judge, so it counts as a secret.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from formats.authpb import Permission
from formats.etcdserverpb import Request as V2Request
from formats.fields import ALWAYS, IMPLICIT, FieldSpec, Kind, UnknownField, spec_of
from formats.internalpb import InternalAuthenticateRequest, InternalRaftRequest, RequestHeader
from formats.membershippb import (
    Attributes,
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.raftpb import ConfChange, ConfChangeV2
from formats.rpcpb import (
    ENUMS,
    AlarmMember,
    AlarmRequest,
    AuthRoleAddRequest,
    AuthRoleDeleteRequest,
    AuthRoleGetRequest,
    AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    AuthUserDeleteRequest,
    AuthUserGetRequest,
    AuthUserGrantRoleRequest,
    AuthUserRevokeRoleRequest,
    Compare,
    DeleteRangeRequest,
    DowngradeVersionTestRequest,
    LeaseCheckpoint,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
    RangeRequest,
)
from formats.spans import FieldSpan
from walctl.payload.base import Blob, Node, Privacy, Text

_OPEN, _NAME, _KEY, _VALUE, _SECRET = Privacy

PRIVACY: Final[dict[type[Any], dict[str, Privacy]]] = {
    ConfChange: {"context": _NAME},
    ConfChangeV2: {"context": _NAME},
    RequestHeader: {"username": _NAME},
    InternalAuthenticateRequest: {"name": _NAME, "password": _SECRET, "simple_token": _SECRET},
    PutRequest: {"key": _KEY, "value": _VALUE},
    RangeRequest: {"key": _KEY, "range_end": _KEY},
    DeleteRangeRequest: {"key": _KEY, "range_end": _KEY},
    Compare: {"key": _KEY, "value": _VALUE, "range_end": _KEY},
    AuthUserAddRequest: {"name": _NAME, "password": _SECRET, "hashed_password": _SECRET},
    AuthUserChangePasswordRequest: {
        "name": _NAME,
        "password": _SECRET,
        "hashed_password": _SECRET,
    },
    AuthUserGetRequest: {"name": _NAME},
    AuthUserDeleteRequest: {"name": _NAME},
    AuthUserGrantRoleRequest: {"user": _NAME, "role": _NAME},
    AuthUserRevokeRoleRequest: {"name": _NAME, "role": _NAME},
    AuthRoleAddRequest: {"name": _NAME},
    AuthRoleGetRequest: {"role": _NAME},
    AuthRoleDeleteRequest: {"role": _NAME},
    AuthRoleGrantPermissionRequest: {"name": _NAME},
    AuthRoleRevokePermissionRequest: {"role": _NAME, "key": _KEY, "range_end": _KEY},
    Permission: {"key": _KEY, "range_end": _KEY},
    Attributes: {"name": _NAME, "client_urls": _NAME},
    ClusterVersionSetRequest: {"ver": _OPEN},
    DowngradeInfoSetRequest: {"ver": _OPEN},
    DowngradeVersionTestRequest: {"ver": _OPEN},
    V2Request: {"method": _OPEN, "path": _KEY, "val": _VALUE, "prev_value": _VALUE},
}
"""By message and attribute; a v2 request's values are secrets where its path says so."""

UNKNOWN_PRIVACY: Final = Privacy.SECRET

V2_METHODS: Final = ("PUT", "POST", "DELETE", "QGET", "SYNC", "GET", "HEAD")
"""The methods that a v2 request may have; another one is a text of nobody knows whom."""

V2_USERS_PATH: Final = "/2/users"
"""Below this path the v2 store keeps its users, with the hashes of their passwords."""

_V2_VALUES: Final = ("val", "prev_value")

_IDS = frozenset(
    {
        (InternalRaftRequest, "id"),
        (RequestHeader, "id"),
        (V2Request, "id"),
        (PutRequest, "lease"),
        (Compare, "lease"),
        (LeaseGrantRequest, "id"),
        (LeaseRevokeRequest, "id"),
        (LeaseCheckpoint, "id"),
        (AlarmRequest, "member_id"),
        (AlarmMember, "member_id"),
        (ClusterMemberAttrSetRequest, "member_id"),
    }
)
"""Numbers that are ids: shown in hex, as etcd's own tools do."""

_ENUM_WORDS: Final = {
    key: {member.value: member.name for member in enum} for key, enum in ENUMS.items()
}

Tree: TypeAlias = dict[str, Node]

_Shape: TypeAlias = Callable[[Any], Node]
_Plan: TypeAlias = tuple[tuple[str, str, _Shape | None, bool], ...]
"""For each field: attribute, name in the tree, what makes a node of a value, if zero counts."""

_PLANS: Final[dict[type[Any], _Plan]] = {}


def tree(message: Any) -> Tree:
    """A message of etcd's requests by the names of its schema; what is absent or zero is left out.

    A member of a oneof and an optional field are there also when zero: being set says something.
    """
    out: Tree = {}
    for attribute, name, shape, keeps_zero in _plan(type(message)):
        value = getattr(message, attribute)
        if value or (keeps_zero and value is not None):
            out[name] = value if shape is None else shape(value)
    if message.unknown:
        out["unknown"] = [unknown_node(each) for each in message.unknown]
    if type(message) is V2Request:
        _judge_v2(message, out)
    return out


def unknown_node(field: UnknownField) -> Tree:
    """A field that the declaration does not name."""
    return {
        "number": field.number,
        "wire_type": field.wire_type,
        "data": Blob(field.data, UNKNOWN_PRIVACY),
    }


def enum_word(cls: type[Any], attribute: str, value: int) -> str | int:
    """The schema's word for a value of an enum; a number that it lacks stays one."""
    return _ENUM_WORDS[cls, attribute].get(value, value)


def holds_v2_secrets(path: str) -> bool:
    """Whether what a v2 request writes at `path` is a secret; `path` as the store cleans it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return f"/{'/'.join(parts[:2])}" == V2_USERS_PATH


def privacies_of(cls: type[Any], spans: tuple[FieldSpan, ...]) -> Mapping[str, Privacy]:
    """What each field of a message reveals, given where its fields lie on the wire."""
    found = PRIVACY.get(cls, {})
    if cls is V2Request:
        paths = [span.value for span in spans if span.name == "path"]
        if any(isinstance(path, str) and holds_v2_secrets(path) for path in paths):
            return {**found, **dict.fromkeys(_V2_VALUES, Privacy.SECRET)}
    return found


def _judge_v2(request: V2Request, out: Tree) -> None:
    """What the tables cannot say of a v2 request: it depends on its other fields."""
    if request.method in V2_METHODS:
        out["Method"] = request.method
    if holds_v2_secrets(request.path or ""):
        for field in spec_of(V2Request).fields:
            shown = out.get(field.proto)
            if field.name in _V2_VALUES and isinstance(shown, Text):
                out[field.proto] = Text(shown.text, Privacy.SECRET)


def _plan(cls: type[Any]) -> _Plan:
    """How the fields of a message become nodes; worked out at its first use."""
    if cls not in _PLANS:
        _PLANS[cls] = tuple(
            (field.name, field.proto, _shape(cls, field), keeps_zero(field))
            for field in spec_of(cls).fields
        )
    return _PLANS[cls]


def is_id(cls: type[Any], attribute: str) -> bool:
    """Whether a number is an id, which is shown in hex."""
    return (cls, attribute) in _IDS


def keeps_zero(field: FieldSpec) -> bool:
    """Whether a field is shown also when it is zero: being set says something then."""
    return not field.is_repeated and field.presence not in (ALWAYS, IMPLICIT)


def _shape(cls: type[Any], field: FieldSpec) -> _Shape | None:
    """What makes a node of a field's value; `None`: it is one."""
    single = _single_shape(cls, field)
    if not field.is_repeated:
        return single
    return list if single is None else lambda values: [single(each) for each in values]


def _single_shape(cls: type[Any], field: FieldSpec) -> _Shape | None:
    if field.target is not None:
        return tree
    if field.kind is Kind.BYTES:
        privacy = PRIVACY[cls][field.name]
        return lambda value: Blob(value, privacy)
    if field.kind is Kind.STRING:
        privacy = PRIVACY[cls][field.name]
        return lambda value: Text(value, privacy)
    if is_id(cls, field.name):
        return lambda value: f"{value:x}"
    if (cls, field.name) in ENUMS:
        return functools.partial(enum_word, cls, field.name)
    return None
