"""What the members of a cluster said of themselves in the log: their names and client URLs.

A member that starts has the cluster log where its clients find it. In etcd up to 3.6 that is a
request of the v2 interface, `PUT /0/members/ID/attributes`, whose effect no database has and a
snapshot only once one was taken; later ones log a request of its own. So for most members of 3.5
the log alone can tell which endpoints to ask.

The log is not read a second time for it: from its end backwards, a bounded number of bytes is
searched for words that such a request has, and only where they stand are entries looked at.

Source: etcd-data-dir notes 5.5 and 11.1.
"""

import json
import re
from collections.abc import Iterator, Set
from pathlib import Path

from formats.errors import FormatError
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.limits import WINDOW_BYTES
from walctl.datadir.survey import Survey
from walctl.fs.base import File, FileSystem
from walctl.inspect.membership import membership
from walctl.model.log import Run
from walctl.model.member import Member, Published
from walctl.model.record import EntryKind
from walctl.wal.entry_frames import entries_of

SEARCHED_BYTES_MAX = 128 << 20
"""As much of the log is searched, from its end back: two segments, a twentieth of a second each."""
PAYLOAD_BYTES_MAX = 1 << 16
"""A longer request is of no member's name and URLs."""

_FOLDER = b"/0/members/"
_V2_PATH = re.compile(r"/0/members/([0-9a-f]{1,16})/attributes")
_ATTR_SET = b"\xaa\x51"
"""The tag of `cluster_member_attr_set` in an InternalRaftRequest."""
_MEMBER_ID = 0x08
"""The tag that its message begins with, behind a length of one byte or two."""
_WORDS_BYTES_MAX = max(len(_FOLDER), len(_ATTR_SET) + 3)


def learn_urls(disk: FileSystem, survey: Survey) -> None:
    """Let a survey know what its members said last of where clients find them.

    Commands that are told to a person name these places, and what a snapshot has of them is older.
    Raises: as `published`.
    """
    if not survey.published:
        views = membership(survey).views
        survey.published = published(
            disk, survey, {peer.id for each in views for peer in each.peers}
        )


def published(disk: FileSystem, survey: Survey, wanted: Set[int]) -> tuple[Published, ...]:
    """The newest committed word of each of the members `wanted`, where the log's end has one.

    Raises: AccessError, when a segment cannot be read any more.
    """
    folder = survey.layout.wal_dir
    if folder is None or survey.is_moving:
        return ()
    commit = max(survey.commit, survey.applied or 0)
    found: dict[int, Published] = {}
    left = SEARCHED_BYTES_MAX
    for run in reversed(survey.log.live):
        left -= run.stop - run.start
        if left < 0 or wanted <= found.keys():
            break
        if run.first <= commit and not run.is_recovered:
            told = _in_run(disk, folder, run, min(run.last, commit))
            newest = {each.member.id: each for each in told if each.member.id in wanted}
            found = newest | found  # what a later run has is newer
    return tuple(found[each] for each in sorted(found))


def _in_run(disk: FileSystem, folder: Path, run: Run, last: int) -> Iterator[Published]:
    """What the entries of a run up to `last` say, in their order."""
    with disk.open(folder / run.segment) as file:
        if not _may_have_one(file, run):
            return
        for entry in entries_of(file, run, first=run.first, last=last):
            payload = entry.payload or b""
            is_short = len(payload) <= PAYLOAD_BYTES_MAX
            if is_short and entry.kind is EntryKind.NORMAL and may_publish(payload):
                member = _member(payload)
                if member is not None:
                    yield Published(index=entry.index, member=member)


def _may_have_one(file: File, run: Run) -> bool:
    """Whether the bytes of a run have the words of such a request anywhere."""
    for start in range(run.start, run.stop, WINDOW_BYTES):
        wanted = min(WINDOW_BYTES + _WORDS_BYTES_MAX, run.stop - start)
        if may_publish(file.read_at(start, wanted)):
            return True
    return False


def may_publish(data: bytes) -> bool:
    """Whether these bytes, which may be anything, have the words of such a request."""
    if _FOLDER in data:
        return True
    at = data.find(_ATTR_SET)
    while at >= 0:
        behind = at + len(_ATTR_SET)
        if _MEMBER_ID in data[behind + 1 : behind + 3]:
            return True
        at = data.find(_ATTR_SET, behind)
    return False


def _member(payload: bytes) -> Member | None:
    """Who says what of itself in this request; `None` when it is another one."""
    try:
        if _FOLDER in payload:
            return _by_v2(REQUEST.parse(payload))
        said = INTERNAL_RAFT_REQUEST.parse(payload).cluster_member_attr_set
    except FormatError:
        return None
    if said is None or said.member_attributes is None:
        return None
    attributes = said.member_attributes
    return Member(
        id=said.member_id or 0, name=attributes.name or "", client_urls=attributes.client_urls
    )


def _by_v2(request: V2Request) -> Member | None:
    path = _V2_PATH.fullmatch(request.path or "")
    if path is None or request.method != "PUT":
        return None
    try:
        said = json.loads(request.val or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    name, urls = said.get("name"), said.get("clientURLs")
    listed = urls if isinstance(urls, list) else []
    return Member(
        id=int(path[1], 16),
        name=name if isinstance(name, str) else "",
        client_urls=tuple(url for url in listed if isinstance(url, str)),
    )
