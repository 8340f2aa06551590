"""Whatever an honest group does, nobody complains; and what is known of it stays small."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checker.honest import Group

NAMES = ("n1", "n2", "n3", "n4", "n5")
KINDS = ("elect", "feed", "put", "snapshot", "crash", "start", "change", "lame")


def do(group: Group, kind: str, number: int, other: int) -> None:
    """One step of a history."""
    names = tuple(group.nodes)
    name = names[number % len(names)]
    match kind:
        case "elect":
            group.elect(name)
        case "lame":
            group.elect(name, deaf=(names[other % len(names)], names[(other + 1) % len(names)]))
        case "feed":
            leaders = [each for each in group.nodes.values() if each.leads]
            if leaders:
                group.feed(name, leader=leaders[other % len(leaders)], count=1 + other % 4)
        case "put":
            leaders = [each for each in group.nodes.values() if each.leads]
            if leaders:
                group.put(b"k%d" % (number % 3), b"%d" % other, leader=leaders[-1])
        case "snapshot":
            group.snapshot(name, keep=other % 4)
        case "crash":
            group.crash(name)
        case "start":
            group.start(name)
        case _:
            change(group, number % len(names) + 1, other)


def change(group: Group, number: int, other: int) -> None:
    """One member more or less, or another role for one."""
    leader = group.leader()
    if leader is None:
        return
    voters = [each for each in leader.voters if each != number]
    learners = [each for each in leader.learners if each != number]
    if other % 3 == 0:
        voters.append(number)
    elif other % 3 == 1 and number not in leader.voters:
        learners.append(number)
    if voters:
        group.reconfigure(tuple(voters), tuple(learners))


STEPS = st.lists(
    st.tuples(
        st.sampled_from((*KINDS, "feed", "feed", "feed", "put", "start", "elect")),
        st.integers(0, 11),
        st.integers(0, 11),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(st.sampled_from([(1, 1), (3, 0), (3, 2), (5, 0)]), STEPS)
def test_an_honest_group_is_never_complained_of(
    size: tuple[int, int], steps: list[tuple[str, int, int]]
) -> None:
    group = Group(size[0], spare=size[1])
    for step in steps:
        do(group, *step)
    group.watcher.finished()


def test_memory_follows_the_log_that_lives_and_not_what_has_happened() -> None:
    group = Group(3)
    group.elect("n1")
    for number in range(600):
        group.put(b"k%d" % (number % 7), b"%d" % number)
        for name in ("n2", "n3", "n2"):
            group.feed(name)
        if number % 50 == 49:
            for name in group.nodes:
                group.snapshot(name, keep=10)
    scene = group.watcher._scene
    tables = (scene.entries, scene.committed, scene.agreed, scene.acked)
    assert group.watcher.floor > 550
    assert all(len(table) < 80 for table in tables)
    assert all(len(each.terms) < 80 for each in scene.members.values())


def test_a_member_that_was_removed_does_not_keep_anything_from_being_forgotten() -> None:
    group = Group(4)
    group.elect("n1")
    for name in ("n2", "n3", "n2"):
        group.feed(name)
    assert group.reconfigure((1, 2, 3))
    for number in range(100):
        group.put(b"k", b"%d" % number)
        for name in ("n2", "n3", "n2"):
            group.feed(name)
    for name in ("n1", "n2", "n3"):
        group.snapshot(name, keep=1)
    assert group["n4"].last < 3
    assert group.watcher.floor > 90
