// The answer: a gauge for two classes, bars for more, an interval for a number; the challenger's beside it.

import { element, isolate, percent, show, svg } from "./dom.js";

/** Return the one number of a prediction that curves and explanations are about: a probability, or the value. */
export function readNumber(prediction, target, label = null) {
  if (target.task === "binary") return prediction.probability;
  if (target.task === "regression") return prediction.value;
  return prediction.probabilities[String(label ?? prediction.label)];
}

/** Return a number of that kind as text. */
export function showNumber(number, target) {
  return target.task === "regression" ? `${show(number)}${target.unit ? ` ${target.unit}` : ""}` : percent(number);
}

/** Return what an answer shows. */
export function drawAnswer(model, answered) {
  const { target } = model;
  const prediction = answered.predictions[0];
  const other = answered.challenger;
  const rival = other?.predictions?.[0] ?? null;
  const draw = { binary: drawGauge, multiclass: drawClasses, regression: drawInterval }[target.task];
  return [...draw(model, prediction, rival), ...compare(model, answered, prediction, other, rival)];
}

/** A half circle from 0 to 1: where the answer stands, where training's rows stood, and where it is decided. */
function drawGauge({ target, shares, calibration, answers }, { probability, label }, rival) {
  const yes = target.classes[1];
  const arc = (from, to, name) => svg("path", { class: name, d: `M${at(from, 80)} A80 80 0 0 1 ${at(to, 80)}` });
  const tick = (share, name, from, to) => svg("path", { class: name, d: `M${at(share, from)} L${at(share, to)}` });
  const usual = target.shares?.[1];
  const picture = svg("svg", { class: "gauge", viewBox: "4 4 192 100", "aria-hidden": "true" },
    arc(0, 1, "track"), arc(0, Math.max(probability, 0.002), "value"),
    usual === undefined ? null : tick(usual, "usual", 66, 94), tick(target.threshold, "decided", 58, 72), rival ? tick(rival.probability, "rival", 64, 96) : null,
    svg("text", { class: "big", x: 100, y: 98 }, percent(probability)));
  const likely = calibrate(probability, calibration);
  const lines = [element("p", { class: "headline" }, isolate(target.name), ": ", element("strong", {}, isolate(label))),
    element("p", {}, `${percent(probability)} for `, isolate(yes), likely === null ? "" : `, calibrated on the test rows ${percent(likely)}`,
      usual === undefined ? "." : `; in training ${percent(usual)}.`,
      target.threshold === 0.5 ? "" : ` Decided for it from ${percent(target.threshold)} on.`)];
  if (answers.length) lines.push(element("p", { class: "soft" }, `Higher than ${percent(rank(answers[0], probability))} of the answers to training's rows.`));
  return [element("div", { class: "gauged" }, picture, element("div", {}, ...lines))];
}

const at = (share, radius) => {
  const angle = Math.PI * (1 - share);
  return `${(100 + radius * Math.cos(angle)).toFixed(2)} ${(100 - radius * Math.sin(angle)).toFixed(2)}`;
};

/** Return how often rows with such an answer turned out true in the test rows (Platt, 1999); null if not known. */
function calibrate(probability, calibration) {
  if (!calibration) return null;
  const [scale, shift] = calibration, exact = Math.min(Math.max(probability, 1e-7), 1 - 1e-7);
  return 1 / (1 + Math.exp(-(scale * Math.log(exact / (1 - exact)) + shift)));
}

/** Return the share of training's answers that are smaller, from their bins. */
function rank({ edges, shares }, value) {
  return shares.slice(0, edges.filter((edge) => edge < value).length).reduce((sum, share) => sum + share, 0);
}

function drawClasses({ target }, prediction, rival) {
  const ranked = target.classes.map((label) => [label, prediction.probabilities[String(label)]]).sort((a, b) => b[1] - a[1]);
  const rows = ranked.slice(0, 12).map(([label, share]) => element("tr", {},
    element("th", { scope: "row" }, isolate(label)), bar(share, rival?.probabilities[String(label)]), element("td", {}, percent(share))));
  return [element("p", { class: "headline" }, isolate(target.name), ": ", element("strong", {}, isolate(prediction.label))),
    element("p", {}, `${percent(prediction.probability)} probable.`), element("table", { class: "barred" }, element("tbody", {}, ...rows))];
}

/** Return a cell with a bar, and a mark where the challenger's would end. */
function bar(share, other) {
  const inside = element("div", { class: "bar" });
  inside.style.width = `${100 * share}%`;
  const cell = element("td", { class: "grow" }, inside);
  if (other !== undefined) {
    const mark = element("div", { class: "rival-mark" });
    mark.style.insetInlineStart = `${100 * other}%`;
    cell.append(mark);
  }
  return cell;
}

/** The value with its 80% prediction interval, over the histogram of the target in training. */
function drawInterval({ target }, { value, low, high }, rival) {
  const { histogram } = target;
  const from = Math.min(histogram?.low ?? low, low), to = Math.max(histogram?.high ?? high, high);
  const place = (number) => (to > from ? (300 * (number - from)) / (to - from) : 150);
  const most = histogram ? Math.max(...histogram.shares) : 1;
  const width = histogram ? (place(histogram.high) - place(histogram.low)) / histogram.shares.length : 0;
  const bars = (histogram?.shares ?? []).map((share, index) => svg("rect", {
    class: "then", x: place(histogram.low) + index * width, width: width * 0.86, y: 60 - 60 * share / most, height: 60 * share / most }));
  const picture = svg("svg", { class: "interval", viewBox: "0 0 300 78", preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars,
    svg("rect", { class: "span", x: place(low), width: Math.max(place(high) - place(low), 1), y: 66, height: 8 }),
    svg("rect", { class: "value", x: place(value) - 1.5, width: 3, y: 0, height: 76 }),
    rival ? svg("rect", { class: "rival", x: place(rival.value) - 1, width: 2, y: 0, height: 76 }) : null);
  const named = (number) => showNumber(number, target);
  return [element("p", { class: "headline" }, isolate(target.name), ": ", element("strong", {}, isolate(named(value)))), picture,
    element("p", {}, `80% of such rows are between ${show(low)} and `, isolate(named(high)), ".")];
}

/** Return a line for the version that answers, and one for its challenger. */
function compare({ target, version }, answered, prediction, other, rival) {
  if (!other) return [element("p", { class: "soft versions" }, `Version ${answered.version || version}.`)];
  const label = prediction.label;
  const [ours, theirs] = [prediction, rival].map((one) => one && readNumber(one, target, label));
  const cell = (...given) => element("td", {}, ...given);
  const line = (kind, name, number, decided) => element("tr", { class: kind },
    element("th", { scope: "row" }, name), cell(decided === undefined ? "" : isolate(decided)), cell(number));
  const difference = rival && (target.task === "regression" ? signed(show(theirs - ours)) : `${signed((100 * (theirs - ours)).toFixed(1))} points`);
  const missing = element("tr", {}, element("th", { scope: "row" }, `Challenger, version ${other.version}`),
    element("td", { colspan: 2 }, other.error || "does not take this row"));
  return [element("table", { class: "versions" }, element("tbody", {},
    line("ours", `Champion, version ${answered.version}`, showNumber(ours, target), label),
    rival ? line("theirs", `Challenger, version ${other.version}`, `${showNumber(theirs, target)} (${difference})`, rival.label) : missing))];
}

const signed = (text) => (String(text).startsWith("-") ? String(text).replace("-", "−") : `+${text}`);
