"""membership-differs: a place that names other members than the log had at that index.

How bad that is follows from who reads the place. Raft's voters come from the `.snap` file up to
3.6, from bucket members in 3.7. etcd's own list comes from the v2 store in the `.snap` file up to
3.5, from the database from 3.6 on: so what is wrong in a database of 3.5 shows after an upgrade.

One of these is known and common: 3.5.1 to 3.5.19 do not write into the database that a learner
became a voter. It is told as information; a directory with it is clean.

Source: etcd-data-dir notes 6.5, 8.2; etcd-io/etcd#19557, #20793, #20967 and etcd's own notes on
the upgrade to 3.6; the promoted learner was seen in databases of 3.5.1.
"""

import re
from collections.abc import Iterator
from typing import Final

from walctl.datadir.layout import Shape
from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.inspect.advice import etcdctl
from walctl.inspect.conf_changes import changed_ids, changes_between
from walctl.inspect.member_sides import Difference, Side, Source, Trait, sides
from walctl.inspect.membership import Membership, membership
from walctl.model.finding import Code, Finding, Severity

_WORDS: Final = {
    Source.SNAPSHOT: "the .snap file",
    Source.MARKER: "the snapshot record of the log",
    Source.STORE: "the member list in the .snap file (v2 store)",
    Source.DATABASE: "the member list in the database",
    Source.CONF_STATE: "confState in the database",
}

_OF_RAFT: Final = (
    "3.4–3.6: Raft starts with the voters of this file and counts majorities among them: where"
    " other members have other voters, two leaders may be elected in one term; 3.7: not read"
)
_OF_NODES: Final = "a node starts with the voters of this file and the changes behind it"
_NOT_STARTED_WITH: Final = (
    "no version starts with it: Raft's voters come from the .snap file up to 3.6, from the"
    " database's member list in 3.7"
)
_UNREAD_36: Final = "; 3.6, 3.7: not read"
_UNREAD_35: Final = (
    "3.4, 3.5: not read, the .snap file and the log count, and 3.5.26 and later put the database"
    " right by them; 3.6, 3.7: the database counts: "
)
_CONSEQUENCES: Final = {
    (Source.STORE, Trait.MEMBER): "3.4, 3.5: the server's own list: it looks for those whom it"
    " names, and for nobody else; a later removal of one that it lacks ends it: unexpected removal"
    " of unknown remote peer" + _UNREAD_36,
    (Source.STORE, Trait.VOTE): "3.4, 3.5: member list shows it so, and a promotion is judged by"
    " it; Raft counts by its own" + _UNREAD_36,
    (Source.STORE, Trait.REMOVED): "3.4, 3.5: an id that is not kept as removed could be added"
    " again" + _UNREAD_36,
    (Source.STORE, Trait.URLS): "3.4, 3.5: the server looks for that member at this address"
    + _UNREAD_36,
    (Source.DATABASE, Trait.MEMBER): _UNREAD_35
    + "members that were removed are back, those that it lacks are not spoken to",
    (Source.DATABASE, Trait.VOTE): _UNREAD_35
    + "what is a learner there serves as one, also where it votes; with two of them the start ends:"
    " membership: too many learner members in cluster",
    (Source.DATABASE, Trait.REMOVED): _UNREAD_35
    + "an id that is not kept as removed could be added again",
    (Source.DATABASE, Trait.URLS): _UNREAD_35 + "the server looks for that member at this address",
}
_LEARNER_NOTE: Final = " etcd 3.5.1–3.5.19 do not write a promotion into the database."
_NAMED_MAX: Final = 5
"""Members that a sentence names; clusters have a handful."""
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})\.")


def membership_findings(survey: Survey) -> Iterator[Finding]:
    """A finding for each place and each way in which it differs."""
    for side in sides(survey):
        for trait in Trait:
            found = [each for each in side.differences if each.trait is trait]
            if found:
                yield _finding(survey, side, trait, found)


def _finding(survey: Survey, side: Side, trait: Trait, found: list[Difference]) -> Finding:
    severity = _severity(survey, side, trait)
    told = [_sentence(survey, side, each) for each in found[:_NAMED_MAX]]
    if len(found) > _NAMED_MAX:
        told.append(f"{len(found) - _NAMED_MAX} more")
    is_quirk = side.source is Source.DATABASE and all(
        (each.said, each.expected) == ("learner", "voter") for each in found
    )
    return Finding(
        code=Code.MEMBERSHIP_DIFFERS,
        severity=severity,
        place=side.place,
        detail=(
            f"As of entry {side.said.index} {_WORDS[side.source]} differs from {_basis(side)}:"
            f" {'; '.join(told)}.{_LEARNER_NOTE if is_quirk else ''}"
        ),
        consequence=_consequence(survey, side, trait),
        next="" if severity is Severity.INFO else _next(membership(survey)),
    )


def _basis(side: Side) -> str:
    """What it was held against."""
    if side.base is None:
        return "its own list of removed members"
    if side.base == 0:
        return "the log"
    if side.base < side.said.index:
        return f"the log behind snapshot {side.base}"
    is_own = side.source is Source.STORE
    return "Raft's membership in the same file" if is_own else f"snapshot {side.base}"


def _sentence(survey: Survey, side: Side, found: Difference) -> str:
    changes = changes_between(survey, 0, side.said.index)
    last = [each.entry.index for each in changes if found.member in changed_ids(each)]
    why = f" (entry {last[-1]})" if last else ""
    return f"member {found.member:x} is {_said(found.said)}, not {_said(found.expected)}{why}"


def _said(word: str) -> str:
    return f"a {word}" if word in ("voter", "learner") else word


def _severity(survey: Survey, side: Side, trait: Trait) -> Severity:
    """How bad it is for the version that last ran here, as far as that is known."""
    is_decisive = trait is Trait.MEMBER
    match side.source:
        case Source.SNAPSHOT:
            is_started = side.said.index == newest_start(survey)
            return Severity.DAMAGE if is_started else Severity.HARMLESS
        case Source.MARKER:
            return Severity.HARMLESS
        case Source.STORE if not _trusts_database(survey):
            is_decisive = is_decisive and side.said.index == newest_start(survey)
        case Source.DATABASE if _trusts_database(survey):
            pass
        case Source.DATABASE if is_decisive:
            return Severity.HARMLESS
        case _:
            return Severity.INFO
    if trait is Trait.REMOVED:
        return Severity.INFO
    return Severity.DAMAGE if is_decisive else Severity.HARMLESS


def waits_for_upgrade(survey: Survey) -> bool:
    """Whether the database names other members than it should, and only 3.6 would go by it."""
    if _trusts_database(survey):
        return False
    odd = (each for each in sides(survey) if each.source is Source.DATABASE)
    return any(each.differences for each in odd)


def _trusts_database(survey: Survey) -> bool:
    """Whether the cluster is of 3.6 or later, where the database's list counts."""
    version = survey.database.cluster_version if survey.database is not None else None
    found = _VERSION.match(version or "")
    return found is not None and (int(found[1]), int(found[2])) >= (3, 6)


def _consequence(survey: Survey, side: Side, trait: Trait) -> str:
    if side.source is Source.SNAPSHOT:
        return _OF_NODES if survey.layout.shape is Shape.RAFTEXAMPLE else _OF_RAFT
    return _CONSEQUENCES.get((side.source, trait), _NOT_STARTED_WITH)


def _next(members: Membership) -> str:
    """The question whose answer counts, where there is somebody else to ask."""
    others = {peer.id for view in members.views for peer in view.peers} - {members.own_id}
    return f"{etcdctl(members, sorted(others))} member list" if others else ""
