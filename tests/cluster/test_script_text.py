"""The format of scripts: what is read, what is printed back, and every error with its line."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.raft_scripts import NAMES, OWN, needs_shared, shared
from walctl.cluster.script_text import (
    Argument,
    Directive,
    ScriptError,
    lines_of,
    matches,
    printed,
    read,
)


def only(text: str) -> Directive:
    """The one directive of a script."""
    (found,) = read(text).directives
    return found


def arguments(line: str) -> dict[str, tuple[str, ...]]:
    return {each.key: each.values for each in only(f"do {line}\n").arguments}


def unchanged(text: str) -> str:
    """The script printed with the outputs that it expects."""
    script = read(text)
    return printed(script, ["\n".join(each.expected) for each in script.directives])


# Directives.


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("1 foo", {"1": (), "foo": ()}),
        ("  a   b ", {"a": (), "b": ()}),
        ("a= b=1", {"a": ("",), "b": ("1",)}),
        ("a=b=c", {"a": ("b=c",)}),
        ("a=x(1,2) b", {"a": ("x(1,2)",), "b": ()}),
        ("a=(1,2, 3,    4)", {"a": ("1", "2", "3", "4")}),
        ("a=( 1 , 2 )", {"a": (" 1 ", "2 ")}),
        ("a=(3)", {"a": ("3",)}),
        ("a=()", {"a": ("",)}),
        ("a=(,)", {"a": ("", "")}),
        ("a=((1,2),f(3),4) b", {"a": ("(1,2)", "f(3)", "4"), "b": ()}),
        ("a=(1)b=2", {"a": ("1",), "b": ("2",)}),
        ('a="x y"', {"a": ('"x',), 'y"': ()}),
        ("(1)", {"(1)": ()}),
        ("a,b", {"a,b": ()}),
    ],
)
def test_an_argument_is_a_key_with_no_one_or_several_values(
    line: str, found: dict[str, tuple[str, ...]]
) -> None:
    assert arguments(line) == found


def test_an_argument_may_be_given_twice() -> None:
    assert only("do a=1 a=2").arguments == (Argument("a", ("1",)), Argument("a", ("2",)))


def test_the_name_is_all_up_to_the_first_space() -> None:
    assert only("do=(1 x").name == "do=(1"
    assert only("do").arguments == ()


def test_comments_and_blank_lines_are_passed_over_and_lines_counted() -> None:
    script = read("\n# one\n   # two\n \t \n  do  \n----\nok\n\n\nagain\n")
    assert [(each.line, each.name) for each in script.directives] == [(5, "do"), (10, "again")]


def test_a_line_that_ends_in_a_backslash_goes_on() -> None:
    found = only("do a=(1, \\\n   2)\\\nb \\\n\\\n  c\n----\n")
    assert [each.key for each in found.arguments] == ["a", "b", "c"]
    assert found.arguments[0].values == ("1", "2")
    assert found.line == 1


def test_a_backslash_at_the_end_of_the_file_stays() -> None:
    assert [each.key for each in only("do a\\").arguments] == ["a\\"]


def test_input_is_all_up_to_the_separator_and_trimmed() -> None:
    found = only("do\n\n # no comment\n----x\n ----\n  \n----\nok\n")
    assert found.given == "# no comment\n----x\n ----"
    assert found.expected == ("ok",)


def test_without_a_separator_all_is_input_and_nothing_is_expected() -> None:
    found = only("do\nv1\n\nv2\n")
    assert (found.given, found.expected) == ("v1\n\nv2", ())


def test_output_ends_at_a_blank_line_or_with_the_file() -> None:
    script = read("a\n----\n1\n 2\n \t\nb\n----\n\nc\n----\n3")
    assert [each.expected for each in script.directives] == [("1", " 2"), (), ("3",)]


def test_doubled_output_has_blank_lines_and_single_separators() -> None:
    script = read("a\n----\n----\n1\n\n----\n2\n----\n----\n\nb\n----\n----\n----\n----\n")
    assert [each.expected for each in script.directives] == [("1", "", "----", "2"), ()]


def test_carriage_returns_are_dropped() -> None:
    text = "do\r\nx\r\n----\r\nok\r\r\n\r\nb\r\n----\r\n"
    first, second = read(text).directives
    assert (first.given, first.expected, second.name) == ("x", ("ok\r",), "b")


def test_subtests_group_and_nothing_else() -> None:
    text = (
        "subtest a\ndo\n----\nok\n\nsubtest a/b\nsubtest end\nsubtest end a\nsubtest a\nsubtest end"
    )
    assert [each.name for each in read(text).directives] == ["do"]
    assert unchanged(text) == text + "\n"


# Errors.


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("do =1", 1, "an argument begins with a key"),
        ("\n#\ndo a =", 3, "an argument begins with a key"),
        ("do a=(1", 1, "a list has no closing parenthesis"),
        ("do a=(1,(2)", 1, "a list has no closing parenthesis"),
        ("do \\\n a=(1,\n", 1, "a list has no closing parenthesis"),
        ("subtest", 1, "a subtest has a name"),
        ("subtest a b", 1, "a subtest has one name"),
        ("\nsubtest end", 2, "no subtest has begun here"),
        ("subtest a\nsubtest end b", 2, "subtest a ends here, not b"),
        ("subtest a\nsubtest end a b", 2, "a subtest ends by one name"),
        ("subtest a\nsubtest b", 2, "subtest b is within a: its name begins with a/"),
        ("subtest a\nsubtest ab", 2, "subtest ab is within a"),
        ("subtest a\nsubtest a/b\nsubtest end a", 3, "subtest a/b ends here, not a"),
        ("subtest a\ndo\n----\n\n", 4, "the file ends within subtest a"),
        ("do\n----\n----\nx\n----\n", 3, "the doubled output that begins here does not end"),
        ("do\n----\n----\nx\n----\n----\ndo", 7, "behind a doubled output there is a blank line"),
    ],
)
def test_bad_syntax_is_an_error_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(ScriptError, match=f"^{line}: {re.escape(reason)}") as caught:
        read(text)
    assert caught.value.line == line


def line_of_error(text: str) -> int | None:
    """Where a text is no script; `None` where it is one."""
    try:
        read(text)
    except ScriptError as error:
        return error.line
    return None


@given(st.text(alphabet="a =(),\\#-\n \r", max_size=60))
def test_any_text_is_a_script_or_an_error_with_a_line_of_it(text: str) -> None:
    assert line_of_error(text) in (None, *range(1, len(lines_of(text)) + 1))


@given(st.lists(st.sampled_from(["subtest a", "subtest a/b", "do", "----", "", "x"]), max_size=12))
def test_any_lines_are_a_script_or_an_error_with_one_of_them(lines: list[str]) -> None:
    assert line_of_error("\n".join(lines)) in (None, *range(1, len(lines) + 1))


# Printing back.


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_our_own_scripts_are_printed_back_as_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert unchanged(text) == text


@needs_shared
@pytest.mark.parametrize("name", NAMES)
def test_shared_scripts_are_printed_back_as_they_are(name: str) -> None:
    assert unchanged(shared(name)) == shared(name)


def test_all_but_outputs_is_copied() -> None:
    text = "# a\n\n\n  do \\\n  x\n\nin put\n\n----\nold\n\n\n# b\ndo\n----\n\n# c\n"
    expected = "# a\n\n\n  do \\\n  x\n\nin put\n\n----\nnew\nlines\n\n\n# b\ndo\n----\n\n# c\n"
    assert printed(read(text), ["new\nlines", ""]) == expected


def test_an_output_with_a_blank_line_stands_between_doubled_separators() -> None:
    told = printed(read("do\n----\nold\n\n# end\n"), ["a\n\nb"])
    assert told == "do\n----\n----\na\n\nb\n----\n----\n\n# end\n"
    assert printed(read(told), ["a\n"]) == "do\n----\na\n\n# end\n"


def test_one_blank_line_too_many_at_the_end_is_dropped() -> None:
    assert printed(read("do\n----\n"), ["ok"]) == "do\n----\nok\n"
    assert printed(read("do\n----\n\n\n"), ["ok"]) == "do\n----\nok\n\n"
    assert printed(read("do"), ["ok"]) == "do\n----\nok\n"
    assert printed(read(""), []) == ""


def test_a_run_that_was_stopped_ends_behind_the_input() -> None:
    text = "a\n----\nx\n\n# c\nb\nin\n----\nold\n\nc\n----\n"
    assert printed(read(text), ["1"]) == "a\n----\n1\n\n# c\nb\nin\n"


OUTPUT = st.lists(st.sampled_from(["", " ", "x", " y", "---", "-----"]), max_size=5)


@given(st.lists(OUTPUT, max_size=4))
def test_what_is_printed_is_read_again(outputs: list[list[str]]) -> None:
    script = read("# head\n\n" + "do x\nin\n----\n\n" * len(outputs))
    text = printed(script, ["\n".join(each) for each in outputs])
    again = read(text)
    # A newline at the end begins no line.
    wanted = [tuple(lines_of("\n".join(each))) for each in outputs]
    assert [each.expected for each in again.directives] == wanted
    assert [each.given for each in again.directives] == ["in"] * len(outputs)
    assert printed(again, ["\n".join(each) for each in outputs]) == text


# Comparing.


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (["ok"], []),
        (["INFO 1 became leader"], ["ok"]),
        (["INFO"], ["ok"]),
        (["> 1 x", "  DEBUG 3 [logterm: 0]", "  y"], ["> 1 x", "  y"]),
        (["a"], ["a", "", " "]),
        (["WARN x", "raft proposal dropped"], ["raft proposal dropped", "FATAL\tx"]),
    ],
)
def test_lines_of_a_log_are_not_compared(expected: list[str], actual: list[str]) -> None:
    assert matches(expected, actual)
    assert matches(actual, expected)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (["INFORMED 1"], ["ok"]),
        (["info 1"], ["ok"]),
        (["> 1 INFO x"], ["ok"]),
        (["a"], [" a"]),
        (["a", "", "b"], ["a", "b"]),
        (["ok", "ok"], ["ok"]),
        ([], ["x"]),
    ],
)
def test_everything_else_is_compared(expected: list[str], actual: list[str]) -> None:
    assert not matches(expected, actual)
    assert not matches(actual, expected)
