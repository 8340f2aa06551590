"""The receipt of an application: what was there, what is there now, and how to take it back.

    {"v": 1, "kind": "walctl-receipt", "what": "repair", "made", "tool", "class", "strategy",
     "summary", "bound": {"directory", "wal", "snap", "files": before}, "after": {NAME: stamp},
     "verdict", "findings", "comparison": {…}, "started": {…}, "trial", "undoes"}

It lies in the backup that it speaks of, as `receipt.json`, and names files of the member as a plan
does. A receipt that comes back is a stranger, as a plan is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from walctl.errors import UsageError
from walctl.fs.base import FileSystem
from walctl.model.finding import Verdict
from walctl.repair.backup import read_document
from walctl.repair.compare import Comparison
from walctl.repair.document import bound_document, stamp_document
from walctl.repair.first_start import started_document, started_of
from walctl.repair.plan import Bound, PlanClass, Stamp
from walctl.repair.stated import FILES_MAX, NUMBER_MAX, bound_of, own_name, stamp_of
from walctl.repair.strict import Part
from walctl.replay.load import Started

KINDS = ("repair", "undo")
_WORD = re.compile(r"[a-z0-9-]{1,64}")
_RUNS_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One application.

    `path` is the receipt's own file; the backup is the folder that it lies in. `kind` is `repair`
    or `undo`. `bound` is the member with the stamps of its files before, `after` are those since.
    `verdict` is what verify says of the result, `started` with what a Raft node started on it,
    `trial` how a real server fared on a copy.
    `undoes` is the receipt that an undo took back.
    """

    path: Path
    kind: str
    made: str
    tool: str
    plan_class: PlanClass
    strategy: str
    summary: str
    bound: Bound
    after: Mapping[str, Stamp]
    verdict: Verdict
    findings: tuple[str, ...] = ()
    comparison: Comparison = field(default_factory=Comparison)
    started: Started | None = None
    trial: str | None = None
    undoes: str | None = None

    @property
    def backup(self) -> Path:
        """The folder of the backup."""
        return self.path.parent

    @property
    def changed(self) -> dict[str, tuple[Stamp | None, Stamp | None]]:
        """What each file that is not as it was held before, and holds since; by name."""
        before = self.bound.files
        return {
            name: (before.get(name), self.after.get(name))
            for name in sorted({*before, *self.after})
            if before.get(name) != self.after.get(name)
        }


def receipt_document(receipt: Receipt) -> dict[str, object]:
    """A receipt for JSON."""
    return {
        "v": 1,
        "kind": "walctl-receipt",
        "what": receipt.kind,
        "made": receipt.made,
        "tool": receipt.tool,
        "class": str(receipt.plan_class),
        "strategy": receipt.strategy,
        "summary": receipt.summary,
        "bound": bound_document(receipt.bound),
        "after": {name: stamp_document(stamp) for name, stamp in receipt.after.items()},
        "verdict": str(receipt.verdict),
        "findings": list(receipt.findings),
        "comparison": receipt.comparison.document(),
        "started": None if receipt.started is None else started_document(receipt.started),
        "trial": receipt.trial,
        "undoes": receipt.undoes,
    }


def receipt_of(document: object, path: Path) -> Receipt:
    """The receipt that a document holds, which lies at `path`. Raises: UsageError."""
    if not isinstance(document, dict) or document.get("kind") != "walctl-receipt":
        raise UsageError("no receipt of walctl: expected an object whose kind is walctl-receipt")
    # Receipts of the first days do not say it.
    inside = Part({"started": None, **document}).members(
        "v",
        "kind",
        "what",
        "made",
        "tool",
        "class",
        "strategy",
        "summary",
        "bound",
        "after",
        "verdict",
        "findings",
        "comparison",
        "started",
        "trial",
        "undoes",
    )
    inside["v"].integer(1, 1)
    kind = inside["what"].text()
    if kind not in KINDS:
        inside["what"].refuse(" or ".join(KINDS))
    after: dict[str, Stamp] = {}
    for name, stamp in inside["after"].entries(FILES_MAX).items():
        after[own_name(Part(name, "after"))] = stamp_of(stamp)
    return Receipt(
        path=path,
        kind=kind,
        made=inside["made"].text(),
        tool=inside["tool"].text(),
        plan_class=inside["class"].one_of(PlanClass),
        strategy=inside["strategy"].matched(_WORD, "a word"),
        summary=inside["summary"].text(),
        bound=bound_of(inside["bound"]),
        after=after,
        verdict=inside["verdict"].one_of(Verdict),
        findings=tuple(each.text() for each in inside["findings"].items(_RUNS_MAX)),
        comparison=_comparison_of(inside["comparison"]),
        started=inside["started"].maybe(started_of),
        trial=inside["trial"].maybe(Part.text),
        undoes=inside["undoes"].maybe(Part.text),
    )


def read_receipt(disk: FileSystem, path: Path) -> Receipt:
    """The receipt in a file. Raises: AccessError, UsageError."""
    document = read_document(disk, path)
    try:
        return receipt_of(document, path)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def _comparison_of(part: Part) -> Comparison:
    inside = part.members("kept", "dropped", "changed", "added", "dropped_runs")
    runs = []
    for pair in inside["dropped_runs"].items(_RUNS_MAX):
        items = pair.items(2)
        if len(items) != 2:
            pair.refuse("first and last")
        runs.append((items[0].integer(0, NUMBER_MAX), items[1].integer(0, NUMBER_MAX)))
    return Comparison(
        kept=inside["kept"].integer(0, NUMBER_MAX),
        dropped=inside["dropped"].integer(0, NUMBER_MAX),
        changed=inside["changed"].integer(0, NUMBER_MAX),
        added=inside["added"].integer(0, NUMBER_MAX),
        dropped_runs=tuple(runs),
    )
