// What every widget shares, joined in front of its own module: elements, models, libraries, sizes.

// JupyterLab takes arrows, Enter and the like for itself unless the focused element says no.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);             // "aria-label"; "role" in older browsers
  }
  if (["button", "input", "select", "summary"].includes(tag)) {
    made.dataset.lmSuppressShortcuts = "true";
  }
  made.append(...children);
  return made;
}

function chooser(name, pairs, value = pairs[0][0]) { // named, else its options would be read out
  const select = element("select", { "aria-label": name },
    ...pairs.map(([key, textContent]) => element("option", { value: key, textContent })));
  select.value = value;
  return { select, label: element("label", {}, `${name} `, select) };
}

function dial(name, count, value) {
  const input = element("input", { type: "range", min: 0, max: count - 1, step: 1, value });
  return { input, label: element("label", {}, `${name} `, input) };
}

function gradient(ramp) {
  return `linear-gradient(to right, ${ramp.join(", ")})`;
}

function modelNamed(model, reference) {
  return model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
}

// The kernel's one copy of a library, or the page's, which an exported page has in its head.
async function loadLibrary(model, name) {
  if (!globalThis[name]) {
    const library = await modelNamed(model, model.get("library"));
    // hidden names: else the library would register itself with the page's require.js instead
    const script = element("script", { textContent: `(function (define, exports, module) {
      ${library.get("source")}\n globalThis.${name} ??= ${name}; }).call(window)` });
    document.head.append(script);
    script.remove();
  }
  return globalThis[name];
}

function hasSize(box) {                              // 3Dmol needs a size before it starts
  return new Promise((done) => {
    const watcher = new ResizeObserver(() => {
      if (!box.clientWidth) return;
      watcher.disconnect();
      done();
    });
    watcher.observe(box);
  });
}

function onResize(box, work) {
  const watcher = new ResizeObserver(() => box.clientWidth && work());
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

function sayFailed(model, box, error, what, advice = "") {
  box.classList.add("resfold-failed");
  box.removeAttribute("role");                       // so that the text is read out
  box.textContent = `The ${what} could not be drawn. ${error.message ?? error} ` +
    `${advice}It would show: ${model.get("alt")}`;
}
