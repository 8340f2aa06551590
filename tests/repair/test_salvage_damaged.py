"""salvage of members that were damaged at random: it ends well, or with one line and nothing left.

What a member that is made holds is compared with its source by salvage itself (`prove`); here it
must never come to a member that does not read back, nor to an exception that nobody translated.
"""

import json
import random
import shutil
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.repair.salvaging import salvaged
from walctl.errors import CorruptionError, WalctlError
from walctl.repair.salvage import REPORT

CASES = ("etcd-3.5-two-segments", "etcd-3.5-snapshots", "etcd-3.5-three-members")
SEEDS = 30


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A few bytes zeroed, overwritten, flipped, left out, doubled or cut off."""
    found = bytearray(data)
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(found) + 1)
        size = chance.choice([1, 8, 64, 512, 4096])
        part = bytes(found[at : at + size])
        match chance.randrange(6):
            case 0:
                found[at : at + size] = bytes(len(part))
            case 1:
                found[at : at + size] = chance.randbytes(len(part))
            case 2 if part:
                found[at] ^= 1 << chance.randrange(8)
            case 3:
                del found[at : at + max(8, size)]
            case 4:
                found[at:at] = part
            case _:
                del found[at:]
    return bytes(found) + bytes(chance.choice([0, 8, 5000]))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_whatever_the_damage_it_ends_well_or_leaves_nothing(case: str, tmp_path: Path) -> None:
    whole = unpack(case, tmp_path / "whole")
    ends = set()
    for seed in range(SEEDS):
        chance = random.Random(seed)
        source, target = tmp_path / f"source-{seed}", tmp_path / f"out-{seed}"
        shutil.copytree(whole, source)
        for segment in sorted(source.rglob("*.wal")):
            segment.write_bytes(damaged(segment.read_bytes().rstrip(b"\0"), chance))
        for database in source.rglob("db"):
            if chance.random() < 0.6:
                database.unlink()
            elif chance.random() < 0.3:
                data = database.read_bytes()
                at = chance.randrange(len(data))
                database.write_bytes(data[:at] + bytes(100) + data[at + 100 :])
        try:
            result = salvaged(source, target, skips_holes=chance.random() < 0.5)
        except CorruptionError:
            raise  # what was made did not read back
        except WalctlError:
            assert not target.exists()
            continue
        assert json.loads((target / REPORT).read_bytes())["v"] == 1
        ends.add(result.survivor and result.survivor.foundation.ground)
        shutil.rmtree(source)
        shutil.rmtree(target)
    assert len(ends) >= 2, "members on databases, and on the beginning of logs"
