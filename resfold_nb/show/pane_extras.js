// What a pane shows besides its chain: scale bar, colour by error, trail, the page's theme.

const ROUND_LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];     // Å
const BAR_MOST = 110;                                // pixels
const TRAIL = 4;                                     // earlier frames behind the present one

function rgbOf(text) {                               // "#rrggbb" or "rgb(r, g, b)"
  const hex = /^#(..)(..)(..)$/.exec(text);
  return hex ? hex.slice(1).map((h) => parseInt(h, 16)) : text.match(/[\d.]+/g).map(Number);
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
  const watcher = new ResizeObserver(measure);
  watcher.observe(box);
  measure();
  return () => watcher.disconnect();
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
  const most = model.get("error_most"), element = document.createElement("div");
  element.className = "resfold-legend";
  const strip = Object.assign(document.createElement("span"), { className: "resfold-strip" });
  strip.style.background = `linear-gradient(to right, ${model.get("ramp").join(", ")})`;
  element.append("error: 0", strip, `${most} Å or more`);
  return element;
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
