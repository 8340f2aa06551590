"""The way to the explanations: by code, or by exit status.

Every `Code` and every `ExitStatus` has one page, and there is no page without one of them.
"""

from difflib import get_close_matches
from itertools import groupby

from walctl.errors import UsageError
from walctl.inspect import (
    explain_log,
    explain_members,
    explain_records,
    explain_segments,
    explain_statuses,
    explain_storage,
)
from walctl.inspect.explanation import Explanation, Group

PAGES: tuple[Explanation, ...] = (
    *explain_records.PAGES,
    *explain_segments.PAGES,
    *explain_log.PAGES,
    *explain_storage.PAGES,
    *explain_members.PAGES,
    *explain_statuses.PAGES,
)
BY_TOPIC = {page.topic: page for page in PAGES}

TOPIC_CHARS_MAX = 60
CLOSE_MAX = 3


def explain(topic: str) -> Explanation:
    """The page of a code (`torn-tail`, in any case) or of an exit status (`3`, `exit-3`).

    Raises: UsageError with what comes closest, when there is no such topic.
    """
    word = "-".join(topic.lower().replace("_", " ").split())
    found = BY_TOPIC.get(word) or BY_TOPIC.get(f"exit-{word}")
    if found is None:
        raise UsageError(_no_page(topic, word))
    return found


def groups() -> list[tuple[Group, tuple[Explanation, ...]]]:
    """All pages by group, in the order in which they are listed."""
    return [(group, tuple(pages)) for group, pages in groupby(PAGES, lambda page: page.group)]


def _no_page(topic: str, word: str) -> str:
    if len(topic.split()) > 2:
        return (
            "this version explains codes and exit statuses only, and no messages of a server; "
            "`walctl explain` lists them, and `walctl doctor DIR` finds the codes of a directory"
        )
    close = get_close_matches(word[:TOPIC_CHARS_MAX], BY_TOPIC, n=CLOSE_MAX)
    hint = f"; close to it: {', '.join(close)}" if close else ""
    return (
        f"no code and no exit status is called {topic[:TOPIC_CHARS_MAX]!r}"
        f"{hint}; `walctl explain` lists them all"
    )
