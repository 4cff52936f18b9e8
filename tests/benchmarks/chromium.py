"""A page from disk in the tests' Chromium, with the network off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser.conftest import CANDIDATES, SWITCHES


@contextmanager
def opened(path: Path, **context: Any) -> Iterator[Any]:
    """The page, until the block ends; `context` as in playwright's `new_context`.

    Raises FileNotFoundError when there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if found is None:
        raise FileNotFoundError("no Chromium: install it, or name it in the variable CHROMIUM")
    with sync_playwright() as control:
        browser = control.chromium.launch(executable_path=found, args=SWITCHES)
        page = browser.new_context(offline=True, **context).new_page()
        page.goto(path.as_uri())
        yield page
        browser.close()
