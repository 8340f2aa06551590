"""The disk of one simulated node: what its programs do to it, and what a crash leaves.

    fs           what the drivers of the node use; another one after every crash
    set, clear   faults of the disk of a running node; they stay until they are taken off
    arm          the node dies at a call to come: `Killed` comes out of it, and `crash` is due
    crash        the power goes: what was not synced survives in part, as the mode says
    damage …     what happens to the files of a node that does not run

A group's files are in the folder of its name (`place_of`). What a call takes is added to `lag_us`,
for whoever owns the node's time. All that is drawn comes from streams of this node, and what a
crash draws from one of this node and moment: an earlier crash less changes nothing here.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from walctl.cluster.deeds import Damage
from walctl.cluster.events import EventKind
from walctl.cluster.surroundings import Place
from walctl.errors import UsageError
from walctl.fs.crash import KEPT, Atom, Crash, NameChange, These, atoms_of, is_torn, survivors
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind, crash_of
from walctl.fs.nodes import Plain
from walctl.fs.set_faults import SetFaults
from walctl.fs.unsynced import Toll
from walctl.sim.chance import Streams
from walctl.sim.disk_files import SimFileSystem, Watch, Ways
from walctl.sim.rot import rot

Tell = Callable[[EventKind, Mapping[str, Any]], None]

ROOT = Path("/")
SHOWN_BYTES_MAX = 32
_NAMES = "names"


def place_of(group: str) -> Place:
    """Where a group's log and snapshots are on a simulated disk."""
    return Place(wal=ROOT / group / "wal", snap=ROOT / group / "snap")


