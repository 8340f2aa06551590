"""A program that applies, takes back or resumes on the machine's own disk, to be killed.

    python -m tests.repair.killed apply|undo|resume DIRECTORY [RECEIPT]

Says `go` when it is about to begin, `done` when it is.
"""

import sys
from pathlib import Path

from tests.repair.disks import both_folders, one_file, one_folder, world
from walctl.fs.real import RealFileSystem
from walctl.repair.apply import apply
from walctl.repair.resume import resume
from walctl.repair.undo import undo

PLANS = {"file": one_file, "folder": one_folder, "both": both_folders}


def main(word: str, directory: Path, *rest: str) -> None:
    disk = RealFileSystem()
    if word == "undo":
        _say("go")
        undo(world(disk), Path(rest[0]))
    elif word == "resume":
        _say("go")
        resume(world(disk), directory)
    else:
        plan = PLANS[word](disk, directory)
        _say("go")
        apply(world(disk), plan)
    _say("done")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
