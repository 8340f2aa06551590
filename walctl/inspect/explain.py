"""The way to the explanations: by code, by exit status, or by what a server said.

Every `Code`, every doubt about a history and every `ExitStatus` has one page here, and there is no
page without one of them; the messages of servers have theirs in `panics`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import groupby

from walctl.errors import UsageError
from walctl.fs.base import FileSystem
from walctl.inspect import panics
from walctl.inspect.explanation import Explanation, Group
from walctl.inspect.pages import histories, log, members, records, segments, statuses, storage
from walctl.inspect.panics import PanicReport, Where

PAGES: tuple[Explanation, ...] = (
    *records.PAGES,
    *segments.PAGES,
    *log.PAGES,
    *storage.PAGES,
    *members.PAGES,
    *histories.PAGES,
    *statuses.PAGES,
)
BY_TOPIC = {page.topic: page for page in PAGES}

TOPIC_CHARS_MAX = 60
CLOSE_MAX = 3
STANDARD_INPUT = "-"
"""In place of a text: it is read from standard input."""


def page_of(topic: str) -> Explanation | None:
    """The page of a code (`torn-tail`, in any case) or of an exit status (`3`, `exit-3`)."""
    word = _word(topic)
    return BY_TOPIC.get(word) or BY_TOPIC.get(f"exit-{word}")


def explain(topic: str) -> Explanation:
    """The page of a code or of an exit status.

    Raises: UsageError with what comes closest, when there is no such topic.
    """
    found = page_of(topic)
    if found is None:
        raise UsageError(_no_page(topic))
    return found


def explain_message(
    disk: FileSystem, topic: str, pieces: Iterable[str], where: Where | None = None
) -> PanicReport:
    """What is known of a server's message: by the name of its page, or by its text in `pieces`.

    Raises: UsageError when nothing is known of it; WalctlError when the path cannot be read.
    """
    named = panics.BY_TOPIC.get(_word(topic))
    if named is not None:
        return panics.explain_page(disk, named, where)
    try:
        return panics.explain_text(disk, pieces, where)
    except UsageError:
        if _is_message(topic) or topic == STANDARD_INPUT:
            raise
        raise UsageError(_no_page(topic)) from None


def groups() -> list[tuple[Group, tuple[Explanation, ...]]]:
    """All pages by group, in the order in which they are listed."""
    return [(group, tuple(pages)) for group, pages in groupby(PAGES, lambda page: page.group)]


def _word(topic: str) -> str:
    return "-".join(topic[:TOPIC_CHARS_MAX].lower().replace("_", " ").split())


def _is_message(topic: str) -> bool:
    """Whether it is the text of a message rather than a code: of several words."""
    return len(topic[:TOPIC_CHARS_MAX].split()) > 2


def _no_page(topic: str) -> str:
    if _is_message(topic):
        return f"no code and no exit status is {topic[:TOPIC_CHARS_MAX]!r}, but a message"
    names = {**BY_TOPIC, **panics.BY_TOPIC}
    close = get_close_matches(_word(topic), names, n=CLOSE_MAX)
    hint = f"; close to it: {', '.join(close)}" if close else ""
    return (
        f"no code, no exit status and no message is called {topic[:TOPIC_CHARS_MAX]!r}"
        f"{hint}; `walctl explain` lists them all"
    )
