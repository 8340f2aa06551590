"""walctl as one file, on a host that has Python and nothing else, and is in trouble.

The file is built from this checkout and the packages beside this Python, and run with another
environment: no site-packages, no variables, a home of its own, and no network where the system
lets us cut that off. The damaged places are made from the file that was unpacked before.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, WALCTL, Told, environment
from tests.single_file import launch
from tests.single_file.__main__ import NOT_NEEDED, SITE
from walctl.version import VERSION

SECONDS_MAX = 60
PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The interpreter itself, not that of a virtual environment."""
ALONE = ["-I", "-S"]
"""Without site-packages, PYTHONPATH and the current folder: nothing but the standard library."""


def without_network() -> list[str]:
    """Words in front of a command that cut it off, where the system lets us."""
    words = ["unshare", "--map-root-user", "--net", "--"]
    tried = shutil.which(words[0]) and subprocess.run([*words, "true"], capture_output=True)
    return words if tried and tried.returncode == 0 else []


def built(folder: Path, **variables: str) -> Path:
    """The file as `make single-file` makes it, in a process of its own.

    The bytecode of a module differs by what else its process has compiled or imported before.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.single_file", str(folder)],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    digest, _, name = done.stdout.strip().partition("  ")
    assert hashlib.sha256(Path(name).read_bytes()).hexdigest() == digest
    return Path(name)


class Host(NamedTuple):
    """A folder to be in, a home, and the file."""

    file: Path
    folder: Path
    home: Path

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "walctl"

    def ran(self, *words: str, code: str = "", **variables: str) -> Told:
        """Run the file with nothing but a home; `code` comes first, in the same interpreter."""
        start = ["-c", code, self.file] if code else [self.file]
        done = subprocess.run(
            [*without_network(), PYTHON, *ALONE, *start, *words],
            cwd=self.folder,
            env={"HOME": str(self.home), **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def used(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host on which the file has run before; tests leave it as it is."""
    host = Host(file, tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("home"))
    assert host.ran("--version") == (0, f"walctl {VERSION}\n", "")
    return host


@pytest.fixture
def host(used: Host, tmp_path: Path) -> Host:
    """The same with a home that may be spoilt."""
    shutil.copytree(used.home, tmp_path / "home", copy_function=shutil.copy)
    (tmp_path / "here").mkdir()
    return Host(used.file, tmp_path / "here", tmp_path / "home")


def unpacked_in(place: Path) -> Path:
    """The one folder with modules in a cache."""
    (folder,) = [each for each in place.iterdir() if each.is_dir()]
    return folder


def is_one_line(told: Told) -> bool:
    return told.out == "" and told.err.startswith("walctl: ") and told.err.count("\n") == 1


