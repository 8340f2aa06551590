"""The plug-in interface: machines of ours fit it, and one that somebody else brings."""

import pytest

from formats.errors import FormatError, TruncatedError
from walctl.machine.base import Entry, Machine, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.raft import types


class Counter:
    """Somebody's machine: adds up how many bytes there were."""

    def __init__(self) -> None:
        self.total = 0

    def apply(self, entry: Entry) -> Result:
        self.total += len(entry.data or b"")
        return Result(Outcome.APPLIED if entry.data else Outcome.UNCHANGED)

    def snapshot(self) -> bytes:
        return self.total.to_bytes(8, "big")

    def restore(self, data: bytes) -> None:
        if len(data) != 8:
            raise TruncatedError("expected 8 bytes")
        self.total = int.from_bytes(data, "big")

    def digest(self) -> str:
        return f"{self.total:x}"


MACHINES: list[type[Machine]] = [Etcd, Kv, Counter]


@pytest.mark.parametrize("cls", MACHINES)
def test_a_machine_takes_raft_s_entries_and_comes_back_from_its_snapshot(
    cls: type[Machine],
) -> None:
    machine, other = cls(), cls()
    for index in (1, 2):
        found = machine.apply(types.Entry(term=1, index=index))
        assert found.outcome is Outcome.UNCHANGED
    other.restore(machine.snapshot())
    assert other.digest() == machine.digest()
    with pytest.raises(FormatError):
        other.restore(b"no snapshot")
    assert other.digest() == machine.digest()
