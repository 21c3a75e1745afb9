"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function show(image, source, description) {
  image.src = source;
  image.alt = description;
}

function drawFigures() {
  // A finger that drags should scroll the page, a mouse that drags should zoom.
  const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
  const config = { responsive: true, displayModeBar: false };
  for (const div of document.querySelectorAll(".figure")) {
    const { data: traces, layout } = data.figures[div.dataset.figure];
    div.style.height = `${layout.height}px`;
    Plotly.newPlot(div, traces, { ...layout, dragmode }, config);
  }
  addEventListener("beforeprint", () => document.querySelectorAll(".figure").forEach((div) => Plotly.Plots.resize(div)));
}

function styleMap() {
  const div = document.querySelector('[data-figure="map"]');
  const choice = byId("exemplar");

  function look(number) {
    const point = data.points[number];
    choice.value = number;
    show(byId("thumbnail"), point.picture, `slice of ${point.name}`);
    byId("facts").textContent = point.facts;
    Plotly.restyle(div, { x: [[point.place[0]]], y: [[point.place[1]]] }, [div.data.length - 1]);
  }

  for (const event of ["plotly_hover", "plotly_click"]) {
    div.on(event, ({ points }) => look(points[0].customdata));
  }
  choice.addEventListener("input", () => look(Number(choice.value)));
  for (const button of document.querySelectorAll('[name="colouring"]')) {
    button.addEventListener("input", () => {
      Plotly.restyle(div, { visible: div.data.map(({ meta }) => meta === "all" || meta === button.value) });
    });
  }
  look(data.typical[0]);
}

function interpolation() {
  const [from, to, t, strip] = ["from", "to", "t", "strip"].map(byId);
  const steps = Number(t.max) / Number(t.step);

  function frames(first, second) {
    const ends = [data.ends[first], data.ends[second]];
    if (first === second) return Array(steps + 1).fill(ends[0]);
    const stored = data.frames[`${Math.min(first, second)}-${Math.max(first, second)}`];
    return [ends[0], ...(first < second ? stored : [...stored].reverse()), ends[1]];
  }

  function update() {
    const shown = frames(Number(from.value), Number(to.value));
    byId("t-value").textContent = t.value;
    show(byId("frame"), shown[Math.round(t.value * steps)], `translation at t = ${t.value}`);
    for (const select of [from, to]) {
      const number = data.typical[select.value];
      show(byId(`${select.id}-picture`), data.points[number].picture, `exemplar ${data.points[number].name}`);
    }
    strip.replaceChildren(
      ...[0, 0.2, 0.4, 0.6, 0.8, 1].map((place) => {
        const item = document.createElement("div");
        const [image, caption] = [document.createElement("img"), document.createElement("small")];
        show(image, shown[Math.round(place * steps)], `translation at t = ${place}`);
        caption.textContent = `t = ${place}`;
        item.append(image, caption);
        return item;
      }),
    );
  }

  for (const input of [from, to, t]) input.addEventListener("input", update);
  update();
}

function panels() {
  const slider = byId("step");
  function update() {
    const [step, picture] = data.panels[slider.value];
    byId("step-value").textContent = step;
    show(byId("panel"), picture, `fixed panel after ${step} steps`);
  }
  slider.addEventListener("input", update);
  update();
}

viewer();
drawFigures();
styleMap();
if (byId("t")) interpolation();
if (byId("step")) panels();
