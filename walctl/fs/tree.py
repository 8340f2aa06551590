"""The tree of names on the disk in memory: walking it, and changing it.

Every change of names goes through `Tree.change`, which notes it as not durable. A path is walked
from the root, a relative one too.
"""

from collections.abc import Iterator
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs import words
from walctl.fs.contents import PAGE_BYTES, Contents
from walctl.fs.crash import Assign, NameChange
from walctl.fs.nodes import Call, Directory, Link, Node, Plain, pages_taken

LINKS_MAX = 40
"""Links followed for one path before it counts as a circle (Linux: 40)."""

TICK_NS = 1_000_000
"""How far one change moves the disk's time."""

Asked = Path | str
"""What a message begins with: the path that somebody asked for, or two of them."""


class NothingThereError(AccessError):
    """The one error that `exists` answers with no instead of raising it."""


class LinkLoopError(AccessError):
    """Links in a circle: `stat` looks at the first of them instead."""


class Tree:
    """Inodes and their names, below one root.

    `changes` are those of names that are not durable. `capacity_bytes` is what the disk holds at
    most, by pages; `None`: as much as is asked.
    """

    def __init__(self) -> None:
        self.capacity_bytes: int | None = None
        self.changes: list[NameChange] = []
        self._operations = 0
        self._ticks = 0
        self._inodes = 0
        self._devices = 0
        self.root = self.new_directory(self._devices)

    # Walking.

    def find(self, path: Path, *, follow_final: bool = True, asked: Asked | None = None) -> Node:
        """What `path` leads to, links followed.

        Raises: AccessError, about `asked` where somebody asked for another path than this.
        """
        asked = path if asked is None else asked
        trail: list[Directory] = [self.root]
        node: Node = self.root
        waiting = list(reversed(_names_of(path)))
        links = 0
        while waiting:
            name = waiting.pop()
            if not isinstance(node, Directory):
                raise NothingThereError(f"{asked}: {words.NOT_A_DIRECTORY}")
            demand_allowed(asked, node, Call.ENTER)
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                node = trail[-1]
                continue
            child = node.children.get(name)
            if child is None:
                raise NothingThereError(f"{asked}: {words.MISSING}")
            if isinstance(child, Link) and (waiting or follow_final):
                links += 1
                if links > LINKS_MAX:
                    raise LinkLoopError(f"{asked}: {words.LINK_LOOP}")
                if child.target.is_absolute():
                    trail, node = [self.root], self.root
                waiting.extend(reversed(_names_of(child.target)))
                continue
            node = child
            if isinstance(node, Directory):
                trail.append(node)
        return node

    def plain(self, path: Path, *, follow_final: bool = True, asked: Asked | None = None) -> Plain:
        """The plain file at `path`. Raises: AccessError."""
        node = self.find(path, follow_final=follow_final, asked=asked)
        asked = path if asked is None else asked
        if isinstance(node, Directory):
            raise AccessError(f"{asked}: {words.IS_A_DIRECTORY}")
        if isinstance(node, Link):
            raise AccessError(f"{asked}: {words.IS_A_LINK}")
        if not isinstance(node, Plain):
            raise AccessError(f"{asked}: {words.NOT_PLAIN}")
        return node

    def parent(self, path: Path, *, asked: Asked | None = None) -> Directory:
        """The directory that the name `path` is in or would be in. Raises: AccessError."""
        asked = path if asked is None else asked
        node = self.find(path.parent, asked=asked)
        if not isinstance(node, Directory):
            raise AccessError(f"{asked}: {words.NOT_A_DIRECTORY}")
        demand_allowed(asked, node, Call.ENTER)
        return node

    def named(self, path: Path, *, asked: Asked) -> tuple[Directory, Node]:
        """A name that is to be changed: the directory it is in, and what it stands for itself."""
        if path.name in ("", ".."):
            raise AccessError(f"{asked}: {words.BUSY}")
        return self.parent(path, asked=asked), self.find(path, follow_final=False, asked=asked)

    def demand_new(self, path: Path, *, asked: Asked | None = None) -> Directory:
        """The directory for a new name. Raises: AccessError, when the name is taken."""
        parent = self.parent(path, asked=asked)
        asked = path if asked is None else asked
        if path.name in parent.children or path.name in ("", ".."):
            raise AccessError(f"{asked}: {words.EXISTS}")
        demand_allowed(asked, parent, Call.CREATE)
        return parent

    # Changing.

    def new_plain(self, parent: Directory, mode: int = 0o600) -> Plain:
        """A file without a name, for `parent`."""
        return Plain(self.next_inode(), self.tick(), mode, device=parent.device)

    def new_directory(self, device: int, mode: int = 0o700) -> Directory:
        """A directory without a name."""
        return Directory(self.next_inode(), self.tick(), mode, device=device)

    def new_device(self) -> int:
        """The number of another file system."""
        self._devices += 1
        return self._devices

    def change(self, *assigns: Assign) -> None:
        """Let names stand for something else, all in one step; not durable yet."""
        for each in assigns:
            if each.directory.durable is None:
                each.directory.durable = dict(each.directory.children)
        change = NameChange(self.next_operation(), assigns)
        self.changes.append(change)
        old = [each.directory.children.get(each.name) for each in assigns]
        change.apply({each.directory: each.directory.children for each in assigns})
        for node in old:
            if node is not None:
                node.links -= 1
        for each in assigns:
            if each.node is not None:
                each.node.links += 1
            each.directory.mtime_ns = self.tick()

    def settle(self, directory: Directory) -> None:
        """Make the names of `directory` durable, and every change that has to come before them."""
        touched = {directory}
        done: list[NameChange] = []
        waiting: list[NameChange] = []
        for change in reversed(self.changes):
            if change.touches(touched):
                touched |= {each.directory for each in change.assigns}
                done.append(change)
            else:
                waiting.append(change)
        self.changes = waiting[::-1]
        for change in reversed(done):
            change.apply({each: each.durable for each in touched if each.durable is not None})
        for each in touched:
            if not any(change.touches({each}) for change in self.changes):
                each.durable = None

    def directory_made(self, path: Path) -> Directory:
        """The directory at `path`, made with its parents where nothing is, and durable."""
        try:
            node = self.find(path)
        except NothingThereError:
            parent = self.directory_made(path.parent)
            node = self.new_directory(parent.device)
            self.place(path, node)
        if not isinstance(node, Directory):
            raise AccessError(f"{path}: {words.NOT_A_DIRECTORY}")
        return node

    def place(self, path: Path, node: Node) -> None:
        """Give `node` the new name `path`, durable; parents are made."""
        parent = self.directory_made(path.parent)
        if path.name in parent.children:
            raise AccessError(f"{path}: {words.EXISTS}")
        node.device = parent.device if not isinstance(node, Directory) else node.device
        self.change(Assign(parent, path.name, node))
        self.settle(parent)

    # Counting.

    def nodes(self) -> Iterator[Node]:
        """Every inode that has a name, once."""
        return _below(self.root)

    def free_pages(self) -> int | None:
        """How many pages may still be written; `None`: as many as are asked.

        A file that is open and has lost its name takes none, which is kinder than a disk is.
        """
        if self.capacity_bytes is None:
            return None
        taken = sum(pages_taken(node) for node in self.nodes())
        return max(0, self.capacity_bytes // PAGE_BYTES - taken)

    def fitting(self, contents: Contents, offset: int, size: int) -> int:
        """How many of `size` bytes at `offset` of a file the disk still takes."""
        free = self.free_pages()
        if free is None:
            return size
        position = offset
        while position < offset + size:
            number = position // PAGE_BYTES
            if not contents.has_room_at(number):
                if free == 0:
                    break
                free -= 1
            position = min(offset + size, (number + 1) * PAGE_BYTES)
        return position - offset

    def holds(self, top: Node, node: Node) -> bool:
        """Whether `node` is `top` or lies below it."""
        return any(each is node for each in _below(top))

    def next_operation(self) -> int:
        """A number for what is done to the disk now."""
        self._operations += 1
        return self._operations

    def next_inode(self) -> int:
        """A number that no inode had."""
        self._inodes += 1
        return self._inodes

    def tick(self) -> int:
        """The disk's time, moved on."""
        self._ticks += 1
        return self._ticks * TICK_NS

    def adopt(self, root: Directory, like: "Tree") -> None:
        """Become the disk with this root, whose numbers go on where those of `like` are."""
        self.root = root
        self.capacity_bytes = like.capacity_bytes
        self._operations, self._ticks = like._operations, like._ticks
        self._inodes, self._devices = like._inodes, like._devices


def demand_allowed(asked: Asked, node: Node, *calls: Call) -> None:
    """Raise the failure that one of `calls` has at `node`."""
    for call in calls:
        if call in node.failures:
            raise AccessError(f"{asked}: {node.failures[call]}")


def _below(top: Node) -> Iterator[Node]:
    seen: set[Node] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            yield node
            if isinstance(node, Directory):
                waiting.extend(node.children.values())


def _names_of(path: Path) -> list[str]:
    return [part for part in path.parts if part != path.anchor]
