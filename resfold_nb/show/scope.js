// Two sliders choose a cell of a grid; so does a click in the chart. Views follow in the browser.

function dial(name, count, start) {
  const label = Object.assign(document.createElement("label"), { textContent: `${name} ` });
  const input = Object.assign(document.createElement("input"),
    { type: "range", min: 0, max: count - 1, step: 1, value: start });
  input.dataset.lmSuppressShortcuts = "true";
  label.append(input);
  return { label, input };
}

async function render({ model, el }) {
  const bar = Object.assign(document.createElement("div"), { className: "resfold-bar" });
  const rows = model.get("rows"), columns = model.get("columns");
  const [down, across] = [dial(model.get("row_name"), rows.length, rows.length - 1),
    dial(model.get("column_name"), columns.length, columns.length - 1)];
  const output = document.createElement("output");
  bar.append(down.label, across.label, output);
  el.append(bar);
  const find = (name) => model.widget_manager.get_model(name.slice("IPY_MODEL_".length));
  const views = await Promise.all(model.get("views").map(find));
  const chart = await find(model.get("chart"));

  const show = () => {
    const i = Number(down.input.value), j = Number(across.input.value);
    const frame = i * columns.length + j;
    for (const view of [...views, chart]) view.set("frame", frame);  // set without save
    down.input.setAttribute("aria-valuetext", rows[i]);
    across.input.setAttribute("aria-valuetext", columns[j]);
    output.textContent = model.get("labels")[frame];
  };
  const jump = () => {
    const { index } = chart.get("picked");
    if (!Array.isArray(index)) return;
    [down.input.value, across.input.value] = index;
    show();
  };
  down.input.addEventListener("input", show);
  across.input.addEventListener("input", show);
  chart.on("change:picked", jump);
  show();
  return () => chart.off("change:picked", jump);
}

export default { render };
