"""The exception tree and the exit statuses; imports nothing of walctl.

Damage is a value (`walctl.model.finding.Finding`); an exception means that something stopped us.
Every exception carries the exit status that a command ends with when it is not caught before.
"""

import enum


class ExitStatus(enum.IntEnum):
    """What every command of walctl ends with; the one table of them."""

    CLEAN = 0
    """Clean, or done."""
    DAMAGE = 1
    """Damage, a violation or a difference was found."""
    USAGE = 2
    """The command line is wrong."""
    HARMLESS = 3
    """Only harmless findings: it is safe to start the server."""
    UNFINISHED = 4
    """Could not finish: I/O, permission, lock held, unsupported, undecided."""
    REFUSED = 5
    """Refused: acknowledged data could be lost."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


class WalctlError(Exception):
    """Something stopped us.

    `message` is one line: place, what was expected, what was found. `exit_status` is what a
    command that does not handle the error ends with.
    """

    exit_status = ExitStatus.UNFINISHED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AccessError(WalctlError):
    """A file or directory is missing, locked, unreadable, or changed while it was read."""


class TimeOverError(WalctlError):
    """A check was stopped by its time limit; the message says how far it came."""


class UnsupportedError(WalctlError):
    """The input is understood, but this version cannot do what was asked with it."""


class UsageError(WalctlError):
    """The request makes no sense, whatever the input holds."""

    exit_status = ExitStatus.USAGE


class CorruptionError(WalctlError):
    """An operation needed an intact log and met damage."""

    exit_status = ExitStatus.DAMAGE


class RefusedError(WalctlError):
    """A plan that will not be carried out as it is: acknowledged data could be lost."""

    exit_status = ExitStatus.REFUSED


class ClusterError(WalctlError):
    """A cluster does not do what was asked: no leader, a peer that is gone, a port in use."""


class StoppedError(WalctlError):
    """A person or the system asked to stop; what was under way was finished or rolled back."""

    exit_status = ExitStatus.INTERRUPTED
