"""Scripts of membership changes: each directive makes one, on what those before it have left."""

from walctl.cluster.script_text import Directive
from walctl.cluster.script_values import DirectiveError, boolean, changes_in, pairs
from walctl.raft.confchange import Changed, Changer
from walctl.raft.describe import config_text, progress_lines
from walctl.raft.errors import RaftError
from walctl.raft.tracker import Tracker

INFLIGHT_COUNT_MAX = 10


class ConfChanges:
    """A configuration that directives change, for a log that grows by an entry with each."""

    def __init__(self) -> None:
        self._tracker = Tracker(inflight_count_max=INFLIGHT_COUNT_MAX)
        self._last_index = 0

    def __call__(self, directive: Directive) -> str:
        """What the directive prints: the configuration then, or why there was no change.

        Raises: ScriptError, without a line.
        """
        try:
            self._tracker.install(*self._changed(directive))
        except RaftError as error:
            return error.message
        finally:
            self._last_index += 1
        progress = progress_lines(self._tracker.progress)
        return "\n".join([config_text(self._tracker.config), *progress])

    def _changed(self, directive: Directive) -> Changed:
        changer = Changer(self._tracker, last_index=self._last_index)
        changes = changes_in(directive.given)
        match directive.name:
            case "simple":
                return changer.simple(changes)
            case "enter-joint":
                given = dict(pairs(directive.arguments))
                auto_leave = boolean(given.get("autoleave", "false"))
                return changer.enter_joint(changes, auto_leave=auto_leave)
            case "leave-joint":
                if changes:
                    raise DirectiveError("this command takes no input")
                return changer.leave_joint()
            case _:
                raise DirectiveError("unknown command")
