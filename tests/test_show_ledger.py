"""The ledger can be read without colour, without sight and without the network."""

from __future__ import annotations

import base64
import html
import importlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from IPython.display import HTML

from resfold_nb import show
from resfold_nb.verdict.rules import VERDICTS, Claim, Finding, Judgement, Rule, judge
from resfold_nb.measure.intervals import Interval
from resfold_nb.verdict.ledger import judged


def drawn(page: str) -> list[ET.Element]:
    """The pictures of a page, parsed; an error where one is no XML."""
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [ET.fromstring(base64.b64decode(code)) for code in found]


def dots_and_limits(picture: ET.Element) -> tuple[list[float], list[float]]:
    """Where a picture has its estimates and its thresholds, in pixels from the left."""
    dots = [float(e.get("cx", "nan")) for e in picture if e.tag.endswith("circle")]
    return dots, [float(e.get("x1", "nan")) for e in picture if e.get("stroke-dasharray")]


def claim(says: str, rule: Rule | None, *values: Interval | None) -> Judgement:
    return judge(Claim("one", "R1", says, "<i>measured</i>", "16_verdict", rule,
                       lambda: [Finding(f"setting <{i}>", v) for i, v in enumerate(values)],
                       source="" if rule else "a paper", cited="refuted"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict], str]:
    """What the notebook would display."""
    displayed: list[HTML] = []
    module = importlib.import_module("resfold_nb.show.claims")  # the name is a function's, too
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
    assert "A &lt;b&gt;" in page and 'alt="setting &lt;0&gt;: 0.5 (0.4 to 0.6), yes"' in page
    (picture,) = drawn(page)
    assert [e.text for e in picture if e.tag.endswith("text")] == [
        "1", "setting <0>", "0.5 (0.4–0.6) yes"]


@pytest.mark.parametrize(("rule", "estimate", "places"), [
    (Rule("below", 1.0), 0.5, "dot, limit"), (Rule("below", 1.0), 2.0, "limit, dot"),
    (Rule("above", 0.1, "R²"), 0.9, "limit, dot"), (Rule("within", 2.0), 1.0, "limit, dot, limit"),
    (Rule("above", 1.0, "Å"), -1.0, "dot, limit")])
def test_a_setting_is_drawn_on_its_side_of_the_threshold(shown: Callable, rule: Rule,
                                                         estimate: float, places: str) -> None:
    interval = Interval(estimate, estimate - 0.05, estimate + 0.05)
    page = shown({"group": (claim("It is so.", rule, interval, None),)})
    dots, limits = dots_and_limits(drawn(page)[0])
    order = sorted([*((x, "dot") for x in dots), *((x, "limit") for x in limits)])
    assert ", ".join(kind for _, kind in order) == places


def test_a_picture_says_what_its_alternative_says(shown: Callable) -> None:
    page = shown(judged())
    pictures = [j for group in judged().values() for j in group if j.claim.rule is not None]
    for judgement, picture in zip(pictures, drawn(page), strict=True):
        texts = [e.text or "" for e in picture if e.tag.endswith("text")]
        rows = texts[-2 * len(judgement.findings) :]
        assert rows[::2] == [finding.setting for finding in judgement.findings]
        for said, finding, answer in zip(rows[1::2], judgement.findings, judgement.answers,
                                         strict=True):
            assert finding.value is not None
            assert said.startswith(f"{finding.value.estimate:.3g} (") and said.endswith(answer)
        rule = html.escape(str(judgement.claim.rule))
        assert f"<p><b>Rule:</b> {rule}.</p>" in page, judgement.claim.id


@pytest.mark.parametrize("values", [(), (None,), (None, Interval(2.0, 1.0, 3.0)),
                                    (Interval(0.0, 0.0, 0.0),), (Interval(-1.0, -2.0, 3.0),)])
def test_any_findings_can_be_drawn(shown: Callable, values: tuple[Interval | None, ...]) -> None:
    page = shown({"group": (claim("It is so.", Rule("within", 2.0, "R²"), *values),)})
    assert page.count("<img") == 1
    assert ("not recorded" in page) == (None in values)
    assert len(dots_and_limits(drawn(page)[0])[0]) == sum(v is not None for v in values)


def test_a_cited_claim_shows_its_source(shown: Callable) -> None:
    page = shown({"group": (claim("It is so.", None),)})
    assert "a paper" in page and "refuted" in page and "<img" not in page
