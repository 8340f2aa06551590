"""The table of the rules of Raft leads to where they stand."""

import importlib
import re

import pytest

import walctl.raft

TABLE = walctl.raft.__doc__ or ""
ROW = r"^    ((?:paper|thesis) [\d.]+ .*?|durable .*?)  +(\S+)$"
ROWS = re.findall(ROW, TABLE, re.MULTILINE)


def test_the_table_is_read_here_whole() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("    ")]
    assert len(ROWS) == len(lines) - 2


@pytest.mark.parametrize(("rule", "place"), ROWS)
def test_each_rule_stands_where_the_table_says(rule: str, place: str) -> None:
    module, *names = place.split(".")
    found: object = importlib.import_module(f"walctl.raft.{module}")
    for name in names:
        found = getattr(found, name)
    assert (found.__doc__ or "").strip(), rule
