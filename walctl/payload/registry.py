"""Decoders by name: ours, and those that other installed packages bring.

A package brings a decoder by an entry point of the group `walctl.decoders`: its name is what
`--decoder` takes, its value a callable without arguments that gives a `Decoder`. What such a
package raises is not ours, so whatever it is becomes one line that names the decoder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from walctl.errors import UsageError, WalctlError
from walctl.model.record import EntryKind
from walctl.payload.base import Decoder, Request
from walctl.payload.errors import DecoderError, shown
from walctl.payload.foreign import fault_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "walctl.decoders"
AUTO = "auto"
"""The one that is taken when nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class NoDecoder:
    """Reads nothing, for those who want the bytes."""

    name: str = "none"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """Nothing to say."""
        return None


@dataclass(frozen=True, slots=True)
class PackagedDecoder:
    """A decoder of another package, with its failures made ours.

    It pickles by its name: the process that it is sent to loads it again.
    """

    name: str
    inner: Decoder

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """What the package's decoder says. Raises: PayloadError, DecoderError."""
        with _Foreign(f"decoder {shown(self.name)} failed"):
            request = self.inner.decode(payload, kind)
            fault = None if request is None else fault_of(request)
        if fault is not None:
            raise DecoderError(f"decoder {shown(self.name)} gave {fault}")
        return request

    def __reduce__(self) -> tuple[Callable[[str], Decoder], tuple[str]]:
        return decoder, (self.name,)


def names() -> tuple[str, ...]:
    """Every name that `decoder` takes: ours first, then those of packages."""
    return (*_OURS, *sorted(set(_packaged()) - set(_OURS)))


def decoder(name: str) -> Decoder:
    """The decoder that is called so; ours come before a package's of the same name.

    Raises: UsageError, when there is none; DecoderError, when its package does not load.
    """
    if name in _OURS:
        return _OURS[name]()
    packaged = _packaged()
    if name not in packaged:
        raise UsageError(_unknown(name))
    return _loaded(name, packaged[name])


def _auto() -> Decoder:
    from walctl.payload.auto import AutoDecoder

    return AutoDecoder()


def _etcd() -> Decoder:
    from walctl.payload.etcd import EtcdDecoder

    return EtcdDecoder()


def _raftexample() -> Decoder:
    from walctl.payload.raftexample import RaftexampleDecoder

    return RaftexampleDecoder()


def _k8s() -> Decoder:
    from walctl.payload.k8s import K8sDecoder

    return K8sDecoder()


_OURS: dict[str, Callable[[], Decoder]] = {
    AUTO: _auto,
    "etcd": _etcd,
    "raftexample": _raftexample,
    "k8s": _k8s,
    "none": NoDecoder,
}
"""Each is imported when it is asked for: none of them is needed to list their names."""


def _packaged() -> dict[str, list["EntryPoint"]]:
    """The entry points of packages by name; two packages may have taken the same one."""
    from importlib.metadata import entry_points  # slow, and not needed for a decoder of ours

    found: dict[str, list[EntryPoint]] = {}
    with _Foreign("what the installed packages bring cannot be read"):
        for point in entry_points(group=GROUP):
            found.setdefault(point.name, []).append(point)
    return found


def _loaded(name: str, points: list["EntryPoint"]) -> Decoder:
    if len({point.value for point in points}) > 1:
        packages = ", ".join(sorted(_package(point) for point in points))
        raise DecoderError(f"decoder {shown(name)} is brought by more than one package: {packages}")
    with _Foreign(f"decoder {shown(name)} of {_package(points[0])} cannot be loaded"):
        found = points[0].load()()
    if not callable(getattr(found, "decode", None)):
        kind = type(found).__name__
        raise DecoderError(
            f"decoder {shown(name)} of {_package(points[0])}: a {kind} has no method decode"
        )
    return PackagedDecoder(name, found)


def _package(point: "EntryPoint") -> str:
    """The package that brings it, as a person would install it."""
    return shown(point.value if point.dist is None else point.dist.name)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, names(), n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    known = ", ".join(each if each.isprintable() else shown(each) for each in names())
    return f"no decoder is called {shown(name)}; {hint}there are: {known}"


class _Foreign:
    """Around code of another package: any exception of its becomes a DecoderError.

    Only here may every kind be caught, since nobody can list what such code raises, and none of
    it is a bug of ours. Leaving the program is not a package's to decide either, and would look
    like a dump that is done. What is ours passes: a PayloadError is how a decoder says no; and
    Ctrl-C, which is the person's.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, WalctlError):
            words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise DecoderError(f"{self._what}: {shown(words)}") from error
