"""What one change of a score rests on, with its arithmetic done again."""

from engines.reality import arithmetic
from replay.graphs.graph import Graph, Node
from replay.why.evidence import Evidence, facts_of
from replay.why.labels import words
from replay.why.stories import ReviewTrail, ScoreMove, StoryVersion, Undone
from schemas import subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.events.governance import PolicySet
from schemas.events.reality import (
    ImpactAssessed,
    LlmAnswered,
    MoveCut,
    ReviewClosed,
    ScoreChanged,
    ScoreTakenBack,
)
from schemas.policy import RealityRules
from schemas.units import SCORE_MAX_E2, round_half_even, to_decimal, to_fraction


class ScoreExplainer:
    """Adds changes of a score to a graph, the newest first."""

    def __init__(self, graph: Graph, evidence: Evidence) -> None:
        self._graph = graph
        self._evidence = evidence
        self._reality = evidence.subject(subjects.REALITY)

    async def change(self, change: ScoreMove, under: str) -> None:
        """Add one change, and below it its review or assessment."""
        event = change.event
        # one input may take back what two sources moved, and move the score by what is left
        how = f"back {event.source}" if isinstance(event, ScoreTakenBack) else event.review[:16]
        key = f"change:{change.sequence}:{event.cluster}:{event.cause}:{how}"
        node = Node(key=key, kind="score_change", title="", sequence=change.sequence)
        sign = "+" if event.delta_e2 >= 0 else ""
        node.title = (
            f"score {sign}{to_decimal(event.delta_e2)} to {to_decimal(event.new_score_e2)}, "
            f"story {event.cluster}, charged to {event.source}"
        )
        node.subject, node.facts = self._reality, facts_of(event)
        self._graph.add(node, under)
        if isinstance(event, ScoreTakenBack):
            await self._undone(change.undone, event, node)
        elif event.review:
            await self._review(change, node)
        elif change.story is None:
            node.flaws.append("the assessment that it follows from was not found")
        else:
            assessed_e2 = change.story.impact.event.delta_e2
            if change.cut is None:
                self._follows(event, assessed_e2, node)
            else:
                self._follows_cut(change.cut, assessed_e2, node)
                self._follows(event, change.cut.moved_e2, node)
            await self._assessment(change.story, key)

    async def _undone(self, undone: Undone | None, event: ScoreTakenBack, node: Node) -> None:
        """Add what ended a telling, and check that no more is taken back than was moved."""
        node.title += f", taken back: {event.reason}"
        if undone is None or undone.ended is None:
            node.flaws.append("what ended the telling was not found")
            return
        moved_e2 = undone.moved_e2
        text = (
            f"{to_decimal(event.delta_e2)} takes back no more than the {to_decimal(moved_e2)} that "
            f"it undoes (story {event.cluster})"
        )
        least_e2, most_e2 = min(-moved_e2, 0), max(-moved_e2, 0)
        if not self._graph.check(text, least_e2 <= event.delta_e2 <= most_e2):
            node.flaws.append("more is taken back than was moved")
        sequence, ended = undone.ended
        kind = "review" if isinstance(ended, ReviewClosed) else "story"
        place = Node(key=f"ended:{sequence}:{ended.cause}:{event.cluster}", kind=kind, title="")
        place.title, place.sequence, place.subject = words(ended), sequence, self._reality
        place.facts = facts_of(ended)
        self._graph.add(place, node.key)

    def _follows(self, event: ScoreChanged, delta_e2: int, node: Node) -> None:
        """Check that a change is what was left to move, within the scale."""
        new_e2 = arithmetic.clamp(event.old_score_e2 + delta_e2, 0, SCORE_MAX_E2)
        text = (
            f"{to_decimal(event.old_score_e2)} moved by {to_decimal(delta_e2)} within 0 to 100 is "
            f"{to_decimal(event.new_score_e2)} (story {event.cluster})"
        )
        same = (new_e2, new_e2 - event.old_score_e2) == (event.new_score_e2, event.delta_e2)
        if not self._graph.check(text, same):
            node.flaws.append("the move is not what was assessed")

    def _follows_cut(self, cut: MoveCut, delta_e2: int, node: Node) -> None:
        """Check that a cut left of a move what its cap had left."""
        left_e2 = max(cut.cap_e2 - cut.used_e2, 0)
        text = (
            f"{to_decimal(cut.used_e2)} of {to_decimal(cut.cap_e2)} ({cut.cap}) were used, so "
            f"{to_decimal(cut.moved_e2)} of {to_decimal(delta_e2)} moved (story {cut.cluster})"
        )
        same = (cut.delta_e2, abs(cut.moved_e2)) == (delta_e2, left_e2)
        if not self._graph.check(text, same):
            node.flaws.append("the cut is not what its cap had left")

    # -- reviews ---------------------------------------------------------------------

    async def _review(self, change: ScoreMove, above: Node) -> None:
        event, review = change.event, change.review
        if review is None or review.opened is None:
            above.flaws.append(f"the review {event.review[:16]} was not found")
            return
        sequence, opened = review.opened
        node = Node(key=f"review:{event.review}", kind="review", title="", sequence=sequence)
        reasons = ", ".join(opened.reasons)
        node.title = f"review {event.review[:16]} opened for {reasons}: {opened.detail}"
        node.subject, node.facts = self._reality, facts_of(opened)
        self._graph.add(node, above.key)
        if digest(encode(opened.proposal)) != event.review:
            node.flaws.append("the proposal does not have the hash that was signed")
        closed = review.closed.event if review.closed is not None else None
        whole_e2 = opened.proposal.delta_e2
        part_e2 = closed.approved_e2 if closed is not None else None
        self._follows(event, whole_e2 if part_e2 is None else part_e2, above)
        await self._answers(review, node)
        if review.story is None:
            node.flaws.append("the story that was proposed was not found")
        else:
            await self._assessment(review.story, node.key)

    async def _answers(self, review: ReviewTrail, node: Node) -> None:
        """Add who approved, that they were free to, and what they were shown."""
        for answer in review.answers:
            await self._evidence.ruling(answer, node.key)
        for sequence, checked in review.checked:
            who = ", ".join(checked.barred)
            title = f"barred: {who}" if who else "no approver has an interest in the symbol"
            place = Node(key=f"checked:{sequence}:{checked.proposal_hash}", kind="review",
                         title=title, sequence=sequence)  # fmt: skip
            place.subject = self._evidence.subject(subjects.EXCHANGE)
            place.facts = facts_of(checked)
            self._graph.add(place, node.key)
        if not review.answers or not review.checked:
            node.flaws.append("the approval, or the check of who approved, was not found")
        if review.priced is not None:
            sequence, priced = review.priced
            title = (
                f"shown as {to_decimal(priced.final_price_e2)} to be "
                f"{to_decimal(priced.final_if_approved_e2)} if approved"
            )
            shown = Node(key=f"shown:{priced.proposal_hash}", kind="review", title=title)
            shown.sequence, shown.facts = sequence, facts_of(priced)
            shown.subject = self._evidence.subject(subjects.PRICING)
            self._graph.add(shown, node.key)

    # -- stories ---------------------------------------------------------------------

    async def _assessment(self, version: StoryVersion, under: str) -> None:
        """Add an assessment: its numbers, its articles, the LLM, the policy it was made by."""
        sequence, impact = version.impact
        key = f"impact:{sequence}:{impact.cluster}:{impact.cause}"
        node = Node(key=key, kind="story", title="", sequence=sequence, subject=self._reality)
        asked = impact.llm.replace("_", " ")
        if impact.llm == "used":
            asked = f"used, {to_decimal(impact.points_e2)} points after it"
        node.title = (
            f"story {impact.cluster}: weight {to_fraction(impact.weight_e4)} × quick "
            f"{to_fraction(impact.quick_bp)} makes {to_decimal(impact.computed_e2)} points; "
            f"LLM {asked}; {to_decimal(impact.counted_e2)} counted before"
        )
        node.facts = facts_of(impact)
        self._graph.add(node, under)
        self._assess_again(version, node)
        for article in reversed(version.articles):
            await self._evidence.article(article, key)
        earlier = version.in_all - len(version.articles)
        if earlier:
            title = f"{earlier:,} earlier articles of the story"
            self._graph.add(Node(key=f"{key} earlier", kind="article", title=title), key)
        await self._evidence.asked(version.asked, impact.llm, key)
        await self._evidence.ruling(version.policy, key)

    def _assess_again(self, version: StoryVersion, node: Node) -> None:
        """Do the assessment's arithmetic again by the policy that it names."""
        impact = version.impact.event
        if version.policy is None or not isinstance(version.policy.event, PolicySet):
            node.flaws.append(f"policy {impact.policy_version} was not found")
            return
        rules = version.policy.event.policy.rules()
        wrong = [*_wrong(impact, version, rules)]
        for article in version.articles:
            said = article.assessed
            if said.cause != impact.cause:
                continue  # another policy may have held as it came
            quick_bp = arithmetic.quick_bp(
                rules.scoring, said.sentiment_bp, said.keywords_bp, said.relevance_bp
            )
            if quick_bp != said.quick_bp:
                wrong.append("quick_bp of its newest article")
        text = (
            f"story {impact.cluster} at {version.impact.sequence:,}: weight "
            f"{to_fraction(impact.weight_e4)}, {to_decimal(impact.points_e2)} points, "
            f"{to_decimal(impact.delta_e2)} left to move, by policy {impact.policy_version}"
        )
        if not self._graph.check(text, not wrong):
            node.flaws.append(f"not as the policy has it: {', '.join(wrong)}")


