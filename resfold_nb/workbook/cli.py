"""The command line. Needs the standard library alone until a command runs in the environment."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from resfold_nb import PROFILES
from resfold_nb.workbook import BUILD, NOTEBOOKS, ROOT, environment

FIRST_NOTEBOOK = NOTEBOOKS / "00_tour.ipynb"
Options = argparse.Namespace

_PASSES_ON = ("lab", "test", "study", "bench")  # whose unknown options belong to the program they start


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.command not in _PASSES_ON:
        _parser().error(f"unknown argument(s) for {options.command}: {' '.join(rest)}")
    try:
        if options.command == "setup":
            environment.build(force=options.force)
            return 0
        if not environment.is_complete(options.command):
            return environment.run_inside(arguments)
        return _COMMANDS[options.command][0](options, rest)
    except environment.SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m resfold_nb", allow_abbrev=False,
                                     description="Set up, open, test and run the ResFold workbook.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    of = {name: commands.add_parser(name, help=text, description=text, allow_abbrev=False, add_help=name != "study")
          for name, (_, text) in _COMMANDS.items()}
    of["setup"].add_argument("--force", action="store_true", help="even if it is up to date")
    of["notebooks"].add_argument(
        "action", choices=("build", "check", "pull"),
        help="build: sources to notebooks; check: fail if they differ; pull: notebooks to sources")
    for name in ("site", "run", "bands"):
        of[name].add_argument("--profile", default="laptop", choices=PROFILES, help="default: laptop")
    of["site"].add_argument("--picture", action="store_true", help="take README's pictures instead")
    for name in ("run", "bands"):
        of[name].add_argument("--only", default="", metavar="06,07", help="these notebooks; default: all")
        of[name].add_argument("--jobs", type=int, default=None, help="at once; default: one a core")
        of[name].add_argument("--timeout", type=int, default=None, help="seconds a cell may take")
    of["run"].add_argument("--seed", type=int, default=0, help="default: 0")
    of["run"].add_argument("--out", default=str(BUILD), help="where results go; default: build")
    of["bands"].add_argument("--seeds", type=int, default=5, help="how many, at least 5; default: 5")
    return parser


def _lab(options: Options, rest: list[str]) -> int:
    # The address, not a file to open: so it is printed right for those who open it by hand.
    first = [f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK.relative_to(ROOT).as_posix()}"]
    if not FIRST_NOTEBOOK.exists() or any(word.endswith(".ipynb") for word in rest):
        first = []
    # In a container one is root; the server listens to this machine alone and asks for a token.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return _call("jupyterlab", f"--ServerApp.root_dir={ROOT}", *root, *first, *rest)


def _test(options: Options, rest: list[str]) -> int:
    # One process a core with one thread each is faster than threads that share the cores.
    workers = os.cpu_count() or 1
    return _call("pytest", *(["-n", str(workers)] if workers > 1 else []), *rest, OMP_NUM_THREADS="1")


def _bench(options: Options, rest: list[str]) -> int:
    return _call("benchmarks", *rest, PYTHONPATH=os.pathsep.join((str(ROOT / "tests"), environment.python_path())))


def _site(options: Options, rest: list[str]) -> int:
    website = _from("docs", "website")
    if options.picture:
        print(*website.take_pictures(), sep="\n")
        return 0
    return website.main(options.profile)


def _from(folder: str, name: str) -> ModuleType:
    """A script of the repository, which lies beside what it makes."""
    sys.path.insert(0, str(ROOT / folder))
    return import_module(name)


def _notebooks(options: Options, rest: list[str]) -> int:
    from resfold_nb.workbook import sources

    if options.action == "check":
        problems = sources.check()
        print("\n".join(problems) or "Notebooks and sources agree.")
        return 1 if problems else 0
    changed = sources.build() if options.action == "build" else sources.pull()
    print("\n".join(f"wrote {path.relative_to(ROOT)}" for path in changed) or "Nothing to do.")
    return 0


_COMMANDS = {"setup": (None, "Build .venv and install the workbook into it."),
             "lab": (_lab, "Open JupyterLab on the tour; more options go to JupyterLab."),
             "test": (_test, "Run the tests; more options go to pytest."),
             "bench": (_bench, "Measure speed; names of benchmarks choose some."),
             "study": (lambda _, rest: import_module("resfold_nb.studies.runner").main(rest),
                       "Run a study and record it; options go to the study."),
             "site": (_site, "Gather the pages of a run under build/site."),
             "ledger": (lambda *_: _from("docs", "pages").write(),
                        "Write the verdicts and the speed into README.md and docs/."),
             "notebooks": (_notebooks, "Keep notebooks and their sources in step."),
             "run": (lambda options, _: import_module("resfold_nb.workbook.run_notebooks").main(options),
                     "Execute the notebooks and check what they measured."),
             "bands": (lambda options, _: _from("data/bands", "measure_bands").main(options),
                       "Measure the bands of the recorded numbers anew.")}


def _call(module: str, *arguments: str, **variables: str) -> int:
    """Run a module of this Python from the checkout's root, and return its exit status."""
    found = {"PYTHONPATH": environment.python_path()}
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT,
                               env=os.environ | found | variables)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # ctrl-C reaches the program too; it decides when to stop
