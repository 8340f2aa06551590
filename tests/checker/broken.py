"""What a watcher raises, and a group to tell it of: for the tests of each invariant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.checker.honest import Group
from walctl.checker.violation import Violated, Violation


class Found:
    """What was raised, once it was."""

    violation: Violation

    @property
    def id(self) -> str:
        return self.violation.id


@contextmanager
def broken(invariant: str, words: str = "") -> Iterator[Found]:
    """What is done inside breaks this one, and is told with these words."""
    found = Found()
    with pytest.raises(Violated) as caught:
        yield found
    found.violation = caught.value.violation
    assert found.violation.id == invariant, found.violation.line
    assert words in found.violation.words, found.violation.line
    assert "\n" not in found.violation.line
    assert found.violation.time_us > 0


def led(count: int = 3, *, puts: int = 3, only: tuple[str, ...] = (), spare: int = 0) -> Group:
    """A group that n1 leads in term 2; all have all of its entries."""
    group = Group(count, only=only, spare=spare)
    assert group.elect("n1")
    for number in range(puts):
        group.put(b"k", b"%d" % number)
    for _ in range(2):
        for name in group.nodes:
            group.feed(name)
    return group


def stand(group: Group, name: str, **other: Any) -> None:
    """A member stands as it does, but for what is given."""
    node = group[name]
    fields: dict[str, Any] = {
        "term": node.term,
        "vote": node.vote,
        "is_leader": node.leads,
        "commit": node.commit,
        "last": node.last,
        "applied": node.applied,
    }
    group.watcher.stood(name, **{**fields, **other})


def wrote(group: Group, name: str, *, term: int, vote: int = 0, commit: int = 0) -> None:
    """A hard state becomes durable."""
    group.watcher.wrote_state(name, term, vote, commit)
    group.watcher.synced(name)
