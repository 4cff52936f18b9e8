// Draws the figures of an exported page, also those that a folded solution hides at first.
for (const element of document.querySelectorAll(".resfold-plot")) {
  const { data, layout, config } = JSON.parse(element.querySelector("script").textContent);
  Plotly.newPlot(element, data, layout, config);
  new ResizeObserver(() => element.clientWidth && Plotly.Plots.resize(element)).observe(element);
}
