"""What an explanation is, and the steps that many of them share; the words for each code are in
the modules of `pages`, the way to them in `explain`.

The words of etcd stand in backquotes exactly as it prints them. Which version does what was read
in the sources of 3.4.23, 3.5.1, 3.5.33, 3.6.14 and 3.7.1, and tried with running 3.4.23 and 3.5.1.
Only commands that exist are named.
"""

import enum
from dataclasses import dataclass

from walctl.model.finding import Severity


class Group(enum.StrEnum):
    """The kinds of topics, in the order in which they are listed."""

    BYTES = "bytes"
    LOG = "log"
    SNAPSHOTS = "snapshots"
    DATABASE = "database"
    MEMBERS = "members"
    HISTORIES = "histories"
    EXIT_STATUS = "exit status"


@dataclass(frozen=True, slots=True)
class ServerAct:
    """What etcd of `versions` does when it is started on this."""

    versions: str
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One page for a person on a bad day.

    `severities` are those that a finding of the code can have, mildest first, and `judged` says
    which is when; an exit status has neither. `etcd`, `lost`, `do` and `avoid` may be empty where
    there is nothing to say. `do` is in order. `see` holds other topics. `is_reported` says whether
    this version looks for it.
    """

    topic: str
    group: Group
    is_reported: bool = True
    title: str
    severities: tuple[Severity, ...] = ()
    judged: str = ""
    what: str
    why: str = ""
    etcd: tuple[ServerAct, ...] = ()
    lost: str = ""
    do: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    see: tuple[str, ...] = ()


INFO, HARMLESS, DAMAGE = Severity.INFO, Severity.HARMLESS, Severity.DAMAGE

ALL = "All versions"
TO_35 = "3.4, 3.5"
TO_36 = "3.4 to 3.6"
EARLY = "3.4, 3.5.0–3.5.4"
MIDDLE = "3.5.5, 3.5.6"
LATE = "3.5.7 and later"
FROM_36 = "3.6 and later"
FROM_37 = "3.7 and later"

STOP = (
    "Keep the server stopped, and see that nothing starts it again (a service manager or a static "
    "pod does). A start can change the evidence and make the loss final."
)
COPY = (
    "Copy the whole data directory before anything else: `cp -aLT --sparse=always DIR COPY`. Work "
    "on the copy."
)
COPY_ALL = "Copy the directories of all members first: `cp -aLT --sparse=always DIR COPY` on each."
DOCTOR = "Look at everything that the directory says: `walctl doctor COPY`."
REPAIR = (
    "See how it can be put right: `walctl repair DIR` reads only, and says what a repair would "
    "drop and how that is known. With `--apply` it keeps a backup, and `walctl undo` puts it back."
)
PEER = (
    "If a majority of the other members is healthy, replace this one: `etcdctl member remove ID`, "
    "move its data directory away, `etcdctl member add NAME --peer-urls=URL`, and start it with "
    "an empty directory and `--initial-cluster-state=existing`. It gets a new id and its data "
    "from the others."
)
RESTORE = (
    "Otherwise restore the newest saved snapshot into a new directory, `etcdutl snapshot restore "
    "FILE --data-dir NEW` (3.4: `etcdctl snapshot restore`). It holds what was written until it "
    "was taken."
)
DB_AS_SNAPSHOT = (
    "If there is no healthy majority and `db` reads whole, a copy of it can be restored: `etcdutl "
    "snapshot restore COPY/member/snap/db --skip-hash-check --data-dir NEW` (3.4: `etcdctl "
    "snapshot restore`). That keeps all that the database had applied, which `walctl verify` "
    "names, and begins a new cluster."
)
VERIFY_AGAIN = "Check that nothing else is wrong: `walctl verify DIR`."
RECOVER = (STOP, COPY, DOCTOR, REPAIR, PEER, RESTORE)

NO_START = "Do not start the server to see whether it repairs itself."
NO_DELETE = (
    "Do not delete segments or snapshot files by guess: which ones are needed follows from all "
    "of them together."
)
NO_WIPE = (
    "Do not empty the directory and start again under the same member id: the leader remembers "
    "what this member acknowledged, and it ends in `tocommit(X) is out of range [lastIndex(Y)]`."
)
NO_EMPTY_WAL = (
    "Do not empty or remove `wal/` alone: etcd then starts as a new member on the old database, "
    "without a word, and swallows the first writes."
)
