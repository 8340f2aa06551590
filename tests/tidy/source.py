"""The source as trees: which modules there are, what each imports and what names it uses.

The checks beside this file are functions from a `Module` to complaints, so that each can be shown
a small bad module and be seen to complain.
"""

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PACKAGES = ("formats", "walctl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module by its dotted name; a package is named as its folder, and `is_package` is set."""

    name: str
    place: str
    text: str
    tree: ast.Module
    is_package: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A dotted name from outside the module that is imported or used at `line`."""

    name: str
    line: int


def parsed(name: str, text: str, *, is_package: bool = False) -> Module:
    """A module made of text, for showing a check something bad."""
    place = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
    return Module(name=name, place=place, text=text, tree=ast.parse(text), is_package=is_package)


@functools.cache
def shipped() -> tuple[Module, ...]:
    """Every module that is shipped."""
    return tuple(module for package in PACKAGES for module in _below(REPO / package))


@functools.cache
def of_tests() -> tuple[Module, ...]:
    """Every module of the tests."""
    return tuple(_below(REPO / "tests"))


@functools.cache
def recipes() -> tuple[Module, ...]:
    """Every recipe of the fixtures."""
    return tuple(_below(REPO / "fixtures"))


def expect_none(complaints: Iterable[str]) -> None:
    """Fail with every complaint, one a line: a change often has more than one."""
    found = list(complaints)
    assert not found, "\n".join(["", *found])


def is_in(name: str, scope: str) -> bool:
    """Whether the dotted `name` is `scope` or lies within it."""
    return name == scope or name.startswith(scope + ".")


def imports(module: Module) -> Iterator[Use]:
    """What is imported anywhere in the module, functions included.

    `from a import b` gives `a.b`, whether `b` is a module or a name in one; `from a import *`
    gives `a.*`; a relative import gives the name after its dots.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Use(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Use(f"{node.module or ''}.{alias.name}", node.lineno)


def uses(module: Module) -> Iterator[Use]:
    """All of `imports`, and every dotted chain of names that starts at an import or a builtin.

    `import sys as s; s.exit` gives `sys.exit`; `print` gives `builtins.print`. A local name that
    hides a builtin counts as the builtin: it should have another name anyway.
    """
    yield from imports(module)
    known = _bound_by_imports(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            chain = _chain(node)
            if chain and chain[0] in known:
                yield Use(".".join([known[chain[0]], *chain[1:]]), node.lineno)
        elif isinstance(node, ast.Name) and node.id not in known:
            yield Use(f"builtins.{node.id}", node.lineno)


def _below(folder: Path) -> Iterator[Module]:
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(REPO)
        text = path.read_text(encoding="utf-8")
        is_package = path.name == "__init__.py"
        parts = relative.parent.parts if is_package else relative.with_suffix("").parts
        yield Module(
            name=".".join(parts),
            place=str(relative),
            text=text,
            tree=ast.parse(text, filename=str(relative)),
            is_package=is_package,
        )


def _bound_by_imports(module: Module) -> dict[str, str]:
    """Local names, and the dotted names that imports bind them to."""
    bound = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                bound[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
    return bound


def _chain(node: ast.Attribute) -> list[str]:
    """`a.b.c` as its parts; empty when it does not start at a plain name."""
    parts: list[str] = []
    rest: ast.expr = node
    while isinstance(rest, ast.Attribute):
        parts.append(rest.attr)
        rest = rest.value
    if not isinstance(rest, ast.Name):
        return []
    return [rest.id, *reversed(parts)]
