"""What a power cut may leave of what was not synced; the rules of the disk in memory.

Everything that a program does to the disk is an operation with a number, counted up. An operation
that is not durable yet falls into atoms, each of which survives a crash whole or not at all:

* a write, into one atom for each sector of 512 bytes that it touches: sectors tear apart and reach
  the disk in any order. Two writes to one sector keep their order, for the later one takes along
  what the page held;
* a new size (a truncation, an allocation, a write beyond the end), one atom. Sizes of one file keep
  their order. A size may survive without the bytes, which are zeros then; bytes beyond the size
  that survived cannot be seen. A write behind a place where the file was cut off survives only with
  the cut;
* a change of names (a new name, a rename, an exchange, a removal), one atom: it is atomic, and it
  may be lost. The changes of one directory keep their order, and one that concerns two directories
  keeps it in both.

Nothing else is ordered: not a file's bytes and its name (a rename may survive of a file whose bytes
did not), not two files, not two directories. `sync` makes a file's atoms durable, `sync_dir` those
of a directory with all that has to come before them. Attributes are durable as they are set. What
no name leads to after the crash is gone.

This is weaker than what ext4 promises, on purpose: a program that lives with it lives with any
file system that keeps a rename atomic. What it does not have: a sync that fails and takes the
bytes with it, a sector that comes back with other bytes than it ever had.

Which atoms survive is a value (`Crash`), so that a run can be written down and repeated.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from walctl.errors import UsageError
from walctl.fs.contents import Change, Resized, Written
from walctl.fs.nodes import Directory, Node, Plain

SECTOR_BYTES = 512

_DURABLE = -1
"""In the place of a position: what was synced, which is there in any case."""


@dataclass(frozen=True, slots=True)
class Assign:
    """One name of one directory that from now on stands for `node`; `None`: for nothing."""

    directory: Directory
    name: str
    node: Node | None


@dataclass(frozen=True, slots=True)
class NameChange:
    """One atomic change of names, of one or two directories."""

    number: int
    assigns: tuple[Assign, ...]

    def apply(self, names: Mapping[Directory, dict[str, Node]]) -> None:
        """Make the change in `names`, where it has the directory."""
        for each in self.assigns:
            if each.directory not in names:
                continue
            if each.node is None:
                names[each.directory].pop(each.name, None)
            else:
                names[each.directory][each.name] = each.node

    def touches(self, directories: Container[Directory]) -> bool:
        """Whether it changes a name in one of these."""
        return any(each.directory in directories for each in self.assigns)


@dataclass(frozen=True, slots=True)
class Atom:
    """What survives whole or not at all, if all atoms at the positions of `requires` do.

    `file` is the file that a `Written` or `Resized` is of.
    """

    number: int
    effect: Change | NameChange
    file: Plain | None
    requires: frozenset[int]


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing survives that was not synced."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything survives: the power was cut after the disk had written all of it."""


@dataclass(frozen=True, slots=True)
class First:
    """The first `operations` that were not synced survive whole, as on a disk that keeps order."""

    operations: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """Some atoms survive, chosen by `seed` alone; sectors tear."""

    seed: int


@dataclass(frozen=True, slots=True)
class These:
    """The atoms at these positions survive, but for those that cannot do so alone.

    Positions count as `atoms_of` counts them; `is_torn` says whether a write falls into sectors.
    """

    positions: frozenset[int]
    is_torn: bool = True


Crash = Lost | Kept | First | Sampled | These

LOST = Lost()
KEPT = Kept()


def atoms_of(files: Sequence[Plain], names: Sequence[NameChange], *, is_torn: bool) -> list[Atom]:
    """All atoms in the order of their operations, by which they are numbered from 0."""
    found: list[tuple[Plain | None, Change | NameChange]] = [(None, each) for each in names]
    for file in files:
        for change in file.changes:
            found.extend((file, piece) for piece in _pieces(change, is_torn=is_torn))
    found.sort(key=lambda each: each[1].number)  # stable: a size stays before its bytes
    bounds = _Bounds()
    return [
        Atom(effect.number, effect, file, bounds.requires(position, file, effect))
        for position, (file, effect) in enumerate(found)
    ]


def survivors(atoms: Sequence[Atom], crash: Crash) -> frozenset[int]:
    """The positions of the atoms that survive."""
    match crash:
        case Lost():
            return frozenset()
        case Kept():
            return frozenset(range(len(atoms)))
        case First(operations=count):
            first = sorted({atom.number for atom in atoms})[:count]
            return frozenset(at for at, atom in enumerate(atoms) if atom.number in first)
        case Sampled(seed=seed):
            return _closed(atoms, _drawn(seed, len(atoms)))
        case These(positions=positions):
            return _closed(atoms, positions)


