"""A claim of the report as an object: what it says, what is measured, and the rule that decides.

One rule serves every claim. Each setting gives an interval, and the claim names a threshold:

    yes   the whole interval lies on the claimed side of the threshold
    no    the whole interval lies on the other side
    open  the interval straddles it

    supported              at least one yes, no no, and fewer than half of the settings open
    refuted                at least one no, no yes, and fewer than half of the settings open
    depends on the regime  at least one yes and at least one no
    not decided            everything else, and whatever was not recorded

What cannot be measured here, because it is about somebody else's model, is judged from what was published, and the
source is cited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resfold_nb.measure.intervals import Interval

VERDICTS = SUPPORTED, REFUTED, DEPENDS, UNDECIDED = "supported", "refuted", "depends on the regime", "not decided"

RULES_VERSION = 2
"""Of the rule above and of what it is fed. Claims carry a version of their own threshold."""

RULES_CHANGED = (
    "Version 2, after the runs of study core had been seen, superposes errors wherever training did: recipe "
    "superposed loss, which leaves the orientation free, was measured without by version 1. No threshold changed.")

BEFORE, AFTER = "before the runs", "after its study had been seen"


@dataclass(frozen=True)
class Rule:
    """Which side of which threshold a claim asks for."""

    sense: str  # "below", "above", or "within" (of 1 by this factor, for ratios)
    threshold: float  # in `unit`
    unit: str = "times"  # "times" for a ratio, "Å", "share" or "R²"
    fixed: str = BEFORE  # whether the threshold was set before the runs that decide, or after they were seen
    version: int = 1  # rises when the threshold, its sense or the settings change
    was: str = ""  # what the version before asked for, and why it was changed

    def __str__(self) -> str:
        """As the ledger prints it."""
        side = f"within a factor {self.threshold:.3g} of 1" if self.sense == "within" else (
            f"{self.sense} {self.threshold:.3g} {self.unit}")
        return f"{side}; set {self.fixed}, version {self.version}" + (f" (before: {self.was})" if self.was else "")

    def answer(self, value: Interval | None) -> str:
        """"yes", "no", "open", or "not recorded" for None."""
        if value is None:
            return "not recorded"
        low, high, limit = value.low, value.high, self.threshold
        yes, no = high < limit, low > limit
        if self.sense == "above":
            yes, no = no, yes
        elif self.sense == "within":
            yes, no = 1 / limit <= low and high <= limit, high < 1 / limit or no
        return "yes" if yes else "no" if no else "open"


# For ratios of errors: a tenth is what we call a difference.
BETTER, WORSE, ALIKE = Rule("below", 1 / 1.1), Rule("above", 1.1), Rule("within", 1.1)
SEEN_BETTER, SEEN_WORSE = Rule("below", 1 / 1.1, fixed=AFTER), Rule("above", 1.1, fixed=AFTER)
CONSISTENT = Rule("below", 2.0, fixed=AFTER, version=2,
                  was="below 1.1 times, which an untrained network's own chance variation passes")


@dataclass(frozen=True)
class Finding:
    """One setting's number; None where it was not recorded."""

    setting: str
    value: Interval | None


@dataclass(frozen=True)
class Claim:
    """A measurable sentence of the report."""

    id: str  # short name, unique
    report: str  # its id in *The report in brief* of notebook 00
    says: str  # our paraphrase
    measured: str  # what the numbers are, in words
    notebook: str  # where it is treated
    rule: Rule | None = None  # how an interval is read; None for a claim judged from publications
    find: Callable[[], list[Finding]] = list  # makes the findings; slow ones train nothing but may build a network
    source: str = ""  # source, cited: for a claim about a published model, where it stands and what follows
    cited: str = UNDECIDED


@dataclass(frozen=True)
class Judgement:
    """A claim, judged."""

    claim: Claim
    findings: tuple[Finding, ...]
    answers: tuple[str, ...]  # in each setting
    verdict: str

    @property
    def summary(self) -> str:
        """How many settings said what, or the source."""
        counts = {a: self.answers.count(a) for a in ("yes", "no", "open", "not recorded")}
        said = ", ".join(f"{n} {answer}" for answer, n in counts.items() if n)
        return self.claim.source if self.claim.rule is None else said


def judge(claim: Claim) -> Judgement:
    """Measure a claim and apply its rule."""
    if claim.rule is None:
        return Judgement(claim, (), (), claim.cited)
    findings = tuple(claim.find())
    answers = tuple(claim.rule.answer(finding.value) for finding in findings)
    return Judgement(claim, findings, answers, verdict_of(answers))


def verdict_of(answers: Sequence[str]) -> str:
    """The verdict that follows from the answers in all settings."""
    yes, no = answers.count("yes"), answers.count("no")
    if yes and no:
        return DEPENDS
    silent = 2 * (len(answers) - yes - no) >= len(answers)
    return UNDECIDED if silent else SUPPORTED if yes else REFUTED
