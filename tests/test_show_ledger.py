"""The ledger can be read without colour, without sight and without the network."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from IPython.display import HTML

from resfold_nb import show
from resfold_nb.analysis.claims import VERDICTS, Claim, Finding, Judgement, Rule, judge
from resfold_nb.analysis.intervals import Interval
from resfold_nb.analysis.ledger import judged


def claim(says: str, rule: Rule | None, *values: Interval | None) -> Judgement:
    return judge(Claim("one", "R1", says, "<i>measured</i>", "16_verdict", rule,
                       lambda: [Finding(f"setting <{i}>", v) for i, v in enumerate(values)],
                       source="" if rule else "a paper", cited="refuted"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict], str]:
    """What the notebook would display."""
    displayed: list[HTML] = []
    module = importlib.import_module("resfold_nb.show.ledger")  # the name is a function's, too
    monkeypatch.setattr(module, "display", displayed.append)

    def page(groups: dict[str, tuple[Judgement, ...]]) -> str:
        show.ledger(groups)
        return displayed.pop().data

    return page


def test_every_claim_opens_and_says_its_verdict_in_words(shown: Callable) -> None:
    page = shown(judged())
    every = [j for judgements in judged().values() for j in judgements]
    assert page.count("<details") == page.count("</details>") == len(every)
    found = re.findall(r'class="verdict">(\S) ([a-z ]+)</b>', page)
    assert [words for _, words in found] == [j.verdict for j in every]


def test_verdicts_differ_in_sign_and_colour() -> None:
    assert set(show.VERDICT_MARKS) == set(VERDICTS)
    signs, colours = zip(*show.VERDICT_MARKS.values(), strict=True)
    assert len(set(signs)) == len(set(colours)) == len(VERDICTS)


def test_pictures_have_words_and_nothing_comes_from_elsewhere(shown: Callable) -> None:
    page = shown(judged())
    pictures = re.findall(r"<img [^>]*>", page)
    assert pictures and all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)
    assert "<script" not in page and not re.search(r'(src|href)="(https?:)?//', page)


def test_markup_in_a_claim_is_text(shown: Callable) -> None:
    page = shown({"a <b>": (claim("<b>bold</b> & more", Rule("below", 1.0),
                                  Interval(0.5, 0.4, 0.6)),)})
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in page and "<i>measured" not in page
    HTMLParser().feed(page)


@pytest.mark.parametrize("values", [(), (None,), (None, Interval(2.0, 1.0, 3.0)),
                                    (Interval(0.0, 0.0, 0.0),), (Interval(-1.0, -2.0, 3.0),)])
def test_any_findings_can_be_drawn(shown: Callable, values: tuple[Interval | None, ...]) -> None:
    page = shown({"group": (claim("It is so.", Rule("within", 2.0, "R²"), *values),)})
    assert page.count("<img") == 1
    assert ("not recorded" in page) == (None in values)


def test_a_cited_claim_shows_its_source(shown: Callable) -> None:
    page = shown({"group": (claim("It is so.", None),)})
    assert "a paper" in page and "refuted" in page and "<img" not in page
