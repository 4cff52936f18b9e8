// Slider and play button. Frames change in the browser alone: no message goes to the kernel.

function controls(model) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  const slider = Object.assign(document.createElement("input"),
    { type: "range", min: 0, max: model.get("count") - 1, step: 1, value: model.get("frame") });
  slider.setAttribute("aria-label", "Frame");
  const output = document.createElement("output");
  // JupyterLab takes arrows, Enter and the like for itself unless the focused element says no
  for (const control of [button, slider]) control.dataset.lmSuppressShortcuts = "true";
  return { button, slider, output };
}

async function render({ model, el }) {
  const { button, slider, output } = controls(model);
  const bar = Object.assign(document.createElement("div"), { className: "resfold-scrubber" });
  bar.append(button, slider, output);
  el.append(bar);
  const last = model.get("count") - 1;
  const ids = model.get("panes").map((name) => name.slice("IPY_MODEL_".length));
  const panes = await Promise.all(ids.map((id) => model.widget_manager.get_model(id)));
  let timer;

  const show = () => {
    const frame = Math.max(0, Math.min(last, model.get("frame")));
    const text = model.get("labels")[frame] ?? `frame ${frame} of ${last}`;
    slider.value = frame;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
    for (const pane of panes) pane.set("frame", frame);   // set without save: stays in the page
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = "▶ Play";
  };
  const step = () => {
    if (model.get("frame") >= last || !bar.isConnected) stop();
    else model.set("frame", model.get("frame") + 1);
  };
  const play = () => {
    if (model.get("frame") >= last) model.set("frame", 0);
    timer = setInterval(step, model.get("interval"));
    button.textContent = "❚❚ Pause";
  };

  button.addEventListener("click", () => (timer ? stop() : play()));
  slider.addEventListener("input", () => {
    stop();
    model.set("frame", Number(slider.value));
  });
  model.on("change:frame", show);
  stop();
  show();
  return () => {
    stop();
    model.off("change:frame", show);
  };
}

export default { render };
