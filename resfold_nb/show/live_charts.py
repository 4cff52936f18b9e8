"""The two charts of a live training: loss against the step, error against the timestep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resfold_nb.measure import baselines
from resfold_nb.show.charts import Line, baseline_lines, chart
from resfold_nb.show.live_driver import Driver
from resfold_nb.show.theme import PALETTE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POINTS = 400  # of the loss curve; more steps are averaged
LOSS, NOW = 0, 1  # the traces that move, of the loss chart and of the error chart


def thinned(losses: list[float]) -> tuple[list[float], list[float]]:
    """Steps and losses of a curve of at most `POINTS` points, each the mean of as many steps."""
    each = -(-len(losses) // POINTS)
    blocks = [losses[i : i + each] for i in range(0, len(losses), each)]
    centres = [i * each + (len(block) + 1) / 2 for i, block in enumerate(blocks)]
    return centres, [sum(block) / len(block) for block in blocks]


def loss_figure(driver: Driver) -> Figure:
    """The loss chart, empty before the first step."""
    fig = chart([Line("loss", [], [], PALETTE[driver.recipe.form])], title="Loss", x="step",
                y="loss (no unit)", log_y=True)
    return _compact(fig, below=60).update_layout(showlegend=False)


def error_figure(driver: Driver) -> Figure:
    """Error by timestep: untrained, now, and what predictors that learn nothing would have."""
    errors, colour = driver.run.last.errors, PALETTE[driver.recipe.form]
    base = baselines(driver.state.predictor.schedule, 1.0, float(driver.batch.scale.mean()))
    lines = [Line("untrained", errors.t, errors.rmse, colour, "dot"),
             Line("now", errors.t, errors.rmse, colour), *baseline_lines(base)]
    fig = chart(lines, title="Error by timestep", x="timestep t", y="RMSE (Å)", log_y=True)
    return _compact(fig, below=155)


def _compact(fig: Figure, below: int) -> Figure:
    """Room for three views side by side; the legend stands at the foot, in up to three rows."""
    return fig.update_layout(height=400, margin=dict(l=60, r=15, t=50, b=below),
                             legend=dict(orientation="h", x=0, y=0, yref="container", yanchor="bottom"))
