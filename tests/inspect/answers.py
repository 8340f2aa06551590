"""What walctl answers for members of the shared corpus, asked once a session, and its manifests.

Only for tests. The answers are shared between modules: nobody may change them.
"""

import functools
import re
from pathlib import Path
from typing import Any

from tests import corpus
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.verify import Examination, examine
from walctl.wal.decoder import Version

DISK = RealFileSystem()


@functools.cache
def said(name: str) -> dict[str, Any]:
    """The manifest of `name`."""
    return corpus.manifest(name)


def of_kind(kind: str) -> list[str]:
    """Every directory of that kind: `scenario` or `damage`."""
    return [name for name in corpus.names() if said(name)["kind"] == kind]


def logs_in(name: str) -> list[str]:
    """Members of `name` that have a log; raftexample keeps its snapshots in a folder beside."""
    return [each for each in said(name)["members"] if not each.endswith("-snap")]


def damaged_member(name: str) -> str:
    """The member of a damaged directory that was damaged."""
    manifest = said(name)
    member = manifest.get("damaged_member", manifest["members"][0])
    assert isinstance(member, str)
    return member


def member_path(name: str, member: str) -> Path:
    """Where one member of the unpacked corpus is."""
    return corpus.unpacked(name) / member


@functools.cache
def examined(name: str, member: str) -> Examination:
    """What walctl makes of one member."""
    return examine(DISK, understand(DISK, member_path(name, member)))


_VERSIONS = "|".join(re.escape(each) for each in Version)
_PART = re.compile(rf"(?:^|; )((?:(?:{_VERSIONS})(?:, )?)+): ")


def sentence_for(text: str, version: Version) -> str:
    """What a line about all versions says of one."""
    if text.startswith("every version "):
        return text.removeprefix("every version ")
    _, *parts = _PART.split(text)
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    return next(words for which, words in told.items() if version in which.split(", "))
