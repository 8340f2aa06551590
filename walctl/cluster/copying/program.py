"""Which release an etcd is, asked of the program itself."""

import re
import subprocess
from pathlib import Path

from walctl.cluster.closed import PROBE_SECONDS
from walctl.errors import AccessError

_VERSION = re.compile(rb"etcd Version: (\d+\.\d+\.\d+)")


def version_of(program: Path) -> str:
    """Its version, as `3.5.1`. Raises: AccessError, when it does not say."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            timeout=PROBE_SECONDS,
            check=False,
        )
    except OSError as error:
        raise AccessError(f"{program}: cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise AccessError(f"{program}: does not say its version in time") from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise AccessError(f"{program}: expected an etcd, found a program that says no version")
    return found[1].decode()
