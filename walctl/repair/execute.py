"""Carrying a job out: evidence, backup, result beside, proof, one step; or nothing at all.

    locked      the member is ours and is what the job was made of; room and rights suffice
    begun       the work folder and its journal are there
    kept        the backup is there, synced and read back
    built       the result is there, synced, held to its hashes, verified, and tried where wished
    announced   the journal names the inodes before and after the one step
    placed      one rename or one exchange: what is old before it is new behind it
    done        synced, receipt given, work folder gone

Until it is placed, whatever goes wrong takes away all that was made, and the member is as it was.
From then on it can only be finished: here, or by `resume` after a crash.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from walctl.datadir.layout import Layout, understand
from walctl.datadir.unfinished import JOURNAL
from walctl.errors import (
    AccessError,
    CorruptionError,
    ExitStatus,
    RefusedError,
    UnsupportedError,
    UsageError,
    WalctlError,
)
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.document import finding_document
from walctl.inspect.report import Report
from walctl.inspect.verify import Examination, examine
from walctl.model.finding import Severity
from walctl.repair.backup import (
    PENDING,
    RECEIPT,
    BackupWriter,
    as_json,
    backups_folder,
    demand_names,
    new_folder,
    utc,
    write_document,
)
from walctl.repair.compare import compared, demand_listed
from walctl.repair.first_start import first_start
from walctl.repair.guard import Guard, demand_stamps
from walctl.repair.job import Job, Move, Put, base_of, demand_going, folders_of, path_of
from walctl.repair.journal import (
    UNIT_ITSELF,
    Entry,
    Journal,
    State,
    inode_at,
    place_in,
    state_of,
)
from walctl.repair.receipt import Receipt, read_receipt, receipt_document
from walctl.repair.space import demand_space
from walctl.repair.stage import Stage, settable
from walctl.repair.unit import OLD, Unit, Way, demand_nothing_pending, unit_of
from walctl.repair.view import View
from walctl.repair.world import World

FINDINGS_KEPT_MAX = 20
"""Findings of the result that a receipt names; the findings before are in the backup, all."""
DEPTH_MAX = 100
"""Folders inside one another that are taken away: a trial server makes a few."""
_READ_ONLY = "Read-only file system"
"""How a system says that it can only be read from."""
_MAY_REMOVE = 0o300
"""What an owner needs of a folder in order to remove what is in it."""


def carry_out(
    world: World, job: Job, *, backup_to: Path | None = None, is_trial: bool = False
) -> Receipt:
    """Do what `job` says, at once, or leave every byte as it was.

    Raises: WalctlError; the message says so where the result is in place all the same.
    """
    if not job.changes:
        raise RefusedError(f"{job.bound.directory}: there is nothing to carry out")
    if is_trial and world.trial is None:
        raise UnsupportedError("there is no server to try the result with")
    for name in job.names:
        path_of(job.bound, name)
    demand_names(job)
    demand_nothing_pending(world.disk, job.bound.directory, folders_of(job.bound).values())
    root = backups_folder(job.bound.directory) if backup_to is None else backup_to
    with ExitStack() as stack:
        try:
            guard = stack.enter_context(Guard(world, job.bound))
            unit = unit_of(world.disk, job)
            _demand_apart(root, unit, job)
            _demand_fitting(world, guard, job)
            stage = Stage(world, job, unit)
            demand_space(world, job, unit, stage, root, is_trial=is_trial)
            under_way = _Application(world, job, unit, stage, guard, root, is_trial=is_trial)
        except WalctlError as error:
            raise _unchanged(error) from error
        return under_way.run()


class _Application:
    """One job under way; holds how far it came."""

    def __init__(
        self,
        world: World,
        job: Job,
        unit: Unit,
        stage: Stage,
        guard: Guard,
        root: Path,
        *,
        is_trial: bool,
    ) -> None:
        self._world = world
        self._guard = guard
        self._job = job
        self._unit = unit
        self._stage = stage
        self._is_trial = is_trial
        self._folder = new_folder(world.disk, root, kind=job.kind, now=world.now())
        self._backup = BackupWriter(world, job, self._folder)
        self._journal = Journal(world.disk, unit)
        self._is_begun = False
        self._is_rolled_back = False
        self._state = State.OLD

    def run(self) -> Receipt:
        """All of it."""
        try:
            receipt = self._prepare()
            self._place()
            finish(self._world.disk, self._unit, self._folder, self._journal)
        except WalctlError as error:
            advice = self._advice(self._roll_back() if self._state is State.OLD else None)
            if advice is None:
                raise _unchanged(error) from error
            raise type(error)(f"{error.message}; {advice}") from error
        finally:
            # A fault of our own is no reason to leave a member locked out of its next repair.
            if self._state is State.OLD and not self._is_rolled_back:
                self._roll_back()
            self._journal.close()
        return receipt

    def _advice(self, left: WalctlError | None) -> str | None:
        """What to do about an application that stopped; `None`: nothing, for all was taken away.

        `left` is why not all that was made could be.
        """
        command = f"walctl repair {self._job.bound.directory} --resume"
        if left is not None:
            return (
                f"what was made could not all be taken away again ({left.message}); to try once"
                f" more: {command}"
            )
        if self._state is State.OLD:
            return None
        if self._state is State.NEW:
            return f"the result is in place; to finish what follows: {command}"
        return f"whether the step was taken could not be told; to finish or roll back: {command}"

    def _prepare(self) -> Receipt:
        """Everything up to the one step."""
        world, job, disk = self._world, self._job, self._world.disk
        layout = layout_of(disk, job)
        folders = set(folders_of(job.bound).values())
        now = {path_of(job.bound, name): path_of(job.bound, name) for name in job.bound.files}
        world.say("looking at the member as it is")
        before = examine(View(disk, folders, now), layout)
        demand_going(world)
        disk.make_dir(self._unit.work)
        self._is_begun = True
        self._journal.begin(self._entry())
        self._demand_exchange()
        world.say(f"making a backup: {self._folder}")
        self._backup.make(findings_document(before.report))
        world.say("building the result beside it")
        self._stage.build()
        view = View(disk, folders, self._stage.places)
        world.say("verifying the result")
        # What a damaged beginning had hidden may say otherwise of the whole.
        after = examine(view, layout_of(view, job))
        self._demand_good(before, after)
        demand_going(world)
        started = first_start(view, after) if job.is_proven else None
        trial = self._tried()
        receipt = replace(self._receipt(before, after), started=started, trial=trial)
        document = as_json(receipt_document(receipt))
        write_document(disk, self._folder / PENDING, document)
        disk.sync_dir(self._folder)
        self._demand_readable(receipt)
        return receipt

    def _demand_readable(self, receipt: Receipt) -> None:
        """What `undo` would refuse to read has to be known before there is anything to undo."""
        path = self._folder / PENDING
        if replace(read_receipt(self._world.disk, path), path=receipt.path) != receipt:
            raise AccessError(f"{path}: read back, it does not say what was written")

    def _demand_exchange(self) -> None:
        """Have two empty folders exchanged: hours of copying are not the way to learn of a disk
        that cannot.

        Raises: UnsupportedError.
        """
        disk, unit = self._world.disk, self._unit
        if unit.way is Way.FILE:
            return
        folders = unit.new, unit.work / OLD
        for folder in folders:
            disk.make_dir(folder)
        disk.exchange(*folders)
        for folder in folders:
            disk.remove_dir(folder)

    def _entry(self) -> Entry:
        return Entry(
            way=self._unit.way,
            rooms=self._unit.rooms,
            directory=self._job.bound.directory,
            backup=self._folder,
            files=tuple(self._job.bound.files),
        )

    def _demand_good(self, before: Examination, after: Examination) -> None:
        """Hold the result against what was promised, by the path that had no part in making it."""
        if not self._job.is_proven:
            return
        damage = after.report.of(Severity.DAMAGE)
        unwanted = [finding for finding in damage if finding.code not in self._job.leaves]
        if unwanted:
            finding = unwanted[0]
            place = finding.place
            raise CorruptionError(
                f"{place.segment or self._job.bound.directory}:{place.offset or 0}:"
                f" {finding.code}: the result is damaged still, so nothing was changed:"
                f" {finding.detail}"
            )
        demand_listed(before.survey, after.survey, self._job.drops or ())

    def _tried(self) -> str | None:
        """How a real server fared on a copy of the result. Raises: RefusedError."""
        if not self._is_trial or self._world.trial is None:
            return None
        self._world.say("starting a server on a copy of the result")
        directory = self._stage.try_out()
        report = self._world.trial(directory)
        remove_tree(self._world.disk, directory)
        if not report.is_good:
            raise RefusedError(f"a server does not start on the result: {report.words}")
        demand_going(self._world)
        return report.words

    def _receipt(self, before: Examination, after: Examination) -> Receipt:
        job = self._job
        return Receipt(
            path=self._folder / RECEIPT,
            kind=job.kind,
            made=utc(self._world.now()),
            tool=job.tool,
            plan_class=job.plan_class,
            strategy=job.strategy,
            summary=job.summary,
            bound=job.bound,
            after=job.after,
            verdict=after.report.verdict,
            findings=tuple(
                f"{each.code}: {each.detail}" for each in after.report.findings[:FINDINGS_KEPT_MAX]
            ),
            comparison=compared(before.survey, after.survey),
            undoes=None if job.undoes is None else str(job.undoes),
        )

    def _place(self) -> None:
        """Announce the one step, and take it."""
        disk, unit = self._world.disk, self._unit
        inodes = self._inodes()
        if unit.way is Way.FILE:
            disk.make_dir(unit.work / OLD)
            disk.sync_dir(unit.work)
        self._journal.announce(inodes)
        self._guard.demand_untouched()
        self._stage.demand_along()
        demand_going(self._world)
        self._state = State.UNKNOWN
        try:
            self._step()
        except WalctlError:
            # A call happens as a whole or not at all; which of the two, the disk knows.
            self._state = state_of(disk, unit, inodes)
            raise
        self._state = State.NEW

    def _inodes(self) -> Mapping[str, tuple[int | None, int | None]]:
        """Every name that the step changes, with its inode before and after."""
        disk, unit = self._world.disk, self._unit
        if unit.way is not Way.FILE:
            return {UNIT_ITSELF: (inode_at(disk, unit.path), inode_at(disk, unit.new))}
        change = self._job.changes[0]
        old = inode_at(disk, place_in(unit, base_of(change.name)))
        match change:
            case Put(name=name):
                return {base_of(name): (old, inode_at(disk, self._stage.place(name)))}
            case Move(name=name, target=target):
                return {base_of(name): (old, None), base_of(target): (None, old)}
            case _:
                return {base_of(change.name): (old, None)}

    def _step(self) -> None:
        disk, unit = self._world.disk, self._unit
        if unit.way is not Way.FILE:
            disk.exchange(unit.path, unit.new)
            return
        change = self._job.changes[0]
        place = place_in(unit, base_of(change.name))
        match change:
            case Put(name=name):
                disk.rename(self._stage.place(name), place)
            case Move(target=target):
                disk.rename(place, place_in(unit, base_of(target)))
            case _:
                disk.rename(place, unit.work / OLD / place.name)

    def _roll_back(self) -> WalctlError | None:
        """Take away what was made; why not all of it could be."""
        self._is_rolled_back = True
        try:
            self._journal.close()
            self._backup.take_away()
            if self._is_begun:
                remove_work(self._world.disk, self._unit)
        except WalctlError as error:
            return error
        return None


def finish(
    disk: WritableFileSystem, unit: Unit, backup: Path, journal: Journal | None = None
) -> None:
    """What follows the one step: names synced, receipt given, work folder gone.

    Raises: AccessError; then it may be called again.
    """
    if unit.way is Way.FILE:
        disk.sync_dir(unit.path)
    disk.sync_dir(unit.path.parent)
    for folder in (unit.new, unit.work / OLD, unit.work):
        if disk.exists(folder):
            disk.sync_dir(folder)
    if journal is not None:
        journal.conclude()
    if disk.exists(backup / PENDING):
        disk.rename(backup / PENDING, backup / RECEIPT)
    disk.sync_dir(backup)
    remove_work(disk, unit)


def remove_work(disk: WritableFileSystem, unit: Unit) -> None:
    """Take the work folder away, its journal last: it tells what the rest was."""
    work = unit.work
    if not disk.exists(work):
        return
    for name in disk.names(work):
        if name != JOURNAL:
            remove_tree(disk, work / name)
    disk.sync_dir(work)
    remove_tree(disk, work)
    disk.sync_dir(work.parent)


def remove_tree(disk: WritableFileSystem, path: Path, depth: int = 0) -> None:
    """Take away a file, or a folder with all that is in it; what a link leads to stays."""
    attributes = disk.attributes(path)
    if attributes.is_link or not attributes.is_directory:
        disk.remove(path)
        return
    if depth > DEPTH_MAX:
        raise AccessError(f"{path}: folders lie too deep in one another")
    if attributes.mode & _MAY_REMOVE != _MAY_REMOVE:
        # A folder that was dressed as the one it replaces may keep its own owner out.
        with suppress(AccessError):  # then what follows says what is in the way
            disk.set_attributes(path, settable(replace(attributes, mode=attributes.mode | 0o700)))
    for name in disk.names(path):
        remove_tree(disk, path / name, depth + 1)
    disk.remove_dir(path)


def layout_of(disk: FileSystem, job: Job) -> Layout:
    """The member of a job as the reading path takes it."""
    bound = job.bound
    wal = bound.folder("wal")
    return understand(
        disk,
        bound.directory,
        wal_dir=None if wal == bound.directory else wal,
        snap_dir=bound.folder("snap"),
    )


def findings_document(report: Report) -> dict[str, object]:
    """What verify says of a member, for the backup."""
    return {
        "v": 1,
        "kind": "walctl-findings",
        "understood_as": report.understood_as,
        "verdict": str(report.verdict),
        "findings": [finding_document(finding) for finding in report.findings],
        "notes": list(report.notes),
    }


def _demand_apart(root: Path, unit: Unit, job: Job) -> None:
    """A backup within what is exchanged would go with it, and one in the member die with it."""
    for folder in (unit.path, unit.work, *folders_of(job.bound).values()):
        if root == folder or root.is_relative_to(folder):
            raise UsageError(f"{root}: lies in {folder}, which is to change: choose another place")
    if root.is_relative_to(job.bound.directory):
        raise UsageError(
            f"{root}: lies in {job.bound.directory}, the member itself, and would be lost with it:"
            " choose another place"
        )


def _demand_fitting(world: World, guard: Guard, job: Job) -> None:
    """Have the member be what the job was made of, or say that the job was done before.

    Raises: AccessError, for either.
    """
    try:
        guard.demand_unchanged(job.stale)
    except AccessError as error:
        if not _is_done(world, job):
            raise
        what = "taken back" if job.kind == "undo" else "carried out"
        raise AccessError(
            f"{job.bound.directory}: it was {what} already: every file is as that leaves it"
        ) from error


def _is_done(world: World, job: Job) -> bool:
    """Whether the member is exactly what the job would make of it."""
    try:
        demand_stamps(world, replace(job.bound, files=job.after), None, "")
    except (AccessError, UsageError):
        return False
    return True


def _unchanged(error: WalctlError) -> WalctlError:
    """The error of a job that left every byte as it was, which one that could not finish says."""
    words = error.message
    if _READ_ONLY in words:
        words += "; walctl repair --output-dir DIR makes the result elsewhere"
    if error.exit_status is ExitStatus.UNFINISHED and "nothing was changed" not in words:
        words += "; nothing was changed"
    return type(error)(words)
