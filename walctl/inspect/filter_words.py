"""What a person types for a filter, read into its parts; every refusal is one line with a hint."""

import base64
import binascii
import re
import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple

from walctl.errors import UsageError
from walctl.inspect.filters import UNKNOWN_TYPE, TermRange
from walctl.inspect.row import COMMITTED, NOOP, OVERWRITTEN, UNCOMMITTED, UNDECODED, UNKNOWN

TERM_MAX: Final = (1 << 64) - 1
PATTERN_CHARS_MAX: Final = 10_000
COUNT_MAX: Final = 100_000
"""Words that one option takes."""

STATUSES: Final = (COMMITTED, UNCOMMITTED, OVERWRITTEN, UNKNOWN)

RECORD_TYPES: Final[Mapping[str, str]] = {
    "metadata": "whose log it is: at the head of each segment",
    "entry": "a Raft log entry, whatever it asks for",
    "state": "a hard state: term, vote, commit",
    "crc": "the running checksum that a segment begins with",
    "snapshot": "a mark that a snapshot was made or received",
    UNKNOWN_TYPE: "a record of no type that etcd has, or whose payload does not fit",
}

REQUEST_TYPES: Final[Mapping[str, str]] = {
    NOOP: "an entry without a payload: how a new leader begins its term",
    UNDECODED: "an entry whose payload could not be decoded",
    "put": "write a key",
    "delete_range": "delete a key or a range of keys",
    "txn": "a transaction: compares, then writes and deletes",
    "range": "a read; only very old logs have it",
    "compaction": "forget revisions below one",
    "lease_grant": "a new lease",
    "lease_revoke": "end a lease and delete its keys",
    "lease_checkpoint": "how much time leases have left",
    "alarm": "raise, clear or list alarms",
    "conf_change": "add, promote, update or remove a member",
    "conf_change_v2": "several changes of the membership at once",
    "cluster_version_set": "the cluster's version",
    "cluster_member_attr_set": "a member's name and client addresses",
    "downgrade_info_set": "allow or forbid a downgrade",
    "downgrade_version_test": "only in etcd's own tests",
    "auth_enable": "turn authentication on",
    "auth_disable": "turn authentication off",
    "authenticate": "a user has logged in",
    "auth_status": "ask whether authentication is on",
    "auth_user_add": "a new user",
    "auth_user_delete": "delete a user",
    "auth_user_get": "look at a user",
    "auth_user_change_password": "a new password",
    "auth_user_grant_role": "give a role to a user",
    "auth_user_revoke_role": "take a role from a user",
    "auth_user_list": "list the users",
    "auth_role_list": "list the roles",
    "auth_role_add": "a new role",
    "auth_role_delete": "delete a role",
    "auth_role_get": "look at a role",
    "auth_role_grant_permission": "let a role read or write keys",
    "auth_role_revoke_permission": "take keys from a role",
    "v2_put": "write a key of the v2 store; members announce themselves so",
    "v2_post": "write a new key of the v2 store",
    "v2_delete": "delete a key of the v2 store",
    "v2_qget": "read the v2 store through the log",
    "v2_sync": "let keys of the v2 store expire",
    "v2_get": "read the v2 store",
    "v2_head": "read the v2 store",
    "v2": "a v2 request with another method",
    "empty": "a request that asks for nothing",
    "unknown": "a request that only a later etcd has",
}
"""Those of etcd; a decoder of another owner has its own."""


class Types(NamedTuple):
    """What `-r` asks for; see `Filter`."""

    records: frozenset[str]
    requests: frozenset[str]


class TypeWord(NamedTuple):
    """One line of `-r list`; `kind` is `record` or `request`."""

    name: str
    kind: str
    what: str


def list_types() -> list[TypeWord]:
    """Everything that `-r` takes, records first."""
    records = [TypeWord(name, "record", what) for name, what in RECORD_TYPES.items()]
    return records + [TypeWord(name, "request", what) for name, what in REQUEST_TYPES.items()]


def split_words(words: Iterable[str]) -> list[str]:
    """The words of an option that may be given several times, each a list with commas."""
    found = [word.strip() for each in words for word in each.split(",")]
    if len(found) > COUNT_MAX:
        raise UsageError(f"{len(found)} words, at most {COUNT_MAX}")
    return list(dict.fromkeys(found))


