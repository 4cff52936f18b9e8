// What our charts share.

const CONFIG = { responsive: true, displaylogo: false,
  toImageButtonOptions: { format: "svg", filename: "resfold" } };

// A box with a name, and in it what `draw` makes with plotly and the figure, a copy.
async function renderChart(model, el, draw) {
  const box = element("div", { className: "resfold-curves", role: "figure",
    "aria-label": model.get("alt") });
  box.style.minHeight = `${model.get("height")}px`;
  el.append(box);
  try {
    const plotly = await loadLibrary(model, "Plotly");
    const leave = await draw(plotly, box, structuredClone(model.get("figure")));
    const stop = onResize(box, () => plotly.Plots.resize(box));
    return () => {
      leave?.();
      stop();
      plotly.purge(box);
    };
  } catch (error) {
    return sayFailed(model, box, error, "chart");
  }
}
