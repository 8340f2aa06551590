"""What every test session has: deterministic hypothesis, and a word on the corpus; no fakes."""

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from tests import corpus as shared

_SLOW_MACHINE = [hypothesis.HealthCheck.too_slow]

# The same examples each time: a change is judged by what it did, not by luck.
hypothesis.settings.register_profile(
    "fixed", derandomize=True, deadline=None, suppress_health_check=_SLOW_MACHINE
)
# New examples each time, many: HYPOTHESIS_PROFILE=explore, by hand or by night.
hypothesis.settings.register_profile(
    "explore",
    deadline=None,
    max_examples=10_000,
    print_blob=True,
    suppress_health_check=_SLOW_MACHINE,
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], Path]:
    """`tests.corpus.unpacked`, for tests that can ask for it by name; skips without the corpus."""
    if shared.CORPUS is None:
        pytest.skip(shared.needs_corpus.kwargs["reason"])
    return shared.unpacked


def pytest_report_header() -> str:
    """Say which corpus there is; its absence must not go by in silence."""
    if shared.CORPUS is None:
        return "corpus: not found; the tests that need it are skipped"
    return f"corpus: {len(shared.names())} directories in {shared.CORPUS}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what was skipped for want of the corpus."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum("corpus: not found" in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(f"corpus: not found, {count} tests skipped")
