"""`run`: execute the notebooks, show what they measured, and hold it against goals and bands."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from resfold_nb.workbook import NOTEBOOKS, bands as bands_, metrics, summary
from resfold_nb.workbook.environment import python_path
from resfold_nb.workbook.one_notebook import Job, check_parameters, execute
from resfold_nb.workbook.metrics import Result
from resfold_nb.workers import carry_out, cores, local_lanes, terminated_like_ctrl_c

LOG_TAIL = 2000  # characters of a crashed process's last words
CELL_TIMEOUT = {"ci": 300, "laptop": 900, "gpu": 6 * 3600}  # seconds


def main(options: argparse.Namespace) -> int:
    """Run as the command line asks; 0 if every notebook is clean and within its goals and bands."""
    folder = Path(options.out).resolve() / options.profile
    try:
        bands = bands_.load(options.profile)
        jobs = [job_for(notebook, folder, options.profile, options.seed, options.timeout, html=True)
                for notebook in select(options.only)]
        at_once = check_at_once(options.jobs, options.profile)
        for job in jobs:
            check_parameters(job)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    run = summary.Summary(options.profile, options.seed, tuple(execute_all(jobs, at_once)), bands)
    run.write(folder)
    _write_texts(folder)
    print(run.text())
    print(f"\nExecuted notebooks, their pages and the summary: {folder}")
    return 0 if run.passed else 1


def _write_texts(folder: Path, notebooks: Path = NOTEBOOKS) -> None:
    """The Markdown files that notebooks link to, as pages beside theirs."""
    from resfold_nb.show.export import export_text

    for text in sorted(notebooks.glob("*.md")):
        export_text(text, folder / f"{text.stem}.html")


def select(only: str = "", notebooks: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks to run: all, or those that the comma-separated numbers or names begin.

    Raises ValueError: there are no notebooks, or one that is asked for is unknown.
    """
    present = sorted(notebooks.glob("*.ipynb"))
    if not present:
        raise ValueError(f"no notebooks in {notebooks}: run `python -m resfold_nb notebooks build`")
    wanted = [word.strip() for word in only.split(",") if word.strip()]
    unknown = [w for w in wanted if not any(p.stem.startswith(w) for p in present)]
    if unknown:
        names = ", ".join(path.stem for path in present)
        raise ValueError(f"no notebook {', '.join(unknown)}; there are {names}")
    return [p for p in present if not wanted or any(p.stem.startswith(w) for w in wanted)]


def job_for(notebook: Path, folder: Path, profile: str, seed: int, timeout: int | None = None, *, html: bool = False,
            stamp: str = "") -> Job:
    """The job that executes a notebook into the folder under a profile and seed."""
    page = str(folder / f"{notebook.stem}.html") if html else None
    return Job(source=str(notebook), target=str(folder / notebook.name),
               parameters={"profile": profile, "seed": seed}, timeout=timeout or CELL_TIMEOUT[profile], html=page,
               stamp=stamp)


def check_at_once(jobs: int | None, profile: str) -> int:
    """How many notebooks run at once: one a core by default, one on a GPU.

    Raises ValueError: fewer than one is asked for.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {jobs}")
    return jobs or (1 if profile == "gpu" else cores())


def run_all(jobs: Sequence[Job], at_once: int) -> Iterator[tuple[Job, Result]]:
    """Execute the jobs, `at_once` at a time, and yield each as it finishes.

    An interrupt (ctrl-C, or SIGTERM) or an abandoned iterator ends every process, kernels too.
    """
    threads = str(threads_each(at_once))
    variables = {"PYTHONPATH": python_path(), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
                 "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel of this Python, not one in the home folder
                 "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    with tempfile.TemporaryDirectory() as folder, terminated_like_ctrl_c(variables):
        log = Path(folder) / "workers.log"
        with closing(carry_out(jobs, local_lanes(at_once, str(log)), execute)) as settled:
            for job, _, error, _, _ in settled:
                if error is None:
                    yield job, metrics.read(Path(job.target))
                else:
                    words = log.read_text(errors="replace").strip()[-LOG_TAIL:]
                    yield job, Result(job.name, 0.0, error=f"its process ended: {error}\n{words}".strip())


def threads_each(at_once: int) -> int:
    """Threads for each of several processes: more than the cores slow every one of them down."""
    return max(1, cores() // at_once)


def execute_all(jobs: Sequence[Job], at_once: int, note: str = "notebooks") -> list[Result]:
    """Run the jobs with a progress bar that names what finished; results in the jobs' order."""
    done: dict[str, Result] = {}
    # disable=None: no bar where there is no terminal; the lines tell how far it is.
    with tqdm(total=len(jobs), desc=note, unit="nb", disable=None, dynamic_ncols=True) as bar:
        for job, result in run_all(jobs, at_once):
            done[job.target] = result
            bar.write(f"[{len(done)}/{len(jobs)}] {_line(job, result)}", file=sys.stdout)
            sys.stdout.flush()
            bar.update()
    return [done[job.target] for job in jobs]


def _line(job: Job, result: Result) -> str:
    verdict = "FAILED" if result.error else "warned" if result.warnings else "done"
    seed = job.parameters.get("seed", 0)
    head = f"{verdict:6} {result.notebook} (seed {seed}) {result.seconds:.1f} s"
    return "\n    ".join([head, *result.error.splitlines(), *result.warnings])
