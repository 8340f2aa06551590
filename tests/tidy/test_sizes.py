"""How long a module and a function may be, that public things say what they are, and names."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import Module, expect_none, of_tests, parsed, recipes, shipped

MODULE_LINES_MAX = 600
"""350 is what to aim at."""
FUNCTION_LINES_MAX = 70

SAYS_NOTHING = frozenset({"util", "utils", "helper", "helpers", "misc", "common"})
"""Names of modules that collect what belongs elsewhere."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def size_complaints(module: Module) -> Iterator[str]:
    """Modules and functions that are too long; ruff looks after the lines' width."""
    lines = module.text.splitlines()
    if len(lines) > MODULE_LINES_MAX:
        yield f"{module.place}:1: {len(lines)} lines, at most {MODULE_LINES_MAX}"
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES_MAX:
                limit = f"{count} lines, at most {FUNCTION_LINES_MAX}"
                yield f"{module.place}:{node.lineno}: {node.name}: {limit}"


def docstring_complaints(module: Module) -> Iterator[str]:
    """The module, or a public class, function or method, without a word on what it is."""
    if not ast.get_docstring(module.tree):
        yield f"{module.place}:1: no docstring"
    for node, name in _public(module.tree):
        if not ast.get_docstring(node):
            yield f"{module.place}:{node.lineno}: {name}: no docstring"


def name_complaints(module: Module) -> Iterator[str]:
    """A module whose name does not say what lives in it."""
    if module.name.rpartition(".")[2] in SAYS_NOTHING:
        yield f"{module.place}:1: the name says nothing"


def _public(node: ast.Module | ast.ClassDef) -> Iterator[tuple[Function | ast.ClassDef, str]]:
    """Public classes, functions and methods, but not what lies inside functions."""
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            if _is_overload(child):
                continue  # its last definition speaks for all
            yield child, child.name
            if isinstance(child, ast.ClassDef):
                yield from _public(child)


def _is_overload(node: Function | ast.ClassDef) -> bool:
    return any(ast.unparse(each).endswith("overload") for each in node.decorator_list)


def test_no_module_or_function_is_too_long() -> None:
    modules = (*shipped(), *of_tests(), *recipes())
    expect_none(each for module in modules for each in size_complaints(module))


def test_every_public_thing_says_what_it_is() -> None:
    expect_none(each for module in shipped() for each in docstring_complaints(module))


def test_every_test_module_says_what_it_tests() -> None:
    silent = [module.place for module in of_tests() if not ast.get_docstring(module.tree)]
    assert silent == []


def test_every_module_has_a_name_that_says_something() -> None:
    modules = (*shipped(), *of_tests(), *recipes())
    expect_none(each for module in modules for each in name_complaints(module))


def test_a_module_of_600_lines_is_allowed_and_one_more_is_not() -> None:
    assert list(size_complaints(parsed("walctl.wal.scan", "x = 1\n" * 600))) == []
    assert len(list(size_complaints(parsed("walctl.wal.scan", "x = 1\n" * 601)))) == 1


@pytest.mark.parametrize("head", ["def f():\n", "async def f():\n"])
def test_a_function_of_70_lines_is_allowed_and_one_more_is_not(head: str) -> None:
    assert list(size_complaints(parsed("walctl.wal.scan", head + "    g()\n" * 69))) == []
    assert len(list(size_complaints(parsed("walctl.wal.scan", head + "    g()\n" * 70)))) == 1


def test_a_long_method_inside_a_class_inside_a_function_is_found() -> None:
    text = "def f():\n  class C:\n    def g(self):\n" + "      h()\n" * 70
    complaints = list(size_complaints(parsed("walctl.wal.scan", text)))
    assert [each.split(":")[2].strip() for each in complaints] == ["f", "g"]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        '"""Module."""\ndef f(): ...',
        '"""Module."""\nasync def f(): ...',
        '"""Module."""\nclass C: ...',
        '"""Module."""\nclass C:\n    """Class."""\n    def method(self): ...',
        '"""Module."""\nclass C:\n    """Class."""\n    @property\n    def claim(self): ...',
    ],
)
def test_a_public_thing_without_a_word_is_found(text: str) -> None:
    assert len(list(docstring_complaints(parsed("walctl.wal.scan", text)))) == 1


def test_only_the_last_of_overloads_needs_a_word() -> None:
    text = '"""Module."""\n@overload\ndef f(x: int): ...\n@typing.overload\ndef f(x: str): ...\n'
    good = parsed("walctl.wal.scan", text + 'def f(x):\n    """Say."""')
    assert list(docstring_complaints(good)) == []
    bad = parsed("walctl.wal.scan", text + "def f(x): ...")
    assert len(list(docstring_complaints(bad))) == 1


def test_private_and_magic_things_may_speak_for_themselves() -> None:
    text = '"""Module."""\ndef _f(): ...\nclass C:\n    """Class."""\n    def __len__(self): ...'
    assert list(docstring_complaints(parsed("walctl.wal.scan", text))) == []


@pytest.mark.parametrize("name", ["walctl.wal.utils", "formats.helpers", "walctl.utils"])
def test_a_name_that_says_nothing_is_found(name: str) -> None:
    assert len(list(name_complaints(parsed(name, '"""Module."""')))) == 1
