// 3D views without what is particular to a player: a box, the viewer in it, chains, the camera.

const FIELD_OF_VIEW = 20, CAMERA_Z = 150;            // fixed inside 3Dmol

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

function rgbOf(text) {                               // "#rrggbb" or "rgb(r, g, b)"
  const hex = /^#(..)(..)(..)$/.exec(text);
  return hex ? hex.slice(1).map((h) => parseInt(h, 16)) : text.match(/[\d.]+/g).map(Number);
}

function skeleton(model, el) {
  const box = element("div", { className: "resfold-stage", role: "img",
    "aria-label": model.get("alt") });
  box.style.height = `${model.get("height")}px`;
  const heading = element("h4", { textContent: model.get("heading"),
    hidden: !model.get("heading") });
  const note = element("div", { className: "resfold-note", hidden: !model.get("captions").length });
  el.append(element("div", { className: "resfold-pane" }, heading, box, note));
  return { box, note };
}

async function viewerIn(model, box) {
  const softwareGL = hasSoftwareGL();
  const lib = await loadLibrary(model, "$3Dmol");    // py3Dmol's views use the same global
  await hasSize(box);
  // smoothing costs ten times the time where the processor does the drawing
  return lib.createViewer(box, { backgroundColor: "white", antialias: !softwareGL });
}

function closeViewer(viewer, box) {
  viewer?.clear();                                   // frees its share of the one WebGL context
  viewer?.divwatcher?.disconnect();
  viewer?.intwatcher?.disconnect();
  box.replaceChildren();
}

function explain(model, box, error) {
  sayFailed(model, box, error, "3D view",
    "Switch on hardware acceleration or try another browser. ");
}
