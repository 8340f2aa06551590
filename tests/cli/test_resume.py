"""`--resume` as it is typed, and how an application that was interrupted is made known."""

from pathlib import Path

import pytest

from tests.cli.commands import Tell
from tests.cli.repairing import FREE, documented, flat, held, member
from tests.corpus import fingerprint
from walctl.errors import AccessError

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def interrupted(tell: Tell, tmp_path: Path) -> Path:
    """A member whose repair ended with its backup, and took nothing away any more."""

    def ended(*_: object) -> None:
        raise AccessError("ended")

    path = member(FREE, tmp_path / "n1.etcd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("walctl.repair.execute._Application._place", ended)
        patch.setattr("walctl.repair.execute._Application._roll_back", lambda self: None)
        assert tell("repair", "--apply", path).status == 4
    return path


def test_a_roll_back_that_keeps_the_backup_says_where_and_ends_with_4(
    tell: Tell, interrupted: Path
) -> None:
    (backup,) = interrupted.with_name("n1.etcd.walctl").iterdir()
    with (interrupted / "member/snap/db").open("ab") as database:
        database.write(b"more")
    before = held(backup)
    told = tell("repair", interrupted, "--resume")
    assert (told.status, told.err) == (4, "")
    assert "somebody has written to the member since" in flat(told.out)
    assert str(backup) in told.out.replace("\n", "").replace(" ", "")
    assert held(backup) == before
    (found,) = documented(tell("clean", interrupted, "-o", "json"))["backups"]
    assert (found["path"], found["receipt"]) == (str(backup), None)
    assert found["words"] == "rolled back: no receipt, zstd -d opens its files"


def test_what_is_rolled_back_for_json_says_which_backup_stayed(
    tell: Tell, interrupted: Path
) -> None:
    found = documented(tell("repair", interrupted, "--resume", "-o", "json"))
    assert (found["resumed"], found["kept"], found["exit"]) == ("rolled-back", None, 0)
    assert not interrupted.with_name("n1.etcd.walctl").exists()


def test_whoever_reads_a_member_with_an_interrupted_repair_is_told(
    tell: Tell, interrupted: Path
) -> None:
    words = f"walctl repair {interrupted} --resume finishes or rolls it back"
    before = fingerprint(interrupted.parent)
    for command in ("verify", "doctor"):
        assert words.replace(" ", "") in "".join(tell(command, interrupted).out.split())
    for rest in ([], ["--apply"], ["--plan", interrupted.with_name("fix.json")]):
        told = tell("repair", interrupted, *rest)
        assert (told.status, told.out) == (4, "")
        assert words in told.err
    assert fingerprint(interrupted.parent) == before
    assert tell("repair", interrupted, "--resume", "-q").status == 0
    assert "--resume" not in tell("verify", interrupted).out
