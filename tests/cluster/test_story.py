"""The comment that a scenario opens with."""

import pytest

from walctl.cluster.scenario import parse
from walctl.cluster.story import Broken, Story, read, written
from walctl.errors import UsageError

TEXT = """\
# The leader is cut off: it goes on
# answering reads.
#
# Note: nothing of the kind is known.
# Source: https://example.org/issues/1
# Tags: reads, smoke
# Expect: Whoever cannot reach a majority
#   answers nothing.
# Without check-quorum: I15 L1 -- it answers what is old,
#   to those who ask it.
# Without pre-vote: I2, I3 -- it is a made-up case.
cluster 3
# Tags: of a comment that is no story
"""
STORY = Story(
    text="The leader is cut off: it goes on answering reads. Note: nothing of the kind is known.",
    source="https://example.org/issues/1",
    tags=("reads", "smoke"),
    right="Whoever cannot reach a majority answers nothing.",
    broken=(
        Broken("check-quorum", ("I15", "L1"), "it answers what is old, to those who ask it."),
        Broken("pre-vote", ("I2", "I3"), "it is a made-up case."),
    ),
)


def test_a_story_has_a_source_tags_what_is_right_and_what_breaks() -> None:
    assert parse(TEXT, name="f").story == STORY


def test_a_story_that_is_written_reads_as_the_same() -> None:
    lines = written(STORY)
    assert all(len(line) <= 100 for line in lines)
    assert read("\n".join(lines), name="f") == STORY
    assert written(Story()) == []


def test_a_comment_without_any_of_that_is_free_text() -> None:
    assert read("# one\n# two\n", name="f") == Story(text="one two")
    assert read("", name="f") == Story()


BAD = {
    "# Source: a\n# Source: b": "f:2: expected Source: once, with what it is; found 'Source: b'",
    "# x\n# Tags:": "f:2: expected Tags: once, with what it is; found 'Tags:'",
    "# Tags: Big": "f:1: expected tags, as: elections, smoke; found 'Big'",
    "# Without x: I17 -- y": "f:1: expected invariants (I1 to I16, L1 to L5), found 'I17'",
    "# Without x: I1": "f:1: expected Without SAFEGUARD: I4 I5 -- what goes wrong, found",
    "# Without a b: I1 -- y": "f:1: expected Without SAFEGUARD: I4 I5 -- what goes wrong, found",
    "# Without: I1 -- y": "f:1: expected Without SAFEGUARD: I4 I5 -- what goes wrong, found",
}


@pytest.mark.parametrize("text", BAD)
def test_what_makes_no_sense_in_it_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"{text}\ncluster 3\n", name="f")
    assert caught.value.message.startswith(BAD[text])
    assert "\n" not in caught.value.message
