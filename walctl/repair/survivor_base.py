"""The database that a survivor stands on, with the new membership in it, and the `.snap` of that.

The database keeps every row but those that say who is in the cluster. The `.snap` is what etcd up
to 3.6 begins from: its membership is the new member alone, its v2 store the same in JSON.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from walctl.backend.membership import CLEARED, conf_state_row, member_rows
from walctl.backend.pages import PageError
from walctl.backend.rebuild import rebuilt
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, CorruptionError, StoppedError
from walctl.fs.base import FileSystem
from walctl.fs.blocks import gathered
from walctl.model.member import Member
from walctl.model.record import ConfState
from walctl.repair.foundation import Foundation
from walctl.repair.survivor_log import Invented
from walctl.repair.world import World
from walctl.snap.names import DB_NAME
from walctl.snap.reader import data_of
from walctl.snap.store import holds_user_keys
from walctl.snap.store_build import built_store, rewritten_store
from walctl.snap.writer import Snapshot, place_snap


def place_base(
    world: World, survey: Survey, best: Foundation, member: Member, folder: Path
) -> Iterator[Invented]:
    """Write database and `.snap` into `folder`; gives what is ours in them.

    Raises: AccessError, StoppedError; CorruptionError, when the database does not read after all.
    """
    assert best.file is not None, "it stands on a database"
    assert best.witness is not None, "which was read"
    conf_state = ConfState(voters=(member.id,))
    rows = [*member_rows([member])]
    if best.witness.conf_state is not None:
        rows.append(conf_state_row(conf_state))  # before 3.5 there is none
    try:
        with world.disk.open(best.file) as file:
            write_blocks(world, folder / DB_NAME, rebuilt(file, cleared=CLEARED, rows=rows))
    except PageError as error:
        raise CorruptionError(f"{best.file}:{error.offset}: {error.reason}") from error
    yield Invented(
        kind="database",
        words=f"the database names {member.id:x} as the only member; its keys are as they were",
    )
    store, as_of = _store(world.disk, survey, best, member)
    snapshot = Snapshot(index=best.index, term=best.term, conf_state=conf_state, data=store)
    place_snap(world.disk, folder, snapshot)
    words = f"marker and {snapshot.name}, from what the database has applied"
    if not best.is_term_proven:
        words += "; nothing says which term that entry has"
    if as_of is not None:
        words += f"; the keys of the v2 interface are as of {as_of}"
    yield Invented(kind="snapshot", words=words, first=best.index, last=best.index, term=best.term)


def _store(
    disk: FileSystem, survey: Survey, best: Foundation, member: Member
) -> tuple[bytes, int | None]:
    """The v2 store with the new member alone; where it has keys of users, as of which index.

    Those are in no database, so the newest snapshot that is not ahead of it is taken over.
    """
    for snap in survey.snaps:
        if not snap.is_usable or snap.store is None or (snap.index or 0) > best.index:
            continue
        data = data_of(disk, snap.path) or b""
        try:
            store = rewritten_store(data, [member])
        except ValueError as error:
            raise AccessError(f"{snap.path}: {error}: changed meanwhile") from error
        return store, snap.index if holds_user_keys(data) else None
    version = best.witness.cluster_version if best.witness is not None else None
    return built_store([member], cluster_version=version), None


def write_blocks(world: World, path: Path, blocks: Iterable[bytes]) -> None:
    """A new file of these blocks, synced. Raises: AccessError, StoppedError."""
    with world.disk.create_file(path) as file:
        offset = 0
        for block in gathered(blocks):
            go_on(world)
            file.write_at(offset, block)
            offset += len(block)
        file.sync()


def go_on(world: World) -> None:
    """Raise StoppedError when somebody asked us to stop."""
    if world.is_stopped():
        raise StoppedError("stopped: nothing of it was left")
