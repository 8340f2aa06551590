"""Programs that answer lines: big ones, slow ones, dead ones and those that talk nonsense."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from walctl.errors import ExitStatus, UsageError
from walctl.payload.errors import DecoderError
from walctl.payload.process import LineProcess, split_command

ECHO = """
import sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
"""


def program(code: str, *args: str) -> list[str]:
    """A Python program without the site's packages, which starts fast."""
    return [sys.executable, "-ISc", textwrap.dedent(code), *args]


@contextmanager
def running(code: str, *, timeout_seconds: float = 10.0) -> Iterator[LineProcess]:
    process = LineProcess(program(code), timeout_seconds=timeout_seconds)
    try:
        yield process
    finally:
        process.close(is_patient=False)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_line_gets_its_answer_in_turn() -> None:
    with running(ECHO) as process:
        assert [process.ask(b"%d" % each) for each in range(200)] == [
            b"%d" % each for each in range(200)
        ]
        assert process.ask(b"") == b""
        assert process.ask(b"\xff\x00\r") == b"\xff\x00"


@pytest.mark.parametrize("size", [1 << 16, 3 << 20])
def test_a_line_beyond_the_buffers_of_pipes_goes_both_ways(size: int) -> None:
    with running(ECHO) as process:
        assert process.ask(b"x" * size) == b"x" * size


def test_a_program_that_answers_while_we_write_and_floods_its_errors_blocks_nobody() -> None:
    code = """
        import sys
        while True:
            sys.stderr.write("e" * 200_000)
            line = sys.stdin.buffer.readline()
            if not line:
                break
            sys.stderr.write("e" * 200_000)
            sys.stdout.buffer.write(line[:-1] * 2 + b"\\n")
            sys.stdout.flush()
    """
    with running(code) as process:
        for size in (1, 400_000, 2):
            assert process.ask(b"z" * size) == b"z" * 2 * size


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("pass", "it ended with status 0"),
        ("import sys; sys.stderr.write('no\\nschema x\\n\\n'); sys.exit(5)", "status 5; it said"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "it ended by signal 9"),
        ("import sys; sys.stdin.readline(); print('half', end='')", "before it answered"),
        ("import sys; sys.stdin.readline(); raise LookupError('a\\x1b[2Jb')", r"a\x1b[2Jb"),
    ],
)
def test_a_program_that_ends_is_named_with_how_it_ended_and_its_last_words(
    code: str, words: str
) -> None:
    with running(code) as process, pytest.raises(DecoderError) as caught:
        process.ask(b"x" * 100_000)
    message = caught.value.message
    assert words in message
    assert Path(sys.executable).name in message
    assert message.isprintable()
    assert caught.value.exit_status is ExitStatus.UNFINISHED


def test_only_the_last_line_that_says_something_is_repeated() -> None:
    code = "import sys; sys.stderr.write('first\\n' * 9000 + 'last one\\n\\n  \\n'); sys.exit(1)"
    with running(code) as process, pytest.raises(DecoderError, match=r"said 'last one'$"):
        process.ask(b"")


def test_a_program_that_hangs_is_given_up_and_ended_at_once() -> None:
    with running("import time; time.sleep(60)", timeout_seconds=0.1) as process:
        start = time.monotonic()
        with pytest.raises(DecoderError, match=r"has not answered for 0\.1 seconds"):
            process.ask(b"x")
        assert process.pid is None
        assert time.monotonic() - start < 1.0


def test_a_program_that_reads_nothing_does_not_hold_us() -> None:
    code = "import time; time.sleep(60)"
    with running(code, timeout_seconds=0.1) as process, pytest.raises(DecoderError):
        process.ask(b"x" * (1 << 20))


