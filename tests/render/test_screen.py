"""Screen: streams, width and colour are handed in, so these tests look the same everywhere."""

import json
from io import StringIO

import pytest

from walctl.render.screen import Output, Screen


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def screen(**settings: object) -> Screen:
    return Screen(StringIO(), StringIO(), **settings)  # type: ignore[arg-type]


def printed(shown: Screen) -> str:
    assert isinstance(shown.stdout, StringIO)
    return shown.stdout.getvalue()


def complained(shown: Screen) -> str:
    assert isinstance(shown.stderr, StringIO)
    return shown.stderr.getvalue()


def test_json_is_not_wrapped_whatever_the_width() -> None:
    narrow = screen(output=Output.JSON, width=40)
    narrow.show_json({"v": 1, "detail": "x" * 500})
    assert json.loads(printed(narrow)) == {"v": 1, "detail": "x" * 500}
    assert "x" * 500 in printed(narrow)


def test_json_is_ascii_and_survives_names_that_are_no_utf8() -> None:
    shown = screen()
    shown.row({"path": "caf\udce9 鍵"})
    assert printed(shown).isascii()
    assert json.loads(printed(shown)) == {"path": "caf\udce9 鍵"}


def test_rows_are_one_line_each() -> None:
    shown = screen()
    shown.row({"text": "a\nb"})
    shown.row({})
    assert [json.loads(line) for line in printed(shown).splitlines()] == [{"text": "a\nb"}, {}]


def test_json_refuses_numbers_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        screen().show_json({"rate": float("nan")})


@pytest.mark.parametrize(
    ("output", "expected"),
    [("text", "seven: 7\n"), ("json", '{\n  "n": 7\n}\n'), ("ndjson", '{"n":7}\n')],
)
def test_one_result_is_shown_in_the_form_that_was_asked_for(output: str, expected: str) -> None:
    shown = screen(output=output)
    shown.show(
        7,
        text=lambda target, number: target.line(f"seven: {number}"),
        document=lambda number: {"n": number},
    )
    assert printed(shown) == expected


def test_a_line_is_neither_wrapped_nor_obeyed() -> None:
    shown = screen(width=40)
    shown.line("[bold]" + "y" * 100 + "\x1b[31m")
    assert printed(shown) == "[bold]" + "y" * 100 + "\\x1b[31m\n"


def test_a_style_is_drawn_only_in_colour() -> None:
    plain, coloured = screen(), screen(colour=True)
    for shown in (plain, coloured):
        shown.line("damaged", style="bold red")
    assert printed(plain) == "damaged\n"
    assert printed(coloured) == "\x1b[1;31mdamaged\x1b[0m\n"


def test_the_console_keeps_to_the_width_and_reads_no_markup() -> None:
    shown = screen(width=40)
    shown.console.print("[red]:smile: " + "word " * 20)
    lines = printed(shown).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith("[red]:smile: word")


def test_quiet_leaves_errors_and_the_json_that_was_asked_for() -> None:
    shown = screen(quiet=True)
    shown.line("text")
    shown.console.print("table")
    shown.note("reading")
    shown.error("cannot read it")
    shown.row({"n": 1})
    assert printed(shown) == '{"n":1}\n'
    assert complained(shown) == "walctl: cannot read it\n"


def test_an_error_is_one_escaped_line_on_stderr() -> None:
    shown = screen()
    shown.error("a\n\x1b]0;b")
    assert (printed(shown), complained(shown)) == ("", "walctl: a\\x0a\\x1b]0;b\n")


def test_progress_is_silent_where_stderr_is_no_terminal() -> None:
    shown = screen()
    with shown.progress("reading") as step:
        step(3, 10)
    assert complained(shown) == ""


def test_progress_is_drawn_on_a_terminal_and_never_on_stdout() -> None:
    shown = Screen(StringIO(), Terminal(), progress_shown=True, width=60)
    with shown.progress("reading\x1b") as step:
        step(3, 10)
    assert "reading\\x1b" in complained(shown)
    assert "30%" in complained(shown)
    assert printed(shown) == ""


def test_a_job_of_a_few_steps_draws_no_progress() -> None:
    shown = Screen(StringIO(), Terminal(), progress_shown=True, width=60)
    with shown.progress("reading") as step:
        step(1, 2)
    assert complained(shown) == ""


def test_an_absurdly_narrow_terminal_still_gets_a_usable_width() -> None:
    assert screen(width=1).width == 20
