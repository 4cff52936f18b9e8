// One 3D pane. The kernel sends every frame once; from then on the browser works alone.

const ROUND_LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];     // Å
const BAR_MOST = 110;                                // pixels
const TRAIL = 4;                                     // earlier frames behind the present one
const cameras = (globalThis.__resfold_cameras ??= new Map());   // group -> viewers

// Turning one pane turns the others of its player.
function joinCamera(group, viewer) {
  const others = cameras.get(group) ?? new Set();
  cameras.set(group, others);
  for (const other of others) {
    other.linkViewer(viewer);
    viewer.linkViewer(other);
  }
  others.add(viewer);
  return () => {
    others.delete(viewer);
    if (!others.size) cameras.delete(group);
    for (const other of others) {
      other.linkedViewers = other.linkedViewers.filter((v) => v !== viewer);
    }
  };
}

function mixed(colour, other, share) {
  const [a, b] = [rgbOf(colour), rgbOf(other)];
  return "#" + [0, 1, 2].map((k) => Math.round(a[k] + share * (b[k] - a[k]))
    .toString(16).padStart(2, "0")).join("");
}

function surroundings(box) {                         // colours that stand out on the page's theme
  const paper = mixed(getComputedStyle(box).backgroundColor, "#000000", 0);
  const [r, g, b] = rgbOf(paper), dark = 0.3 * r + 0.6 * g + 0.1 * b < 110;
  return { paper, dark, ghost: dark ? "#8a8a8a" : "#bdbdbd" };
}

