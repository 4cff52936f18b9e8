"""The rooms that train run on a bare machine: torch and numpy, nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Refuses every installed module but ours, and torch and numpy with what they themselves require.
BLOCKER = """
import re, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

def needed(package, found):
    found.add(package)
    try:
        wanted = requires(package) or []
    except PackageNotFoundError:
        wanted = []
    for line in wanted:
        name = re.match(r"[\\w.-]+", line).group().lower().replace("_", "-")
        if "extra ==" not in line and name not in found:
            needed(name, found)
    return found

packages = needed("torch", set()) | needed("numpy", set())
owners = packages_distributions()
allowed = set(sys.stdlib_module_names) | {"resfold_nb"} | {
    module for module, owned in owners.items()
    if packages & {owner.lower().replace("_", "-") for owner in owned}
}

# None makes an import fail and a question whether it is installed be answered with no: torch asks.
sys.modules.update({module: None for module in owners if module not in allowed})
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    program = BLOCKER + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )


def test_rooms_import_with_torch_and_numpy_alone() -> None:
    result = run(
        """
        import resfold_nb.data, resfold_nb.training, resfold_nb.engine, resfold_nb.measure
        batch = resfold_nb.data.make_batch(resfold_nb.data.load("1R69_A"))
        resfold_nb.data.rmsd(batch.x0, batch.x0)
        resfold_nb.data.catalogue(), resfold_nb.data.training_set_scale()
        print(batch.x0.shape[1])
        """
    )
    assert (result.returncode, result.stdout.strip()) == (0, "63"), result.stderr


@pytest.mark.parametrize("name", ["gemmi", "biotite", "pandas", "IPython"])
def test_the_blocker_blocks(name: str) -> None:
    result = run(f"import {name}")
    assert result.returncode == 1 and f"import of {name} halted" in result.stderr


def test_reading_a_file_without_gemmi_says_what_is_missing() -> None:
    result = run(
        """
        import pathlib, tempfile
        from resfold_nb.data import read_structure
        path = pathlib.Path(tempfile.mkdtemp()) / "x.cif"
        path.write_text("data_x\\n")
        read_structure(path)
        """
    )
    assert result.returncode == 1 and "import of gemmi halted" in result.stderr


def test_the_package_itself_loads_no_torch() -> None:
    code = "import resfold_nb, sys; print(sorted({'torch', 'numpy', 'IPython'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_study_runs_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    result = run(
        f"""
        from pathlib import Path
        from resfold_nb.studies.store import Store
        from resfold_nb.studies.runner import Cell, run_cell
        from resfold_nb.model import NetworkSize
        from resfold_nb.training import Recipe
        tiny = Recipe("tiny", size=NetworkSize(16, 1, 1, 2), steps=3, noise_levels=2)
        cell = Cell(tiny, "1K61_C", 0, "ci")
        Store(Path({str(tmp_path)!r})).write(cell, run_cell(cell, "cpu", 1))
        """
    )
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_the_study_command_needs_no_jupyter(tmp_path: Path) -> None:
    """As on a bare GPU machine: it must run there, not start to build an environment."""
    result = run(
        f"""
        from resfold_nb.workbook import environment
        from resfold_nb.workbook.cli import main
        environment.VENV = environment.VENV / "elsewhere"  # this Python is not the workbook's own
        status = main(["study", "contrast", "--minutes", "0", "--out", {str(tmp_path)!r}])
        print("status", status)
        """
    )
    assert "0 of 104 runs recorded" in result.stdout and "status 1" in result.stdout, result.stderr
