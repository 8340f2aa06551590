"""walctl-decoders.7 names the decoders that there are, and what it shows as an example works."""

import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from walctl.cli.man import SPECIAL, roff
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, KeyRange, PayloadError, Privacy, Request
from walctl.payload.compressed import OPENED_BYTES_MAX
from walctl.payload.external import NESTING_MAX, CommandDecoder
from walctl.payload.k8s import Head
from walctl.payload.process import TIMEOUT_SECONDS
from walctl.payload.registry import GROUP, decoder, names

PAGE = (Path(__file__).parents[2] / "man" / "walctl-decoders.7").read_text()
OURS = ("auto", "etcd", "raftexample", "k8s", "none")


def examples() -> list[str]:
    """What stands between `.nf` and `.fi`, as a person sees it."""
    found = []
    for block in re.findall(r"^\.nf\n(.*?)^\.fi$", PAGE, re.MULTILINE | re.DOTALL):
        plain = re.sub(r"^\\&", "", block, flags=re.MULTILINE)
        for char, escape in SPECIAL.items():
            if char != "\\":
                plain = plain.replace(escape, char)
        found.append(plain.replace(r"\e", "\\"))
    return found


def example(beginning: str) -> str:
    (found,) = (each for each in examples() if each.startswith(beginning))
    return found


def test_the_page_names_every_decoder_of_ours() -> None:
    assert names()[: len(OURS)] == OURS
    for name in OURS:
        assert f".TP\n\\fB{name}\\fR\n" in PAGE


@pytest.mark.parametrize(
    "words",
    [
        f"silent for {TIMEOUT_SECONDS:g} seconds",
        f"up to {OPENED_BYTES_MAX >> 20} MiB",
        f"At most {NESTING_MAX} lists and objects",
        f"\\fB{roff(GROUP)}\\fR",
        *(f"\\fB{kind}\\fR" for kind in map(roff, ("normal", "conf-change", "conf-change-v2"))),
        *(f"\\fB{privacy.name}\\fR" for privacy in Privacy),
    ],
)
def test_the_page_says_what_the_code_says(words: str) -> None:
    assert words in PAGE


def test_the_page_shows_every_field_that_an_object_of_kubernetes_can_have() -> None:
    head = Head(
        encoding="encrypted",
        **dict.fromkeys((each for each in Head.__dataclass_fields__ if each != "encoding"), "x"),
    )
    for field in head.node():
        assert f'"{field}"' in PAGE or f"\\fB{roff(field)}\\fR" in PAGE


def test_the_program_in_the_page_works() -> None:
    argv = (sys.executable, "-ISc", example("import base64"))
    with closing(CommandDecoder(argv)) as program:
        request = program.decode(b"SET k\xff", EntryKind.NORMAL)
        assert request is not None
        assert (request.type, request.keys) == ("set", (KeyRange("k\ufffd".encode()),))
        with pytest.raises(PayloadError, match="expected SET"):
            program.decode(b"GET k", EntryKind.NORMAL)


def test_the_package_in_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_wal.py").write_text(example("from walctl"))
    info = tmp_path / "shop_wal-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-wal\nVersion: 1\n")
    head, point = example("[project.entry-points").splitlines()
    assert head == f'[project.entry-points."{GROUP}"]'
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + point.replace('"', ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    shop = decoder("shop")
    assert shop.decode(b"SET k", EntryKind.NORMAL) == Request(
        decoder="shop",
        type="set",
        body={"key": Blob(b"k", Privacy.KEY)},
        words=("set ", Blob(b"k", Privacy.KEY)),
        keys=(KeyRange(b"k"),),
    )
    with pytest.raises(PayloadError, match="expected SET"):
        shop.decode(b"GET k", EntryKind.NORMAL)
