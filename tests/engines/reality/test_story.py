"""What a story keeps beside its tellings follows from them."""

from hypothesis import given
from hypothesis import strategies as st

from engines.reality.story import Story, Sums, Telling
from tests.support.drawing import drawn

TELLINGS = st.builds(
    Telling,
    st.sampled_from(["aa", "bb", "cc"]),
    st.integers(0, 10_000),
    st.integers(-10_000, 10_000),
    st.integers(-1, 10),
)
TOLD = st.tuples(st.integers(1, 8), st.one_of(st.none(), TELLINGS))
"""An article, and what it tells from now on; None if it tells nothing any more."""


@drawn(200)
@given(st.lists(TOLD, max_size=12))
def test_sums_are_those_of_the_tellings_that_have_a_say(
    told: list[tuple[int, Telling | None]],
) -> None:
    story = Story()
    for article, telling in told:
        if telling is not None:
            story.tell(article, telling)
        elif article in story.tellings:
            story.withdraw([article])
        tellings = story.tellings.values()
        assert [*story.sources] == [*dict.fromkeys(one.source for one in tellings)]
        assert story.sums == Sums(
            sources={one.source: one.trust_bp for one in tellings},
            source_trust_bp=sum({one.source: one.trust_bp for one in tellings}.values()),
            trust_bp=sum(one.trust_bp for one in tellings),
            weighed_quick=sum(one.trust_bp * one.quick_bp for one in tellings),
            published_ns=max((one.published_ns for one in tellings), default=-(2**63)),
        )
