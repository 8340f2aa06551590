"""The tree that a crash leaves: what was durable, and on top of it what survived (`crash.py`)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from walctl.fs.crash import (
    Atom,
    Crash,
    NameChange,
    These,
    atoms_of,
    closed_sets,
    is_torn,
    survivors,
)
from walctl.fs.nodes import Directory, Node, Plain

Names = dict[Directory, dict[str, Node]]
"""What the names of directories stand for, where that is not what they stand for now."""


def aftermath(root: Directory, changes: Sequence[NameChange], crash: Crash) -> Directory:
    """A copy of the tree below `root` as it is after a crash; nothing in it is open or locked.

    `changes` are those of names that are not durable, in their order.
    """
    atoms = atoms_of(files_of(root, changes), changes, is_torn=is_torn(crash))
    kept = [atoms[position] for position in sorted(survivors(atoms, crash))]
    redone: dict[Plain, list[Atom]] = {}
    for atom in kept:
        if atom.file is not None:
            redone.setdefault(atom.file, []).append(atom)
    return _Copy(_names_after(changes, kept), redone).of(root)


def outcomes(root: Directory, changes: Sequence[NameChange], *, torn: bool) -> Iterator[These]:
    """Every crash that leaves another tree, as far as its bytes are other bytes."""
    atoms = atoms_of(files_of(root, changes), changes, is_torn=torn)
    of_names = [at for at, atom in enumerate(atoms) if atom.file is None]
    for kept in closed_sets(atoms, of_names):
        names = _names_after(changes, [atoms[position] for position in sorted(kept)])
        # What nothing leads to any more is gone, whatever became of its bytes.
        files = {each for each in _reachable([root], names) if isinstance(each, Plain)}
        of_files = [at for at, atom in enumerate(atoms) if atom.file in files]
        for sectors in closed_sets(atoms, of_files):
            yield These(kept | sectors, torn)


def files_of(root: Directory, changes: Sequence[NameChange]) -> list[Plain]:
    """All files that can be there after a crash, in the order in which they were made."""
    roots: list[Node] = [root]
    for change in changes:
        for each in change.assigns:
            roots.append(each.directory)
            if each.node is not None:
                roots.append(each.node)
    before = _names_after(changes, ())
    found = {each for names in ({}, before) for each in _reachable(roots, names)}
    return sorted((each for each in found if isinstance(each, Plain)), key=lambda each: each.inode)


def _names_after(changes: Sequence[NameChange], kept: Iterable[Atom]) -> Names:
    """The durable names of all directories that `changes` are of, and on top of them `kept`."""
    names: Names = {}
    for change in changes:
        for each in change.assigns:
            durable = each.directory.durable
            names[each.directory] = dict(durable if durable is not None else {})
    for atom in kept:
        if isinstance(atom.effect, NameChange):
            atom.effect.apply(names)
    return names


def _reachable(roots: Sequence[Node], names: Names) -> set[Node]:
    found: set[Node] = set()
    waiting: list[Node] = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            if isinstance(node, Directory):
                waiting.extend(names.get(node, node.children).values())
    return found


@dataclass(slots=True)
class _Copy:
    """Copies inodes, each once, so that a file with two names stays one file."""

    names: Names
    redone: dict[Plain, list[Atom]]
    made: dict[Node, Node] = field(default_factory=dict)

    def of(self, root: Directory) -> Directory:
        """The copy of `root` and of all that lies below it."""
        final = self._directory(root)
        waiting = [root]
        while waiting:
            directory = waiting.pop()
            target = self._directory(directory)
            for name, node in self.names.get(directory, directory.children).items():
                if isinstance(node, Directory) and node not in self.made:
                    waiting.append(node)
                copy = self._node(node)
                copy.links += 1
                target.children[name] = copy
        return final

    def _directory(self, node: Directory) -> Directory:
        copy = self._node(node)
        assert isinstance(copy, Directory), "a copy of another kind"
        return copy

    def _node(self, node: Node) -> Node:
        if node not in self.made:
            self.made[node] = self._made(node)
        return self.made[node]

    def _made(self, node: Node) -> Node:
        copy = replace(
            node, failures=dict(node.failures), extended=dict(node.extended), links=0, locks={}
        )
        if isinstance(copy, Directory):
            copy.children, copy.durable = {}, None
        if isinstance(copy, Plain) and isinstance(node, Plain):
            copy.contents = (node.durable or node.contents).copy()
            copy.durable, copy.changes, copy.bad = None, [], list(node.bad)
            for atom in self.redone.get(node, ()):
                if not isinstance(atom.effect, NameChange):
                    copy.contents.redo(atom.effect)
        return copy
