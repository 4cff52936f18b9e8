"""A real JupyterLab and a real Chromium, each started once for the tests of this folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from browser.watching import Watch

ROOT = Path(__file__).resolve().parents[2]
CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# SwiftShader draws WebGL on the processor; the other switches keep Chromium off the network.
SWITCHES = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--enable-unsafe-swiftshader"]
SESSION_READY = """() => {
  const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
  const kernel = context?.isReady && context.session?.kernel;
  return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""

SOURCES = {
    "heading": ("markdown", "# A page of views\n\nThe noise is $\\sqrt{t/T}$, and\n\n$$x_t = a\\,"
                            "x_0 + s\\,\\epsilon.$$", []),
    "start": ("code", """import numpy as np
import plotly.graph_objects as go
from resfold_nb import show
from resfold_nb.data import load
show.setup()
protein = load("1R69_A")""", []),
    "first view": ("code", "show.structure(protein)", []),
    "player": ("code", """rng = np.random.default_rng(0)
truth = protein.centroids
noise = rng.normal(size=truth.shape) * truth.std()
steps = np.linspace(1, 0, 21)
one = np.stack([truth * np.sqrt(1 - s) + noise * np.sqrt(s) for s in steps])
two = np.stack([truth * (1 - s) + noise[::-1] * s for s in steps]) + 1.5
show.player({"fix A": one, "as reported": two}, truth=truth,
            labels=[f"t = {49 * s:.0f}" for s in steps],
            alt="Two samples fold from noise towards the true structure, in grey.")""", []),
    "second view": ("code", "show.structure(protein, centroids=True, height=300)", []),
    "complex": ("code", "show.structure(load('1AK4_A_D'), height=300)", []),
    "figure": ("code", """fig = go.Figure()
for name in ("x0", "residual", "v", "eps", "edm", "skip_unscaled", "scaled_no_skip"):
    shift = len(fig.data)
    fig.add_scatter(x=np.arange(50), y=(1 + shift) * np.linspace(.1, 1, 50) ** 2, name=name,
                    line_color=show.PALETTE[name])
fig.update_layout(title="Error by timestep", xaxis_title="timestep t", yaxis_title="RMSE (Å)")
show.figure(fig, "Seven curves of error that rise with the timestep.")""", []),
    "table": ("code", """show.table([{"form": "x0", "RMSE (Å)": 0.123456}, {"form": "eps",
 "RMSE (Å)": 7.2}], "Error of two forms")""", []),
    "solution": ("code", "show.figure(fig, 'The same curves again, in a solution.')",
                 ["solution"]),
    "end": ("code", "print('all cells ran')", []),
}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser. Without one the tests are skipped, but never silently in CI."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if path:
        return path
    reason = ("no Chromium: the browser tests did NOT run. Install it (Debian: apt-get install "
              "chromium) or set CHROMIUM to its path")
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def playwright(chromium: str) -> Iterator[object]:
    """The browser's remote control."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as control:
        yield control


@pytest.fixture(scope="session")
def browser(playwright: object, chromium: str) -> Iterator[object]:
    """One Chromium with WebGL."""
    opened = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder for pictures that a person looks at."""
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook, not executed, with each kind of view."""
    cells = []
    for kind, text, tags in SOURCES.values():
        make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        cells.append(make(text, metadata={"tags": tags} if tags else {}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path_factory.mktemp("lab") / "views.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@pytest.fixture(scope="session")
def executed(notebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same notebook, executed as `make run` does."""
    import papermill

    path = tmp_path_factory.mktemp("executed") / "views.ipynb"
    papermill.execute_notebook(notebook, path, progress_bar=False, cwd=ROOT,
                               execution_timeout=60)
    return path


@pytest.fixture(scope="session")
def lab(notebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab of its own, free of the user's settings and of news."""
    home = tmp_path_factory.mktemp("jupyter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
               "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
               "--IdentityProvider.token=t", f"--ServerApp.root_dir={notebook.parent}",
               f"--LabApp.app_dir={_app_directory(home)}", "--LabApp.expose_app_in_browser=True"]
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, home / "lab.log")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def open_lab(lab: str, browser: object) -> Iterator[Callable[..., tuple[object, Watch]]]:
    """Open a notebook in JupyterLab with its kernel ready; closed again after the test."""
    opened = []

    def go(name: str, height: int = 5200) -> tuple[object, Watch]:
        page, watch = browser.new_page(viewport={"width": 1200, "height": height}), Watch()
        opened.append(page)
        watch.attach(page, lab)
        page.goto(f"{lab}/lab/tree/{name}?token=t&reset")
        page.wait_for_function(SESSION_READY, timeout=90_000)
        return page, watch

    yield go
    for page in opened:
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.close()


@pytest.fixture
def open_offline(browser: object) -> Iterator[Callable[[Path], tuple[object, Watch]]]:
    """Open a page from disk in a browser whose network is off."""
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})

    def go(path: Path) -> tuple[object, Watch]:
        page, watch = context.new_page(), Watch()
        watch.attach(page, "file:")
        page.goto(path.as_uri())
        return page, watch

    yield go
    context.close()


def _app_directory(home: Path) -> Path:
    """JupyterLab's own application folder with settings that make tests repeatable."""
    app, installed = home / "app", Path(sys.prefix) / "share" / "jupyter" / "lab"
    (app / "settings").mkdir(parents=True)
    for name in ("static", "schemas", "themes"):
        (app / name).symlink_to(installed / name)
    overrides = {
        "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False,
                                                        "fetchNews": "false"},
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    }
    (app / "settings" / "overrides.json").write_text(json.dumps(overrides))
    return app


def _environment(home: Path) -> dict[str, str]:
    """Jupyter's folders inside ``home``; the package found from the repository."""
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython",
               "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "lab-settings",
               "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **{k: str(home / v) for k, v in folders.items()}}


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    """Until the server answers; its log when it dies or takes over a minute."""
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{address}/api?token=t", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
