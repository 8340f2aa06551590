"""Messages as etcd's tools print them: compact protobuf text, and text quoted as Go quotes it.

    header:<ID:17519462178808684719 > put:<key:"k" value:"\\000\\377" >

Fields are in the order of their schema. A scalar is `name:value ` and a message `name:<...> `, each
with a space behind it; items of a list stand one behind the other under the same name. A scalar of
proto3 that is zero or empty is left out, a message that is set and empty is not. What a redaction
hides is printed as `"<redacted>"`.

Fields that the declarations do not name are left out: the text has no form for them.

Source: dump-logs notes, "Compact protobuf text"; checked against the outputs of etcd 3.5.1.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from formats.etcdserverpb import Request as V2Request
from formats.fields import IMPLICIT, FieldSpec, Kind, spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.limits import FIELDS_MAX, NESTING_MAX
from formats.peek import peeker
from formats.rpcpb import ENUMS
from walctl.payload.base import Redaction
from walctl.payload.etcd_fields import PRIVACY, UNKNOWN_PRIVACY, enum_word, holds_v2_secrets

REDACTED: Final = '"<redacted>"'

_PLAIN: Final = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
"""Bytes that are printed as they are, in either way of quoting."""
_OCTAL: Final = {byte: f"\\{byte:03o}" for byte in range(256) if not 0x20 <= byte <= 0x7E} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}

_GO_SHORT: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}

_FIRST: Final = {InternalRaftRequest: "header"}
"""Where the schema declares a field before those with lower numbers."""

_COUNTED_BYTES_MAX = 2 * FIELDS_MAX
"""In so many bytes no message has more fields than the definition takes."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one field is printed: `write` prints a scalar, `target` is the class of a message."""

    attribute: str
    number: int
    name: str
    is_first: bool
    is_repeated: bool
    keeps_zero: bool
    target: type[Any] | None
    write: Callable[[Any], str]


class CompactPrinter:
    """Prints messages under one redaction; ASCII only, and no control characters."""

    def __init__(self, redaction: Redaction = Redaction.NONE) -> None:
        self._redaction = redaction
        self._plans: dict[type[Any], tuple[_Plan, ...]] = {}
        self._numbered: dict[type[Any], dict[int, _Plan]] = {}

    def text(self, message: Any) -> str:
        """A declared message in one line."""
        cls = type(message)
        if cls is V2Request and holds_v2_secrets(message.path or ""):
            return _without_values(self._redaction)._of(message)
        return self._of(message)

    def request_text(self, payload: bytes) -> str | None:
        """The text of the InternalRaftRequest in `payload`, some times faster.

        `None` where only the definition can tell: parse it then, and print the message.
        """
        parsed = None if len(payload) > _COUNTED_BYTES_MAX else _peek(payload)
        if parsed is None or parsed.HasField("v2"):
            return None
        try:
            return self._of_fast(parsed, InternalRaftRequest, 0)
        except _TooDeepError:
            return None

    def _of(self, message: Any) -> str:
        pieces: list[str] = []
        for plan in self._plans_of(type(message)):
            value = getattr(message, plan.attribute)
            if plan.is_repeated:
                pieces += [self._item(plan, each) for each in value]
            elif value or (plan.keeps_zero and value is not None):
                pieces.append(self._item(plan, value))
        return "".join(pieces)

    def _item(self, plan: _Plan, value: Any) -> str:
        if plan.target is None:
            return plan.write(value)
        return f"{plan.name}:<{self.text(value)}> "

    def _of_fast(self, parsed: Any, cls: type[Any], depth: int) -> str:
        """The same of the fast codec's object, in which absent fields cost nothing."""
        if depth > NESTING_MAX:
            raise _TooDeepError
        pieces: list[str] = []
        plans = self._numbered.get(cls) or self._by_number(cls)
        for field, value in parsed.ListFields():
            plan = plans[field.number]
            target = plan.target
            if target is not None:
                items = value if plan.is_repeated else (value,)
                text = "".join(
                    [f"{plan.name}:<{self._of_fast(each, target, depth + 1)}> " for each in items]
                )
            elif plan.is_repeated:
                text = "".join(map(plan.write, value))
            elif value or plan.keeps_zero:
                text = plan.write(value)
            else:
                continue
            if plan.is_first:
                pieces.insert(0, text)
            else:
                pieces.append(text)
        return "".join(pieces)

    def _plans_of(self, cls: type[Any]) -> tuple[_Plan, ...]:
        """Every field of a message in the schema's order."""
        if cls not in self._plans:
            plans = [_plan(cls, field, self._redaction) for field in spec_of(cls).fields]
            self._plans[cls] = tuple(sorted(plans, key=lambda plan: not plan.is_first))
        return self._plans[cls]

    def _by_number(self, cls: type[Any]) -> dict[int, _Plan]:
        self._numbered[cls] = {plan.number: plan for plan in self._plans_of(cls)}
        return self._numbered[cls]


