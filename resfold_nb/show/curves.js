// A plotly figure whose markers follow `frame`; the figure itself is sent once.

let clicks = 0;

function markers(model, figure) {                    // one more trace for each marked one
  return model.get("marks").map(({ trace }) => {
    const { line, xaxis, yaxis, marker } = figure.data[trace];
    return { type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, xaxis, yaxis,
      marker: { size: 15, color: line?.color ?? marker?.color ?? "white", symbol: "circle",
        line: { width: 3, color: "black" } }, x: [], y: [] };
  });
}

function keepLines(model, { lines = {} }) {          // for the next drawing, and for saving
  for (const [trace, points] of Object.entries(lines)) {
    Object.assign(model.get("figure").data[trace], points);
  }
}

function markerMover(model, plotly, box, first) {
  return () => {
    const marks = model.get("marks");
    if (!marks.length || !box.data) return;          // no data: it left the page meanwhile
    const frame = Math.max(0, Math.min(marks[0].x.length - 1, model.get("frame")));
    plotly.restyle(box, { x: marks.map((m) => [m.x[frame]]), y: marks.map((m) => [m.y[frame]]) },
      marks.map((_, i) => first + i));
    box.dataset.frame = frame;
  };
}

// Listens before the drawing is done, so that nothing sent in between is lost.
function listen(model, plotly, box, ready, move) {
  const follow = oncePerPicture(move);
  const change = ({ lines }) => ready.then(() => {   // new values of some traces alone
    const names = Object.keys(lines ?? {});
    if (!names.length || !box.data) return;
    plotly.restyle(box, { x: names.map((n) => lines[n].x), y: names.map((n) => lines[n].y) },
      names.map(Number));
  });
  model.on("change:frame", follow);
  model.on("msg:custom", change);
  return () => {
    model.off("change:frame", follow);
    model.off("msg:custom", change);
  };
}

async function draw(model, plotly, box, figure) {
  const drawn = [...figure.data, ...markers(model, figure)];
  const ready = plotly.newPlot(box, drawn, figure.layout, CONFIG);
  const move = markerMover(model, plotly, box, figure.data.length);
  const deafen = listen(model, plotly, box, ready, move);
  await ready;
  move();
  box.on("plotly_click", ({ points }) => {
    const { pointNumber, pointIndex, x, y } = points[0];
    clicks += 1;                                     // else the same point twice is no change
    model.set("picked", { index: pointNumber ?? pointIndex, x, y, click: clicks });
  });
  return deafen;
}

function initialize({ model }) {
  const keep = (content) => keepLines(model, content);
  model.on("msg:custom", keep);
  return () => model.off("msg:custom", keep);
}

function render({ model, el }) {
  return renderChart(model, el, (...drawing) => draw(model, ...drawing));
}

export default { initialize, render };
