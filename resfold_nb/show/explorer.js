// Two selects and a slider over curves that were all computed before: no kernel is asked.

function controls(model, el) {
  const [schedule, form] = [["Schedule", "schedules"], ["Form", "forms"]].map(([name, trait]) =>
    chooser(name, model.get(trait).map((option) => [option, option])));
  const steps = model.get("steps"), t = dial("timestep t", steps, Math.floor(steps / 2));
  const output = element("output");
  el.append(element("div", { className: "resfold-bar" },
    schedule.label, form.label, t.label, output));
  return { schedule: schedule.select, form: form.select, t: t.input, output };
}

async function draw(model, { schedule, form, t, output }, plotly, box, figure) {
  await plotly.newPlot(box, figure.data, figure.layout, CONFIG);
  const names = model.get("names"), curves = model.get("curves");
  const lines = names.map((_, i) => i), marks = names.map((_, i) => names.length + i);
  const chosen = () => curves[`${schedule.value}|${form.value}`];

  const move = oncePerPicture(() => {
    const at = Number(t.value);
    plotly.restyle(box, { x: marks.map(() => [at]), y: chosen().map((v) => [v[at]]) }, marks);
  });
  const point = () => {
    const at = Number(t.value), values = chosen();
    output.textContent = `t = ${at}: ` + names.map((name, i) =>
      `${name} ${values[i][at] === null ? "not finite" : Number(values[i][at].toPrecision(3))}`)
      .join(", ");
    t.setAttribute("aria-valuetext", output.textContent);
    move();
  };
  const choose = () => {
    plotly.restyle(box, { y: chosen() }, lines);
    point();
  };
  for (const select of [schedule, form]) select.addEventListener("change", choose);
  t.addEventListener("input", point);
  choose();
}

function render({ model, el }) {
  const chosen = controls(model, el);
  return renderChart(model, el, (...drawing) => draw(model, chosen, ...drawing));
}

export default { render };