def is_torn(crash: Crash) -> bool:
    """Whether a crash is told by atoms that are sectors."""
    return crash.is_torn if isinstance(crash, These) else isinstance(crash, Sampled)


def closed_sets(atoms: Sequence[Atom], positions: Sequence[int]) -> Iterator[frozenset[int]]:
    """Every set of `positions` that can survive together, the empty one first, each once.

    What an atom at one of `positions` requires has to be among them.
    """
    # Depth first over "lost" and "kept" at each atom; every path ends in a set, none in vain.
    waiting: list[tuple[int, frozenset[int]]] = [(0, frozenset())]
    while waiting:
        depth, kept = waiting.pop()
        if depth == len(positions):
            yield kept
            continue
        position = positions[depth]
        if atoms[position].requires <= kept:
            waiting.append((depth + 1, kept | {position}))
        waiting.append((depth + 1, kept))  # looked at first


def bounded(crashes: Iterator[These], count_max: int) -> Iterator[These]:
    """The same, for whoever wants all of them or none.

    Raises: UsageError, behind the last one, if there are more: some would pass for all.
    """
    for count, crash in enumerate(crashes):
        if count == count_max:
            raise UsageError(f"a crash has more than {count_max} outcomes: sample them")
        yield crash


def _pieces(change: Change, *, is_torn: bool) -> Iterator[Change]:
    if isinstance(change, Resized) or not is_torn:
        yield change
        return
    start, stop = change.offset, change.offset + len(change.data)
    while start < stop:
        end = min(stop, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        data = change.data[start - change.offset : end - change.offset]
        yield Written(change.number, start, data)
        start = end


@dataclass(slots=True)
class _Past:
    """What came before on one file: its sizes, its cuts, and the last atom of each sector."""

    sizes: list[tuple[int, int]]
    cuts: list[tuple[int, int]] = field(default_factory=list)
    sectors: dict[int, int] = field(default_factory=dict)

    def before_size(self, position: int, effect: Resized) -> frozenset[int]:
        """Positions that have to survive before a new size; remembers it."""
        last, size = self.sizes[-1]
        self.sizes.append((position, effect.size))
        if effect.size < size:
            self.cuts.append((position, effect.size // SECTOR_BYTES))
        return frozenset({last}) - {_DURABLE}

    def before_write(self, position: int, effect: Written) -> frozenset[int]:
        """Positions that have to survive before a write; remembers it."""
        stop = effect.offset + len(effect.data)
        sectors = range(effect.offset // SECTOR_BYTES, (stop - 1) // SECTOR_BYTES + 1)
        found = {self.sectors[each] for each in sectors if each in self.sectors}
        found |= {cut for cut, sector in self.cuts if sector < sectors.stop}
        # The growth since which its first byte can be seen: without it all the others are in vain,
        # and two outcomes would be one.
        for growth, size in reversed(self.sizes):
            if size <= effect.offset:
                break
            visible_since = growth
        found.add(visible_since)
        self.sectors.update(dict.fromkeys(sectors, position))
        return frozenset(found) - {_DURABLE}


@dataclass(slots=True)
class _Bounds:
    """What came before, as far as it has to survive for what follows."""

    files: dict[Plain, _Past] = field(default_factory=dict)
    directories: dict[Directory, int] = field(default_factory=dict)

    def requires(
        self, position: int, file: Plain | None, effect: Change | NameChange
    ) -> frozenset[int]:
        """Positions before `position` that have to survive; remembers this one."""
        if isinstance(effect, NameChange):
            folders = {each.directory for each in effect.assigns}
            found = {self.directories[each] for each in folders if each in self.directories}
            self.directories.update(dict.fromkeys(folders, position))
            return frozenset(found)
        assert file is not None, "a change of bytes, of no file"
        assert file.durable is not None, "a file that changed and kept nothing"
        past = self.files.setdefault(file, _Past([(_DURABLE, file.durable.size)]))
        if isinstance(effect, Resized):
            return past.before_size(position, effect)
        return past.before_write(position, effect)


def _closed(atoms: Sequence[Atom], positions: frozenset[int]) -> frozenset[int]:
    """`positions` without those that need another one."""
    kept: set[int] = set()
    for position, atom in enumerate(atoms):
        if position in positions and atom.requires <= kept:
            kept.add(position)
    return frozenset(kept)


def _drawn(seed: int, count: int) -> frozenset[int]:
    """Positions below `count`, each by a coin; how the coin is loaded is drawn as well.

    A fair coin alone would hardly ever leave a disk on which almost all or almost nothing survived.
    """
    loads = (1, 4, 8, 12, 15)
    load = loads[mixed(seed) % len(loads)]
    return frozenset(each for each in range(count) if mixed(seed, each + 1) % 16 < load)


def mixed(*numbers: int) -> int:
    """64 bits that look random and follow from `numbers` alone (the steps of SplitMix64)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


_MASK = (1 << 64) - 1
