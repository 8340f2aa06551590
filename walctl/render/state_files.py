"""What was made of a rebuilt state: tables; a snapshot, and the commands that bring it to life."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from walctl.inspect.document import Document, finding_document
from walctl.inspect.state import Replayed
from walctl.inspect.state_document import key_count
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen
from walctl.render.tables import TableFile
from walctl.render.text import byte_count, counted
from walctl.repair.state_file import Saved

COLUMN = 12
INDENT = 4


def saved_lines(screen: Screen, saved: Saved) -> None:
    """The file, the state that it has, the commands, and what to know before."""
    store = saved.machine.store
    words = f"etcd, as of entry {saved.machine.applied:,}: revision {store.revision:,}"
    words += f", {counted(key_count(saved.machine) or 0, 'key')}"
    leases = len(saved.machine.state.leases.leases)
    words += f", {counted(leases, 'lease')}" if leases else ""
    screen.line(f"{saved.path}  {words}", style="bold")
    labelled(screen, "file", f"{byte_count(saved.size)}, read back", column=COLUMN)
    labelled(screen, "sha256", saved.sha256, column=COLUMN)
    labelled(screen, "HashKV", f"{store.hash().hash} at revision {store.revision:,}", column=COLUMN)
    for note in saved.notes:
        labelled(screen, "mind", note, column=COLUMN)
    screen.line("bring a cluster up from it, on a disk of its own:")
    for command in saved.commands:
        screen.line(" " * INDENT + shlex.join(command))


def saved_document(saved: Saved) -> Document:
    """The same for JSON."""
    store, state = saved.machine.store, saved.machine.state
    return {
        "path": str(saved.path),
        "bytes": saved.size,
        "sha256": saved.sha256,
        "applied_index": saved.machine.applied,
        "revision": store.revision,
        "compact_revision": store.compacted,
        "hash": store.hash().hash,
        "keys": key_count(saved.machine),
        "leases": len(state.leases.leases),
        "users": len(state.auth.users),
        "is_auth_enabled": bool(state.auth.is_enabled),
        "commands": [shlex.join(each) for each in saved.commands],
        "notes": list(saved.notes),
    }


def show(
    screen: Screen,
    found: Replayed,
    *,
    saved: Saved | None = None,
    folder: Path | None = None,
    tables: Sequence[TableFile] = (),
) -> None:
    """What was made, and what was found on the way."""
    screen.show(
        found,
        text=lambda screen, each: _text(screen, each, saved, folder, tables),
        document=lambda each: {
            "v": 1,
            "path": str(each.seen.layout.path),
            "until": each.until,
            "export": None if folder is None else exported_document(folder, tables),
            "snapshot": None if saved is None else saved_document(saved),
            "findings": [finding_document(finding) for finding in each.findings],
            "exit": int(each.exit_status),
        },
    )


def exported_document(folder: Path, tables: Sequence[TableFile]) -> Document:
    """The tables for JSON."""
    return {
        "path": str(folder),
        "tables": [
            {"name": each.table.name, "file": each.name, "rows": each.rows, "bytes": each.size}
            for each in tables
        ],
    }


def _text(
    screen: Screen,
    found: Replayed,
    saved: Saved | None,
    folder: Path | None,
    tables: Sequence[TableFile],
) -> None:
    if folder is not None:
        screen.line(f"{folder}  log and state as tables", style="bold")
        for each in tables:
            words = f"{counted(each.rows, 'row')}, {byte_count(each.size)}"
            labelled(screen, each.table.name, f"{each.name}: {words}", column=COLUMN)
    if saved is not None:
        saved_lines(screen, saved)
    for finding in found.findings:
        words = f"{finding.code}  {finding.detail}"
        first = "DAMAGED".ljust(COLUMN)
        paragraph(screen, words, indent=COLUMN, first=first, style="bold red")
