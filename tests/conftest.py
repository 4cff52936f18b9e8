"""Fixtures that several test files share, and how the tests are spread over processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import checkouts
import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Their tests take long and share nothing; those of another file share fixtures that take long.
APART = ("test_notebooks.py", "test_workbook_mutation.py", "test_every.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make test-all` passes it."""
    parser.addoption("--every", action="store_true",
                     help="open every notebook and page in the browser, not only a few")


@pytest.fixture
def checkout(tmp_path: Path) -> checkouts.Checkout:
    """A copy of the package without notebooks."""
    return checkouts.make(tmp_path / "a checkout")  # a space in the path has broken many a tool


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest, so that no process is left alone with it at the end."""
    slow = [*APART, "test_workbook_run.py", "test_views.py", "test_workbook_bands.py"]
    order = {name: place for place, name in enumerate(slow)}
    items.sort(key=lambda item: order.get(item.path.name, len(slow)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Hand out whole files, and the tests of some files one by one.

    pytest-xdist's own way, `--dist loadgroup`, has no effect under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return nodeid if file.endswith(APART) else file

    if config.option.dist != "load":
        return None
    config.option.loadscopereorder = False
    return Scheduling(config, log)
