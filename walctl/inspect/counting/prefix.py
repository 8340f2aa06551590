"""The prefix that a key is counted under: what a person would call the folder that it is in.

    /registry/pods/default/web-0    /registry/pods/    two components, by default
    /registry/health                /registry/         never the last component
    config/db                       config/
    user:1017:name                  user:              without a separator: up to the first of
    job-000017                      job-               `: . _ - |`, or the first digit
    k0017                           k
    foo                             foo                else the whole key
    0017                                               nothing: a prefix of no bytes

Separators at the start count for nothing, and several in a row are one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

KEY_BYTES_MAX = 512
"""Of a longer key, only its beginning is kept: keys of megabytes must not fill the memory."""

_MARKS = rb"[^0-9:._|-]*[:._|-]?"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRule:
    """How keys are grouped: by so many components, which the separator parts."""

    separator: bytes = b"/"
    depth: int = 2

    def __post_init__(self) -> None:
        assert self.separator, "nothing parts nothing"
        assert self.depth > 0, "no component groups nothing"

    def finder(self) -> Callable[[bytes], bytes]:
        """The function that gives the prefix of a key of at most `KEY_BYTES_MAX` bytes."""
        part = re.escape(self.separator)
        inside = b"[^%s]" % part if len(self.separator) == 1 else b"(?:(?!%s).)" % part
        parts = b"(?:%s)" % part
        words = b"%s*+(?:%s++%s++){1,%d}" % (parts, inside, parts, self.depth)
        match = re.compile(b"%s|%s" % (words, _MARKS), re.DOTALL).match

        def prefix(key: bytes) -> bytes:
            found = match(key)
            assert found is not None, "the pattern matches nothing at least"
            return found[0]

        return prefix
