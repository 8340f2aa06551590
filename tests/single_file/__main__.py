"""`make single-file`: walctl and all that it needs as one file that any Python of its kind runs.

    python -m tests.single_file FOLDER

Packs what is installed beside this Python, so that the file holds exactly what the tests ran
with, and no network is needed. The same packages give the same bytes: members are in order, have
one date, and bring their bytecode, which goes by its source's hash and not by a date.
"""

import hashlib
import importlib.util
import io
import py_compile
import re
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from walctl.version import VERSION

ROOT = Path(__file__).parents[2]
LAUNCH = Path(__file__).with_name("launch.py")
SITE = "site/"
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that an archive can tell."""

NOT_NEEDED = frozenset({"markdown-it-py", "pygments"})
"""rich wants them for Markdown and for the colours of source code, which walctl never shows; they
would be half of all files."""
NOT_PACKED = re.compile(
    r"__pycache__/|\.pyi$|/tests?/"
    r"|^zstandard/(_cffi|backend_cffi)"  # the second of two ways to the same library, for PyPy
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$"  # of this installation
)
GLIBC = re.compile(r"manylinux(?:_(\d+)_(\d+)|(1|2010|2014))_")
GLIBC_OF = {"1": (2, 5), "2010": (2, 12), "2014": (2, 17)}

FIRST = """\
import sys

if sys.version_info[:2] != {python} or sys.implementation.name != "cpython":
    sys.stderr.write(
        "walctl: this file is made for CPython {major}.{minor}, and this is Python %d.%d: "
        "run it as `python{major}.{minor} FILE`, or take the file for %d.%d\\n"
        % (sys.version_info[:2] * 2)
    )
    sys.exit(4)

import launch

launch.main({name!r}, {suffix!r}, {glibc!r})
"""
"""The archive's `__main__.py`: in words that every Python since 2.7 understands."""


def main(folder: Path) -> Path:
    """Make the file in `folder`; gives its path."""
    needed = sorted(_needed(), key=lambda each: canonicalize_name(each.name))
    site = {**_ours(), **{name: data for each in needed for name, data in _files_of(each)}}
    site |= dict(_compiled(site))
    minor = sys.version_info.minor
    first = FIRST.format(
        python=tuple(sys.version_info[:2]),
        major=sys.version_info.major,
        minor=minor,
        name=f"walctl-{VERSION}-{_digest(site)[:16]}",
        suffix=EXTENSION_SUFFIXES[0],
        glibc=max((_glibc_of(each) for each in needed), default=(0, 0)),
    )
    members = {
        "__main__.py": first.encode(),
        "launch.py": LAUNCH.read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        "PACKED.txt": "".join(f"{each.name} {each.version}\n" for each in needed).encode(),
        **{SITE + name: data for name, data in site.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    system = EXTENSION_SUFFIXES[0].split("-", 2)[2].removesuffix(".so")
    target = folder / f"walctl-{VERSION}-{system}-cp3{minor}.pyz"
    aside = target.with_suffix(".new")
    aside.write_bytes(_archive(members))
    aside.chmod(0o755)
    aside.replace(target)
    return target


def _needed() -> Iterator[Distribution]:
    """What walctl needs, and what those need."""
    # Not from what is installed of walctl itself, which may be older than the checkout.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting, seen = list(project["dependencies"]), set(NOT_NEEDED)
    while waiting:
        wish = Requirement(waiting.pop())
        name = canonicalize_name(wish.name)
        if name not in seen and (wish.marker is None or wish.marker.evaluate({"extra": ""})):
            seen.add(name)
            found = distribution(name)
            waiting += found.requires or ()
            yield found


def _ours() -> dict[str, bytes]:
    """The two packages, from this checkout."""
    sources = [path for room in ("walctl", "formats") for path in (ROOT / room).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in sources}


def _files_of(package: Distribution) -> Iterator[tuple[str, bytes]]:
    """Its files, as they lie beside each other in site-packages; no scripts."""
    for file in package.files or ():
        name = file.as_posix()
        if not name.startswith("..") and not NOT_PACKED.search(name):
            yield name, Path(str(file.locate())).read_bytes()


def _compiled(site: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The bytecode of every module, or each user's first start would wait for it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.py", Path(folder) / "target.pyc"
        for name in sorted(each for each in site if each.endswith(".py")):
            source.write_bytes(site[name])
            py_compile.compile(
                str(source),
                str(target),
                dfile=name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            yield importlib.util.cache_from_source(name), target.read_bytes()


def _glibc_of(package: Distribution) -> tuple[int, int]:
    """The glibc that its native modules need at least; of several tags, any one will do."""
    wheel = package.read_text("WHEEL") or ""
    found = [
        GLIBC_OF[old] if old else (int(major), int(minor))
        for major, minor, old in GLIBC.findall(wheel)
    ]
    return min(found, default=(0, 0))


def _digest(site: dict[str, bytes]) -> str:
    """One hash of all names and bytes: two builds that differ are unpacked beside each other."""
    digest = hashlib.sha256()
    for name in sorted(site):
        digest.update(f"{name}\0{len(site[name])}\0".encode())
        digest.update(site[name])
    return digest.hexdigest()


def _archive(members: dict[str, bytes]) -> bytes:
    """The whole file: offsets count from its start, with the line for the shell in front."""
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # Unix, whichever system builds
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, members[name])
    return buffer.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.single_file FOLDER")
    made = main(Path(sys.argv[1]))
    # In the form of sha256sum: a copy that arrived short is no file that Python could complain of.
    sys.stdout.write(f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made}\n")
