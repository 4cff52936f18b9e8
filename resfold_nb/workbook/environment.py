"""Building `.venv` on a bare Python. Standard library alone."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from resfold_nb.workbook import ROOT

VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "test,cluster"
_STAMP = "resfold-setup"
# What the installation depends on; a change of any of these makes it stale.
_INPUTS = ("pyproject.toml", "constraints.txt", "package.json", "package-lock.json", "hatch_build.py")
# Written last by hatch_build.py; without it there are no 3D views.
_BUNDLE = ROOT / "resfold_nb" / "show" / "static" / "versions.sha256"
# A Python that has these was made for the workbook: .venv, a conda environment, Binder.
_TELLTALES = ("torch", "papermill", "jupyterlab", "anywidget", "py3Dmol")
# A study runs on a bare GPU machine, which has these and no Jupyter.
_ENOUGH_FOR_A_STUDY = ("torch", "numpy")


class SetupError(Exception):
    """The environment cannot be built; the text says why and names the remedy."""


def is_complete(command: str = "") -> bool:
    """Whether the running Python has what a command needs, be it .venv's or the reader's own.

    .venv's own Python counts only while its installation is up to date.
    """
    if Path(sys.prefix).resolve() == VENV.resolve():
        return is_current()
    needed = _ENOUGH_FOR_A_STUDY if command == "study" else _TELLTALES
    return all(importlib.util.find_spec(name) for name in needed)


def is_current() -> bool:
    """Whether .venv was built to the end from the present requirements."""
    stamp = VENV / _STAMP
    present = python().exists() and stamp.exists() and _BUNDLE.exists()
    return present and stamp.read_text() == _fingerprint()


def python() -> Path:
    """.venv's Python, on this operating system."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def python_path() -> str:
    """PYTHONPATH with this checkout first: what it starts finds this package, from any folder."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))


def build(force: bool = False) -> None:
    """Build .venv, or do nothing when it is up to date. An interrupted build is resumed.

    Raises SetupError: ensurepip is missing, or venv or pip failed.
    """
    if is_current() and not force:
        print(f"{VENV} is up to date.")
        return
    started = time.monotonic()
    (VENV / _STAMP).unlink(missing_ok=True)
    works = _works()
    _say(f"1/2 {'Keeping the' if works else 'Making an'} environment in {VENV}")
    if not works:
        _make()
    _say("2/2 Installing the workbook (the first time a few minutes, most of it torch)")
    _install()
    (VENV / _STAMP).write_text(_fingerprint())
    _say(f"Ready after {time.monotonic() - started:.0f} s.")


def run_inside(arguments: Sequence[str]) -> int:
    """Bring .venv up to date, then run the same command line with its Python.

    Returns the command's exit status; on POSIX the process is replaced and this does not return.
    """
    if not is_current():
        build()
    command = [str(python()), "-m", "resfold_nb", *arguments]
    # UTF-8 mode, because a Windows console may not know Å.
    variables = os.environ | {"PYTHONPATH": python_path(), "PYTHONUTF8": "1"}
    sys.stdout.flush()
    if os.name == "nt":  # there execv returns to the shell before the command ends
        return subprocess.call(command, env=variables)
    os.execve(command[0], command, variables)


def _fingerprint() -> str:
    digest = hashlib.sha256(f"{platform.python_version()}\0{ROOT}\0".encode())
    for name in _INPUTS:
        path = ROOT / name
        digest.update((path.read_bytes() if path.exists() else b"") + b"\0")
    return digest.hexdigest()


def _works() -> bool:
    """Whether .venv has a Python of this version with pip; an interrupted build may not."""
    if not python().exists():
        return False
    probe = "import pip, platform; print(platform.python_version())"
    answer = subprocess.run([python(), "-c", probe], capture_output=True, text=True)
    return answer.returncode == 0 and answer.stdout.strip() == platform.python_version()


def _make() -> None:
    if not importlib.util.find_spec("ensurepip") or not importlib.util.find_spec("venv"):
        major, minor = sys.version_info[:2]
        raise SetupError(f"This Python ({sys.executable}) cannot make environments: ensurepip is missing.\n"
                         f"On Debian or Ubuntu: sudo apt install python{major}.{minor}-venv\n"
                         "Elsewhere install Python from python.org, or use conda: conda env create -f environment.yml")
    _check([sys.executable, "-m", "venv", "--clear", str(VENV)], "making the environment failed")


def _install() -> None:
    # pip splits these variables at spaces, which a path may hold and a URL does not.
    pins = CONSTRAINTS.as_uri()
    command = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", "-e", f".[{EXTRAS}]"]
    pinned = os.environ | {"PIP_CONSTRAINT": pins, "PIP_BUILD_CONSTRAINT": pins}
    _check(command, "installing the workbook failed", pinned)


def _check(command: Sequence[str], failure: str, variables: dict[str, str] | None = None) -> None:
    if status := subprocess.call(command, cwd=ROOT, env=variables):
        raise SetupError(f"{failure} (exit status {status}; the reason stands above).\n"
                         f"Once it is mended, run the same command again: it goes on where it stopped.\n"
                         f"To start afresh, delete {VENV}.")


def _say(text: str) -> None:
    print(f"== {text}", flush=True)
