"""What can go wrong with a decoder itself, as against with a payload that it is given."""

from walctl.errors import WalctlError


class DecoderError(WalctlError):
    """A decoder cannot be used, or died, hung or printed nonsense.

    A payload that a decoder does not read is a PayloadError, and the next payload may be better.
    After this one nothing that the decoder says can be relied on, so it ends the command.
    """
