"""The report's claims, their rules and evidence, and what they come to."""

from resfold_nb.verdict.rules import VERDICTS, Claim, Finding, Judgement, Rule, judge

__all__ = ["Claim", "Finding", "Judgement", "Rule", "VERDICTS", "judge"]
