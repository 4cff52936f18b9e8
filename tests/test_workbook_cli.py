"""The commands that start another program: lab and test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from checkouts import ROOT, Checkout


@pytest.mark.skipif(os.name == "nt", reason="process groups are ended otherwise there")
def test_lab_opens_on_the_tour(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "resfold_nb", "lab", "--no-browser", "--port=0"], cwd=ROOT,
            stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"JUPYTER_TOKEN": "secret"},
        )
    try:
        address = wait_for_address(log)
        assert address.endswith("/lab/tree/notebooks/00_tour.ipynb")
        contents = address.replace("/lab/tree/", "/api/contents/") + "?content=0&token=secret"
        with urllib.request.urlopen(contents, timeout=20) as answer:
            assert answer.status == 200 and b"00_tour.ipynb" in answer.read()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def wait_for_address(log: Path, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := re.search(r"(http://127\.0\.0\.1:\d+/\S+)\?token=", log.read_text()):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.mark.parametrize(("body", "status"), [("assert True", 0), ("assert False", 1)])
def test_test_passes_its_options_and_status_on(checkout: Checkout, body: str, status: int) -> None:
    path = checkout.root / "tests" / "test_it.py"
    path.parent.mkdir()
    path.write_text(f"import os\n\ndef test_one():\n    assert os.environ['OMP_NUM_THREADS'] == '1'"
                    f"\n    {body}\n\ndef test_two():\n    assert False\n")
    done = checkout.run("test", "-k", "one", "tests")
    assert done.returncode == status, done.stdout
    assert ("1 failed" if status else "1 passed") in done.stdout


def test_notebooks_check_says_what_differs(checkout: Checkout) -> None:
    (checkout.notebooks / "src").mkdir(parents=True)
    source = checkout.notebooks / "src" / "01_a.py"
    source.write_text("# %%\nx = 1\n")
    missing = checkout.run("notebooks", "check")
    assert missing.returncode == 1 and "01_a.ipynb is missing" in missing.stdout
    built = checkout.run("notebooks", "build")
    assert built.returncode == 0
    assert f"wrote {Path('notebooks', '01_a.ipynb')}" in built.stdout
    assert checkout.run("notebooks", "check").stdout == "Notebooks and sources agree.\n"
    assert checkout.run("notebooks", "pull").stdout == "Nothing to do.\n"