def parse_types(words: Iterable[str], *, is_open: bool = False) -> Types:
    """`-r`: types of records and of requests, mixed; `unknown` is one of either.

    With `is_open` the decoder is not etcd's: what is unknown here may be a type of its requests.
    Raises: UsageError.
    """
    records, requests = set(), set()
    for word in split_words(words):
        is_record = word in RECORD_TYPES
        is_request = word in REQUEST_TYPES or (is_open and word and not is_record)
        if is_record:
            records.add(word)
        if is_request:
            requests.add(word)
        if not (is_record or is_request):
            raise UsageError(_no_type(word))
    return Types(frozenset(records), frozenset(requests))


def _no_type(word: str) -> str:
    known = [*RECORD_TYPES, *REQUEST_TYPES]
    text = f"{word or 'an empty word'} is no type of a record or request"
    close = get_close_matches(word.lower().replace("-", "_"), known, n=3)
    if close:
        return f"{text}; did you mean {' or '.join(close)}? (`-r list` shows them all)"
    common = ", ".join([*RECORD_TYPES, *list(REQUEST_TYPES)[:11]])
    return f"{text}; there are {common}, … (`-r list` shows them all)"


def parse_statuses(words: Iterable[str]) -> frozenset[str]:
    """`--status`. Raises: UsageError."""
    found = split_words(words)
    for word in found:
        if word not in STATUSES:
            raise UsageError(f"{word or 'an empty word'} is no status: {', '.join(STATUSES)}")
    return frozenset(found)


_TERMS = re.compile(r"([0-9]{1,20})(-)?([0-9]{1,20})?", re.ASCII)


def parse_terms(words: Iterable[str]) -> tuple[TermRange, ...]:
    """`--term`: `3`, `2-4` with both ends, `5-` without an end. Raises: UsageError."""
    return tuple(_term_range(word) for word in split_words(words))


def _term_range(word: str) -> TermRange:
    found = _TERMS.fullmatch(word)
    if found is not None and (found[2] or not found[3]):
        first = int(found[1])
        final = first if found[2] is None else int(found[3]) if found[3] else None
        if first <= TERM_MAX and (final is None or first <= final <= TERM_MAX):
            return TermRange(first, final)
    raise UsageError(f"{word or 'an empty word'} is no term: expected 3, 2-4 or 5-")


_ID = re.compile(r"(?:0x)?0*([0-9a-f]{1,16})", re.IGNORECASE | re.ASCII)


def parse_request_id(word: str) -> int:
    """`--request-id`: hex as it is printed here, `0x` in front allowed. Raises: UsageError."""
    found = _ID.fullmatch(word)
    if found is None:
        raise UsageError(
            f"{word or 'an empty word'} is no request id: expected up to 16 hex digits"
        )
    return int(found[1], 16)


def parse_key(word: str) -> bytes:
    """`--key` and `--prefix`: text as UTF-8, or bytes as `hex:6b2f` and `base64:ay8=`.

    A key that itself begins with `hex:` or `base64:` has to be given as such. Raises: UsageError.
    """
    form, colon, rest = word.partition(":")
    try:
        if colon and form == "hex":
            return bytes.fromhex(rest)
        if colon and form == "base64":
            return base64.b64decode(rest, validate=True)
        return word.encode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"{word} is no key: {error}") from None


def parse_grep(word: str) -> re.Pattern[bytes]:
    """`--grep`: a pattern of Python's `re` over bytes, typed as UTF-8. Raises: UsageError.

    A pattern can take for ever; it is the user's own, as with grep.
    """
    if len(word) > PATTERN_CHARS_MAX:
        raise UsageError(f"--grep: {len(word)} characters, at most {PATTERN_CHARS_MAX}")
    try:
        with warnings.catch_warnings():
            # Python warns of what a later version may read in another way; not our user.
            warnings.simplefilter("ignore")
            return re.compile(word.encode("utf-8", "surrogateescape"))
    except re.error as error:
        where = "" if error.pos is None else f" at byte {error.pos + 1}"
        raise UsageError(f"--grep: no pattern: {error.msg}{where}: {word}") from None
    except (RecursionError, OverflowError, UnicodeEncodeError):
        raise UsageError("--grep: no pattern") from None
