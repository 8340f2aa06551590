"""Plans of every kind, as hypothesis draws them: whole, and of parts that fit each other."""

import hashlib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from walctl.errors import ExitStatus
from walctl.model.finding import Code
from walctl.repair.pieces import Copy, Literal, Piece, Rebuild, Rechain, Row
from walctl.repair.plan import (
    Act,
    Bound,
    Certificate,
    Change,
    Drop,
    Option,
    Plan,
    PlanClass,
    Says,
    Stamp,
    Step,
    Synthetic,
    Testimony,
)

NUMBERS = st.one_of(st.integers(0, 500), st.just((1 << 64) - 1))
MAYBE_NUMBERS = st.one_of(st.none(), NUMBERS)
WORDS = st.sampled_from(["nothing", "fast-forward", "torn-tail", "bit-flip", "3"])
TEXTS = st.text(st.characters(), max_size=30)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
STAMPS = st.builds(Stamp, size=st.integers(0, 1 << 40), sha256=HASHES)
_CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),  # bytes that are no UTF-8
)
FILE_NAMES = st.text(_CHARACTERS, min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..")
)
NAMES = st.builds("{}/{}".format, st.sampled_from(["wal", "snap"]), FILE_NAMES)
TESTIMONIES = st.builds(
    Testimony,
    source=st.sampled_from(["hard-state", "entries", "database"]),
    says=st.sampled_from(Says),
    index=NUMBERS,
    term=MAYBE_NUMBERS,
    place=TEXTS,
    words=TEXTS,
)
CERTIFICATES = st.builds(
    Certificate,
    testimonies=st.lists(TESTIMONIES, max_size=3).map(tuple),
    kept=NUMBERS,
    witnessed=NUMBERS,
    is_end_known=st.booleans(),
    words=st.lists(TEXTS, max_size=3).map(tuple),
)
OPTIONS = st.builds(
    Option,
    name=st.sampled_from(["heal", "rejoin", "restore", "last-survivor"]),
    is_possible=st.booleans(),
    words=TEXTS,
    commands=st.lists(TEXTS, max_size=2).map(tuple),
)
DROPS = st.builds(
    Drop,
    kind=st.sampled_from(["entry", "state", "snapshot", "bytes"]),
    count=NUMBERS,
    first=MAYBE_NUMBERS,
    last=MAYBE_NUMBERS,
    term=MAYBE_NUMBERS,
    is_readable=st.booleans(),
    kept_by=st.sampled_from(["", "database", "peer1"]),
)
CHANGES = st.builds(
    Change, offset=st.integers(0, 1 << 30), was=st.binary(max_size=9), now=st.binary(max_size=9)
)
SYNTHETICS = st.builds(Synthetic, kind=WORDS, words=TEXTS, index=MAYBE_NUMBERS, term=MAYBE_NUMBERS)
ROWS = st.builds(
    Row,
    bucket=st.binary(max_size=9),
    key=st.binary(max_size=9),
    value=st.one_of(st.none(), st.binary(max_size=9)),
)


@st.composite
def bounds(draw: st.DrawFn, directory: str = "/var/lib/etcd") -> Bound:
    """Directories of a member, with some files in them."""
    return Bound(
        directory=Path(directory),
        wal=draw(st.sampled_from([None, Path("member/wal"), Path("/fast/wal")])),
        snap=draw(st.sampled_from([None, Path("member/snap")])),
        files=draw(st.dictionaries(NAMES, STAMPS, max_size=5)),
    )


@st.composite
def pieces(draw: st.DrawFn, sizes: dict[str, int]) -> Piece:
    """Literal bytes, or bytes of a source that the plan knows."""
    kind = draw(st.sampled_from(["literal", "copy", "rechain", "rebuild"]))
    if kind == "literal" or not sizes:
        return Literal(data=draw(st.binary(max_size=40)))
    source = draw(st.sampled_from(sorted(sizes)))
    if kind == "rebuild":
        return Rebuild(
            source=source,
            cleared=tuple(draw(st.lists(st.binary(max_size=9), max_size=2))),
            rows=tuple(draw(st.lists(ROWS, max_size=2))),
        )
    start, stop = sorted(draw(st.tuples(*[st.integers(0, sizes[source])] * 2)))
    if kind == "copy":
        return Copy(source=source, start=start, stop=stop)
    types = tuple(draw(st.lists(st.integers(1, 5), max_size=5)))
    seed = draw(st.integers(0, (1 << 32) - 1))
    return Rechain(source=source, start=start, stop=stop, types=types, seed=seed)


