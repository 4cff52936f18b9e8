"""The results of a study's runs in a folder: one file a run, written whole or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resfold_nb.data.atomic import write_whole
from resfold_nb.studies.plans import Cell

STALE = 60  # seconds after which an unfinished file belongs to a writer that was killed

Result = dict[str, Any]
"""about (who, on what), recipe, rows (errors by step and t), quantities, sometimes samples."""


class Store:
    """Results by the hash of their recipe, protein and seed.

    Making one creates the folder and clears away what killed writers left.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.unfinished-*"):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink(missing_ok=True)

    def read(self, cell: Cell) -> Result | None:
        """The result of a run, None when there is none. A damaged one is said and removed."""
        path = self._path(cell, "json")
        try:
            result = json.loads(path.read_text())
            found, _, _ = result["about"]["hash"], result["rows"], result["recipe"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            print(f"{path} is damaged ({error!r}); the run is done again", flush=True)
            path.unlink()
            return None
        return result if found == cell.recipe.hash else None

    def write(self, cell: Cell, result: Result) -> None:
        """Keep a result; an OSError (a full disk) leaves what was there before."""
        write_whole(self._path(cell, "json"), json.dumps(result).encode())
        self._path(cell, "failed").unlink(missing_ok=True)

    def fail(self, cell: Cell, reason: str) -> None:
        """Keep that a run failed, and why."""
        write_whole(self._path(cell, "failed"), json.dumps({"reason": reason}).encode())

    def failure(self, cell: Cell) -> str | None:
        """Why a run failed; None if it did not, or nobody knows."""
        try:
            return str(json.loads(self._path(cell, "failed").read_text())["reason"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def forget_failures(self, cells: Iterable[Cell]) -> None:
        """Let failed runs be tried again."""
        for cell in cells:
            self._path(cell, "failed").unlink(missing_ok=True)

    def _path(self, cell: Cell, ending: str) -> Path:
        return self.folder / f"{cell.key}.{ending}"
