"""Words about a network: which links they hit, that faults add up, and the way back into words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.cluster.faults import PPM, WELL, Link, LinkFault
from walctl.cluster.topology import VERBS, after, change, describe, links_among, resolve
from walctl.errors import UsageError

THREE = ("n1", "n2", "n3")
FIVE = (*THREE, "n4", "n5")
CUT = LinkFault(is_cut=True)


def made(*words: str, nodes: tuple[str, ...] = FIVE) -> dict[Link, LinkFault]:
    """The faults that are on after some changes."""
    on: dict[Link, LinkFault] = {}
    for each in words:
        on = after(on, change(each, nodes=nodes, on=on))
    return on


def cuts(*words: str, nodes: tuple[str, ...] = FIVE) -> set[str]:
    return {str(link) for link, fault in made(*words, nodes=nodes).items() if fault.is_cut}


@pytest.mark.parametrize(
    ("words", "links"),
    [
        ("cut n1 n2", "n1->n2 n2->n1"),
        ("cut n1<->n2", "n1->n2 n2->n1"),
        ("cut n1 n2 one way", "n1->n2"),
        ("cut n1 n2 --one-way", "n1->n2"),
        ("cut n1->n2", "n1->n2"),
        ("cut n1 -> n2", "n1->n2"),
        ("cut n1->n2 n2->n3", "n1->n2 n2->n3"),
        ("cut all->n2", "n1->n2 n3->n2"),
        ("isolate n1", "n1->n2 n1->n3 n2->n1 n3->n1"),
        ("cut n1", "n1->n2 n1->n3 n2->n1 n3->n1"),
        ("split n1/n2,n3", "n1->n2 n1->n3 n2->n1 n3->n1"),
        ("split n1 / n2, n3", "n1->n2 n1->n3 n2->n1 n3->n1"),
        ("bridge n2", "n1->n3 n3->n1"),
        ("ring", ""),
    ],
)
def test_words_cut_just_the_links_that_they_name(words: str, links: str) -> None:
    assert cuts(words, nodes=THREE) == set(links.split())


def test_a_bridge_is_all_that_joins_the_halves_of_the_others() -> None:
    whole = {str(link) for link in links_among(FIVE)} - cuts("bridge n3")
    halves = {"n1->n2", "n2->n1", "n4->n5", "n5->n4"}
    assert whole - halves == {f"{a}->{b}" for a in FIVE for b in FIVE if "n3" in (a, b) and a != b}


def test_in_a_ring_each_has_two_neighbours() -> None:
    whole = {str(link) for link in links_among(FIVE)} - cuts("ring")
    assert whole == {f"n{a % 5 + 1}->n{b % 5 + 1}" for a in range(5) for b in (a + 1, a - 1)}


def test_a_shape_takes_the_place_of_the_cuts_before_it_and_of_nothing_else() -> None:
    assert cuts("isolate n1", "split n1,n2,n3/n4,n5") == cuts("split n1,n2,n3/n4,n5")
    assert made("delay n1->n4 5ms", "split n1,n2,n3/n4,n5", "bridge n3")[Link("n1", "n4")] == (
        LinkFault(is_cut=True, delay_us=5_000)
    )


def test_faults_of_one_link_add_up_and_go_one_by_one() -> None:
    words = [
        "delay n1->n2 50ms±20ms",
        "loss n1->n2 5%",
        "dup n1->n2 1%",
        "reorder n1->n2 2%",
        "slow n1->n2 10KB/s",
    ]
    every = LinkFault(
        delay_us=50_000,
        jitter_us=20_000,
        loss_ppm=50_000,
        duplicate_ppm=10_000,
        reorder_ppm=20_000,
        bytes_per_second=10_000,
    )
    assert made(*words) == {Link("n1", "n2"): every}
    for position, each in enumerate(words):
        others = [*words[:position], *words[position + 1 :]]
        assert made(*words, f"{each.split()[0]} n1->n2 off") == made(*others)


def test_heal_takes_away_all_or_what_it_names() -> None:
    words = ("isolate n1", "loss all 5%")
    assert made(*words, "heal") == made(*words, "heal all") == {}
    assert Link("n1", "n2") not in made(*words, "heal n1->n2")
    assert made("isolate n1", "heal n1") == {}


def test_heal_takes_away_faults_of_nodes_that_are_gone() -> None:
    gone = {Link("n9", "n1"): CUT}
    assert after(gone, change("heal", nodes=THREE, on=gone)) == {}


def test_a_change_says_only_what_changes() -> None:
    on = made("cut n1->n2")
    assert change("cut n1->n2", nodes=FIVE, on=on).faults == {}
    assert change("isolate n1", nodes=THREE, on=on).links == ("n1->n3", "n2->n1", "n3->n1")
    assert change("heal", nodes=FIVE, on=on).faults == {Link("n1", "n2"): WELL}


def test_reset_is_a_cut_that_is_told() -> None:
    assert made("cut n1->n2 reset") == {Link("n1", "n2"): LinkFault(is_cut=True, is_reset=True)}
    assert made("isolate n1 --reset", "heal n1") == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "nothing to do to a network"),
        ("sever n1", "expected cut, isolate"),
        ("cut", "as in: cut n1 n2; found nothing"),
        ("cut n1 n9", "no node 'n9' in this cluster; there are n1, n2, n3"),
        ("cut n1 n1", "two different nodes"),
        ("cut n1 n2 n3", "found n1 n2 n3"),
        ("cut n1->", "no node ''"),
        ("isolate n1 n2", "as in: isolate n1"),
        ("isolate", "as in: isolate n1"),
        ("split n1,n2", "as in: split"),
        ("split n1,n2/n2,n3", "each node once"),
        ("split n1/n2", "n3 is in none"),
        ("bridge", "as in: bridge n3"),
        ("ring n1", "found 'n1'"),
        ("loss n1->n2", "as in: loss n1->n2 5%"),
        ("loss n1->n2 5", "'5' is no percentage"),
        ("delay n1->n2 soon", "'soon' is no duration"),
        ("slow n1->n2 0B/s", "above 0"),
        ("heal n1->n9", "no node 'n9'"),
    ],
)
def test_bad_words_are_refused_in_one_line_with_the_way_out(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        change(words, nodes=THREE, on={})
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["isolate n1"], "isolate n1"),
        (["cut n1 n2"], "cut n1<->n2"),
        (["cut n1->n2 reset"], "cut n1->n2 reset"),
        (["loss all 5%"], "loss all 5%"),
        (["delay n1->n2 50ms±20ms", "isolate n3"], "isolate n3; delay n1->n2 50ms±20ms"),
        (["slow n1->n2 10KB/s", "slow n2->n3 10KB/s"], "slow n1->n2 n2->n3 10KB/s"),
        (["loss all 5%", "heal"], ""),
    ],
)
def test_what_is_on_is_described_in_one_line(words: list[str], said: str) -> None:
    assert describe(made(*words, nodes=THREE), nodes=THREE) == said


@st.composite
def faults(draw: st.DrawFn) -> LinkFault:
    is_cut = draw(st.booleans())
    delay = draw(st.integers(0, 1_000_000))
    return LinkFault(
        is_cut=is_cut,
        is_reset=is_cut and draw(st.booleans()),
        delay_us=delay,
        jitter_us=draw(st.integers(0, delay)),
        loss_ppm=draw(st.integers(0, PPM)),
        duplicate_ppm=draw(st.integers(0, PPM)),
        reorder_ppm=draw(st.integers(0, PPM)),
        bytes_per_second=draw(st.none() | st.integers(1, 1 << 30)),
    )


@given(st.dictionaries(st.sampled_from(links_among(THREE)), faults()))
def test_the_description_makes_the_same_faults_again(on: dict[Link, LinkFault]) -> None:
    well = {link: fault for link, fault in on.items() if not fault.is_none}
    said = describe(well, nodes=THREE)
    assert "\n" not in said
    assert made(*filter(None, said.split("; ")), nodes=THREE) == well


@given(st.lists(st.sampled_from((*VERBS, *THREE, "n1->n2", "all", "5%", "off", "1ms", "/"))))
def test_any_words_are_a_change_or_a_usage_error(words: list[str]) -> None:
    refusal = ""
    try:
        change(words, nodes=THREE, on={})
    except UsageError as error:
        refusal = error.message
    assert "\n" not in refusal


def test_words_that_stand_for_a_node_are_looked_up_once_each() -> None:
    asked: list[str] = []

    def lookup(role: str) -> str:
        asked.append(role)
        return f"n{len(asked)}"

    words = resolve("cut leader->follower n3<->leader", lookup)
    assert words == ("cut", "n1->n2", "n3<->n1")
    assert asked == ["leader", "follower"]
    assert resolve("split random,n2/n3 leader-2", lookup) == ("split", "n3,n2/n3", "leader-2")
