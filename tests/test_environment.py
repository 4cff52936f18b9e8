"""pyproject.toml, constraints.txt, environment.yml and what is installed say the same."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
BUILD = PYPROJECT["build-system"]["requires"]
EVERYTHING = PROJECT["dependencies"] + EXTRAS + BUILD

CONDA_NAMES = {"pytorch": "torch"}  # where conda-forge's name is not PyPI's


def ranges(lines: list[str]) -> dict[str, str]:
    """Canonical name -> range."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): str(r.specifier) for r in parsed}


def pins() -> dict[str, str]:
    """Canonical name -> pinned version; every line that is no comment has to be a pin."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"([\w.-]+)==([^\s+]+)", line) for line in lines if line[:1] != "#"]
    assert all(matches), "a line of constraints.txt is no plain pin"
    return {canonicalize_name(match[1]): match[2] for match in matches}


@pytest.mark.parametrize("line", EVERYTHING)
def test_dependency_has_a_range_and_its_pin_is_within(line: str) -> None:
    requirement = Requirement(line)
    assert any(s.operator == ">=" for s in requirement.specifier), "no lower limit"
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_no_dependency_is_named_twice() -> None:
    assert len(ranges(EVERYTHING)) == len(EVERYTHING)


@pytest.mark.parametrize("line", PROJECT["dependencies"] + EXTRAS)
def test_installed_version_is_the_pinned_one(line: str) -> None:
    name = Requirement(line).name
    # The build's name ("+cpu") depends on the machine and is not pinned.
    assert Version(version(name)).public == pins()[canonicalize_name(name)]


def test_nothing_of_a_graphics_card_is_pinned() -> None:
    assert not [name for name in pins() if name.startswith(("nvidia", "triton", "cuda"))]


def test_conda_and_binder_get_the_same_ranges() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    through_pip = [name for entry in listed if isinstance(entry, dict) for name in entry["pip"]]
    assert through_pip == ["-e ."]
    conda = ranges([entry for entry in listed if isinstance(entry, str)])
    assert conda.pop("pip") == ""
    assert conda.pop("python") == PROJECT["requires-python"]
    assert {CONDA_NAMES.get(name, name): r for name, r in conda.items()} == ranges(
        PROJECT["dependencies"]
    )
