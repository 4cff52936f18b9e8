// Loads the kernel's one copy of plotly, or takes the page's; an exported page has it in its head.
async function loadPlotly(model) {
  if (!globalThis.Plotly) {
    const id = model.get("library").slice("IPY_MODEL_".length);
    const library = await model.widget_manager.get_model(id);
    const script = document.createElement("script");
    // hidden names: else the library would register itself with the page's require.js instead
    script.textContent = `(function (define, exports, module) {${library.get("source")}
      globalThis.Plotly = Plotly;}).call(window)`;
    document.head.append(script);
    script.remove();
  }
  return globalThis.Plotly;
}

// Plotly needs a size before it starts, and a redraw whenever the size changes.
function followSize(plotly, box) {
  const watcher = new ResizeObserver(() => box.clientWidth && plotly.Plots.resize(box));
  watcher.observe(box);
  return () => watcher.disconnect();
}
