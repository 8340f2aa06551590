"""What is told of payloads that were saved."""

import io
from pathlib import Path

from tests.render.decoded import entry_row
from tests.render.drawing import Paper
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.payload_files import PayloadFiles
from walctl.payload.base import Redaction
from walctl.render import dump_payloads


def noted(*payloads: bytes) -> str:
    disk = MemoryFileSystem()
    disk.make_directory(Path("/out"))
    files = PayloadFiles(disk, Path("/out"), redaction=Redaction.AUTH)
    list(files.passing([entry_row(payload) for payload in payloads]))
    paper = Paper()
    dump_payloads.told(paper, files)
    assert paper.text == ""
    assert isinstance(paper.stderr, io.StringIO)
    return paper.stderr.getvalue()


def test_it_says_how_many_and_where() -> None:
    assert noted(b"a", b"bc") == "walctl: 2 payloads saved to /out, 3 bytes\n"


def test_it_says_what_was_kept_back_and_how_to_have_it() -> None:
    assert noted(b"\xa2\x3f\x08password").splitlines() == [
        "walctl: 0 payloads saved to /out, 0 bytes",
        "walctl: 1 payload not saved: hidden by --redact auth (`--redact none` saves them)",
    ]
