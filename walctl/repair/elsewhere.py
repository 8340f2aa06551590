"""A plan's result as a new directory, where the member itself stays as it is (`--output-dir`).

For a disk that is full, a file system that cannot exchange folders, or a member that may only be
read. Nothing of the member is opened for writing, so no lock is taken: what it holds is compared
with the plan before and after. There is no backup and nothing to undo.
"""

from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from walctl.datadir.layout import understand
from walctl.errors import AccessError, CorruptionError, UsageError
from walctl.fs.hashing import blocks_of
from walctl.inspect.report import Report
from walctl.inspect.verify import examine
from walctl.model.finding import Severity
from walctl.repair.apply import STALE, demand_consent
from walctl.repair.execute import remove_tree
from walctl.repair.first_start import first_start
from walctl.repair.guard import demand_stamps
from walctl.repair.job import Blocks, base_of, folders_of, paced, path_of, room_of
from walctl.repair.pieces import composed
from walctl.repair.plan import Act, Plan, Stamp
from walctl.repair.stage import settable, taken_bytes, write_sparsely
from walctl.repair.stamps import Sources, stamp_of
from walctl.repair.world import World

MEMBER, PART = "member", "member.part"
_After: TypeAlias = dict[str, str | Stamp]
"""Every file of the result: the name of the one that it is a copy of, or its stamp."""


def write_elsewhere(
    world: World, plan: Plan, target: Path, *, accept_loss: str | None = None
) -> Report:
    """Make `target/member` hold what the plan leaves; what verify says of it.

    Raises: RefusedError, for a loss that nobody accepted; UsageError, for a target that is in use
    or lies within the member; AccessError, for a member that is not what the plan was made of, and
    for a disk that refuses; CorruptionError, for a result that does not verify; StoppedError.
    Whatever it raises, what was made is taken away again.
    """
    demand_consent(plan, accept_loss)
    after = _after(plan)
    _demand_free(world, plan, after, target)
    is_new = not world.disk.exists(target)
    demand_stamps(world, plan.bound, None, STALE)
    if is_new:
        world.disk.make_dir(target)
    is_done = False
    try:
        report = _made(world, plan, after, target / PART)
        demand_stamps(world, plan.bound, None, STALE)
        world.disk.rename(target / PART, target / MEMBER)
        world.disk.sync_dir(target)
        world.disk.sync_dir(target.parent)
        is_done = True
    finally:
        if not is_done:
            if world.disk.exists(target / PART):
                remove_tree(world.disk, target / PART)
            if is_new:
                world.disk.remove_dir(target)
    return report


def _demand_free(world: World, plan: Plan, after: _After, target: Path) -> None:
    """The new directory is new or empty, apart from the member, and has room."""
    disk = world.disk
    places = [plan.bound.directory, *folders_of(plan.bound).values()]
    for place in places:
        if target == place or target.is_relative_to(place) or place.is_relative_to(target):
            raise UsageError(f"{target}: lies in the member, or the member in it")
    if disk.exists(target):
        if disk.names(target):
            raise UsageError(f"{target}: expected a new or an empty directory")
    elif not disk.exists(target.parent):
        raise AccessError(f"{target.parent}: No such file or directory")
    needed = sum(_taken(world, plan, source) for source in after.values())
    free = disk.free_bytes(target if disk.exists(target) else target.parent)
    if needed > free:
        raise AccessError(f"{target}: the result may take {needed:,} bytes, and {free:,} are free")


def _taken(world: World, plan: Plan, source: str | Stamp) -> int:
    """Bytes that a file of the result takes on the disk, at most."""
    if isinstance(source, Stamp):
        return source.size
    return taken_bytes(world, path_of(plan.bound, source))


def _after(plan: Plan) -> _After:
    files: _After = {name: name for name in plan.bound.files}
    for step in plan.steps:
        if step.act is not Act.WRITE:
            files.pop(step.file, None)
    for step in plan.steps:
        if step.act is Act.RENAME and step.target is not None:
            files[step.target] = step.file
        elif step.act is Act.WRITE and step.after is not None:
            files[step.file] = step.after
    return files


def _made(world: World, plan: Plan, after: _After, part: Path) -> Report:
    """Write every file below `part`, read all of it back, and judge it."""
    disk = world.disk
    disk.make_dir(part)
    for room in folders_of(plan.bound):
        disk.make_dir(part / room)
    with Sources(disk, {"": plan.bound, **plan.peers}) as sources:
        for name, source in after.items():
            world.say(f"writing {base_of(name)}")
            target = part / room_of(name) / base_of(name)
            wanted = source if isinstance(source, Stamp) else plan.bound.files[source]
            blocks = paced(world, _blocks(plan, sources, name, source))
            with closing(disk.create_file(target)) as file:
                write_sparsely(file, blocks, wanted.size)
                file.sync()
            model = source if isinstance(source, str) else name
            if model in plan.bound.files:
                kept = settable(disk.attributes(path_of(plan.bound, model)))
                disk.set_attributes(target, kept)
    for room in folders_of(plan.bound):
        disk.sync_dir(part / room)
    disk.sync_dir(part)
    _demand_equal(world, plan, after, part)
    found = examine(disk, understand(disk, part))
    report = found.report
    damage = [each for each in report.of(Severity.DAMAGE) if each.code not in plan.leaves]
    if damage:
        raise CorruptionError(
            f"{part}: {damage[0].code}: the result is damaged still, so it was taken away:"
            f" {damage[0].detail}"
        )
    first_start(disk, found)
    return report


def _blocks(plan: Plan, sources: Sources, name: str, source: str | Stamp) -> Blocks:
    """The bytes of one file of the result; zeros behind them are left to whoever writes."""
    if isinstance(source, str):
        return blocks_of(sources(source))
    pieces = next(s.pieces for s in plan.steps if s.act is Act.WRITE and s.file == name)
    return composed(pieces, sources)


def _demand_equal(world: World, plan: Plan, after: _After, part: Path) -> None:
    """Hold every file that was written against its hash."""
    for name, source in after.items():
        wanted = source if isinstance(source, Stamp) else plan.bound.files[source]
        path = part / room_of(name) / base_of(name)
        with world.disk.open(path) as file:
            if stamp_of(paced(world, blocks_of(file))) != wanted:
                raise AccessError(f"{path}: the bytes written are not those that were planned")
