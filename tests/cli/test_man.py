"""The manual is fresh, names everything there is, and troff has nothing to say about it."""

import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import formats.bbolt
import formats.frame
import formats.kvpb
import formats.kvstore
import formats.peer
import walctl
from formats.walpb import RecordType
from walctl.cli.main import COMMANDS
from walctl.cli.man import build, pages, prose, roff
from walctl.errors import ExitStatus, WalctlError
from walctl.inspect.explain import PAGES
from walctl.inspect.positions import NAMED
from walctl.inspect.where_fields import FIELDS
from walctl.model.finding import Code, Severity, Verdict
from walctl.model.record import Check
from walctl.payload.base import Redaction
from walctl.version import VERSION

MAN = Path(__file__).parents[2] / "man"
CONCEPTS = (MAN / "walctl.7").read_text()
LAYOUTS = (MAN / "walctl-formats.5").read_text()
ALL = sorted(path.name for path in MAN.iterdir())

needs_groff = pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
needs_man = pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")


def tagged(text: str) -> str:
    """How a page introduces a term that it explains."""
    return f".TP\n\\fB{roff(text)}\\fR\n"


def errors() -> Iterator[type[WalctlError]]:
    """Every kind that anything of ours raises, but those that never leave their module."""
    for module in pkgutil.walk_packages(walctl.__path__, "walctl."):
        importlib.import_module(module.name)
    waiting = [WalctlError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("walctl.") and not error.__name__.startswith("_"):
            yield error


@pytest.mark.parametrize("name", pages())
def test_a_page_of_section_1_is_what_the_help_says_now(name: str) -> None:
    stale = f"{name} is stale: make man"
    assert (MAN / name).read_text() == pages()[name], stale


def test_every_command_has_a_page_and_no_page_is_left_from_an_old_one() -> None:
    assert {f"walctl-{name}.1" for name in COMMANDS} <= set(pages())
    by_hand = {"walctl.7", "walctl-decoders.7", "walctl-formats.5"}
    assert set(ALL) == {*by_hand, *pages()}


def test_pages_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "walctl.1").write_text("an old page, and a longer one than the new\n" * 10_000)
    assert sorted(build(tmp_path)) == sorted(pages())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages()


@pytest.mark.parametrize("name", ALL)
def test_a_page_names_this_version_and_no_date(name: str) -> None:
    head = (MAN / name).read_text().splitlines()[1]
    assert head.startswith(".TH WALCTL")
    assert head.endswith(f' "" "walctl {VERSION}" "walctl manual"')


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_page_has_an_example_and_its_options(command: str) -> None:
    page = pages()[f"walctl-{command}.1"]
    assert f".SH EXAMPLES\n.RS 4\n.nf\nwalctl {command} " in page
    assert r"\fB\-h\fR, \fB\-\-help\fR" in page
    assert ".SH EXIT STATUS" in page


def test_a_command_below_a_command_has_a_page_and_is_listed_on_the_other_s() -> None:
    page = pages()["walctl-cluster-script.1"]
    assert ".SH EXAMPLES\n.RS 4\n.nf\nwalctl cluster script " in page
    assert r"\fBwalctl\-cluster\-script\fR(1)" in pages()["walctl-cluster.1"]


def test_the_concepts_explain_every_exit_status_and_name_every_error() -> None:
    for status in ExitStatus:
        assert tagged(str(status.value)) in CONCEPTS
    missing = [each.__name__ for each in errors() if f"\\fB{each.__name__}\\fR" not in CONCEPTS]
    assert missing == []


def test_the_concepts_list_every_code_with_the_title_of_its_page() -> None:
    for page in PAGES:
        if page.topic in set(Code):
            assert tagged(page.topic) + prose(page.title) + "\n" in CONCEPTS


@pytest.mark.parametrize("word", [*Severity, *Check, *(kind.name.lower() for kind in RecordType)])
def test_the_concepts_explain_the_words_of_reports(word: str) -> None:
    assert tagged(str(word)) in CONCEPTS


@pytest.mark.parametrize("word", list(Verdict))
def test_the_concepts_name_the_verdicts(word: Verdict) -> None:
    assert f"\\fB{word}\\fR" in CONCEPTS


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_concepts_name_every_field_of_a_row(name: str) -> None:
    assert f"\\fB{name}\\fR" in section("ROWS")


@pytest.mark.parametrize("level", [*Redaction])
def test_the_concepts_tell_what_each_redaction_hides(level: Redaction) -> None:
    assert f"\\fB{level.value}\\fR" in section("ROWS")


@pytest.mark.parametrize("name", NAMED)
def test_the_concepts_explain_every_named_position(name: str) -> None:
    assert f"\\fB{name}\\fR" in section("POSITIONS")


def section(name: str) -> str:
    """One section of walctl.7."""
    return CONCEPTS.partition(f".SH {name}\n")[2].partition("\n.SH ")[0]


@pytest.mark.parametrize(
    "module",
    [formats.frame, formats.bbolt, formats.kvpb, formats.kvstore, formats.peer],
    ids=lambda each: each.__name__,
)
def test_a_layout_s_diagram_is_the_one_in_its_module(module: object) -> None:
    blocks = re.findall(
        r"(?:^    .*\n(?:\n(?=    ))?)+", inspect.getdoc(module) or "", re.MULTILINE
    )
    assert blocks
    for block in blocks:
        for part in textwrap.dedent(block).split("\n\n"):
            drawn = ".nf\n" + "\n".join(roff(line) for line in part.strip("\n").splitlines())
            assert drawn in LAYOUTS


def test_the_layouts_number_the_types_of_records_as_the_definition_does() -> None:
    for kind in RecordType:
        assert re.search(rf"^{kind.value}     {kind.name.lower()} ", LAYOUTS, re.MULTILINE)


@needs_groff
def test_whatever_is_escaped_is_printed_as_it_was() -> None:
    lines = ["a-b --c", ".PP", "'x'", "\\fB \\e \\", "`y` ^z~", "käse – …", '"q" $(x)', "'", "."]
    page = f'.TH X 1 "" "" ""\n.SH Y\n.nf\n{roff(chr(10).join(lines))}\n'
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou"]
    done = subprocess.run(command, input=page, text=True, capture_output=True, check=True)
    shown = [line.strip() for line in done.stdout.splitlines() if line.startswith(" " * 7)]
    assert [line for line in shown if line][: len(lines)] == lines
    assert done.stderr == ""


@needs_groff
@pytest.mark.parametrize("name", ALL)
def test_troff_has_no_warning_about_a_page(name: str) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=78n", str(MAN / name)]
    done = subprocess.run(command, text=True, capture_output=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") > 20


@needs_man
@pytest.mark.parametrize("name", ["walctl.1", "walctl.7"])
def test_man_shows_a_page_without_a_warning(name: str) -> None:
    command = ["man", "--warnings", "-l", str(MAN / name)]
    done = subprocess.run(command, text=True, capture_output=True, check=True)
    assert (done.stderr, "NAME" in done.stdout) == ("", True)
