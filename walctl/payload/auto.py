"""The decoder that finds out for each payload whose it is.

In a log whose metadata is etcd's, etcd is asked first and by its own rule alone: it has to apply
whatever is there. Elsewhere every owner is asked for exactly what it writes (`owners`). A value
below `/registry/` may be an object of Kubernetes.
"""

import functools
from dataclasses import dataclass

from walctl.model.record import EntryKind
from walctl.payload.base import Decoder, PayloadError, Request

OBJECT_ROOT = b"/registry/"
"""How keys begin under which values may be objects of Kubernetes: an API server's own default."""


@dataclass(frozen=True, slots=True)
class AutoDecoder:
    """Reads any payload of a known owner.

    `strict` is for a log whose metadata is etcd's: what does not decode there is an error, since
    it would stop a server. Elsewhere it is just not known.
    """

    strict: bool = False
    name: str = "auto"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload, or `None` when no known owner wrote it.

        Raises: PayloadError, where `strict` asks for it, and for a compressed payload that is
        damaged or too long.
        """
        # Most logs are etcd's, and need neither the other owners nor the time to import them.
        if not self.strict:
            from walctl.payload.owners import owned

            return owned(payload, kind)
        try:
            return _etcd().decode(payload, kind)
        except PayloadError:
            from walctl.payload.owners import inside

            request = inside(payload, kind)
            if request is None:
                raise
            return request


@functools.cache
def _etcd() -> Decoder:
    """Etcd's own; imported for the first payload, since the first line may be printed before."""
    from walctl.payload.k8s import K8sDecoder

    return K8sDecoder(is_anywhere=False)
