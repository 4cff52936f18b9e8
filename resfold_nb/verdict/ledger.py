"""Every claim of the report, judged, and the table of verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from resfold_nb.verdict.claims_fixes import FIXES
from resfold_nb.verdict.claims_network import ATOMS, PUBLISHED, TRUNK_AND_TIME
from resfold_nb.verdict.claims_scaling import SCALING
from resfold_nb.verdict.rules import VERDICTS, Claim, Judgement, judge

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "scaling and schedule": SCALING, "trunk and time": TRUNK_AND_TIME, "atoms": ATOMS,
    "fixes": FIXES, "what is said of AlphaFold 3": PUBLISHED,
}
"""Group -> claims, in the order of the ledger."""


@lru_cache(maxsize=1)
def judged() -> dict[str, tuple[Judgement, ...]]:
    """Every claim with its verdict, by group; trains nothing, reads what was recorded."""
    return {group: tuple(judge(claim) for claim in claims) for group, claims in CLAIMS.items()}


def counts(judgements: Iterable[Judgement]) -> dict[str, int]:
    """How many claims have which verdict, every verdict named."""
    found = [judgement.verdict for judgement in judgements]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def markdown() -> str:
    """The ledger's summary as README carries it: counts by group, and a line a claim."""
    head = "| | " + " | ".join(VERDICTS) + " |\n|---|" + "---|" * len(VERDICTS)
    rows = [f"| {group} | " + " | ".join(map(str, counts(each).values())) + " |" for group, each in judged().items()]
    every = [j for each in judged().values() for j in each]
    rows.append("| **all** | " + " | ".join(f"**{n}**" for n in counts(every).values()) + " |")
    lists = [f"- **{verdict}**: " + "; ".join(
        f"{j.claim.says.rstrip('.')} ({j.claim.report})" for j in every if j.verdict == verdict)
        for verdict in VERDICTS if any(j.verdict == verdict for j in every)]
    return "\n".join((head, *rows, "", *lists))