@pytest.mark.slow
def test_a_program_that_will_not_terminate_is_killed() -> None:
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.write(sys.stdin.readline())
        sys.stdout.flush()
        time.sleep(60)
    """
    process = LineProcess(program(code))
    process.ask(b"x")
    pid = process.pid
    assert pid is not None
    assert is_alive(pid)
    process.close()
    assert not is_alive(pid)


def test_a_line_without_an_end_is_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.payload.process.LINE_BYTES_MAX", 1 << 20)
    code = "import sys\nwhile True: sys.stdout.write('y' * 65536)"
    with running(code) as process, pytest.raises(DecoderError, match="more than 1,048,576 bytes"):
        process.ask(b"x")


@pytest.mark.parametrize(
    "code",
    [
        "import sys; print('hello', flush=True); sys.stdin.readline(); print('a', flush=True)",
        "import sys; sys.stdin.readline(); print('a\\nhello', flush=True); sys.stdin.readline()",
    ],
)
def test_a_line_that_nobody_asked_for_is_no_answer_to_the_next_question(code: str) -> None:
    with running(code) as process, pytest.raises(DecoderError, match=r"hello.*not asked for"):
        _ask_twice(process)


def _ask_twice(process: LineProcess) -> None:
    """The second question is where an extra line of the first answer is found at the latest."""
    for _ in range(2):
        process.ask(b"x" * (1 << 20))


def test_an_answer_to_half_a_question_is_none() -> None:
    code = "import sys; sys.stdin.buffer.raw.read(9); print('quick', flush=True); input()"
    with running(code) as process, pytest.raises(DecoderError, match="quick"):
        process.ask(b"x" * (4 << 20))


def test_what_failed_once_is_not_asked_again() -> None:
    with running("import sys; sys.exit(3)") as process:
        messages = set()
        for _ in range(2):
            with pytest.raises(DecoderError) as caught:
                process.ask(b"x")
            messages.add(caught.value.message)
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["/nowhere/x\x1bz"], r"'/nowhere/x\\x1bz' cannot be started: No such file"),
        (["/"], "Permission denied"),
        (["a\0b"], "null byte"),
    ],
)
def test_a_program_that_cannot_be_started_is_one_line(argv: list[str], words: str) -> None:
    with LineProcess(argv) as process, pytest.raises(DecoderError, match=words):
        process.ask(b"x")


def test_a_closed_program_has_ended_by_itself_and_may_be_asked_anew(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"{ECHO}\nopen({str(mark)!r}, 'a').write('done ')"
    with LineProcess(program(code)) as process:
        assert process.ask(b"x") == b"x"
        pid = process.pid
    assert mark.read_text() == "done "
    assert pid is not None
    assert not is_alive(pid)
    assert process.pid is None
    assert process.ask(b"y") == b"y"
    process.close()


def test_a_forgotten_program_is_ended() -> None:
    process = LineProcess(program(ECHO))
    process.ask(b"x")
    pid = process.pid
    assert pid is not None
    del process
    assert not is_alive(pid)


@pytest.mark.slow
def test_ctrl_c_and_the_end_of_the_interpreter_leave_no_program_behind() -> None:
    stops = ECHO + "    if line[:4] == b'hang':\n        import time; time.sleep(60)\n"
    code = f"""
        import sys
        from walctl.payload.process import LineProcess
        process = LineProcess({program(stops)!r})
        process.ask(b"a")
        print(process.pid, flush=True)
        if sys.argv[1] == "hang":
            process.ask(b"hang")
            process.ask(b"b")
    """
    for mode in ("hang", "end"):
        ours = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        if mode == "hang":
            time.sleep(0.3)
            assert is_alive(pid)
            ours.send_signal(signal.SIGINT)
        _, said = ours.communicate(timeout=10)
        assert ("KeyboardInterrupt" in said) == (mode == "hang")
        assert not is_alive(pid)


def test_a_command_line_is_split_as_a_shell_would_and_expanded_by_nobody() -> None:
    assert split_command("jq -c '. + {a: 1}' $HOME *") == ("jq", "-c", ". + {a: 1}", "$HOME", "*")


@pytest.mark.parametrize(
    ("command", "words"),
    [("", "empty"), ("  ", "empty"), ("''", "empty"), ("a 'b", "no closing quotation")],
)
def test_a_command_line_that_is_none_is_a_wrong_request(command: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        split_command(command)
