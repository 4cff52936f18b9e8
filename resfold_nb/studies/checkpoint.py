"""Trained models on disk: safetensors, with the recipe inside. Nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from resfold_nb.data.atomic import write_whole
from resfold_nb.model import Predictor
from resfold_nb.training import Recipe, build


def save_checkpoint(path: str | Path, predictor: Predictor, recipe: Recipe, *, seed: int, step: int) -> Path:
    """Write weights, recipe, seed and step to one .safetensors file, whole or not at all."""
    from safetensors.torch import save

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"recipe": json.dumps(recipe.as_dict()), "seed": str(seed), "step": str(step)}
    weights = {k: v.detach().cpu().contiguous() for k, v in predictor.state_dict().items()}
    write_whole(path, save(weights, metadata))
    return path


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> tuple[Predictor, Recipe]:
    """The model and recipe that `save_checkpoint` wrote.

    Raises FileNotFoundError, or ValueError when the file is no checkpoint of this workbook, is damaged, or does not
    fit the network its recipe describes.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
        recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
        predictor = build(recipe)
        predictor.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is not a checkpoint of this workbook, or it is damaged ({error}); write it again "
                         "with save_checkpoint") from error
    return predictor.to(device), recipe
