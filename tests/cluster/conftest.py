"""What tests of clusters are handed."""

from pathlib import Path

import pytest

from tests.cli.commands import Tell, Told
from walctl.cli.main import run


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run a command in this process."""

    def told(*words: str | Path) -> Told:
        status = run([str(word) for word in words])
        return Told(status, *capsys.readouterr())

    return told
