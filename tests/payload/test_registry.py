"""Decoders by name, and a package that brings one, as it lies on a disk after its installation."""

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from walctl.errors import ExitStatus, UsageError
from walctl.model.record import EntryKind
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Blob, KeyRange, PayloadError, Privacy, Request, Text
from walctl.payload.errors import DecoderError
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.foreign import fault_of
from walctl.payload.k8s import K8sDecoder
from walctl.payload.raftexample import RaftexampleDecoder
from walctl.payload.registry import NoDecoder, decoder, names

OURS = ("auto", "etcd", "raftexample", "k8s", "none")
CODE = """
from walctl.payload.base import PayloadError, Request

class Mine:
    name = "what it likes"
    def decode(self, payload, kind):
        if payload == b"odd":
            raise PayloadError("odd")
        if payload == b"bug":
            raise ZeroDivisionError("of\\nmine")
        if payload == b"own":
            class OwnError(Exception):
                pass
            raise OwnError
        if payload == b"int":
            return 7
        return Request(decoder="mine", type="x", body={"n": len(payload)}) if payload else None

def broken():
    raise KeyError("setup")
"""


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Bring":
    monkeypatch.syspath_prepend(str(tmp_path))
    return Bring(tmp_path)


class Bring:
    """Puts packages where an installer puts them."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def __call__(self, package: str, entry_points: str, code: str = CODE) -> None:
        module = package.replace("-", "_")
        (self.site / f"{module}.py").write_text(code)
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[walctl.decoders]\n{entry_points}\n")


def test_our_names_give_our_decoders() -> None:
    found = [decoder(name) for name in OURS]
    assert found == [
        AutoDecoder(), EtcdDecoder(), RaftexampleDecoder(), K8sDecoder(), NoDecoder(),
    ]  # fmt: skip
    assert [each.name for each in found] == list(OURS)
    assert names()[: len(OURS)] == OURS
    assert pickle.loads(pickle.dumps(found)) == found


def test_none_has_nothing_to_say() -> None:
    assert decoder("none").decode(b"\x0a\x00", EntryKind.NORMAL) is None


def test_a_package_s_decoder_is_found_by_its_name(bring: Bring) -> None:
    bring("acme-wal", "mine = acme_wal:Mine")
    mine = decoder("mine")
    assert mine.name == "mine"
    assert "mine" in names()
    assert mine.decode(b"four", EntryKind.NORMAL) == Request(
        decoder="mine", type="x", body={"n": 4}
    )
    with pytest.raises(PayloadError, match=r"^odd$"):
        mine.decode(b"odd", EntryKind.NORMAL)
    assert pickle.loads(pickle.dumps(mine)).decode(b"xy", EntryKind.NORMAL).body == {"n": 2}


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"bug", r"decoder 'mine' failed: 'ZeroDivisionError: of\nmine'"),
        (b"own", "decoder 'mine' failed: 'OwnError'"),
        (b"int", "decoder 'mine' gave a int for a request"),
    ],
)
def test_what_a_package_s_decoder_raises_is_one_line(
    bring: Bring, payload: bytes, words: str
) -> None:
    bring("acme-wal2", "mine = acme_wal2:Mine")
    with pytest.raises(DecoderError) as caught:
        decoder("mine").decode(payload, EntryKind.NORMAL)
    assert caught.value.message == words
    assert caught.value.exit_status is ExitStatus.UNFINISHED


@pytest.mark.parametrize(
    ("point", "code", "words"),
    [
        ("mine = nowhere_at_all:Mine", CODE, "No module named"),
        ("mine = acme_wal3:Missing", CODE, "has no attribute"),
        ("mine = acme_wal3:broken", CODE, "KeyError: 'setup'"),
        ("mine = acme_wal3:Mine", "raise SystemError('x\x1b[2J')", r"SystemError: x\x1b[2J"),
        ("mine = acme_wal3:Mine", "def f(:", "SyntaxError"),
        ("mine = acme_wal3:str", "str = str", "a str has no method decode"),
    ],
)
def test_a_package_that_does_not_load_is_one_line_that_names_it(
    bring: Bring, point: str, code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(__import__("sys").modules, "acme_wal3", raising=False)
    bring("acme-wal3", point, code)
    with pytest.raises(DecoderError, match=re.escape(words)) as caught:
        decoder("mine")
    assert "decoder 'mine' of 'acme-wal3'" in caught.value.message
    assert caught.value.message.isprintable()


def test_two_packages_with_one_name_are_told_apart_by_nobody(bring: Bring) -> None:
    bring("acme-a", "mine = acme_a:Mine")
    bring("acme-b", "mine = acme_b:Mine")
    with pytest.raises(DecoderError, match="more than one package: 'acme-a', 'acme-b'"):
        decoder("mine")


def test_a_package_cannot_take_our_names(bring: Bring) -> None:
    bring("acme-c", "etcd = acme_c:Mine")
    assert decoder("etcd") == EtcdDecoder()
    assert names() == OURS


def test_broken_metadata_of_a_package_is_one_line(bring: Bring) -> None:
    bring("acme-d", "no equals sign")
    assert decoder("auto") == AutoDecoder()
    with pytest.raises(DecoderError, match="what the installed packages bring"):
        decoder("mine")


def test_an_unknown_name_is_a_wrong_request_with_what_was_meant(bring: Bring) -> None:
    bring("acme-e", "mine = acme_e:Mine")
    with pytest.raises(UsageError) as caught:
        decoder("etdc")
    assert caught.value.message == (
        "no decoder is called 'etdc'; did you mean etcd? "
        "there are: auto, etcd, raftexample, k8s, none, mine"
    )
    with pytest.raises(UsageError, match=r"called 'x\\x1b'; there are"):
        decoder("x\x1b")


def test_a_package_that_would_leave_the_program_is_one_line(bring: Bring) -> None:
    code = "import sys\nclass Mine:\n    def decode(self, payload, kind):\n        sys.exit(0)\n"
    bring("acme-exit", "mine = acme_exit:Mine", code)
    with pytest.raises(DecoderError, match=r"decoder 'mine' failed: 'SystemExit: 0'"):
        decoder("mine").decode(b"x", EntryKind.NORMAL)


def made(cls: Callable[..., Any], *parts: Any) -> Any:
    """As code makes it that nobody has checked."""
    return cls(*parts)


CIRCLE: list[Any] = []
CIRCLE += [CIRCLE, CIRCLE]

MINE = Request(decoder="mine", type="x", body={"n": 1})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body": {"n": object()}}, "a request with a object in it"),
        ({"body": {"n": b"bytes"}}, "a request with a bytes in it"),
        ({"body": {"n": {1: 2}}}, "a request with a field whose name is no text"),
        ({"body": {"n": [float("nan")]}}, "a request with a number that JSON cannot write"),
        ({"body": {"n": CIRCLE}}, "a request with more than 64 values inside one another"),
        ({"body": {"type": 1}}, "a request with a field called type, which JSON has for itself"),
        ({"body": {"n": made(Text, b"x", Privacy.KEY)}}, "a Text of a bytes and a Privacy"),
        ({"body": {"n": made(Blob, b"x", 3)}}, "a Blob of a bytes and a int"),
        ({"body": [1]}, "a request whose body is a list"),
        ({"type": None}, "a request whose type is a NoneType"),
        ({"request_id": "7"}, "a request whose id is a str"),
        ({"unsaid": 0}, "a request whose privacy is a int"),
        ({"words": (b"x",)}, "a request with a bytes among its words"),
        ({"words": (made(Text, "x", 2),)}, "a Text of a str and a int"),
        ({"keys": (b"k",)}, "a request with a bytes among its keys"),
        ({"keys": (made(KeyRange, "k"),)}, "a request with a KeyRange among its keys"),
    ],
)
def test_a_request_that_could_not_be_shown_is_the_decoder_s_fault(
    changes: dict[str, Any], words: str
) -> None:
    assert fault_of(MINE) is None
    assert fault_of(replace(MINE, **changes)) == words
