"""Decoders that are other programs: what they are told, and what is made of their answers."""

import json
import pickle
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from walctl.inspect.document import request_document
from walctl.model.record import EntryKind
from walctl.payload.base import KeyRange, PayloadError, Privacy, Redaction, Request, Text
from walctl.payload.errors import DecoderError
from walctl.payload.external import CommandDecoder, StreamDecoder

PROGRAM = Path(sys.executable).name
LOOP = """
import base64, json, sys
for line in sys.stdin:
    asked = json.loads(line) if line.startswith("{") else line.strip()
    print(answer(asked), flush=True)
"""


def argv(code: str) -> tuple[str, ...]:
    return (sys.executable, "-ISc", textwrap.dedent(code))


def looping(answer: str) -> tuple[str, ...]:
    """A program whose answers an expression makes of `asked`."""
    return argv(f"answer = lambda asked: {answer}\n{LOOP}")


@contextmanager
def command(answer: str) -> Iterator[CommandDecoder]:
    with closing(CommandDecoder(looping(answer))) as decoder:
        yield decoder


def saying(line: str) -> CommandDecoder:
    return CommandDecoder(looping(repr(line)))


def decoded(decoder: CommandDecoder) -> Request | None:
    with closing(decoder):
        return decoder.decode(b"x", EntryKind.NORMAL)


def test_a_command_is_told_the_kind_and_the_bytes() -> None:
    answer = "json.dumps({'asked': asked, 'bytes': list(base64.b64decode(asked['data']))})"
    with command(answer) as decoder:
        request = decoder.decode(b"\x00\xff\n", EntryKind.CONF_CHANGE_V2)
    assert request is not None
    assert request.body["bytes"] == [0, 255, 10]
    assert request.body["asked"] == {
        "v": 1,
        "entry_type": Text("conf-change-v2", Privacy.VALUE),
        "data": Text("AP8K", Privacy.VALUE),
    }


def test_what_a_command_says_is_a_request() -> None:
    line = '{"type":"put","id":255,"key":"a/ö","n":[1,-2.5,true,null,{"x":{}}]}'
    request = decoded(saying(line))
    assert request == Request(
        decoder=PROGRAM,
        type="put",
        request_id=255,
        body={"key": Text("a/ö", Privacy.KEY), "n": [1, -2.5, True, None, {"x": {}}]},
        words=(
            "put",
            " ",
            Text('{"key": "a/ö", "n": [1, -2.5, true, null, {"x": {}}]}', Privacy.VALUE),
        ),
        keys=(KeyRange("a/ö".encode()),),
    )
    shown = request_document(request, Redaction.KEYS)
    assert json.loads(json.dumps(shown))["key"] == {"redacted": True, "size": 4}


def test_the_type_is_the_program_s_name_when_it_gives_none() -> None:
    request = decoded(saying("{}"))
    assert request is not None
    assert request.type == request.decoder == PROGRAM


def test_null_says_nothing_and_the_next_payload_is_asked_all_the_same() -> None:
    answer = "'null' if asked['data'] == 'eA==' else '{}'"
    with command(answer) as decoder:
        found = [decoder.decode(each, EntryKind.NORMAL) for each in (b"x", b"y", b"x")]
    assert [each is None for each in found] == [True, False, True]


def test_an_error_concerns_one_payload_and_is_told_without_its_control_characters() -> None:
    answer = r"""'{"error":"bad \\u001b[2J magic"}' if asked['data'] == 'eA==' else '{}'"""
    with command(answer) as decoder:
        with pytest.raises(PayloadError) as caught:
            decoder.decode(b"x", EntryKind.NORMAL)
        assert decoder.decode(b"y", EntryKind.NORMAL) is not None
    assert r"says: 'bad \x1b[2J magic'" in caught.value.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello \x1b[31m", r"printed no JSON: 'hello \\x1b\[31m'"),
        ("", "printed no JSON: ''"),
        ("[1]", "neither a JSON object nor null"),
        ("7", "neither a JSON object nor null"),
        ('{"a":1} {"b":2}', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"a":' + "[" * 70 + "]" * 70 + "}", "more than 64 values inside one another"),
        ('{"n":' + "9" * 5000 + "}", "no JSON"),
        ('{"type":"two words"}', "no plain word"),
        ('{"type":7}', "no plain word"),
        ('{"decoder":"etcd"}', "called as ours is"),
        ('{"error":7}', "something else than text"),
        (r'{"a\u001b":1}', "cannot be shown"),
        (r'{"a":[{"\n":1}]}', "cannot be shown"),
    ],
)
def test_nonsense_ends_the_program_with_one_line(line: str, words: str) -> None:
    decoder = saying(line)
    with pytest.raises(DecoderError, match=words) as caught:
        decoder.decode(b"x", EntryKind.NORMAL)
    assert decoder.process.pid is None
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1000


def test_texts_that_are_no_unicode_and_numbers_that_are_none_can_still_be_shown() -> None:
    request = decoded(saying(r'{"key":"a\ud800","t":"\udc80b","n":NaN,"m":-Infinity}'))
    assert request is not None
    assert (request.body["n"], request.body["m"]) == ("NaN", "-Infinity")
    assert json.dumps(request_document(request), allow_nan=False).isascii()
    assert all(text.text.encode() for text in request.words if isinstance(text, Text))


def test_a_decoder_goes_to_other_processes_without_its_program() -> None:
    with command("'{}'") as decoder:
        decoder.decode(b"x", EntryKind.NORMAL)
        copy = pickle.loads(pickle.dumps(decoder))
    assert isinstance(copy, CommandDecoder)
    assert (copy.argv, copy.timeout_seconds) == (decoder.argv, decoder.timeout_seconds)
    assert copy.process.pid is None
    assert decoded(copy) is not None


def test_a_stream_decoder_is_given_hex_and_its_line_is_kept_as_it_is() -> None:
    with closing(StreamDecoder(looping("'OK|' + asked.upper() + '|x'"))) as decoder:
        assert decoder.answer(b"\x0a\xff") == "OK|0AFF|x"
        assert decoder.answer(b"") == "OK||x"
        request = decoder.decode(b"\x01", EntryKind.NORMAL)
    assert request.body == {
        "status": Text("OK", Privacy.VALUE),
        "data": Text("01|x", Privacy.VALUE),
    }


def test_a_stream_decoder_s_line_without_a_bar_has_no_status() -> None:
    with closing(StreamDecoder(looping("'no bar'"))) as decoder:
        request = decoder.decode(b"\x01", EntryKind.NORMAL)
    assert request.body == {"data": Text("no bar", Privacy.VALUE)}


def test_a_stream_decoder_s_bytes_that_are_no_utf_8_are_kept() -> None:
    code = (
        "import sys\nfor _ in sys.stdin: sys.stdout.buffer.write(b'a\\xff\\n'); sys.stdout.flush()"
    )
    with closing(StreamDecoder(argv(code))) as decoder:
        assert decoder.answer(b"x").encode("utf-8", "surrogateescape") == b"a\xff"


def test_a_program_with_a_name_that_is_no_word_is_called_command() -> None:
    assert CommandDecoder(("/bin/a b\x1b",)).name == "command"
    assert CommandDecoder(("/bin/jq",)).name == "jq"
