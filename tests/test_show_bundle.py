"""The browser libraries are pinned, checked, taken from any registry, and fetched only once."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def hook() -> ModuleType:
    """hatch_build.py, which is not part of the package."""
    found = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_versions_are_exact_and_those_of_the_lock_file() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values()), wanted
    assert locked[""]["dependencies"] == wanted
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_lock_file_checks_every_package_and_names_no_registry() -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: entry for name, entry in locked.items() if name}
    assert installed and all(e["integrity"].startswith("sha512-") for e in installed.values())
    assert not [name for name, entry in installed.items() if "resolved" in entry]


def test_a_bundle_of_other_versions_or_with_a_file_missing_is_rebuilt(
    hook: ModuleType, tmp_path: Path
) -> None:
    modules, static = tmp_path / "node_modules", tmp_path / "static"
    for source in hook.FILES.values():
        (modules / source).parent.mkdir(parents=True, exist_ok=True)
        (modules / source).write_text("code")
    assert not hook.is_current(static)
    hook.copy_files(modules, static)
    assert hook.is_current(static)
    (static / hook.STAMP).write_text("another lock file")
    assert not hook.is_current(static)
    hook.copy_files(modules, static)
    (static / "3Dmol.js").unlink()
    assert not hook.is_current(static)


def test_the_installed_bundle_is_current(hook: ModuleType) -> None:
    assert hook.is_current(hook.STATIC), "run `python hatch_build.py`"
    assert hook.build() is False, "the second build must not run npm"


def test_an_unreachable_registry_is_explained(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.delenv(hook.SKIP, raising=False)
    with pytest.raises(RuntimeError, match=r"npm registry can be reached.*RESFOLD_SKIP_NPM=1"):
        hook.build(tmp_path / "static")
    assert not hook.is_current(tmp_path / "static")


def test_a_cluster_can_do_without(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(hook.SKIP, "1")
    assert hook.build(tmp_path / "static") is False
    assert "no 3D views" in capsys.readouterr().err


def test_the_script_runs_without_a_build_tool(tmp_path: Path) -> None:
    for name in ("hatch_build.py", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "resfold_nb" / "show" / "static",
                    tmp_path / "resfold_nb" / "show" / "static")
    done = subprocess.run([sys.executable, "-S", "hatch_build.py"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0 and "up to date" in done.stdout, done.stderr
