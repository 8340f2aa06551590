"""Decoders that are programs of somebody else: `--stream-decoder` and `--decoder-cmd`.

Both are asked one line for each payload and answer with one. They differ in what the lines are:

    stream     in: the payload in lower-case hex    out: any text; `STATUS|TEXT` by convention
    command    in:  {"v":1,"entry_type":"normal","data":"BASE64"}
               out: {"type":"put","key":"k", …}, {"error":"words"} or null

What the command says becomes a tree of plain values. Nothing is known of how private its texts
are, so they count as values, and `key` as a key. Names and types reach the screen as they are, so
they must be plain words.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from walctl.model.record import EntryKind
from walctl.payload.base import KeyRange, Node, PayloadError, Privacy, Request, Text
from walctl.payload.errors import DecoderError, shown
from walctl.payload.numbers import json_number
from walctl.payload.process import TIMEOUT_SECONDS, LineProcess

NESTING_MAX = 64
"""Lists and objects inside one another in an answer."""
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}")
"""What the type of a request may be."""
NAME_CHARS_MAX = 200
"""Longest name of a field."""
TAKEN = "decoder"
"""The name under which a row says who decoded it."""
WORDS_CHARS_MAX = 4000
"""How much of an answer is kept for the line that a person sees."""


@dataclass(eq=False)
class _Asked:
    """A command line and its process, which is started by the first question.

    Only the command line pickles: each process that uses a decoder has a program of its own.
    """

    argv: tuple[str, ...]
    timeout_seconds: float = TIMEOUT_SECONDS
    _process: LineProcess | None = field(default=None, init=False, repr=False)

    @property
    def process(self) -> LineProcess:
        """The program, which may not run yet."""
        if self._process is None:
            self._process = LineProcess(self.argv, timeout_seconds=self.timeout_seconds)
        return self._process

    @property
    def program(self) -> str:
        """The program's name where it is a plain word; else what kind of decoder this is."""
        name = self.process.name
        return name if WORD.fullmatch(name) else "command"

    def close(self) -> None:
        """End the program, if it runs, and wait for it; the next question starts it again."""
        if self._process is not None:
            self._process.close()

    def __reduce__(self) -> tuple[type["_Asked"], tuple[tuple[str, ...], float]]:
        return type(self), (self.argv, self.timeout_seconds)


class StreamDecoder(_Asked):
    """A program that speaks etcd-dump-logs' decoder protocol; any payload may be asked of it.

    `answer` is what the program printed. As a `Decoder` it splits that as the protocol says.
    """

    @property
    def name(self) -> str:
        """What it is called where a row says who decoded it."""
        return "stream"

    def answer(self, payload: bytes) -> str:
        """The line that the program has for a payload, which may be empty.

        Bytes that are no UTF-8 come as surrogate escapes. Raises: DecoderError.
        """
        return self.process.ask(payload.hex().encode("ascii")).decode("utf-8", "surrogateescape")

    def decode(self, payload: bytes, kind: EntryKind) -> Request:
        """The answer as a request of the type `stream`, with the texts `status` and `data`.

        Without a `|` there is no status; behind the first `|` all is data.
        Raises: DecoderError.
        """
        line = self.answer(payload)
        status, bar, data = line.partition("|")
        body = {"status": Text(status, Privacy.VALUE)} if bar else {}
        body["data"] = Text(data if bar else line, Privacy.VALUE)
        return Request(
            decoder=self.name, type="stream", body=body, words=(Text(line, Privacy.VALUE),)
        )


class CommandDecoder(_Asked):
    """A program that reads and writes JSON, one object a line."""

    @property
    def name(self) -> str:
        """What it is called where a row says who decoded it: the program's name."""
        return self.program

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """What the program says of a payload. Raises: PayloadError, DecoderError."""
        data = base64.b64encode(payload).decode("ascii")
        question = f'{{"v":1,"entry_type":"{kind}","data":"{data}"}}'
        answer = self._parsed(self.process.ask(question.encode("ascii")))
        if answer is None:
            return None
        error = answer.pop("error", None)
        if isinstance(error, str):
            raise PayloadError(f"decoder {shown(self.name)} says: {shown(error)}")
        if error is not None:
            raise self._nonsense("error", "something else than text as its error")
        return self._request(answer)

    def _parsed(self, line: bytes) -> dict[str, object] | None:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._nonsense(line, "no JSON") from error
        if answer is not None and not isinstance(answer, dict):
            raise self._nonsense(line, "neither a JSON object nor null")
        return answer

    def _request(self, answer: dict[str, object]) -> Request:
        kind = answer.pop("type", self.program)
        if not isinstance(kind, str) or not WORD.fullmatch(kind):
            raise self._nonsense(repr(kind), "a type that is no plain word")
        if TAKEN in answer:
            raise self._nonsense(TAKEN, "a field that is called as ours is")
        request_id = answer.get("id")
        is_id = isinstance(request_id, int) and not isinstance(request_id, bool)
        if is_id:
            del answer["id"]
        body = {name: self._node(value, name, 1) for name, value in self._named(answer)}
        line = _clean(json.dumps(answer, ensure_ascii=False)[:WORDS_CHARS_MAX])
        key = answer.get("key")
        return Request(
            decoder=self.name,
            type=kind,
            request_id=cast(int, request_id) if is_id else None,
            body=body,
            words=(kind, " ", Text(line, Privacy.VALUE)),
            keys=(KeyRange(_clean(key).encode("utf-8")),) if isinstance(key, str) else (),
        )

    def _node(self, value: object, name: str, depth: int) -> Node:
        """A value of the answer; its texts may be anything, so they are never words of ours."""
        if depth > NESTING_MAX:
            raise self._nonsense(name, f"more than {NESTING_MAX} values inside one another")
        match value:
            case str():
                privacy = Privacy.KEY if name == "key" else Privacy.VALUE
                return Text(_clean(value), privacy)
            case list():
                return [self._node(each, name, depth + 1) for each in value]
            case dict():
                return {
                    inner: self._node(each, inner, depth + 1)
                    for inner, each in self._named(cast(dict[str, object], value))
                }
            case float():
                return json_number(value)  # Python reads words for what JSON cannot write
            case _:
                return cast(Node, value)

    def _named(self, answer: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        for name, value in answer.items():
            if not name.isprintable() or len(name) > NAME_CHARS_MAX:
                raise self._nonsense(name, "the name of a field that cannot be shown")
            yield name, value

    def _nonsense(self, printed: bytes | str, what: str) -> DecoderError:
        """Nonsense ends the conversation: who knows what the next line answers."""
        self.process.close(is_patient=False)
        return DecoderError(f"decoder {shown(self.name)} printed {what}: {shown(printed)}")


def _clean(text: str) -> str:
    """`text` without the halves of surrogate pairs that JSON lets through and UTF-8 does not."""
    return text.encode("utf-8", "replace").decode("utf-8")
