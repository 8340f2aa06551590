"""Where Raft scripts are: those of the reference implementation, if they are here, and our own.

The shared ones lie outside this repository, `../shared/raft-scripts` beside it or where
`WALCTL_RAFT_SCRIPTS` points; set it empty to go without.
"""

import os
from pathlib import Path

import pytest

from tests.corpus import REPO

OWN = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
NAMES = (
    "confchange/joint_autoleave.txt",
    "confchange/simple_safety.txt",
    "confchange/update.txt",
    "confchange/zero.txt",
    "interaction/async_storage_writes.txt",
    "interaction/campaign.txt",
    "interaction/checkquorum.txt",
    "interaction/confchange_disable_validation.txt",
    "interaction/confchange_v1_add_single.txt",
    "interaction/confchange_v1_remove_leader_stepdown.txt",
    "interaction/confchange_v2_add_double_auto.txt",
    "interaction/confchange_v2_add_single_explicit.txt",
    "interaction/forget_leader.txt",
    "interaction/heartbeat_resp_recovers_from_probing.txt",
    "interaction/lagging_commit.txt",
    "interaction/prevote.txt",
    "interaction/probe_and_replicate.txt",
    "interaction/single_node.txt",
    "interaction/snapshot_succeed_via_app_resp.txt",
    "quorum/majority_commit.txt",
    "quorum/majority_vote.txt",
)
"""The shared scripts, so that each is named when it is skipped."""


def _find() -> Path | None:
    """The shared folder, or `None`. A variable that leads nowhere is an error, not a skip.

    Raises: pytest.UsageError.
    """
    wish = os.environ.get("WALCTL_RAFT_SCRIPTS")
    if wish == "":
        return None
    folder = REPO.parent / "shared" / "raft-scripts" if wish is None else Path(wish)
    if (folder / "compare.py").is_file():
        return folder.resolve()
    if wish is not None:
        raise pytest.UsageError(f"WALCTL_RAFT_SCRIPTS: {wish}: no compare.py there")
    return None


SHARED = _find()
needs_shared = pytest.mark.skipif(
    SHARED is None, reason="raft-scripts: not found beside the repository, nor by variable"
)


def shared(name: str) -> str:
    """The text of a shared script."""
    assert SHARED is not None, "the test needs the shared scripts"
    return (SHARED / name).read_text(encoding="utf-8")
