"""`setup`: a bare Python, an old one, a crippled one; built, interrupted, resumed, up to date."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import checkouts
import pytest
from checkouts import ROOT, Checkout

# A project that pip installs without the network: its build backend lies beside it.
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "bare"
version = "1"
"""
BACKEND = '''
import os, zipfile

METADATA = """Metadata-Version: 2.1
Name: bare
Version: 1
Provides-Extra: test
Provides-Extra: cluster
"""

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "bare-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("bare-1.dist-info/METADATA", METADATA)
        wheel.writestr("bare-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("bare-1.dist-info/RECORD", "")
    return name

build_wheel = build_editable
'''
STUDY = """
import sys

def main(argv):
    print("studied", argv, "in", sys.prefix)
    return 7
"""


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """A checkout whose project has no dependencies, so that it installs in seconds, offline."""
    checkout = checkouts.make(tmp_path / "a checkout")
    (checkout.root / "pyproject.toml").write_text(PYPROJECT)
    (checkout.root / "backend.py").write_text(BACKEND)
    (checkout.root / "constraints.txt").write_text("# nothing\n")
    studies = checkout.root / "resfold_nb" / "studies"
    (studies / "__init__.py").write_text("")
    (studies / "runner.py").write_text(STUDY)
    return checkout


def bare_python(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that has the standard library alone, in the checkout."""
    command = [sys.executable, "-S", *arguments]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=checkout.root, env=variables, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


def test_builds_says_so_and_is_quick_when_up_to_date(bare: Checkout) -> None:
    first = bare_python(bare, "-m", "resfold_nb", "setup")
    assert first.returncode == 0, first.stdout
    assert "1/2 Making" in first.stdout and "2/2 Installing" in first.stdout
    assert "Ready after" in first.stdout
    started = time.monotonic()
    second = bare_python(bare, "-m", "resfold_nb", "setup")
    assert "is up to date" in second.stdout and "Installing" not in second.stdout
    assert time.monotonic() - started < 2

    (bare.root / "constraints.txt").write_text("# other pins\n")
    third = bare_python(bare, "-m", "resfold_nb", "setup")
    assert "1/2 Keeping" in third.stdout and "Ready after" in third.stdout


def test_other_commands_build_first_and_run_inside(bare: Checkout) -> None:
    done = bare_python(bare, "-m", "resfold_nb", "study", "contrast", "--minutes", "3")
    assert done.returncode == 7, done.stdout
    inside = f"studied ['contrast', '--minutes', '3'] in {bare.root / '.venv'}"
    assert "Ready after" in done.stdout and inside in done.stdout


def test_interrupted_setup_is_resumed(bare: Checkout) -> None:
    (bare.root / "constraints.txt").write_text("this is no pin\n")
    failed = bare_python(bare, "-m", "resfold_nb", "setup")
    assert failed.returncode == 1 and "Traceback" not in failed.stdout
    assert "installing the workbook failed" in failed.stdout
    assert "run the same command again" in failed.stdout

    (bare.root / "constraints.txt").write_text("# mended\n")
    library = next((bare.root / ".venv").rglob("site-packages"))
    shutil.rmtree(library / "pip")  # as if ensurepip had been stopped half-way
    done = bare_python(bare, "-m", "resfold_nb", "setup")
    assert done.returncode == 0, done.stdout
    assert "1/2 Making" in done.stdout and "Ready after" in done.stdout


def test_without_ensurepip_the_remedy_is_named(bare: Checkout) -> None:
    crippled = (
        "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv[1:] = ['setup'];"
        "runpy.run_module('resfold_nb', run_name='__main__')"
    )
    done = bare_python(bare, "-c", crippled)
    assert done.returncode == 1 and "Traceback" not in done.stdout
    major, minor = sys.version_info[:2]
    assert f"sudo apt install python{major}.{minor}-venv" in done.stdout
    assert not (bare.root / ".venv").exists()


def test_old_python_is_told_what_to_install() -> None:
    pretend = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0);"
        "runpy.run_module('resfold_nb', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The ResFold workbook needs Python 3.11 or newer; this is")
    assert "make lab PYTHON=python3.12" in done.stderr


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_parses_there(name: str) -> None:
    ast.parse((ROOT / "resfold_nb" / name).read_text(), feature_version=(3, 6))


def test_help_and_wrong_commands_need_the_standard_library_alone() -> None:
    def isolated(*arguments: str) -> subprocess.CompletedProcess[str]:
        call = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        call += f"from resfold_nb.workbook.cli import main; main({list(arguments)!r})"
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", call], capture_output=True, text=True
        )

    helped = isolated("--help")
    assert helped.returncode == 0
    for command in ("setup", "lab", "test", "run", "bands", "study", "notebooks"):
        assert command in helped.stdout
    wrong = isolated("fly")
    assert wrong.returncode == 2 and "invalid choice: 'fly'" in wrong.stderr


def test_package_and_its_command_room_import_with_the_standard_library_alone() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import resfold_nb.workbook.cli"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