def compact_text(message: Any, redaction: Redaction = Redaction.NONE) -> str:
    """A declared message in one line; ASCII only, and no control characters."""
    return CompactPrinter(redaction).text(message)


def octal_quoted(data: bytes) -> str:
    """Bytes in double quotes; what is not printable ASCII as three octal digits."""
    text = data.decode("latin-1")
    return f'"{text.translate(_OCTAL)}"' if data.translate(None, _PLAIN) else f'"{text}"'


def go_quoted(data: bytes) -> str:
    """Text in double quotes as Go's `%q` has it: harmless, and what is printable stays.

    A byte that is no UTF-8 becomes `\\xNN`.
    """
    text = data.decode("utf-8", "surrogateescape")
    return f'"{"".join(map(_go_escaped, text))}"'


def _go_escaped(char: str) -> str:
    if char in _GO_SHORT:
        return _GO_SHORT[char]
    if char.isprintable():
        return char
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    if 0xDC80 <= point <= 0xDCFF:  # a surrogate escape
        return f"\\x{point - 0xDC00:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


class _TooDeepError(Exception):
    """Beyond the limits: the definition has to say so."""


def _without_values(redaction: Redaction) -> CompactPrinter:
    """The printer for a v2 request whose path makes its values secrets."""
    return CompactPrinter(Redaction.VALUES if redaction is Redaction.AUTH else redaction)


@functools.cache
def _peeker() -> Callable[[bytes], Any | None]:
    return peeker(INTERNAL_RAFT_REQUEST)


def _peek(payload: bytes) -> Any | None:
    return _peeker()(payload)


def _plan(cls: type[Any], field: FieldSpec, redaction: Redaction) -> _Plan:
    return _Plan(
        attribute=field.name,
        number=field.number,
        name=field.proto,
        is_first=field.name == _FIRST.get(cls),
        is_repeated=field.is_repeated,
        keeps_zero=field.presence is not IMPLICIT,
        target=field.target,
        write=_writer(cls, field, redaction),
    )


def _writer(cls: type[Any], field: FieldSpec, redaction: Redaction) -> Callable[[Any], str]:
    """What prints one scalar, its name in front."""
    name = f"{field.proto}:"
    match field.kind:
        case Kind.BYTES | Kind.STRING:
            # What nobody has judged counts as a secret.
            privacy = PRIVACY.get(cls, {}).get(field.name, UNKNOWN_PRIVACY)
            if redaction.hides(privacy):
                return lambda value: f"{name}{REDACTED} "
            return lambda value: f"{name}{octal_quoted(_as_bytes(value))} "
        case Kind.BOOL:
            return lambda value: f"{name}{'true' if value else 'false'} "
        case _ if (cls, field.name) in ENUMS:
            return lambda value: f"{name}{enum_word(cls, field.name, value)} "
        case _:
            return lambda value: f"{name}{value} "


def _as_bytes(value: bytes | str) -> bytes:
    """A text of ours, or of the fast codec, which has its bytes."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
