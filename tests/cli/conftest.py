"""What tests of commands are handed."""

from pathlib import Path

import pytest

from tests.cli.commands import Tell, Told
from walctl.cli.main import run


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Run a command in this process."""
    monkeypatch.delenv("WALCTL_TRACEBACK", raising=False)

    def told(*words: str | Path) -> Told:
        status = run([str(word) for word in words])
        return Told(status, *capsys.readouterr())

    return told


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just written is looked at twice, without the wait in between."""
    monkeypatch.setattr("walctl.cli.world.time.sleep", lambda seconds: None)
