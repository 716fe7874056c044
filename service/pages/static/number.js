// A number: a slider over the histogram of training's rows, and a field for any number that the service accepts.

import { element, show, svg } from "./dom.js";

const STEPS = 200;

/** Return the field of a number. */
export function buildNumber(feature, { id, about, value, set }) {
  const { name, low, high, histogram, example } = feature;
  const ends = histogram ? [histogram.low, histogram.high] : [low, high];
  const start = value ?? example ?? middle(ends);
  const input = element("input", { type: "number", id, step: "any", "aria-describedby": about, inputmode: "decimal", input: typed });
  const [first, last] = [Math.min(ends[0], start), Math.max(ends[1], start)];
  const slider = element("input", {
    type: "range", min: first, max: last, step: chooseStep(first, last, example), "aria-label": `${name}, slider`, input: slid,
  });
  const mark = svg("line", { class: "mark", y1: 0, y2: 40 });
  input.value = start;
  slider.value = start;
  place();

  function typed() {
    slider.value = input.value;
    place();
    set(read());
  }
  function slid() {
    input.value = slider.value;
    place();
    set(read());
  }
  function place() {
    const at = last > first ? (100 * (Math.min(Math.max(Number(input.value), first), last) - first)) / (last - first) : 50;
    mark.setAttribute("x1", at);
    mark.setAttribute("x2", at);
    slider.setAttribute("aria-valuetext", show(Number(input.value), 6));
  }
  // An empty field is no number: the service says so, beside it.
  function read() {
    return input.value === "" ? "" : Number(input.value);
  }
  return {
    node: element("div", { class: "number" },
      element("div", { class: "slide" }, histogram ? drawHistogram(histogram, first, last, mark) : null, slider), input),
    read,
    enable: (on) => { input.disabled = slider.disabled = !on; },
    mark: (wrong) => input.setAttribute("aria-invalid", String(wrong)),
  };
}

/** Return bars of the shares, between two ends, and the mark on them. */
function drawHistogram({ low, high, shares }, first, last, mark) {
  const most = Math.max(...shares), scale = 100 / (last - first), width = ((high - low) * scale) / shares.length;
  const bars = shares.map((share, index) => svg("rect", {
    x: (low - first) * scale + index * width, width: width * 0.86, y: 40 - heightOf(share / most), height: heightOf(share / most),
  }));
  return svg("svg", { class: "bars", viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars, mark);
}

/** Return a bar's height: what is rare must still be seen. */
const heightOf = (share) => (share > 0 ? 2 + 38 * Math.sqrt(share) : 0);

const middle = ([low, high]) => Number(((low + high) / 2).toPrecision(3));

/** Return a round step, of which there are some STEPS: whole numbers where the example is one and the range is long. */
function chooseStep(low, high, example) {
  const step = 10 ** Math.floor(Math.log10((high - low) / STEPS || 1));
  return Number.isInteger(example) && high - low >= 20 ? Math.max(1, step) : step;
}
