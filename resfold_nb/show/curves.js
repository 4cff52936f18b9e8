// A plotly figure whose markers follow `frame`; the figure itself is sent once.

const CONFIG = { responsive: true, displaylogo: false,
  toImageButtonOptions: { format: "svg", filename: "resfold" } };

function markers(model, figure) {                    // one more trace for each marked one
  return model.get("marks").map(({ trace }) => {
    const { line, xaxis, yaxis, marker } = figure.data[trace];
    return { type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, xaxis, yaxis,
      marker: { size: 15, color: line?.color ?? marker?.color ?? "white", symbol: "circle",
        line: { width: 3, color: "black" } }, x: [], y: [] };
  });
}

async function draw(model, box) {
  const plotly = await loadPlotly(model);
  const figure = structuredClone(model.get("figure"));
  const first = figure.data.length;
  const drawn = markers(model, figure);
  await plotly.newPlot(box, [...figure.data, ...drawn], figure.layout, CONFIG);
  const move = () => {
    const marks = model.get("marks");
    if (!marks.length) return;
    const frame = Math.max(0, Math.min(marks[0].x.length - 1, model.get("frame")));
    plotly.restyle(box, { x: marks.map((m) => [m.x[frame]]), y: marks.map((m) => [m.y[frame]]) },
      drawn.map((_, i) => first + i));
    box.dataset.frame = frame;
  };
  move();
  const change = ({ lines }) => {                    // new values of some traces alone
    if (!lines) return;
    const names = Object.keys(lines);
    plotly.restyle(box, { x: names.map((n) => lines[n].x), y: names.map((n) => lines[n].y) },
      names.map(Number));
  };
  box.on("plotly_click", ({ points }) => {
    const { pointNumber, pointIndex, x, y } = points[0];
    model.set("picked", { index: pointNumber ?? pointIndex, x, y });
  });
  return { move, change, leave: followSize(plotly, box) };
}

async function render({ model, el }) {
  const box = Object.assign(document.createElement("div"), { className: "resfold-curves" });
  box.style.minHeight = `${model.get("height")}px`;
  box.setAttribute("role", "figure");
  box.setAttribute("aria-label", model.get("alt"));
  el.append(box);
  let drawn;
  try {
    drawn = await draw(model, box);
  } catch (error) {
    box.textContent = `The chart could not be drawn. ${error.message ?? error} ` +
      `It would show: ${model.get("alt")}`;
    return undefined;
  }
  model.on("change:frame", drawn.move);
  model.on("msg:custom", drawn.change);
  return () => {
    model.off("change:frame", drawn.move);
    model.off("msg:custom", drawn.change);
    drawn.leave();
    globalThis.Plotly.purge(box);
  };
}

export default { render };
