"""The next thing to do about a finding, and the plain commands that make a safe copy."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.inspect.membership import Membership
from walctl.inspect.weigh import OF_A_START
from walctl.model.finding import Finding, Severity


def advised(finding: Finding, layout: Layout, start: str) -> Finding:
    """The finding with `next`, and with what a start would do where it has no consequence yet."""
    consequence = finding.consequence
    if not consequence and finding.code in OF_A_START and finding.severity is not Severity.INFO:
        consequence = start
    following = f"walctl explain {finding.code}"
    if finding.severity is Severity.DAMAGE and layout.is_member:
        following = repair_command(layout)
    return replace(finding, consequence=consequence, next=finding.next or following)


def etcdctl(members: Membership, ids: Iterable[int]) -> str:
    """The command that asks these members, where clients find them as far as that is known."""
    urls = [url for each in ids for url in members.described(each).client_urls]
    return f"etcdctl --endpoints={shlex.quote(','.join(urls) or 'URL-OF-A-HEALTHY-MEMBER')}"


def repair_command(layout: Layout) -> str:
    """What tells how a member can be put right, and reads only."""
    return _of_member("walctl repair", layout)


def salvage_command(layout: Layout) -> str:
    """What rescues all that can be read of a member into a directory of its own."""
    return f"{_of_member('walctl salvage', layout)} --output-dir NEW-DIRECTORY"


def _of_member(command: str, layout: Layout) -> str:
    """A command on a member, with the options that name those of its parts that lie elsewhere."""
    words = [command, path_word(layout.path)]
    for option, part in _parts_elsewhere(layout):
        words += [option, path_word(part)]
    return " ".join(words)


def copy_commands(layout: Layout) -> list[str]:
    """Commands that copy all parts of a member, with their holes; links are followed.

    A part that has its usual place below the member's path is copied with that; any other was
    named by an option, and gets a command of its own.
    """
    return [copy_command(part, number) for number, part in enumerate(_places(layout))]


def aside_commands(layout: Layout) -> list[str]:
    """Commands that keep a member's directory aside, and its parts that lie elsewhere."""
    return [
        f"mv -T -- {quoted_word(str(part))} {quoted_word(f'{part}.old')}"
        for part in _places(layout)
    ]


def _places(layout: Layout) -> list[Path]:
    """The directories that a member lies in, each once."""
    parts = [layout.path, *(part for _, part in _parts_elsewhere(layout))]
    return list(dict.fromkeys(parts))


def _parts_elsewhere(layout: Layout) -> Iterator[tuple[str, Path]]:
    """The parts of a member that have not their usual place, and the options that name them."""
    usual = [layout.path / "member", layout.path]
    for option, part, name in (
        ("--wal-dir", layout.wal_dir, "wal"),
        ("--snap-dir", layout.snap_dir, "snap"),
    ):
        if part is not None and layout.is_member and part not in [at / name for at in usual]:
            yield option, part


def copy_command(path: Path, number: int = 0) -> str:
    """The plain command that makes a copy of one directory beside it, where none is yet.

    `-L` follows links, so that what is copied is the data (a log on another disk is often behind
    one), and `-T` keeps a second copy from going into the first. A path without a name of its own
    (`.`, `..`, `/`) is copied to wherever the person puts it; `number` tells two of them apart.
    """
    if path.name and path.name != "..":
        target = quoted_word(f"{path}.copy")
    else:
        target = f"/SOMEWHERE/ELSE/member.copy{number or ''}"
    source = quoted_word(str(path))
    return f"test ! -e {target} && cp -aLT --sparse=always -- {source} {target}"


def path_word(path: Path) -> str:
    """A path as one word of a shell that no command takes for an option."""
    text = str(path)
    return quoted_word(f"./{text}" if text.startswith("-") else text)


def quoted_word(text: str) -> str:
    """`text` as one word of a shell; bytes that no screen shows in bash's `$'…'` form."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        char if char.isprintable() and char not in "\\'" else _escape(char) for char in text
    )
    return f"$'{escaped}'"


def _escape(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