class SimDisk:
    """The disk of `node`. `now_us` is the virtual time; a sync takes `sync_us`, at most
    `sync_jitter_us` more or less.

    `tell` is told of refusals and crashes; with `is_chatty` of every write and sync as well.
    """

    def __init__(
        self,
        node: str,
        *,
        streams: Streams,
        now_us: Callable[[], int],
        sync_us: int = 0,
        sync_jitter_us: int = 0,
        tell: Tell | None = None,
        is_chatty: bool = False,
    ) -> None:
        self.node = node
        self._streams = streams
        self._now_us = now_us
        self._speed = (sync_us, sync_jitter_us)
        self._tell = tell
        self._is_chatty = is_chatty
        self._mode = CrashMode.CLEAN
        self._keep: frozenset[int] | None = None
        self._kept: dict[str, SimFileSystem] = {}
        faults = SetFaults(ROOT, on_event=self._refused)
        self._ways = Ways(faults, sync_us=self._sync_draw())
        self._ways.tell = self._called if is_chatty and tell is not None else None
        self.fs = SimFileSystem(self._ways)

    @property
    def lag_us(self) -> int:
        """What calls took since the owner of the node's time took it off."""
        return self._ways.lag_us

    @lag_us.setter
    def lag_us(self, value: int) -> None:
        """For the owner of the node's time."""
        self._ways.lag_us = value

    @property
    def watch(self) -> Watch | None:
        """Who is told of what reaches the disk."""
        return self._ways.watch

    @watch.setter
    def watch(self, watch: Watch | None) -> None:
        """It begins with the disk as it is."""
        self._ways.watch = watch
        self._changed()

    # Faults while the node runs.

    def set(self, fault: DiskFault) -> None:
        """Let the disk do this from now on; without a count a write goes astray once."""
        if fault.kind is DiskFaultKind.MISDIRECTED:
            fault = replace(fault, count=fault.count or 1)
            stream = self._streams.fresh(f"astray/{self.node}/{self._now_us()}")
            self._ways.below = stream.below
        self._ways.faults.set(fault)
        self._ways.settle()

    def clear(self, kind: DiskFaultKind | None = None, *, group: str | None = None) -> None:
        """Take off the fault of this kind and group; `None` for the kind: all there are."""
        self._ways.faults.clear(kind, group=group)
        self._ways.settle()

    def faults(self) -> list[DiskFault]:
        """What is on, with what is left of it."""
        return self._ways.faults.faults()

    # The end of a life.

    def arm(self, mode: CrashMode, *, call: int, keep: Collection[int] | None = None) -> None:
        """Let the node die before its `call`-th change of the disk from now (1: the next).

        `Killed` comes out of that call, and of every one behind it until `crash`.
        """
        self._mode, self._keep = mode, None if keep is None else frozenset(keep)
        self._ways.calls_left = call
        self._ways.settle()

    def disarm(self) -> None:
        """Take back what `arm` said."""
        self._mode, self._keep = CrashMode.CLEAN, None
        self._ways.calls_left = None
        self._ways.settle()

    @property
    def is_armed(self) -> bool:
        """Whether the node is to die at a call to come."""
        return self._ways.calls_left is not None and not self._ways.is_dead

    def crash(self, mode: CrashMode | None = None, keep: Collection[int] | None = None) -> Toll:
        """Cut the power now; `None`: as it was armed. `keep` are positions of `pending`, of which
        those survive that can, whatever the mode would draw."""
        if mode is None:
            mode, keep = self._mode, self._keep if keep is None else keep
        files, names = self.fs.unsynced()
        if mode is CrashMode.CLEAN and keep is None:
            toll = self._toll(files, names, KEPT)
            self.end_process()
            self._told_crash(mode, toll)
            return toll
        if keep is not None:
            crash: Crash = These(frozenset(keep))
        else:
            stream = self._streams.fresh(f"crash/{self.node}/{self._now_us()}")
            crash = crash_of(mode, files, names, stream.below, self._ways.lies)
        toll = self._toll(files, names, crash)
        self._reborn(self.fs.after(crash))
        self._told_crash(mode, toll)
        return toll

    def end_process(self) -> None:
        """End the node's programs and nothing else: what they wrote is still on its way."""
        self.fs.end_process()
        self._ways.is_dead = False
        self.disarm()

    def pending(self) -> list[Atom]:
        """What is not durable, by pieces that survive or do not; `keep` counts them so."""
        files, names = self.fs.unsynced()
        return atoms_of(files, names, is_torn=True)

    # What is done to a node that does not run.

    def damage(self, deed: Damage, *, is_honest: bool = False) -> dict[str, Any]:
        """Let something rot, drawn as `rot` has it; what was done, for an event's `args`.

        Raises: UsageError, AccessError, ClusterError.
        """
        stream = self._streams.fresh(f"rot/{self.node}/{self._now_us()}")
        found = rot(self.fs, deed, stream.below, is_honest=is_honest)
        done = found.done
        self._changed()
        group, *rest = found.path.parts[1:]
        args = {
            "g": group,
            "file": "/".join(rest),
            "offset": done.offset,
            "size": done.size,
            "before": done.before[:SHOWN_BYTES_MAX].hex() or None,
            "after": done.after.hex() or None,
            "lie": found.is_lie or None,
        }
        return {key: value for key, value in args.items() if value is not None}

    def lend(self, name: str, other: "SimDisk", group: str) -> None:
        """Let the directory `/name` be a copy of what another disk holds of a group now."""
        twin = other.copy(other.node)
        twin.fs.rename(ROOT / group, ROOT / name)
        self.fs.put(name, twin.fs)

    def take_away(self, *names: str) -> None:
        """Let directories be gone, as if they had never been."""
        for name in names:
            self.fs.put(name, None)

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Let what happens to the disk in the block be told to nobody; who watches looks at it anew
        behind it. It takes no time of the node."""
        ways = self._ways
        watch, ways.watch = ways.watch, None
        tell, ways.tell = ways.tell, None
        lag_us = ways.lag_us
        try:
            yield
        finally:
            ways.tell, ways.lag_us = tell, lag_us
            self.watch = watch

    def wipe(self, group: str | None = None) -> None:
        """Take away the directory of a group, or (`None`) of all."""
        for each in self.groups() if group is None else [group]:
            self.fs.put(each, None)
        self._changed()

    def keep(self, name: str) -> None:
        """Remember all directories under a name; as they are, synced or not."""
        self._kept[name] = self.fs.after(KEPT)

    def kept(self) -> list[str]:
        """The names of what is remembered."""
        return sorted(self._kept)

    def rewind(self, name: str, group: str | None = None, *, part: str | None = None) -> None:
        """Let the directories of a group, or (`None`) of all, be what they were when they were
        kept; with a `part` (`wal`, `snap`) that one alone, where both have the group.
        Raises: UsageError."""
        if name not in self._kept:
            names = ", ".join(self.kept()) or "none"
            raise UsageError(f"{self.node}: no copy {name!r} was kept; there are {names}")
        copy = self._kept[name].after(KEPT)
        there = copy.names(ROOT)
        if group is not None and group not in there:
            raise UsageError(f"{self.node}: copy {name!r} holds no group {group!r}")
        for each in sorted({*there, *self.groups()}) if group is None else [group]:
            if part is None:
                self.fs.put(each, copy)
            elif each in there and each in self.groups():
                self.fs.put(part, copy, folder=each)
        self._changed()

    def copy(self, node: str) -> "SimDisk":
        """The same disk once more, for another node; no fault is on it."""
        sync_us, sync_jitter_us = self._speed
        twin = SimDisk(
            node,
            streams=self._streams,
            now_us=self._now_us,
            sync_us=sync_us,
            sync_jitter_us=sync_jitter_us,
            tell=self._tell,
            is_chatty=self._is_chatty,
        )
        twin.fs = self.fs.after(KEPT, ways=twin._ways)
        return twin

    def groups(self) -> list[str]:
        """The groups of which there is a directory, sorted."""
        return self.fs.names(ROOT)

    # Below here.

    def _sync_draw(self) -> Callable[[], int]:
        mean, spread = self._speed
        if not spread:
            return lambda: mean
        stream = self._streams[f"sync/{self.node}"]
        return lambda: stream.around(mean, spread)

    def _reborn(self, fs: SimFileSystem) -> None:
        """Nothing of what runs now may touch the disk again."""
        self.fs.end_process()
        self.fs = fs
        self._ways.is_dead = False
        self._ways.lies.clear()
        self.disarm()
        self._changed()

    def _changed(self) -> None:
        if self._ways.watch is not None:
            self._ways.watch.begun(self.fs)

    def _told_crash(self, mode: CrashMode, toll: Toll) -> None:
        if self._tell is not None:
            fields = {"mode": str(mode), "lost": toll.lost, "kept": toll.kept}
            self._tell(EventKind.CRASH, fields)

    def _toll(self, files: list[Plain], names: list[NameChange], crash: Crash) -> Toll:
        """What the crash takes and leaves, by operations and kinds of files."""
        atoms = atoms_of(files, names, is_torn=is_torn(crash))
        kept = survivors(atoms, crash)
        labels = self.fs.labels()
        by_number = {
            atom.number: _NAMES if atom.file is None else labels.get(atom.file.inode, _NAMES)
            for atom in atoms
        }
        lost = {atom.number for at, atom in enumerate(atoms) if at not in kept}
        return Toll(
            lost=dict(Counter(each for number, each in by_number.items() if number in lost)),
            kept=dict(Counter(each for number, each in by_number.items() if number not in lost)),
        )

    def _refused(self, event: dict[str, Any]) -> None:
        if self._tell is not None:
            fields = dict(event)
            self._tell(EventKind(fields.pop("k")), fields)

    def _called(self, what: str, path: Path, fields: dict[str, Any]) -> None:
        assert self._tell is not None, "somebody wants to know"
        parts = path.parts[1:]
        place = {"g": parts[0] if parts else "", "f": "/".join(parts[1:])}
        self._tell(EventKind(what), {**place, **fields})
