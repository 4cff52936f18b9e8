// What every chart of ours shares; it is joined in front of the widget's own module.

const CONFIG = { responsive: true, displaylogo: false,
  toImageButtonOptions: { format: "svg", filename: "resfold" } };

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

function chartBox(model, el) {
  const box = Object.assign(document.createElement("div"), { className: "resfold-curves" });
  box.style.minHeight = `${model.get("height")}px`;
  box.setAttribute("role", "figure");
  box.setAttribute("aria-label", model.get("alt"));
  el.append(box);
  return box;
}

function sayFailed(model, box, error) {
  box.classList.add("resfold-failed");
  box.textContent = `The chart could not be drawn. ${error.message ?? error} ` +
    `It would show: ${model.get("alt")}`;
}

// Plotly needs a size before it starts, and a redraw whenever the size changes.
function followSize(plotly, box) {
  const watcher = new ResizeObserver(() => box.clientWidth && plotly.Plots.resize(box));
  watcher.observe(box);
  return () => watcher.disconnect();
}

// Runs `work` once before the next picture, however often it is asked: a fast slider asks for
// more frames than a screen shows.
function oncePerPicture(work) {
  let waiting = 0;
  return () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      work();
    });
  };
}
