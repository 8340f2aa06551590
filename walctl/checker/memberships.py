"""Changes of the membership (I11): one at a time, alike everywhere, and quorums that meet.

Two configurations that follow each other are safe when no quorum of the one can be without somebody
of each quorum of the other. Of a joint configuration a quorum is a majority of both halves.

A configuration is in force when it is applied, as in etcd. So a leader may propose one before an
entry of its own term is committed, but not while entries of former leaders wait to be applied, in
which there may be another.

Source: Ongaro's thesis, 4.1 and 4.3; Ongaro on raft-dev, July 2015 (the bug of changes by one).
"""

from collections.abc import Callable, Mapping
from typing import Final

from walctl.checker.commits import has_quorum, is_held
from walctl.checker.member import Config, Member
from walctl.checker.scene import Scene
from walctl.checker.violation import moment

COUNTED_MAX: Final = 12


def configured(scene: Scene, member: Member, index: int, config: Config) -> None:
    """A configuration is in force at a member, since entry `index` (0: since it was begun)."""
    member.configs.append(config)
    if index <= scene.first_index or not config[0]:
        return
    known = scene.configs.get(index)
    if known is not None:
        if known[0] != config:
            _unlike(scene, member, index, config, known)
        return
    last = max(scene.configs, default=0)
    if index < last:
        return  # it is below what is remembered, or within it by a snapshot
    if last:
        before, node = scene.configs[last]
        if before == config:
            return
        if not meet(before, config):
            scene.broken(
                "I11",
                f"{member.name} goes over to {words_of(scene, config)}, of which a quorum need not"
                f" meet one of {words_of(scene, before)}",
                member.name,
                index=index,
                witnesses=(f"{node} had gone over to {words_of(scene, before)} at {last}",),
            )
        _judge_commit(scene, member, index, before)
        del scene.configs[last]
    scene.configs[index] = (config, member.name)


def _judge_commit(scene: Scene, member: Member, index: int, before: Config) -> None:
    """A change of the membership is committed by those whom it changes."""
    term = member.terms.get(index)
    if term is None or has_quorum(scene, before, index, term):
        return
    voters = sorted({*before[0], *before[1]})
    holders = tuple(each for each in voters if is_held(scene, each, index, term))
    scene.broken(
        "I10",
        f"{member.name} goes over to a membership at {index}, which of those before it is durable"
        f" on {scene.names_of(holders)} alone",
        member.name,
        term=term,
        index=index,
        witnesses=(f"they were {words_of(scene, before)}",),
    )


def _unlike(
    scene: Scene, member: Member, index: int, config: Config, known: tuple[Config, str]
) -> None:
    scene.broken(
        "I11",
        f"{member.name} has {words_of(scene, config)} at {index},"
        f" and {known[1]} {words_of(scene, known[0])}",
        member.name,
        *(() if known[1] == member.name else (known[1],)),
        index=index,
    )


def words_of(scene: Scene, config: Config) -> str:
    """A configuration for a person."""
    voters, outgoing, learners = config
    words = f"voters {scene.names_of(voters)}"
    if outgoing:
        words += f", outgoing {scene.names_of(outgoing)}"
    return f"{words}, learners {scene.names_of(learners)}" if learners else words


def meet(one: Config, other: Config) -> bool:
    """Whether every quorum of the one has somebody of every quorum of the other.

    Counted out for up to 12 members; of more it is asked of the halves, each with each, which is
    enough, but not needed, where a configuration is joint.
    """
    members = sorted({each for half in (*one[:2], *other[:2]) for each in half})
    if len(members) > COUNTED_MAX:
        halves = [(a, b) for a in one[:2] for b in other[:2] if a and b]
        return any(_majorities_meet(a, b) for a, b in halves)
    bits = {each: 1 << at for at, each in enumerate(members)}
    first, second = _quorum_test(one, bits), _quorum_test(other, bits)
    everybody = (1 << len(members)) - 1
    # Quorums grow: two that do not meet are a set and, at most, all the others.
    return not any(first(some) and second(everybody ^ some) for some in range(everybody + 1))


def _quorum_test(config: Config, bits: Mapping[int, int]) -> Callable[[int], bool]:
    """Whether a set, as bits, is a quorum."""
    halves = [(sum(bits[each] for each in half), len(half)) for half in config[:2] if half]
    return lambda some: all(2 * (some & mask).bit_count() > count for mask, count in halves)


def _majorities_meet(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    common = sum(each in other for each in one)
    # Majorities that take all from outside what is common, and only what is lacking from within.
    first = max(0, len(one) // 2 + 1 - (len(one) - common))
    second = max(0, len(other) // 2 + 1 - (len(other) - common))
    return first + second > common


def proposed(scene: Scene, member: Member, *, term: int, index: int, applied: int) -> None:
    """A leader puts a change of the membership into its log, having applied up to `applied`."""
    name = member.name
    waiting = member.terms.get(applied + 1, term) if applied + 1 < index else term
    if waiting != term:
        scene.broken(
            "I11",
            f"{name} proposes a membership at {index} in term {term}, and has not applied entry"
            f" {applied + 1} of term {waiting}",
            name,
            term=term,
            index=index,
        )
    changes = scene.changes
    for other in changes:
        if applied < other < index and member.terms.get(other) == changes[other]:
            scene.broken(
                "I11",
                f"{name} proposes a membership at {index} while that at {other} is not applied",
                name,
                term=term,
                index=index,
                witnesses=(f"{moment(scene.now_us())}: {name} has applied up to {applied}",),
            )
            break
    changes[index] = term
