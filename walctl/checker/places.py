"""Whose place it is (I16): what a group's members agree on, against the file that gives places.

    file     n1 n2 n3 ── n1 n2 n3 n4 ──────────────────────────── n2 n3 n4
    group    n1 n2 n3 ────────────── (n4 learns) ── n2 n3 n4 ─────────────

A group moves from one node to another in steps, and whoever does that may die behind any of them.
So a place is given before it is taken, and given up after it was left: whoever is a member in the
group has a place of its own, at each moment. A member without one is started by nobody after a
crash, and nobody knows its address; the group may be short of its vote for good.

Source: the order of steps in `walctl.cluster.own_members`; Dgraph's notes on predicate moves, rules
1 and 6.
"""

from collections.abc import Callable, Collection, Sequence

from walctl.checker.violation import Violated, Violation, moment


class Places:
    """See the module. Members are Raft ids; `name_of` gives the node of one."""

    __slots__ = ("_configs", "_hosts", "_name_of", "_now_us")

    def __init__(self, *, now_us: Callable[[], int], name_of: Callable[[int], str]) -> None:
        self._now_us = now_us
        self._name_of = name_of
        self._hosts: dict[str, tuple[tuple[int, ...], int]] = {}
        self._configs: dict[str, tuple[int, tuple[int, ...]]] = {}

    def placed(self, group: str, hosts: Collection[int]) -> None:
        """The file says that these hold the group; it said so before, or did not."""
        known = self._hosts.get(group)
        if known is None or known[0] != tuple(sorted(hosts)):
            self._hosts[group] = tuple(sorted(hosts)), self._now_us()
            self._judge(group)

    def dropped(self, group: str) -> None:
        """The group is no more."""
        self._hosts.pop(group, None)

    def configured(self, group: str, index: int, members: Collection[int]) -> None:
        """All members of the group, since entry `index`; the newest counts."""
        known = self._configs.get(group)
        if known is None or index > known[0]:
            self._configs[group] = index, tuple(sorted(members))
            self._judge(group)

    def _judge(self, group: str) -> None:
        hosts, since_us = self._hosts.get(group, (None, 0))
        index, members = self._configs.get(group, (0, ()))
        if hosts is None:
            return
        for member in members:
            if member not in hosts:
                name = self._name_of(member)
                raise Violated(
                    Violation(
                        id="I16",
                        words=f"{name} is a member of {group}, and has no place in it",
                        group=group,
                        nodes=(name,),
                        time_us=self._now_us(),
                        index=index,
                        witnesses=(
                            f"{moment(since_us)}: the lab's file gives it to {self._list(hosts)}",
                            f"its members are {self._list(members)} since entry {index}",
                        ),
                    )
                )

    def _list(self, members: Sequence[int]) -> str:
        return ", ".join(map(self._name_of, members)) or "nobody"
