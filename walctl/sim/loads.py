"""A load of clients in virtual time: who asks what when, drawn from streams of the clients."""

from typing import Final

from walctl.cluster.deeds import Ask, Load
from walctl.cluster.quoting import text_of
from walctl.sim.chance import Stream
from walctl.sim.clients import Request
from walctl.sim.clockwork import Rank
from walctl.sim.world import World

_PUT, _GET, _CAS = 5, 4, 1
"""How often which is asked, among ten."""
_FAST_US: Final = 1_000
"""Between an answer and the next request of a client that asks as often as it can."""


class SimLoad:
    """Clients that ask until `end_us`. `name` tells their values from those of others."""

    def __init__(self, world: World, load: Load, *, name: str) -> None:
        self.end_us = world.clock.now_us + load.for_us
        self.is_over = False
        self._world = world
        self._load = load
        self._name = name
        self._groups = list(world.groups)
        self._seen: dict[tuple[str, str], str | None] = {}
        self._count = 0

    def begin(self) -> None:
        """Every client asks for the first time, each at its own moment."""
        for client in range(self._load.clients):
            stream = self._world.streams.fresh(f"load/{self._name}/{client}")
            self._plan(client, stream, stream.below(self._gap_us) if self._load.rate else 0)

    @property
    def _gap_us(self) -> int:
        """Between two requests of one client, on the average."""
        if self._load.rate is None:
            return _FAST_US
        return max(1, 1_000_000 * self._load.clients // self._load.rate)

    def _plan(self, client: int, stream: Stream, delay_us: int) -> None:
        def ask() -> None:
            if self.is_over or self._world.clock.now_us >= self.end_us:
                return
            request = self._world.clients.ask(*self._drawn(client, stream))
            began = self._world.clock.now_us
            request.on_end = lambda: self._answered(request, client, stream, began)

        self._world.clock.after(delay_us, Rank.CLIENT, ask)

    def _answered(self, request: Request, client: int, stream: Stream, began_us: int) -> None:
        if request.output is not None:
            self._seen[request.group, request.ask.key] = text_of(request.output)
        gap = _FAST_US if self._load.rate is None else stream.exponential(self._gap_us)
        passed = self._world.clock.now_us - began_us
        self._plan(client, stream, max(0, gap - passed))

    def _drawn(self, client: int, stream: Stream) -> tuple[Ask, str]:
        group = stream.choice(self._groups)
        key = f"k{stream.below(self._load.keys)}"
        what = stream.below(_PUT + _GET + _CAS)
        self._count += 1
        value = f"{self._name}-{self._count}"
        if what < _PUT:
            return Ask(verb="put", key=key, value=value, client=client), group
        if what < _PUT + _GET:
            return Ask(verb="get", key=key, client=client), group
        expected = self._seen.get((group, key))
        return Ask(verb="cas", key=key, expected=expected, value=value, client=client), group