def _wrong(impact: ImpactAssessed, version: StoryVersion, rules: RealityRules) -> list[str]:
    """Return the numbers of an assessment that do not follow from the others."""
    policy = rules.reality
    weight_e4 = arithmetic.weight_e4(impact.trust_bp, impact.related, impact.age_ns, policy.tau_ns)
    computed_e2 = arithmetic.computed_e2(policy, impact.weight_e4, impact.quick_bp)
    points_e2 = impact.computed_e2
    outcome = version.asked.outcome
    if impact.llm == "used" and outcome is not None and isinstance(outcome.event, LlmAnswered):
        said = outcome.event
        points_e2 = arithmetic.blended_e2(
            computed_e2,
            policy.delta_cap_e2,
            said.impact_e2,
            said.confidence_bp,
            impact.llm_trust_bp,
        )
    quick_bp = 0
    if version.trust_sum_bp:
        quick_bp = round_half_even(version.quick_sum, version.trust_sum_bp)
    confidence_bp = arithmetic.confidence_bp(impact.independent_sources, impact.trust_bp)
    expected = {
        "quick_bp": quick_bp,
        "related": version.in_all,
        "weight_e4": weight_e4,
        "computed_e2": computed_e2,
        "points_e2": points_e2,
        "delta_e2": impact.points_e2 - impact.counted_e2,
        "confidence_bp": confidence_bp,
    }
    return [name for name, value in expected.items() if getattr(impact, name) != value]
