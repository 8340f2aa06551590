"""A plan as a person sees it on a bad day: what it costs, what it does, why, and what to type."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from tests.render.drawing import NARROW, Paper, too_long
from tests.repair.plans import BOUND, PLAN, SECOND, SEGMENT, plans, stamp
from walctl.errors import ExitStatus
from walctl.render import repair as render
from walctl.render.repair_words import change_words, drop_words, lost_words, step_details
from walctl.repair.document import plan_of
from walctl.repair.pieces import Copy
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
    Step,
    Synthetic,
)

APPLY = "walctl repair zeroed --apply"
LATER = "walctl repair zeroed --plan fix.json"
FLIP = Step(
    act=Act.WRITE,
    file=SEGMENT,
    reason="flipped-bit",
    words="byte 123024: one bit put back",
    pieces=(Copy(source=SEGMENT, start=0, stop=1000),),
    size=1000,
    before=stamp(1000),
    after=stamp(1000, "c"),
    changes=(Change(offset=123024, was=b"\x05", now=b"\x15"),),
)
FREE = Plan(
    bound=BOUND,
    plan_class=PlanClass.FREE,
    strategy="put-right",
    summary="nothing that the log held is dropped",
    steps=(FLIP,),
    certificate=Certificate(
        kept=477, witnessed=477, words=("one bit explains it, and everything behind it fits",)
    ),
    verify_status=ExitStatus.DAMAGE,
)
OPTIONS = (
    Option(
        name="heal",
        is_possible=True,
        words="fill the log from copies of the other members' directories",
        commands=("walctl repair n1 --from DIRECTORY-OF-ANOTHER-MEMBER",),
    ),
    Option(name="rejoin", is_possible=True, words="replace it", commands=("one", "two", "three")),
    Option(
        name="restore", is_possible=True, words="restore a saved snapshot", commands=("etcdutl",)
    ),
    Option(
        name="last-survivor",
        is_possible=True,
        words="go on alone, in a new cluster",
        commands=("walctl repair n1 --apply --accept-loss 118c778c93fe92f6",),
    ),
)
COSTLY = replace(
    FREE,
    plan_class=PlanClass.LOSS_PROVEN,
    summary="entries 231–240 are witnessed, and nowhere to be read",
    certificate=Certificate(kept=230, witnessed=240, words=("the database has only 230",)),
    options=OPTIONS,
    accept="118c778c93fe92f6",
)


def offer(plan: Plan) -> render.Offer:
    return render.Offer(
        plan=plan,
        path=Path("zeroed"),
        command=APPLY,
        later=LATER,
        exit_status=plan.exit_status,
    )


def drawn(plan: Plan, width: int = 80) -> str:
    paper = Paper(width)
    render.show(paper, offer(plan))
    return paper.text


def test_a_free_plan_at_80_columns() -> None:
    assert drawn(FREE) == (
        "plan for zeroed: FREE, nothing that the log held is dropped\n"
        "  1  wal/0000000000000000-0000000000000000.wal: byte 123024: one bit put back\n"
        "       changes byte 123024 from 05 to 15\n"
        "certificate   one bit explains it, and everything behind it fits\n"
        "apply         walctl repair zeroed --apply\n"
        "review later  walctl repair zeroed --plan fix.json\n"
        "take back     walctl undo RECEIPT\n"
        "nothing was changed                                                       exit 1\n"
    )


def test_a_plan_that_costs_something_at_80_columns() -> None:
    assert drawn(COSTLY) == (
        "plan for zeroed: LOSS PROVEN, entries 231–240 are witnessed, and nowhere to be\n"
        "  read\n"
        "lost          entries 231–240, which witnesses name\n"
        "  1  wal/0000000000000000-0000000000000000.wal: byte 123024: one bit put back\n"
        "       changes byte 123024 from 05 to 15\n"
        "certificate   the database has only 230\n"
        "what now      1. heal: fill the log from copies of the other members'\n"
        "              directories\n"
        "                 walctl repair n1 --from DIRECTORY-OF-ANOTHER-MEMBER\n"
        "              2. rejoin: replace it\n"
        "                 one\n"
        "                 two\n"
        "                 three\n"
        "              3. restore: restore a saved snapshot\n"
        "                 etcdutl\n"
        "              4. last-survivor: go on alone, in a new cluster\n"
        "              Not this tool, if more than half of the cluster's members are\n"
        "              healthy without this one: replace it instead. They have everything\n"
        "              that was acknowledged.\n"
        "consent       whoever accepts this loss types (a backup is made):\n"
        "                 walctl repair zeroed --apply --accept-loss 118c778c93fe92f6\n"
        "nothing was changed                                                       exit 1\n"
    )


def test_nothing_to_do_is_said_and_nothing_else() -> None:
    plan = Plan(bound=BOUND, plan_class=PlanClass.NOTHING, summary="nothing is wrong")
    assert drawn(plan) == (
        "plan for zeroed: NOTHING to repair, nothing is wrong\n"
        "nothing was changed                                                       exit 0\n"
    )


def test_a_refusal_says_why_last() -> None:
    paper = Paper()
    render.show(paper, offer(COSTLY).ended(ExitStatus.REFUSED, refused="not without a word"))
    last = "refused: not without a word"
    assert paper.text.endswith(f"{last}{' ' * (80 - len(last) - 6)}exit 5\n")


def test_a_plan_without_steps_asks_for_no_consent() -> None:
    told = drawn(replace(COSTLY, steps=()))
    assert "There is nothing that could be carried out here." in told
    assert "--accept-loss" not in told
    assert "--apply" not in told


def test_one_that_is_alone_is_told_of_backups_and_not_of_other_members() -> None:
    closed = tuple(
        replace(each, is_possible=False, commands=()) if each.name in ("heal", "rejoin") else each
        for each in OPTIONS
    )
    told = " ".join(drawn(replace(COSTLY, options=closed)).split())
    assert render.ALONE in told
    assert "Not this tool" not in told
    assert "1. heal: not here" in told
    assert "--from" not in told
    assert render.BETTER_WAY in " ".join(drawn(replace(COSTLY, options=())).split())


def test_the_file_that_a_plan_was_written_to_is_named_with_the_command_for_it() -> None:
    paper = Paper()
    render.show(paper, replace(offer(FREE), plan_file=Path("my fix.json")))
    assert "written       my fix.json: walctl apply 'my fix.json'\n" in paper.text
    render.show(paper, replace(offer(FREE), plan_file=Path("-fix.json")))
    assert "walctl apply ./-fix.json\n" in paper.text
    assert "review later" not in paper.text


LONG = "a long story about what was found in which file and why that is as it is " * 3
HUGE = replace(
    COSTLY,
    summary=LONG[:120],
    steps=tuple(
        replace(FLIP, file=f"wal/{number:016x}-{number:016x}.wal", words=LONG[:150], before=None)
        for number in range(1, 1001)
    ),
    certificate=Certificate(
        testimonies=PLAN.certificate.testimonies * 50, kept=1, witnessed=9, words=(LONG,) * 20
    ),
    options=tuple(replace(each, words=LONG[:150]) for each in OPTIONS),
)


def test_a_long_plan_is_bounded_and_says_what_is_left_out() -> None:
    told = drawn(HUGE)
    assert told.count("\n") <= 100
    assert "and 988 more steps (write); -o json has all" in told
    assert "and 16 more reasons: -o json has all" in told
    assert re.search(r"[0-9]+ witnesses: -o json has all", told)
    assert "--accept-loss 118c778c93fe92f6\n" in told
    assert told.startswith("plan for zeroed: LOSS PROVEN")


@pytest.mark.parametrize("plan_class", [PlanClass.FREE, PlanClass.LOSS_PROVEN])
@pytest.mark.parametrize("width", [NARROW, 80])
def test_what_is_dropped_and_made_is_told_however_little_room_there_is(
    plan_class: PlanClass, width: int
) -> None:
    def step(number: int, index: int) -> Step:
        return replace(
            HUGE.steps[number],
            drops=(Drop(kind="entry", count=2, first=index, last=index + 1),),
            synthetic=(Synthetic(kind="state", words=f"commit {index}"),),
        )

    steps = (step(0, 101), *HUGE.steps[1:500], step(500, 801))
    told = drawn(replace(HUGE, plan_class=plan_class, steps=steps), width)
    flat = " ".join(told.split())
    assert "drops entries 101–102 made, written by nobody before: commit 101" in flat
    assert "drops entries 801–802 made, written by nobody before: commit 801" in flat
    is_free = plan_class is PlanClass.FREE
    assert ("which bytes change: -o json has all" in flat) == is_free
    assert is_free == (told.count("changes byte") == 0)


def test_a_costly_plan_has_all_commands_and_a_line_for_each_reason() -> None:
    words = ("put right: no single bit explains it", "healed: nobody was given", LONG, "d", "e")
    found = replace(HUGE, certificate=replace(HUGE.certificate, words=words))
    lines = [line.strip() for line in drawn(found).splitlines()]
    assert lines[lines.index("one") :][:3] == ["one", "two", "three"]
    assert "certificate   put right: no single bit explains it" in lines
    assert "healed: nobody was given" in lines
    assert "d" in lines
    assert "and 1 more reason: -o json has all" in lines


def test_a_costly_plan_always_says_what_is_lost() -> None:
    even = replace(COSTLY, certificate=Certificate(kept=9, witnessed=9))
    assert f"lost {render.NOT_HERE}" in " ".join(drawn(even).split())


def test_a_plan_that_was_healed_says_at_once_what_it_takes_for_granted() -> None:
    lines = drawn(replace(FREE, strategy="heal")).splitlines()
    assert lines[1].startswith("holds only if the directories")
    assert not any("holds only if" in line for line in drawn(FREE).splitlines())


def test_another_member_is_named_with_its_directory() -> None:
    def bound(path: str) -> Bound:
        return Bound(directory=Path(path), wal=Path("wal"), snap=None, files={})

    plan = replace(
        FREE,
        bound=bound("/x/n1"),
        peers={"peer1": bound("/x/n2"), "peer12": bound("/y/n3")},
        summary="entry 770 from peer1, entries 5–9 from peer12, and peer3",
        steps=(replace(FLIP, words="as peer1/wal/a has it; peer1 (n2) knows"),),
    )
    told = " ".join(drawn(plan).split())
    assert "entry 770 from peer1 (n2), entries 5–9 from peer12 (n3), and peer3 1" in told
    assert "as peer1/wal/a has it; peer1 (n2) knows" in told
    same = replace(plan, bound=bound("/z/n2"))
    assert "entry 770 from peer1 (/x/n2)" in " ".join(drawn(same).split())


def test_json_has_all_of_it_and_can_be_applied() -> None:
    paper = Paper(output="json")
    render.show(paper, offer(HUGE))
    found = json.loads(paper.text)
    assert (found["v"], found["receipt"], found["exit"], found["refused"]) == (1, None, 1, None)
    assert found["plan"]["class"] == "loss-proven"
    assert len(found["plan"]["steps"]) == 1000
    assert plan_of(found) == HUGE
    line = Paper(output="ndjson")
    render.show(line, offer(HUGE))
    assert line.text.count("\n") == 1
    assert json.loads(line.text) == found


@given(plans())
def test_whatever_a_plan_holds_a_screen_gets_harmless_lines(plan: Plan) -> None:
    for width in (NARROW, 80):
        lines = drawn(plan, width).split("\n")
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("width", [20, NARROW, 60, 80, 200])
@pytest.mark.parametrize("plan", [FREE, COSTLY, HUGE, PLAN], ids=["free", "costly", "huge", "all"])
def test_no_line_is_wider_than_the_screen_but_for_commands(plan: Plan, width: int) -> None:
    text = drawn(plan, width)
    commands = [line.strip() for line in text.splitlines() if "walctl" in line]
    assert too_long(text, max(width, 47), *commands) == []


def test_a_name_with_an_escape_in_it_moves_no_cursor() -> None:
    evil = Bound(directory=Path("/x\x1b[2J"), wal=Path("wal"), snap=None, files={})
    step = replace(FLIP, file="wal/\x1b[31m\n", words="\x1b]0;x\x07", before=None)
    plan = replace(COSTLY, bound=evil, steps=(step,), summary="\u202ebackwards")
    paper = Paper(colour=True)
    render.show(paper, replace(offer(plan), path=Path("/x\x1b[2J")))
    assert "\x1b[2J" not in paper.text
    assert "\x1b]0" not in paper.text
    assert "\u202e" not in paper.text
    assert r"new wal/\x1b[31m\x0a" in paper.text


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        (Drop(kind="entry", count=1, first=7, last=7, term=2), "entry 7 of term 2"),
        (Drop(kind="entry", count=3, first=7, last=9), "entries 7–9"),
        (Drop(kind="entry", count=1234), "1,234 entries"),
        (
            Drop(kind="entry", count=3, first=7, last=9, kept_by="database", is_readable=False),
            "entries 7–9 (not readable, kept by the database)",
        ),
        (Drop(kind="state", count=1, term=3), "1 hard state of term 3"),
        (Drop(kind="state", count=4, kept_by="peer1"), "4 hard states (kept by peer1)"),
        (Drop(kind="snapshot", count=1, first=404, term=2), "snapshot 404 of term 2"),
        (Drop(kind="bytes", count=544), "544 bytes with no record that could be read"),
        (
            Drop(kind="bytes", count=1, is_readable=False),
            "1 byte with no record that could be read",
        ),
    ],
)
def test_a_drop_in_words(drop: Drop, words: str) -> None:
    assert drop_words(drop) == words


def test_a_change_in_words() -> None:
    assert change_words(Change(offset=8, was=b"\0\1", now=b"\2\3")) == "byte 8 from 00 01 to 02 03"
    assert change_words(Change(offset=8, was=b"12345", now=b"54321")) == "5 bytes at 8"


def test_the_details_of_a_step_are_a_line_a_kind() -> None:
    runs = [Drop(kind="entry", count=2, first=n, last=n + 1, term=2) for n in (1, 4, 7, 10)]
    step = replace(
        FLIP,
        changes=FLIP.changes * 5,
        drops=(*runs, Drop(kind="state", count=1)),
        synthetic=(Synthetic(kind="snapshot", words="marker of 477"),),
    )
    assert step_details(step) == [
        "changes byte 123024 from 05 to 15, byte 123024 from 05 to 15, byte 123024 from 05 to 15"
        " and 2 more",
        "drops entries 1–2, 4–5, 7–8 and 1 more, 1 hard state",
        "made, written by nobody before: marker of 477",
    ]
    moved = Step(act=Act.RENAME, file=SECOND, reason="name", words="n", target="wal/new.wal")
    assert step_details(moved) == ["becomes wal/new.wal"]


def test_what_is_lost_leaves_out_what_lives_on_elsewhere() -> None:
    drops = (
        Drop(kind="entry", count=2, first=1, last=2, kept_by="database"),
        Drop(kind="entry", count=1, first=3, last=3),
    )
    plan = replace(COSTLY, steps=(replace(FLIP, drops=drops),))
    assert lost_words(plan) == "entries 231–240, which witnesses name; entry 3"
    even = replace(plan, certificate=Certificate(kept=9, witnessed=9, is_end_known=False))
    assert lost_words(even) == "whatever was written after entry 9; entry 3"
    known = replace(plan, certificate=Certificate(kept=9, witnessed=9))
    assert lost_words(known) == "entry 3"
    assert Says.WRITTEN not in lost_words(known)


def test_where_nothing_can_be_carried_out_nothing_is_called_lost_and_the_rescue_is_told() -> None:
    rescue = "walctl salvage zeroed --output-dir NEW-DIRECTORY"
    ways = (
        Option(name="rejoin", is_possible=False, words="nobody is there"),
        Option(name="last-survivor", is_possible=False, words="no database", commands=(rescue,)),
    )
    text = drawn(replace(COSTLY, steps=(), options=ways))
    assert "\nlost" not in text
    assert "There is nothing that could be carried out here." in text
    assert f"not here: no database\n                 {rescue}\n" in text
    assert render.ALONE in " ".join(text.split())
