// One 3D pane. The kernel sends every frame once; from then on the browser works alone.

const FIELD_OF_VIEW = 20, CAMERA_Z = 150;            // fixed inside 3Dmol
const cameras = (globalThis.__resfold_cameras ??= new Map());   // group -> viewers

// py3Dmol's views use the same global, so a page runs the library once.
async function load3Dmol(model) {
  if (!globalThis.$3Dmol) {
    const id = model.get("library").slice("IPY_MODEL_".length);
    const library = await model.widget_manager.get_model(id);
    const script = document.createElement("script");
    // hidden names: else the library would register itself with the page's require.js instead
    script.textContent =
      `(function (define, exports, module) {${library.get("source")}\n}).call(window)`;
    document.head.append(script);
    script.remove();
  }
  return globalThis.$3Dmol;
}

let software;                                        // true, false, or undefined before the test
function hasSoftwareGL() {
  if (software !== undefined) return software;
  const canvas = globalThis.OffscreenCanvas          // where 3Dmol draws, if the browser has it
    ? new OffscreenCanvas(1, 1) : document.createElement("canvas");
  const gl = canvas.getContext("webgl2");
  if (!gl) throw new Error("This browser offers no WebGL, which 3D views need.");
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : "";
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return (software = /swiftshader|llvmpipe|software/i.test(name));
}

function floats(view) {                              // a copy: the offset may not be aligned
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function attached(element) {                         // 3Dmol needs a size before it starts
  return new Promise((done) => {
    const watcher = new ResizeObserver(() => {
      if (!element.clientWidth) return;
      watcher.disconnect();
      done();
    });
    watcher.observe(element);
  });
}

// Bonds are given, not guessed: neighbours in a noised chain are far further apart than 3.8 Å.
function addChain(viewer, chain, points, style) {
  const molecule = viewer.addModel();
  molecule.addAtoms(chain.map((c, i) => {
    const bonds = [i - 1, i + 1].filter((j) => chain[j] === c);
    return { elem: "C", atom: "CA", resi: i + 1, chain: String(c), serial: i, bonds,
      bondOrder: bonds.map(() => 1), x: points[3 * i], y: points[3 * i + 1], z: points[3 * i + 2] };
  }));
  molecule.setStyle({}, style);
  return molecule;
}

function moveTo(molecule, points, frame) {
  const atoms = molecule.selectedAtoms({});
  let k = 3 * atoms.length * frame;
  for (const atom of atoms) [atom.x, atom.y, atom.z] = [points[k++], points[k++], points[k++]];
}

function aim(viewer, box, centre, radius) {
  const aspect = Math.min(1, box.clientWidth / box.clientHeight);
  const distance = (1.08 * radius) / aspect / Math.tan((Math.PI / 360) * FIELD_OF_VIEW);
  viewer.setSlab(-3 * radius, 3 * radius);
  viewer.setView([...centre.map((c) => -c), CAMERA_Z - distance, 0, 0, 0, 1]);
}

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

function skeleton(model, el) {
  const pane = document.createElement("div");
  pane.className = "resfold-pane";
  const heading = Object.assign(document.createElement("h4"),
    { textContent: model.get("heading"), hidden: !model.get("heading") });
  const box = Object.assign(document.createElement("div"), { className: "resfold-stage" });
  box.style.height = `${model.get("height")}px`;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", model.get("alt"));
  const note = Object.assign(document.createElement("div"), { className: "resfold-note" });
  note.hidden = !model.get("captions").length;
  pane.append(heading, box, note);
  el.append(pane);
  return { box, note };
}

async function draw(model, box, note) {
  const softwareGL = hasSoftwareGL();
  const lib = await load3Dmol(model);
  await attached(box);
  // smoothing costs ten times the time where the processor does the drawing
  const viewer = lib.createViewer(box, { backgroundColor: "white", antialias: !softwareGL });
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
  const said = Object.assign(document.createElement("div"), { className: "resfold-said" });
  said.setAttribute("role", "status");
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

function explain(model, box, error) {
  box.classList.add("resfold-failed");
  box.removeAttribute("role");                       // so that the text is read out
  box.textContent = `The 3D view could not be drawn. ${error.message ?? error} ` +
    `Switch on hardware acceleration or try another browser. It would show: ${model.get("alt")}`;
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
  let waiting = false, stale = false, failed = false;
  const update = () => {
    waiting = false;
    if (failed) return;
    try {
      if (stale) drawn.load();
      stale = false;
      drawn.show();
    } catch (error) {
      failed = true;
      explain(model, box, error);
    }
  };
  const request = () => {                            // at most one drawing per screen refresh
    if (!waiting) requestAnimationFrame(update);
    waiting = true;
  };
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
    drawn.viewer.clear();                            // frees its share of the one WebGL context
    drawn.viewer.divwatcher?.disconnect();
    drawn.viewer.intwatcher?.disconnect();
    box.replaceChildren();
  };
}

export default { render };
