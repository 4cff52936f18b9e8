// Attention of one residue on the chain, and of all as a heat map. Joined to shared.js
// and scene.js. The kernel sends the weights once; from then on the browser works alone.

const MARKED = "#D55E00";
const SVG = "http://www.w3.org/2000/svg";
const MAP = { left: 66, top: 28, side: 330, width: 500, height: 420 };   // units of the drawing

function draft(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function readable(weight) {
  if (weight === 0) return "0";
  return weight >= 0.001 ? weight.toFixed(3) : "< 0.001";
}

// What is chosen, and the numbers that belong to it.
function reader(model) {
  const view = model.get("weights"), L = model.get("chain").length, heads = model.get("heads");
  const end = view.byteOffset + view.byteLength;
  const all = new Uint16Array(view.buffer.slice(view.byteOffset, end));
  const one = (k) => all.subarray(k * L * L, (k + 1) * L * L);
  let key, map;
  return () => {
    const block = model.get("block"), head = model.get("head");
    if (key !== `${block} ${head}`) {
      const chosen = head < 0 ? [...Array(heads).keys()] : [head];
      const parts = chosen.map((h) => one(block * heads + h));
      map = Float32Array.from({ length: L * L },
        (_, i) => parts.reduce((sum, part) => sum + part[i], 0) / parts.length / 65535);
      key = `${block} ${head}`;
    }
    const i = model.get("residue"), row = map.subarray(i * L, (i + 1) * L);
    return { L, map, i, row, name: `${model.get("names")[block]}, ${headName(head)}` };
  };
}

function headName(head) {
  return head < 0 ? "mean of heads" : `head ${head}`;
}

function painter(ramp) {                             // share of the largest weight -> colour
  const last = ramp.length - 1;
  return (share) => ramp[Math.max(0, Math.min(last, Math.round(share * last)))];
}

function follower(model, trait, name, pairs) {       // a select that follows its trait, too
  const { select, label } = chooser(name, pairs);
  select.addEventListener("change", () => model.set(trait, Number(select.value)));
  return { label, follow: () => { select.value = model.get(trait); } };
}

function letterButton(letter, i, pick) {
  const button = element("button", { type: "button", textContent: letter, title: `${letter} ${i}`,
    role: "radio", "aria-label": `residue ${i}, ${letter}` });
  button.addEventListener("click", () => pick(i));
  return button;
}

// The arrows move by one, the page keys by ten.
function steer(model, group, buttons, pick) {
  group.addEventListener("keydown", (event) => {
    const now = model.get("residue"), last = buttons.length - 1;
    const target = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1,
      PageDown: now + 10, PageUp: now - 10, Home: 0, End: last }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    pick(Math.max(0, Math.min(last, target)));
    buttons[model.get("residue")].focus();
  });
}

// One button for each residue, of which only the chosen one is in the order of tabs.
function letters(model, pick) {
  const group = element("div", { className: "resfold-attention-letters", role: "radiogroup",
    "aria-label": "residue that listens" });
  const buttons = [...model.get("sequence")].map((letter, i) => letterButton(letter, i, pick));
  for (let i = 0; i < buttons.length; i += 10) {
    group.append(element("div", {}, ...buttons.slice(i, i + 10)));
  }
  steer(model, group, buttons, pick);
  const show = ({ row, i }, colour) => {
    const most = Math.max(...row) || 1;
    buttons.forEach((button, j) => {
      const back = colour(row[j] / most), [r, g, b] = rgbOf(back);
      button.style.background = back;
      button.style.color = 0.299 * r + 0.587 * g + 0.114 * b > 110 ? "black" : "white";
      button.setAttribute("aria-checked", j === i);
      button.tabIndex = j === i ? 0 : -1;
    });
  };
  return { group, show };
}

function ticks(L) {
  const step = [1, 2, 5, 10, 20, 50, 100].find((s) => L / s <= 6) ?? 100;
  return Array.from({ length: Math.ceil(L / step) }, (_, k) => k * step);
}

function bar(svg, ramp) {                            // the colour bar right of the heat map
  const { left, top, side } = MAP, x = left + side + 14, each = side / ramp.length;
  ramp.forEach((fill, k) => svg.append(draft("rect",
    { x, y: top + side - (k + 1) * each, width: 14, height: each + 0.5, fill })));
  return [0, 0.5, 1].map((share) => svg.appendChild(draft("text",
    { x: x + 18, y: top + (1 - share) * side + 5 })));
}

function axes(svg, L) {
  const { left, top, side, height } = MAP;
  for (const k of ticks(L)) {
    const place = (side * (k + 0.5)) / L;
    svg.append(draft("text", { x: left - 8, y: top + place + 5, "text-anchor": "end" }, k),
      draft("text", { x: left + place, y: top + side + 20, "text-anchor": "middle" }, k));
  }
  svg.append(draft("text", { x: left + side / 2, y: height - 14, "text-anchor": "middle" },
    "residue heard, from 0"), draft("text", { x: 0, y: 0, "text-anchor": "middle",
    transform: `translate(14 ${top + side / 2}) rotate(-90)` }, "listener, from 0"));
}

