// Two selects and a slider over curves that were all computed before: no kernel is asked.

const T_LABEL = "timestep t";

function choice(name, options) {
  const label = Object.assign(document.createElement("label"), { textContent: `${name} ` });
  const select = document.createElement("select");
  for (const option of options) select.add(new Option(option, option));
  select.setAttribute("aria-label", name);           // else the options would be part of it
  select.dataset.lmSuppressShortcuts = "true";
  label.append(select);
  return { label, select };
}

function slider(steps) {
  const label = Object.assign(document.createElement("label"), { textContent: `${T_LABEL} ` });
  const input = Object.assign(document.createElement("input"),
    { type: "range", min: 0, max: steps - 1, step: 1, value: Math.floor(steps / 2) });
  input.dataset.lmSuppressShortcuts = "true";
  label.append(input);
  return { label, input };
}

function controls(model, el) {
  const bar = Object.assign(document.createElement("div"), { className: "resfold-bar" });
  const schedule = choice("Schedule", model.get("schedules"));
  const form = choice("Form", model.get("forms"));
  const t = slider(model.get("steps"));
  const output = document.createElement("output");
  bar.append(schedule.label, form.label, t.label, output);
  el.append(bar);
  return { schedule: schedule.select, form: form.select, t: t.input, output };
}

async function draw(model, box, { schedule, form, t, output }) {
  const plotly = await loadPlotly(model);
  const figure = structuredClone(model.get("figure"));
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
  const leave = followSize(plotly, box);
  return () => {
    leave();
    plotly.purge(box);
  };
}

async function render({ model, el }) {
  const chosen = controls(model, el), box = chartBox(model, el);
  try {
    return await draw(model, box, chosen);
  } catch (error) {
    return sayFailed(model, box, error);
  }
}

export default { render };
