// Start, Pause and Stop of a training, how far it is, and what it is doing.

const ACTIONS = ["start", "pause", "stop"];
const ALLOWED = { ready: ["start", "stop"], running: ["pause", "stop"], paused: ["start", "stop"] };
const ASKED = {
  start: "Starting as soon as the kernel is free.",
  pause: "Pausing after the step in hand.",
  stop: "Stopping after the step in hand.",
};

function sentence(model, kernel) {
  const phase = model.get("phase"), step = model.get("step"), steps = model.get("steps");
  const said = {
    ready: `Ready to train ${steps} steps.`,
    running: "Training.",
    paused: `Paused after step ${step} of ${steps}.`,
    stopped: `Stopped after step ${step} of ${steps}. The model can be used as it is.`,
    finished: `Finished all ${steps} steps.`,
    failed: `Failed after step ${step} of ${steps}.`,
  }[phase];
  if (kernel || !ALLOWED[phase]) return said;
  const saved = phase === "running" ? `Saved in training, after step ${step} of ${steps}.` : said;
  return `${saved} The buttons need a running kernel.`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function numbers(model, kernel) {
  const parts = [`step ${model.get("step")} of ${model.get("steps")}`];
  if (model.get("loss") !== null) parts.push(`loss ${model.get("loss").toPrecision(3)}`);
  const left = model.get("left"), going = ["running", "paused"].includes(model.get("phase"));
  if (left !== null && going && kernel) parts.push(`about ${duration(left)} left`);
  return parts.join(" · ");
}

function skeleton(el) {
  const buttons = ACTIONS.map((action) =>
    element("button", { type: "button", className: `resfold-live-${action}` }));
  const bar = element("progress", { "aria-label": "Training steps" });
  const count = element("span", { className: "resfold-live-count" });
  const status = element("div", { className: "resfold-live-status", role: "status" });
  const error = element("div", { className: "resfold-live-error", role: "alert" });
  el.append(element("div", { className: "resfold-live" },
    element("div", { className: "resfold-live-row" }, ...buttons, bar, count), status, error));
  return { buttons, bar, count, status, error };
}

function setText(box, text) {                        // the same text again would be read out again
  if (box.textContent !== text) box.textContent = text;
}

function render({ model, el }) {
  const { buttons, bar, count, status, error } = skeleton(el);
  const layout = model.get("layout");                // a model, which knows of the kernel
  let asked = "";

  const show = () => {
    const kernel = layout.comm_live !== false, phase = model.get("phase");
    const allowed = (kernel && ALLOWED[phase]) || [];
    const labels = [phase === "paused" ? "▶ Continue" : "▶ Start", "❚❚ Pause", "■ Stop"];
    buttons.forEach((button, i) => {
      button.textContent = labels[i];
      button.disabled = !allowed.includes(ACTIONS[i]);
    });
    bar.max = model.get("steps");
    bar.value = model.get("step");
    setText(count, numbers(model, kernel));
    setText(status, asked || sentence(model, kernel));
    setText(error, model.get("error"));
  };
  const answered = () => {
    asked = "";
    const focused = buttons.includes(document.activeElement) && document.activeElement;
    show();
    // a disabled button loses the focus: it goes to the one that takes the place
    if (focused?.disabled) buttons.find((button) => !button.disabled)?.focus();
  };

  buttons.forEach((button, i) => button.addEventListener("click", () => {
    asked = ASKED[ACTIONS[i]];
    show();
    model.send({ do: ACTIONS[i] });
  }));
  const events = "change:step change:steps change:loss change:left change:error";
  model.on("change:phase", answered);
  model.on(events, show);
  layout.on?.("comm_live_update", show);
  show();
  return () => {
    model.off("change:phase", answered);
    model.off(events, show);
    layout.off?.("comm_live_update", show);
  };
}

export default { render };
