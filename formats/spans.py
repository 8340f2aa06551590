"""What a parse finds, field by field, and how that folds into a message; no parsing here."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias, cast

from formats.fields import FieldSpec, UnknownField, spec_of

Value: TypeAlias = int | bool | bytes | str | tuple[int, ...] | None


class FieldSpan(NamedTuple):
    """One field as it lies in the input; offsets are bytes from the input's start, half-open.

    The tag is `[tag_start, tag_stop)`, the value `[value_start, value_stop)`; a length, where
    there is one, lies between them. `name` is `None` for an unknown field, whose `value` is the
    whole field, tag included. A packed list's value is a tuple. A nested message has the value
    `None` and its own fields in `nested`.
    """

    number: int
    name: str | None
    wire_type: int
    tag_start: int
    tag_stop: int
    value_start: int
    value_stop: int
    value: Value
    nested: tuple["FieldSpan", ...]


def lift(cls: type[Any], spans: Iterable[FieldSpan]) -> Any:
    """Fold the fields found on the wire into a `cls`: the last one counts, messages merge."""
    spec = spec_of(cls)
    by_number = {field.number: field for field in spec.fields}
    values: dict[str, Any] = {}
    merged: dict[str, list[FieldSpan]] = {}
    unknown = []
    for span in spans:
        field = by_number.get(span.number)
        if field is None:
            raw = cast(bytes, span.value)
            unknown.append(UnknownField(number=span.number, wire_type=span.wire_type, data=raw))
        elif field.is_repeated:
            values.setdefault(field.name, []).extend(_elements(field, span))
        else:
            if field.oneof is not None:
                for other in spec.fields:
                    if other.oneof == field.oneof:
                        values.pop(other.name, None)
                        merged.pop(other.name, None)
            if field.target is None:
                values[field.name] = span.value
            else:
                merged.setdefault(field.name, []).extend(span.nested)
    for field in spec.fields:
        if field.name in merged:
            values[field.name] = lift(cast(type[Any], field.target), merged[field.name])
    for name, value in values.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values, unknown=tuple(unknown))


def _elements(field: FieldSpec, span: FieldSpan) -> Iterable[Any]:
    """What one occurrence adds to a repeated field."""
    if field.target is not None:
        return (lift(field.target, span.nested),)
    return span.value if isinstance(span.value, tuple) else (span.value,)