function onTheme(change) {
  const watcher = new MutationObserver(() => requestAnimationFrame(change));
  watcher.observe(document.body, { attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  return () => watcher.disconnect();
}

function pixelsPerAngstrom(viewer, box) {
  const distance = CAMERA_Z - viewer.getView()[3];
  return box.clientHeight / (2 * distance * Math.tan((Math.PI / 360) * FIELD_OF_VIEW));
}

function scaleBar(viewer, box) {
  box.insertAdjacentHTML("beforeend",
    '<svg class="resfold-scale" aria-hidden="true"><path></path><text x="5" y="18"></text></svg>');
  const svg = box.lastElementChild, [line, text] = svg.children;
  const measure = () => {
    const scale = pixelsPerAngstrom(viewer, box);
    const length = ROUND_LENGTHS.findLast((l) => l * scale <= BAR_MOST) ?? ROUND_LENGTHS[0];
    line.setAttribute("d", `M3 22v6h${(length * scale).toFixed(1)}v-6`);
    text.textContent = `${length} Å`;
    svg.dataset.length = length;
    svg.dataset.pixels = length * scale;
  };
  viewer.setViewChangeCallback(measure);
  measure();
  return onResize(box, measure);
}

function errorColours(points, truth, frame, ramp, most) {
  const length = truth.length / 3, start = frame * truth.length;
  return Array.from({ length }, (_, i) => {
    let squares = 0;
    for (let k = 3 * i; k < 3 * i + 3; k++) squares += (points[start + k] - truth[k]) ** 2;
    return ramp[Math.round(Math.min(1, Math.sqrt(squares) / most) * (ramp.length - 1))];
  });
}

function legend(model) {
  const most = model.get("error_most"), strip = element("span", { className: "resfold-strip" });
  strip.style.background = gradient(model.get("ramp"));
  return element("div", { className: "resfold-legend" }, "error: 0", strip, `${most} Å or more`);
}

function trailOf(viewer, chain, points) {            // made when first asked for
  let models = [];
  const remove = () => {
    for (const old of models) viewer.removeModel(old);
    models = [];
  };
  return { remove, move(frame, { paper, dark }) {
    if (!models.length) {
      models = Array.from({ length: TRAIL }, () => addChain(viewer, chain, points(), {}));
    }
    models.forEach((old, k) => {
      moveTo(old, points(), Math.max(0, frame - 1 - k));
      const color = mixed(dark ? "#ffffff" : "#222222", paper, 0.3 + 0.15 * k);
      old.setStyle({}, { stick: { radius: 0.1, color } });
    });
  } };
}

async function draw(model, box, note) {
  const viewer = await viewerIn(model, box);
  const scene = sceneOf(model, viewer, box, note);
  scene.load();
  scene.show();
  aim(viewer, box, model.get("centre"), model.get("radius"));
  Object.assign(box, { resfoldViewer: viewer, resfoldModel: model });
  const stopScale = scaleBar(viewer, box);
  return { viewer, stopScale, ...scene };
}

// What stands in one pane. New data take the place of the old ones under the same camera.
function sceneOf(model, viewer, box, note) {
  const chain = model.get("chain"), key = legend(model);
  let points, truth, ghost, molecule, around, shades = [];
  const trail = trailOf(viewer, chain, () => points);
  const style = { stick: { radius: 0.45, colorfunc: (atom) => shades[atom.resi - 1] } };
  note.before(key);
  const load = () => {
    points = floats(model.get("frames"));
    truth = floats(model.get("truth"));
    requireDrawable(points, truth, 3 * chain.length);
    if (ghost) viewer.removeModel(ghost);
    ghost = truth.length ? addChain(viewer, chain, truth, {}) : undefined;
    molecule ??= addChain(viewer, chain, points, style);
    around = undefined;
  };
  const adapt = () => {                              // to the theme, when it has changed
    const now = surroundings(box);
    if (around?.paper !== now.paper) {
      around = now;
      viewer.setBackgroundColor(around.paper);
      ghost?.setStyle({}, { stick: { radius: 0.2, color: around.ghost } });
    }
  };
  const shade = (frame) => {
    const byError = model.get("colour") === "error" && truth.length > 0;
    const plain = byError
      ? errorColours(points, truth, frame, model.get("ramp"), model.get("error_most"))
      : model.get("palettes")[model.get("colour")] ?? model.get("palettes").index;
    shades = around.dark ? plain.map((c) => mixed(c, "#ffffff", 0.3)) : plain;
    key.hidden = !byError;
  };
  const show = () => {
    const last = points.length / (3 * chain.length) - 1;
    const frame = Math.max(0, Math.min(last, model.get("frame")));
    adapt();
    shade(frame);
    if (model.get("ghost")) ghost?.show();
    else ghost?.hide();
    if (model.get("trail")) trail.move(frame, around);
    else trail.remove();
    moveTo(molecule, points, frame);
    molecule.setStyle({}, style);                    // drops the cached shape, keeps the camera
    viewer.render();
    note.textContent = model.get("captions")[frame] ?? "";
    note.hidden = !model.get("captions").length;
    box.dataset.frame = frame;
  };
  return { load, show };
}

function requireDrawable(points, truth, size) {      // traits may be set without our checks
  if (!points.length || points.length % size || (truth.length && truth.length !== size)) {
    const given = `${points.length} and ${truth.length} numbers`;
    throw new Error(`${given} do not fit ${size / 3} residues.`);
  }
  if (!points.every(Number.isFinite) || !truth.every(Number.isFinite)) {
    throw new Error("Some coordinates are not finite.");
  }
}

function savePdb(model, { all }) {
  const points = floats(model.get("frames")), chain = model.get("chain");
  const count = points.length / (3 * chain.length);
  const frame = Math.max(0, Math.min(count - 1, model.get("frame")));
  const frames = all ? Array.from({ length: count }, (_, k) => k) : [frame];
  const name = model.get("heading").replace(/[^\w-]+/g, "_") || "pane";
  download(pdbText(points, chain, model.get("residues"), frames),
    `${name}_${all ? "all" : `frame_${frame}`}.pdb`);
}

// A button of the bar asks through the model, which lives in the page; no message to the kernel.
function answerRequests(model, box) {
  const said = element("div", { className: "resfold-said", role: "status" });
  box.after(said);
  const answer = (wish) => {
    if (wish.taken) return;                          // by another view of the same pane
    wish.taken = true;
    said.textContent = "";
    try {
      savePdb(model, wish);
    } catch (error) {
      said.textContent = error.message;
    }
  };
  model.on("resfold:pdb", answer);
  return () => model.off("resfold:pdb", answer);
}

async function render({ model, el }) {
  const { box, note } = skeleton(model, el);
  let drawn;
  try {
    drawn = await draw(model, box, note);
  } catch (error) {
    explain(model, box, error);
    return undefined;
  }
  let stale = false, failed = false;
  const request = oncePerPicture(() => {
    if (failed) return;
    try {
      if (stale) drawn.load();
      stale = false;
      drawn.show();
    } catch (error) {
      failed = true;
      explain(model, box, error);
    }
  });
  const reload = () => {
    stale = true;
    request();
  };
  const looks = "change:frame change:colour change:ghost change:trail change:captions " +
    "change:palettes";
  model.on(looks, request);
  model.on("change:frames change:truth", reload);
  const leave = joinCamera(model.get("group"), drawn.viewer);
  const stopTheme = onTheme(request), stopAnswers = answerRequests(model, box);
  return () => {
    model.off(looks, request);
    model.off("change:frames change:truth", reload);
    for (const stop of [leave, stopTheme, stopAnswers, drawn.stopScale]) stop();
    closeViewer(drawn.viewer, box);
  };
}

export default { render };
