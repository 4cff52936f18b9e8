// Slider and its controls. Frames change in the browser alone: no message goes to the kernel.

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const MODE_NAMES = { index: "place in chain", chain: "chain", structure: "secondary structure",
  error: "error (Å)" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity,
  End: Infinity };

function controls(model) {
  const play = element("button", { type: "button", className: "resfold-play" });
  const slider = dial("Frame", model.get("count"), 0).input;
  slider.setAttribute("aria-label", "Frame");
  const loop = element("button", { type: "button", textContent: "↻ Loop" });
  const speed = chooser("Speed", SPEEDS.map((s) => [s, `${s}×`]), 1);
  return { play, slider, loop, speed, output: element("output") };
}

function checkbox(panes, trait, text) {              // switches a trait of every pane
  const box = element("input", { type: "checkbox", checked: panes[0].get(trait) });
  box.addEventListener("change", () => panes.forEach((pane) => pane.set(trait, box.checked)));
  return element("label", {}, box, text);
}

function colourChooser(panes) {
  const modes = Object.keys(panes[0].get("palettes"));
  if (panes[0].get("truth").byteLength) modes.push("error");
  if (modes.length < 2) return [];
  const { select, label } = chooser("Colour by", modes.map((m) => [m, MODE_NAMES[m]]),
    panes[0].get("colour"));
  select.addEventListener("change", () => panes.forEach((p) => p.set("colour", select.value)));
  return [label];
}

function pdbButtons(panes) {
  const which = chooser("Pane", panes.map((p, i) => [i, p.get("heading") || `pane ${i + 1}`]), 0);
  const buttons = [["PDB of this frame", false], ["PDB of all frames", true]].map(([text, all]) => {
    const button = element("button", { type: "button", textContent: text });
    button.addEventListener("click", () =>
      panes[Number(which.select.value)].trigger("resfold:pdb", { all }));
    return button;
  });
  return panes.length > 1 ? [which.label, ...buttons] : buttons;
}

function more(panes) {
  const ghost = panes[0].get("truth").byteLength ? [checkbox(panes, "ghost", "Truth in grey")] : [];
  return element("details", { className: "resfold-more" },
    element("summary", { textContent: "More" }),
    element("div", {}, ...colourChooser(panes), ...ghost,
      checkbox(panes, "trail", "Trail of earlier frames"), ...pdbButtons(panes)));
}

// Play, pause, loop. `go` takes a frame; `model` knows the present one.
function clockOf(model, bar, { play, output, speed }, go) {
  const last = () => model.get("count") - 1;
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "▶ Play";
    output.setAttribute("aria-live", "polite");      // while playing it would never be silent
  };
  const step = () => {
    const ended = model.get("frame") >= last();
    if (!bar.isConnected || (ended && !model.get("loop"))) stop();
    else go(ended ? 0 : model.get("frame") + 1);
  };
  const start = () => {
    clearInterval(timer);
    timer = setInterval(step, model.get("interval") / Number(speed.select.value));
    play.textContent = "❚❚ Pause";
    output.setAttribute("aria-live", "off");
  };
  const toggle = () => {
    if (timer) return stop();
    if (model.get("frame") >= last()) go(0);
    return start();
  };
  speed.select.addEventListener("change", () => timer && start());
  return { stop, toggle };
}

function listen(model, bar, parts, clock, go) {
  parts.play.addEventListener("click", clock.toggle);
  parts.loop.addEventListener("click", () => model.set("loop", !model.get("loop")));
  parts.slider.addEventListener("input", () => {
    clock.stop();
    go(Number(parts.slider.value));
  });
  bar.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
    if (event.key in STEPS) {
      clock.stop();
      go(model.get("frame") + STEPS[event.key]);
    } else if (event.key === " " && event.target === parts.slider) {
      clock.toggle();
    } else {
      return;
    }
    event.preventDefault();
  });
}

function painter(model, followers, { slider, output, loop }) {
  return () => {
    const last = model.get("count") - 1;
    const frame = Math.max(0, Math.min(last, model.get("frame")));
    const text = model.get("labels")[frame] ?? `frame ${frame} of ${last}`;
    slider.max = last;
    slider.value = frame;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
    loop.setAttribute("aria-pressed", String(model.get("loop")));
    // set without save: stays in the page
    for (const follower of followers) follower.set("frame", frame);
  };
}

async function render({ model, el }) {
  const parts = controls(model);
  const bar = element("div", { className: "resfold-scrubber" }, parts.play, parts.slider,
    parts.output, parts.speed.label, parts.loop);
  el.append(bar);
  const followers = await Promise.all(model.get("panes").map((name) => modelNamed(model, name)));
  const panes = followers.filter((f) => f.get("palettes") !== undefined);
  if (panes.length) bar.append(more(panes));
  const go = (frame) =>
    model.set("frame", Math.max(0, Math.min(model.get("count") - 1, frame)));
  const clock = clockOf(model, bar, parts, go), show = painter(model, followers, parts);
  const shown = "change:frame change:count change:labels change:loop";
  listen(model, bar, parts, clock, go);
  model.on(shown, show);
  clock.stop();
  show();
  return () => {
    clock.stop();
    model.off(shown, show);
  };
}

export default { render };
