"""How imports are written, what handlers may catch, and what a package's own file may hold."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import Module, expect_none, imports, parsed, shipped

CATCHES_ALL_ONCE = "walctl.cli.main"
"""The edge of the program, where a bug of ours becomes one line and an exit status."""


def manner_complaints(module: Module) -> Iterator[str]:
    """Imports that hide where a name is from, and handlers that catch our own bugs."""
    for use in imports(module):
        if use.name.endswith(".*"):
            yield f"{module.place}:{use.line}: star import"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{module.place}:{node.lineno}: relative import"
    handlers = [node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler)]
    wide = [each for each in handlers if _catches_everything(each)]
    for handler in wide[1:] if module.name == CATCHES_ALL_ONCE else wide:
        yield f"{module.place}:{handler.lineno}: catches everything"
    if module.is_package and not _is_docstring_alone(module.tree):
        yield f"{module.place}:1: more than a docstring"


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(each) in ("Exception", "BaseException") for each in caught)


def _is_docstring_alone(tree: ast.Module) -> bool:
    return ast.get_docstring(tree) is not None and len(tree.body) == 1


def test_imports_and_handlers_say_what_they_mean() -> None:
    expect_none(each for module in shipped() for each in manner_complaints(module))


@pytest.mark.parametrize(
    "text",
    [
        "from walctl.errors import *",
        "from . import errors",
        "from ..errors import AccessError",
        "try:\n    f()\nexcept:\n    g()",
        "try:\n    f()\nexcept Exception:\n    g()",
        "try:\n    f()\nexcept (ValueError, BaseException) as error:\n    g()",
    ],
)
def test_a_bad_manner_is_found(text: str) -> None:
    assert len(list(manner_complaints(parsed("walctl.wal.scan", text)))) == 1


@pytest.mark.parametrize("text", ["", "import re", '"""Says."""\nfrom walctl.errors import X'])
def test_a_package_that_is_more_than_a_docstring_is_found(text: str) -> None:
    bad = parsed("walctl.wal", text, is_package=True)
    assert len(list(manner_complaints(bad))) == 1


def test_a_package_that_is_a_docstring_is_allowed() -> None:
    good = parsed("walctl.wal", '"""The write-ahead log."""\n', is_package=True)
    assert list(manner_complaints(good)) == []


def test_the_edge_of_the_program_may_catch_everything_once() -> None:
    text = "try:\n    f()\nexcept Exception:\n    g()\n"
    assert list(manner_complaints(parsed("walctl.cli.main", text))) == []
    assert len(list(manner_complaints(parsed("walctl.cli.main", text * 2)))) == 1
    assert len(list(manner_complaints(parsed("walctl.cli.dump", text)))) == 1


def test_catching_what_is_meant_is_allowed() -> None:
    good = parsed("walctl.wal.scan", "try:\n    f()\nexcept (OSError, ValueError):\n    g()")
    assert list(manner_complaints(good)) == []
