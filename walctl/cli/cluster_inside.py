"""The first program in a lab's network namespace: makes it ready, then becomes another program.

    python -m walctl.cli.cluster_inside --outside INODE [--address A ...] -- COMMAND ...

For `walctl.cluster.copying.namespace`, which writes these words; nobody types them. Ends with
status 4 and one line where the namespace is not what it has to be.
"""

import os
import sys
from collections.abc import Sequence

from walctl.cluster.copying.inside import set_up
from walctl.errors import ExitStatus, WalctlError
from walctl.fs.real import RealFileSystem


def main(words: Sequence[str]) -> int:
    """Do as the module says; returns only when something was in the way."""
    own, command = list(words), []
    if "--" in own:
        position = own.index("--")
        own, command = own[:position], own[position + 1 :]
    options = list(zip(own[::2], own[1::2], strict=False))
    outside = [value for name, value in options if name == "--outside"]
    addresses = [value for name, value in options if name == "--address"]
    if len(outside) != 1 or not command or len(outside) + len(addresses) != len(own) / 2:
        sys.stderr.write("walctl: expected --outside INODE [--address A ...] -- COMMAND\n")
        return ExitStatus.USAGE
    try:
        set_up(RealFileSystem(), outside=int(outside[0]), addresses=addresses)
        os.execvp(command[0], command)
    except WalctlError as error:
        sys.stderr.write(f"walctl: {error.message}\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"walctl: {command[0]}: {error}\n")
    return ExitStatus.UNFINISHED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
