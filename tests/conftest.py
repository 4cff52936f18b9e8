"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import checkouts
import pytest


@pytest.fixture
def checkout(tmp_path: Path) -> checkouts.Checkout:
    """A copy of the package without notebooks."""
    return checkouts.make(tmp_path / "a checkout")  # a space in the path has broken many a tool