function emptyMap(L, ramp) {
  const { left, top, side, width, height } = MAP;
  const svg = draft("svg", { class: "resfold-attention-map", viewBox: `0 0 ${width} ${height}`,
    role: "img" });
  const title = svg.appendChild(draft("text", { x: left, y: 18, "font-weight": 600 }));
  const picture = svg.appendChild(draft("image", { x: left, y: top, width: side, height: side,
    preserveAspectRatio: "none" }));
  const mark = svg.appendChild(draft("rect", { x: left - 3, width: side + 6, fill: "none",
    stroke: MARKED, "stroke-width": 3 }));
  axes(svg, L);
  return { svg, title, picture, mark, numbers: bar(svg, ramp) };
}

function heatMap(model, pick) {
  const L = model.get("chain").length, cell = MAP.side / L, tall = Math.max(cell, 3);
  const { svg, title, picture, mark, numbers } = emptyMap(L, model.get("ramp"));
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    pick(Math.max(0, Math.min(L - 1, Math.floor((L * (event.clientY - box.top)) / box.height))));
  });
  const canvas = element("canvas", { width: L, height: L });
  mark.setAttribute("height", tall + 3);
  let drawn;
  const show = ({ map, i, name }, colour) => {
    mark.setAttribute("y", MAP.top + cell * (i + 0.5) - tall / 2 - 1.5);
    if (drawn === map) return;
    drawn = map;
    const most = map.reduce((a, b) => Math.max(a, b), 0);
    picture.setAttribute("href", paint(canvas, map, most, colour));
    numbers.forEach((text, k) => { text.textContent = readable((most * k) / 2); });
    title.textContent = name;
    svg.setAttribute("aria-label", `Heat map of attention weights, ${L} listeners by ${L} ` +
      `residues heard: ${name}. Largest weight ${readable(most)}.`);
  };
  return { svg, show };
}

function paint(canvas, map, most, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  map.forEach((weight, k) => {
    image.data.set([...rgbOf(colour(weight / (most || 1))), 255], 4 * k);
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

// The chain in 3D; a click on a residue picks it.
async function chainView(model, box, pick) {
  const viewer = await viewerIn(model, box);
  const points = floats(model.get("points"));
  let colours = [], ball;
  const colorfunc = (atom) => colours[atom.resi - 1];
  const style = { stick: { radius: 0.45, colorfunc }, sphere: { radius: 0.9, colorfunc } };
  const molecule = addChain(viewer, model.get("chain"), points, style);
  molecule.setClickable({}, true, (atom) => pick(atom.resi - 1));
  const show = ({ row, i }, colour) => {
    const most = Math.max(...row) || 1;
    colours = Array.from(row, (weight) => colour(weight / most));
    molecule.setStyle({}, style);                    // drops the cached shape, keeps the camera
    if (ball) viewer.removeShape(ball);
    const [x, y, z] = points.subarray(3 * i, 3 * i + 3);
    ball = viewer.addSphere({ center: { x, y, z }, radius: 1.9, color: MARKED, opacity: 0.8 });
    viewer.render();
    box.dataset.frame = i;
  };
  aim(viewer, box, model.get("centre"), model.get("radius"));
  box.resfoldViewer = viewer;
  return { viewer, show };
}

function sentence({ row, i, name, L }, sequence) {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]).slice(0, 3);
  const most = order.map((j) => `${j} (${sequence[j]}) ${readable(row[j])}`);
  return `${name}: residue ${i} (${sequence[i]}) listens most to ${most.join(", ")}. ` +
    `To all alike it would be ${readable(1 / L)} each.`;
}

function rowScale(ramp) {                            // the scale of chain and letters
  const [low, high] = [element("span", { textContent: "0" }), element("span")];
  const strip = element("i");
  strip.style.background = gradient(ramp);
  const show = ({ row }) => { high.textContent = `${readable(Math.max(...row))} (row's largest)`; };
  const scale = element("div", { className: "resfold-attention-scale" }, low, strip, high);
  return { scale, show };
}

function layout(model, pick) {
  const names = model.get("names"), heads = [...Array(model.get("heads")).keys()];
  const choosers = [follower(model, "block", "Block", names.map((name, k) => [k, name])),
    follower(model, "head", "Head", [-1, ...heads].map((h) => [h, headName(h)]))];
  const row = element("div", { className: "resfold-attention-row" }), left = element("div");
  const { box, note } = skeleton(model, left);
  const shades = rowScale(model.get("ramp")), map = heatMap(model, pick);
  const sequence = letters(model, pick), output = element("output", { "aria-live": "polite" });
  note.remove();
  left.append(shades.scale);
  row.append(left, map.svg);
  const root = element("div", { className: "resfold-attention" },
    element("div", { className: "resfold-bar" }, ...choosers.map((c) => c.label)),
    row, sequence.group, output);
  const say = (chosen) => {
    for (const one of choosers) one.follow();
    output.textContent = sentence(chosen, model.get("sequence"));
  };
  return { root, box, parts: [map.show, sequence.show, shades.show, say] };
}

async function render({ model, el }) {
  const pick = (i) => model.set("residue", i);       // set without save: the kernel is not told
  const { root, box, parts } = layout(model, pick);
  const read = reader(model), colour = painter(model.get("ramp"));
  const show = () => {
    const chosen = read();
    for (const part of parts) part(chosen, colour);
  };
  el.append(root);
  show();
  const names = "change:residue change:block change:head";
  model.on(names, show);
  let viewer;
  try {
    const chain = await chainView(model, box, pick);
    viewer = chain.viewer;
    parts.push(chain.show);
    show();
  } catch (error) {
    explain(model, box, error);
  }
  return () => {
    model.off(names, show);
    closeViewer(viewer, box);
  };
}

export default { render };
