// Two sliders choose a cell of a grid; so does a click in the chart. Views follow in the browser.

async function render({ model, el }) {
  const rows = model.get("rows"), columns = model.get("columns");
  const [down, across] = [dial(model.get("row_name"), rows.length, rows.length - 1),
    dial(model.get("column_name"), columns.length, columns.length - 1)];
  const output = element("output");
  el.append(element("div", { className: "resfold-bar" }, down.label, across.label, output));
  const find = (reference) => modelNamed(model, reference);
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
