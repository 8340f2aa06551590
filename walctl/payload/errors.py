"""What can go wrong with a decoder itself, as against with a payload that it is given."""

from walctl.errors import WalctlError

SHOWN_CHARS = 200
"""How much of what somebody else wrote goes into a message."""


class DecoderError(WalctlError):
    """A decoder cannot be used, or died, hung or printed nonsense.

    A payload that a decoder does not read is a PayloadError, and the next payload may be better.
    After this one nothing that the decoder says can be relied on, so it ends the command.
    """


def shown(text: bytes | str) -> str:
    """What somebody else wrote, quoted, escaped and shortened for a message of one line."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN_CHARS + 1].decode("utf-8", "backslashreplace")
    return ascii(text[:SHOWN_CHARS]) + ("…" if len(text) > SHOWN_CHARS else "")
