"""What the exit statuses mean; only words."""

from walctl.errors import ExitStatus
from walctl.inspect.explanation import COPY, DOCTOR, STOP, Explanation, Group


def _page(status: ExitStatus, title: str, **parts: str | tuple[str, ...]) -> Explanation:
    return Explanation(
        topic=f"exit-{status.value}",
        group=Group.EXIT_STATUS,
        title=title,
        **parts,  # type: ignore[arg-type]
    )


PAGES = (
    _page(
        ExitStatus.CLEAN,
        "Clean, or done.",
        what="Everything that was asked for was looked at and nothing is wrong. Findings of "
        "severity info may have been printed. With several paths, it is so for each.",
        do=("Nothing.",),
        see=("exit-3",),
    ),
    _page(
        ExitStatus.DAMAGE,
        "Damage, a violation or a difference was found.",
        what="At least one finding has severity damage: something is lost, or would be if the "
        "server were started. Other paths of the same call may be clean.",
        do=(STOP, COPY, DOCTOR, "Read about each code that was printed: `walctl explain CODE`."),
        avoid=("Do not start the server.",),
        see=("exit-3", "exit-4"),
    ),
    _page(
        ExitStatus.USAGE,
        "The command line is wrong.",
        what="Nothing was looked at: an option, a path or a word makes no sense. `walctl` without "
        "any word ends so too.",
        do=("Read the line on standard error, and `walctl COMMAND --help`.",),
        avoid=("Do not take it for an answer about the data.",),
        see=("exit-4",),
    ),
    _page(
        ExitStatus.HARMLESS,
        "Only harmless findings: it is safe to start the server.",
        what="Something is not as it should be, such as a torn record that was never acknowledged "
        "or an unreadable .snap with a usable older one, but a start loses nothing. It is never "
        "said when a database is there and cannot be read.",
        do=("Start the server, or first read about the codes: `walctl explain CODE`.",),
        see=("exit-0", "exit-1"),
    ),
    _page(
        ExitStatus.UNFINISHED,
        "Could not finish.",
        what="A file could not be read (missing, permission, an error of the device, changed "
        "meanwhile), a lock is held, the format is not supported, the output could not be "
        "written, or walctl itself failed. What was printed before is true, but not all. With "
        "several paths this outweighs the other statuses.",
        do=(
            "Read the line on standard error: it names the file and the reason.",
            "A file that changes while it is read belongs to a running server: look at a copy, or "
            "stop it.",
            "Errors of the device: copy what can be read to another disk first.",
        ),
        avoid=("Do not take it for damage, nor for its absence.",),
        see=("exit-1", "exit-2"),
    ),
    _page(
        ExitStatus.REFUSED,
        "Refused: acknowledged data could be lost.",
        what="What was asked for would drop entries that may have been acknowledged, so nothing "
        "was changed.",
        do=(
            "Read the plan, `walctl repair DIR`: it says what would be lost, how that is known, "
            "and the ways out, the best first.",
            "If there is no better way, it names the argument that accepts the loss.",
        ),
        avoid=(
            "Do not accept a loss before you have asked for other members, copies and backups.",
        ),
        see=("exit-1",),
    ),
    _page(
        ExitStatus.INTERRUPTED,
        "Interrupted.",
        what="Ctrl-C, or the signal SIGINT from elsewhere; while a repair may write, SIGTERM and "
        "SIGHUP too. A repair was rolled back, nothing else was changed; what was printed before "
        "is true, but not all.",
        do=(
            "Run it again.",
            "If a repair was killed so that it could say nothing: `walctl repair DIR --resume` "
            "finishes it or rolls it back.",
        ),
        see=("exit-4",),
    ),
)