@pytest.mark.slow
def test_the_same_packages_give_the_same_bytes(file: Path, tmp_path: Path) -> None:
    again = built(tmp_path, PYTHONHASHSEED="7", SOURCE_DATE_EPOCH="1")
    assert again.read_bytes() == file.read_bytes()
    assert again.name == file.name


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["member.etcd"],
        ["verify", "-j", "2", "-o", "json", "member.etcd"],
        ["dump", "member.etcd"],
        ["dump", "-o", "ndjson", "--decoder", "auto", "member.etcd"],
        ["explain", "zero-hole"],
        ["dump", "--help"],
        ["nonsense"],
    ],
)
def test_it_says_what_walctl_says(used: Host, words: list[str]) -> None:
    member = used.folder / "member.etcd"
    if not member.exists():
        unpack("zero-page", member)
    here = subprocess.run(
        [*WALCTL, *words],
        cwd=used.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    expected = Told(here.returncode, here.stdout, here.stderr)
    found = used.ran(*words)
    if "json" in words:  # it tells how long it took
        (first, second) = (json.loads(each.out) for each in (found, expected))
        assert without(first, "seconds") == without(second, "seconds")
        found, expected = found._replace(out=""), expected._replace(out="")
    assert found == expected


def without(document: object, name: str) -> object:
    """A JSON document without one name."""
    if isinstance(document, dict):
        return {key: without(value, name) for key, value in document.items() if key != name}
    return [without(each, name) for each in document] if isinstance(document, list) else document


@pytest.mark.slow
def test_it_unpacks_once_and_for_its_user_alone(host: Host) -> None:
    assert stat.S_IMODE(host.cache.stat().st_mode) == 0o700
    module = unpacked_in(host.cache) / "walctl" / "version.py"
    before = module.stat()
    assert host.ran("--version").status == 0
    assert module.stat() == before
    assert len(list(host.cache.iterdir())) == 2, "a folder, and when it was last looked at"


@pytest.mark.slow
def test_files_that_a_power_cut_left_empty_are_unpacked_again(host: Host) -> None:
    folder = unpacked_in(host.cache)
    module = folder / "walctl" / "cli" / "main.py"
    compiled = next(module.parent.glob("__pycache__/main.*"))
    whole = compiled.read_bytes()
    compiled.write_bytes(b"")
    folder.with_name(f"{folder.name}.boot").write_text("another start of the machine")
    assert host.ran("--version") == (0, f"walctl {VERSION}\n", "")
    assert compiled.read_bytes() == whole
    assert unpacked_in(host.cache) == folder, "something was left beside it"


@pytest.mark.slow
def test_starts_at_the_same_time_do_not_disturb_each_other(host: Host) -> None:
    shutil.rmtree(host.cache)
    starts = [
        subprocess.Popen(
            [PYTHON, *ALONE, host.file, "--version"],
            env={"HOME": str(host.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [each.communicate(timeout=SECONDS_MAX) for each in starts]
    assert told == [(f"walctl {VERSION}\n", "")] * 4
    assert unpacked_in(host.cache).is_dir()


@pytest.mark.slow
def test_another_python_is_told_which_one_to_take(used: Host) -> None:
    run = "; import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    told = used.ran("--version", code=f"import sys; sys.version_info = (2, 7, 18){run}")
    assert told.status == 4
    assert is_one_line(told)
    assert f"`python3.{sys.version_info.minor} FILE`" in told.err
    assert used.ran("--version", code=f"import sys{run}").status == 0, "the trick itself works"


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", ["a file", "a folder for all", "below a file"])
def test_a_place_that_is_no_good_is_told_in_one_line(
    used: Host, tmp_path: Path, spoilt: str
) -> None:
    place = tmp_path / "place"
    if spoilt == "a folder for all":
        place.mkdir()
        place.chmod(0o777)
    else:
        place.write_bytes(b"")
    wish = place / "below" if spoilt == "below a file" else place
    told = used.ran("--version", WALCTL_UNPACK_DIR=str(wish))
    assert told.status == 4
    assert is_one_line(told)
    assert str(wish) in told.err


@pytest.mark.slow
def test_a_damaged_file_is_told_in_one_line_and_leaves_nothing(host: Host) -> None:
    damaged = bytearray(host.file.read_bytes())
    with zipfile.ZipFile(host.file) as archive:
        info = archive.getinfo(f"{SITE}click/core.py")
    start = info.header_offset + 200
    damaged[start : start + 100] = bytes(each ^ 0xFF for each in damaged[start : start + 100])
    copy = host.folder / "damaged.pyz"
    copy.write_bytes(damaged)
    place = host.folder / "place"
    told = host._replace(file=copy).ran("--version", WALCTL_UNPACK_DIR=str(place))
    assert told.status == 4
    assert is_one_line(told)
    assert list(place.iterdir()) == []


@pytest.mark.slow
def test_without_a_home_it_unpacks_where_all_may_write_and_only_it_can(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ARCHIVE", str(file))
    monkeypatch.setattr(launch, "SHARED", (str(tmp_path / "none"), str(tmp_path)))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(launch.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    folder = Path(launch.unpacked("some-build"))
    assert (folder / "walctl" / "version.py").is_file()
    assert folder.parent.parent == tmp_path
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert not (tmp_path / "missing").exists()


def test_a_link_and_a_folder_of_somebody_else_are_not_private(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(mine)
    assert launch._is_private(mine.lstat())
    assert not launch._is_private((tmp_path / "link").lstat())
    seen = list(mine.lstat())
    seen[stat.ST_UID] += 1
    assert not launch._is_private(os.stat_result(seen))


def test_a_place_below_a_folder_in_which_others_may_exchange_it_is_not_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    place = shared / "cache" / "walctl"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(launch.UnusableError, match=f"may write to {shared}$"):
        launch._prepare(str(shared), str(place))
    shared.chmod(0o1777)
    launch._prepare(str(shared), str(place))


def test_a_start_in_a_folder_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    run = f"import launch; launch.main('build', {EXTENSION_SUFFIXES[0]!r}, (0, 0))"
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", PYTHON, "-P", "-S", "-c", run],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "tests" / "single_file"), launch.FOLDER_VARIABLE: "here"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 4
    assert is_one_line(Told(done.returncode, done.stdout, done.stderr))


def test_without_a_word_of_the_machines_start_every_start_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "BOOT_ID", str(tmp_path / "none"))
    (tmp_path / "build").mkdir()
    looked: list[str] = []

    def is_whole(folder: str) -> bool:
        looked.append(folder)
        return True

    monkeypatch.setattr(launch, "_is_whole", is_whole)
    for _ in range(2):
        assert launch._found(str(tmp_path), "build") == str(tmp_path / "build")
    assert len(looked) == 2


@pytest.mark.parametrize(
    ("suffix", "glibc", "fits"),
    [
        (EXTENSION_SUFFIXES[0], (2, 0), True),
        (EXTENSION_SUFFIXES[0], (99, 0), False),
        (".cpython-311-s390x-linux-gnu.so", (2, 0), False),
    ],
)
def test_another_system_or_an_older_libc_does_not_fit(
    suffix: str, glibc: tuple[int, int], fits: bool
) -> None:
    if launch._glibc() is None:
        pytest.skip("this system has no glibc")
    assert (launch.unfit(suffix, glibc) is None) == fits


def test_what_is_left_out_of_the_file_is_used_by_nothing_of_ours() -> None:
    """rich imports these only for source code and Markdown; only walctl/render imports rich."""
    wants = re.compile(r"rich\.(markdown|syntax|traceback)|rich import.*\b(markdown|syntax)")
    sources = list((ROOT / "walctl" / "render").glob("*.py"))
    assert [each.name for each in sources if wants.search(each.read_text())] == []
    assert wants.search("from rich.syntax import Syntax")
    assert {"pygments", "markdown-it-py"} == NOT_NEEDED


@pytest.mark.slow
def test_it_has_the_licences_of_what_it_packs(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        packed = archive.read("PACKED.txt").decode().splitlines()
    assert "LICENSE" in names
    for line in packed:
        name, version = line.split()
        assert any(
            each.lower().startswith(f"{SITE}{name}-{version}.dist-info/") for each in names
        ), line
