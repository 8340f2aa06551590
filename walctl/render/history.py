"""How keys over time look: the versions of one, and what changed between two indexes."""

from walctl.inspect.history import Between, Version, bare
from walctl.inspect.state import Replayed
from walctl.inspect.state_document import (
    between_document,
    key_document,
    key_documents,
    version_document,
)
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.machine.mvcc import ENDLESS, KeyVersion
from walctl.render.prose import paragraph
from walctl.render.screen import Output, Screen
from walctl.render.text import counted, quoted

VALUE_COLUMNS_MAX = 40
INDENT = 2
HIDDEN = "(value hidden)"


def show_versions(
    screen: Screen, found: Replayed, key: bytes, versions: tuple[Version, ...], *, hidden: bool
) -> None:
    """Every version of a key; ndjson has a line for each."""
    rows = [version_document(each, is_value_hidden=hidden) for each in versions]
    if screen.output == Output.NDJSON:
        for row in rows:
            screen.row({"v": 1, **row})
    elif screen.output == Output.JSON:
        path = str(found.seen.layout.path)
        screen.show_json({"v": 1, "path": path, "until": _reached(found), "versions": rows})
    else:
        words = (
            f"{quoted(key)}: {counted(len(versions), 'version')} up to entry {_reached(found):,}"
        )
        screen.line(words, style="bold")
        for each in versions:
            paragraph(screen, _version_line(each, hidden=hidden), indent=INDENT + 2, first="  ")


def _reached(found: Replayed) -> int:
    """Index of the last entry that was applied."""
    return found.until if found.applied is None else found.applied.last


def show_keys(screen: Screen, found: Replayed, *, hidden: bool) -> None:
    """The key space, a line a key; json is one document of all, written as it comes."""
    machine = found.machine
    if screen.output == Output.JSON:
        screen.show_stream("keys", key_documents(machine, is_value_hidden=hidden))
    elif screen.output == Output.NDJSON:
        for row in key_documents(machine, is_value_hidden=hidden):
            screen.row(row)
    elif isinstance(machine, Etcd):
        for each in machine.store.range(b"\0", ENDLESS):
            screen.line(f"{quoted(each.key)} = {_value(each, hidden=hidden)}  {_revisions(each)}")
    elif isinstance(machine, Kv):
        for key, value in sorted(machine.pairs.items()):
            told = HIDDEN if hidden else quoted(value, width_max=VALUE_COLUMNS_MAX)
            screen.line(f"{quoted(key)} = {told}")


def show_key(screen: Screen, found: Replayed, key: bytes, *, hidden: bool) -> bool:
    """One key as it is; whether it is there."""
    machine = found.machine
    row: KeyVersion | None = None
    if isinstance(machine, Etcd):
        found_row = machine.store.get(key)
        row = None if found_row is None else KeyVersion(*found_row)
    elif isinstance(machine, Kv) and key in machine.pairs:
        row = bare(key, machine.pairs[key])
    if screen.output != Output.TEXT:
        told = None if row is None else key_document(row, is_value_hidden=hidden)
        screen.show(
            told, text=lambda screen, each: None, document=lambda each: {"v": 1, "key": each}
        )
    elif row is not None:
        screen.line(f"{quoted(row.key)} = {_value(row, hidden=hidden)}  {_revisions(row)}".rstrip())
    else:
        screen.line(f"{quoted(key)}: no such key as of entry {found.until:,}")
    return row is not None


def show_between(screen: Screen, found: Between, *, hidden: bool) -> None:
    """What changed between two indexes."""
    screen.show(
        found,
        text=lambda screen, each: _between(screen, each, hidden=hidden),
        document=lambda each: between_document(each, is_value_hidden=hidden),
    )


def _between(screen: Screen, found: Between, *, hidden: bool) -> None:
    words = f"from entry {found.first:,} to entry {found.last:,}:"
    words += f" {counted(len(found.changes), 'key')} changed"
    screen.line(words, style="bold")
    for each in found.changes:
        if each.before is None:
            sign, after = "+", each.after
            told = "" if after is None else f"{_value(after, hidden=hidden)}  {_revisions(after)}"
        elif each.after is None:
            sign, told = "-", f"{_value(each.before, hidden=hidden)}  {_revisions(each.before)}"
        else:
            was, now = _value(each.before, hidden=hidden), _value(each.after, hidden=hidden)
            sign, told = "~", f"{was} -> {now}  {_revisions(each.after)}"
        paragraph(screen, f"{sign} {quoted(each.key)} = {told}", indent=INDENT + 2, first="  ")
    for bucket, name, was, is_now in found.others:
        words = f"{bucket} {quoted(name)}: {was or 'nothing'} -> {is_now or 'nothing'}"
        paragraph(screen, words, indent=INDENT + 2, first="  ")


def _version_line(version: Version, *, hidden: bool) -> str:
    change = version.change
    if version.index is None:
        place = "from what the log was built on"
    else:
        place = f"entry {version.index:,} (term {version.term}) {version.request}"
    if change.is_tombstone:
        return ", ".join(filter(None, (f"{place}: deleted", _deletion(change))))
    return f"{place}: {_value(change, hidden=hidden)}  {_revisions(change)}".rstrip()


def _deletion(row: KeyVersion) -> str:
    """The revision of a tombstone; nothing for a map that has none."""
    return f"revision {row.mod_revision}" if row.mod_revision else ""


def _value(row: KeyVersion, *, hidden: bool) -> str:
    return HIDDEN if hidden else quoted(row.value, width_max=VALUE_COLUMNS_MAX)


def _revisions(row: KeyVersion) -> str:
    """Revisions and lease in a few words; nothing for a map that has none."""
    if not row.mod_revision:
        return ""
    words = f"revision {row.mod_revision}, version {row.version}, created {row.create_revision}"
    return f"{words}, lease {row.lease:x}" if row.lease else words