@st.composite
def steps(draw: st.DrawFn, file: str, bound: Bound, sizes: dict[str, int]) -> Step:
    """One step on `file`, which may be new; a rename goes to a name that no other step makes."""
    before = bound.files.get(file)
    act = draw(st.sampled_from(Act)) if before is not None else Act.WRITE
    facts: dict[str, Any] = {}
    if act is Act.WRITE:
        chosen = draw(st.lists(pieces(sizes), max_size=3))
        known = sum(
            len(each.data) if isinstance(each, Literal) else each.stop - each.start
            for each in chosen
            if isinstance(each, Literal | Copy)
        )
        size = known + draw(st.integers(0, 100))
        facts = {"pieces": tuple(chosen), "size": size}
        facts["changes"] = tuple(draw(st.lists(CHANGES, max_size=2)))
        facts["after"] = Stamp(size=size, sha256=draw(HASHES))
    elif act is Act.RENAME:
        room = file.partition("/")[0]
        made = f"{room}/{hashlib.sha256(file.encode('utf-8', 'surrogateescape')).hexdigest()}"
        facts = {"target": made, "after": draw(st.sampled_from([None, before]))}
    return Step(
        act=act,
        file=file,
        reason=draw(WORDS),
        words=draw(TEXTS),
        before=before,
        drops=tuple(draw(st.lists(DROPS, max_size=2))),
        synthetic=tuple(draw(st.lists(SYNTHETICS, max_size=2))),
        **facts,
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans that a planner could make, as far as `plan` says what one is."""
    bound = draw(bounds())
    helpers = draw(st.lists(bounds("/mnt/other"), max_size=2))
    peers = {f"peer{number}": peer for number, peer in enumerate(helpers, start=1)}
    sizes = {name: stamp.size for name, stamp in bound.files.items()}
    for peer, helper in peers.items():
        sizes |= {f"{peer}/{name}": stamp.size for name, stamp in helper.files.items()}
    plan_class = draw(st.sampled_from(PlanClass))
    known = st.sampled_from(sorted(bound.files)) if bound.files else NAMES
    files = draw(st.lists(st.one_of(known, NAMES), unique=True, max_size=4))
    if plan_class is PlanClass.NOTHING:
        files = []
    return Plan(
        bound=bound,
        plan_class=plan_class,
        strategy=draw(WORDS),
        summary=draw(TEXTS),
        steps=tuple(draw(steps(file, bound, sizes)) for file in files),
        certificate=draw(CERTIFICATES),
        options=tuple(draw(st.lists(OPTIONS, max_size=3))),
        peers=peers,
        accept="118c778c93fe92f6" if plan_class.needs_consent else None,
        leaves=tuple(map(str, draw(st.lists(st.sampled_from(Code), max_size=2)))),
        verify_status=draw(st.sampled_from(ExitStatus)),
    )


SEGMENT = "wal/0000000000000000-0000000000000000.wal"
SECOND = "wal/0000000000000001-0000000000000010.wal"
SNAP = "snap/0000000000000002-00000000000001dd.snap"


def stamp(size: int, digit: str = "a") -> Stamp:
    return Stamp(size=size, sha256=digit * 64)


BOUND = Bound(
    directory=Path("/var/lib/etcd"),
    wal=Path("member/wal"),
    snap=Path("member/snap"),
    files={SEGMENT: stamp(1000), SECOND: stamp(500), SNAP: stamp(80)},
)
PEER = Bound(
    directory=Path("/mnt/n2"),
    wal=Path("member/wal"),
    snap=None,
    files={SEGMENT: stamp(2000, "b")},
)
WRITE = Step(
    act=Act.WRITE,
    file=SEGMENT,
    reason="bit-flip",
    words="one bit put back",
    pieces=(
        Literal(data=b"\x00\xff\x1b"),
        Copy(source=SEGMENT, start=3, stop=700),
        Rechain(source=f"peer1/{SEGMENT}", start=8, stop=16, types=(2, 3), seed=0xFFFFFFFF),
        Rebuild(source=SNAP, cleared=(b"members",), rows=(Row(bucket=b"b", key=b"k", value=None),)),
    ),
    size=1000,
    before=stamp(1000),
    after=stamp(1000, "c"),
    changes=(Change(offset=5, was=b"\x01", now=b"\x02"),),
    drops=(Drop(kind="entry", count=3, first=7, last=9, term=2, kept_by="database"),),
    synthetic=(Synthetic(kind="snapshot", words="marker of 477", index=477, term=2),),
)
PLAN = Plan(
    bound=BOUND,
    plan_class=PlanClass.LOSS_PROVEN,
    strategy="fast-forward",
    summary="an entry is gone",
    steps=(
        WRITE,
        Step(
            act=Act.RENAME,
            file=SECOND,
            reason="name",
            words="n",
            target="wal/new.wal",
            before=stamp(500),
        ),
        Step(act=Act.REMOVE, file=SNAP, reason="leftover", words="r", before=stamp(80)),
    ),
    certificate=Certificate(
        testimonies=(
            Testimony(
                source="database",
                says=Says.ACKNOWLEDGED,
                index=477,
                term=None,
                place="snap/db",
                words="has applied 477",
            ),
        ),
        kept=470,
        witnessed=477,
        is_end_known=False,
        words=("seven are gone",),
    ),
    options=(Option(name="heal", is_possible=True, words="w", commands=("walctl repair",)),),
    peers={"peer1": PEER},
    accept="118c778c93fe92f6",
    verify_status=ExitStatus.DAMAGE,
)
"""One of everything."""
