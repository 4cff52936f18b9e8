"""A checkout of the project for one test, with notebooks and bands of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Checkout:
    """A copy of the package in a folder of its own, where notebooks and bands can be planted."""

    root: Path

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def add_notebook(self, name: str, *cells: str, parameters: bool = True) -> Path:
        """Write a notebook with a cell of parameters and one for each of the given sources."""
        head = nbformat.v4.new_code_cell('profile = "laptop"\nseed = 0')
        head.metadata.tags = ["parameters"]
        body = [nbformat.v4.new_code_cell(source) for source in cells]
        notebook = nbformat.v4.new_notebook(cells=[head, *body] if parameters else body)
        notebook.metadata.kernelspec = {
            "display_name": "Python 3", "language": "python", "name": "python3"
        }
        self.notebooks.mkdir(exist_ok=True)
        path = self.notebooks / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def command(self, *arguments: str) -> list[str]:
        """The command line of this copy."""
        return [sys.executable, "-m", "resfold_nb", *arguments]

    def variables(self) -> dict[str, str]:
        """Environment in which the copy's package is found before any other."""
        return os.environ | {"PYTHONPATH": str(self.root), "RESFOLD_DATA": str(ROOT / "data")}

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the copy's command line to its end."""
        return subprocess.run(
            self.command(*arguments), cwd=self.root, env=self.variables(), timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )


def make(root: Path) -> Checkout:
    """Copy the package, without notebooks or data, under `root`."""
    shutil.copytree(
        ROOT / "resfold_nb", root / "resfold_nb",
        ignore=shutil.ignore_patterns("__pycache__", "static"),
    )
    (root / "data" / "bands").mkdir(parents=True)
    shutil.copy(ROOT / "data" / "bands" / "measure_bands.py", root / "data" / "bands")
    static = ROOT / "resfold_nb" / "show" / "static"
    (root / "resfold_nb" / "show" / "static").symlink_to(static, target_is_directory=True)
    return Checkout(root)
