"""Membership changes: one node at a time, or several through a joint configuration.

Every function takes a configuration with its progress table and gives new ones; what it was given
stays as it was, so that a change that may not be made leaves no trace.

    simple        at most one voter comes or goes
    enter joint   the old voters become the outgoing half, and the change is made on the other
    leave joint   the outgoing half goes, and waiting learners become learners

Source: Raft paper, section 6; thesis, sections 4.1 and 4.3; the texts of errors are etcd's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from walctl.raft.errors import ConfChangeError
from walctl.raft.progress import Progress
from walctl.raft.tracker import Config, ProgressTable, Tracker
from walctl.raft.types import Change, ChangeKind, ConfChange, ConfState, Transition


class Changed(NamedTuple):
    """A configuration and its progress table."""

    config: Config
    progress: ProgressTable


class Changer:
    """Makes changes to the configuration of `tracker`, for a log that ends at `last_index`."""

    def __init__(self, tracker: Tracker, *, last_index: int) -> None:
        self._tracker = tracker
        self._last_index = last_index

    def change(self, change: ConfChange) -> Changed:
        """Make a change in the way that it asks for. Raises: ConfChangeError."""
        if change.leaves_joint:
            return self.leave_joint()
        if not change.enters_joint:
            return self.simple(change.changes)
        if change.transition not in set(Transition):
            raise ConfChangeError(f"unknown transition: {change.transition}")
        auto_leave = change.transition != Transition.JOINT_EXPLICIT
        return self.enter_joint(change.changes, auto_leave=auto_leave)

    def simple(self, changes: Sequence[Change]) -> Changed:
        """At most one voter comes or goes. Raises: ConfChangeError."""
        before = self._tracker.config
        if before.is_joint:
            raise ConfChangeError("can't apply simple config change in joint config")
        changed = self._apply(self._copied(), changes)
        if len(before.incoming ^ changed.config.incoming) > 1:
            raise ConfChangeError("more than one voter changed without entering joint config")
        return changed

    def enter_joint(self, changes: Sequence[Change], *, auto_leave: bool) -> Changed:
        """Go through a joint configuration. Raises: ConfChangeError."""
        before = self._tracker.config
        if before.is_joint:
            raise ConfChangeError("config is already joint")
        if not before.incoming:
            raise ConfChangeError("can't make a zero-voter config joint")
        config, progress = self._copied()
        joint = Changed(replace(config, outgoing=config.incoming), progress)
        changed = self._apply(joint, changes)
        return Changed(replace(changed.config, auto_leave=auto_leave), changed.progress)

    def leave_joint(self) -> Changed:
        """Leave the outgoing half behind. Raises: ConfChangeError."""
        config, progress = self._copied()
        if not config.is_joint:
            raise ConfChangeError("can't leave a non-joint config")
        learners = config.learners | config.learners_next
        for node in config.learners_next:
            progress[node].is_learner = True
        for node in config.outgoing - config.incoming - learners:
            del progress[node]
        return Changed(Config(incoming=config.incoming, learners=learners), progress)

    def _copied(self) -> Changed:
        tracker = self._tracker
        copies = {node: progress.copy() for node, progress in tracker.progress.items()}
        return Changed(tracker.config, copies)

    def _apply(self, changed: Changed, changes: Iterable[Change]) -> Changed:
        """Make changes one after the other to the incoming half."""
        for change in changes:
            if change.node_id == 0:
                continue  # an application may take a change back so
            match change.kind:
                case ChangeKind.ADD_NODE:
                    changed = self._add_voter(changed, change.node_id)
                case ChangeKind.ADD_LEARNER_NODE:
                    changed = self._add_learner(changed, change.node_id)
                case ChangeKind.REMOVE_NODE:
                    changed = self._remove(changed, change.node_id)
                case ChangeKind.UPDATE_NODE:
                    pass
                case _:
                    raise ConfChangeError(f"unexpected conf type {change.kind}")
        if not changed.config.incoming:
            raise ConfChangeError("removed all voters")
        return changed

    def _add_voter(self, changed: Changed, node: int) -> Changed:
        config, progress = changed
        if node in progress:
            progress[node].is_learner = False
        else:
            progress[node] = self._new(is_learner=False)
        one = {node}
        return Changed(
            replace(
                config,
                incoming=config.incoming | one,
                learners=config.learners - one,
                learners_next=config.learners_next - one,
            ),
            progress,
        )

    def _add_learner(self, changed: Changed, node: int) -> Changed:
        """A voter of the outgoing half has to wait: it votes until that half is left."""
        config, progress = changed
        one = {node}
        if node not in progress:
            progress[node] = self._new(is_learner=True)
            return Changed(replace(config, learners=config.learners | one), progress)
        if node in config.learners:
            return changed
        kept = progress[node]
        config, progress = self._remove(changed, node)
        progress[node] = kept
        if node in config.outgoing:
            return Changed(replace(config, learners_next=config.learners_next | one), progress)
        kept.is_learner = True
        return Changed(replace(config, learners=config.learners | one), progress)

    def _remove(self, changed: Changed, node: int) -> Changed:
        """A voter of the outgoing half is fed until that half is left."""
        config, progress = changed
        if node not in progress:
            return changed
        one = {node}
        if node not in config.outgoing:
            del progress[node]
        return Changed(
            replace(
                config,
                incoming=config.incoming - one,
                learners=config.learners - one,
                learners_next=config.learners_next - one,
            ),
            progress,
        )

    def _new(self, *, is_learner: bool) -> Progress:
        return self._tracker.new_progress(last_index=self._last_index, is_learner=is_learner)


def restored(tracker: Tracker, conf_state: ConfState, *, last_index: int) -> Changed:
    """The configuration that a snapshot names, made by the changes that lead to it.

    `tracker` must be empty, and is left so. Raises: ConfChangeError.
    """
    scratch = Tracker(
        inflight_count_max=tracker.inflight_count_max,
        inflight_bytes_max=tracker.inflight_bytes_max,
    )
    changer = Changer(scratch, last_index=last_index)

    def changes(nodes: Iterable[int], kind: ChangeKind) -> list[Change]:
        return [Change(kind=kind, node_id=node) for node in nodes]

    incoming = [
        *changes(conf_state.voters, ChangeKind.ADD_NODE),
        *changes(conf_state.learners, ChangeKind.ADD_LEARNER_NODE),
        *changes(conf_state.learners_next, ChangeKind.ADD_LEARNER_NODE),
    ]
    if not conf_state.voters_outgoing:
        for change in incoming:
            scratch.install(*changer.simple([change]))
        return Changed(scratch.config, scratch.progress)
    for change in changes(conf_state.voters_outgoing, ChangeKind.ADD_NODE):
        scratch.install(*changer.simple([change]))
    removals = changes(conf_state.voters_outgoing, ChangeKind.REMOVE_NODE)
    return changer.enter_joint([*removals, *incoming], auto_leave=conf_state.auto_leave)
