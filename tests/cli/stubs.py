"""Groups made of commands that a test writes down, where a module of ours would stand."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import click
import pytest

from walctl.cli.lazy import Commands, Lazy


def group_of(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Any]) -> Commands:
    """A group with one command for each function; commands that came decorated stay as they are."""
    table = {}
    for name, function in functions.items():
        module = ModuleType(f"stub_{name}")
        made = function if isinstance(function, click.Command) else click.command(name)(function)
        module.__dict__["command"] = made
        monkeypatch.setitem(sys.modules, module.__name__, module)
        table[name] = Lazy(module.__name__, f"What {name} does.")
    settings = {"help_option_names": ["-h", "--help"]}
    front = "doctor" if "doctor" in table else None
    return Commands("walctl", table=table, front_door=front, context_settings=settings)
