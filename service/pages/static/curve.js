// What if: the answers to one row with one feature put to many values, in one request.

import { askJson } from "./api.js";
import { readNumber, showNumber } from "./answer.js";
import { element, isolate, sentence, show, spell, svg } from "./dom.js";

const POINTS = 50, MOST_VALUES = 12;
const WIDTH = 320, HEIGHT = 150;

/** Return the values that a feature is put to, the present one among them. */
export function chooseValues(feature, present, room) {
  const points = Math.max(2, Math.min(POINTS, room));
  if (feature.kind === "boolean") return [false, true, ...(feature.nullable ? [null] : [])];
  if (feature.kind === "category") {
    const frequent = feature.values.slice(0, Math.min(MOST_VALUES, points - 2)).map(([value]) => value);
    return [...new Set([...frequent, ...(feature.nullable ? [null] : []), present])];
  }
  if (feature.kind === "timestamp") return chooseMoments(feature, present, points);
  const { low, high } = feature.histogram ?? feature;
  const from = Math.max(low, feature.low), to = Math.min(high, feature.high);
  const steps = Array.from({ length: points - 1 }, (_, index) => from + ((to - from) * index) / (points - 2 || 1));
  const whole = Number.isInteger(feature.example) && to - from >= 20;
  const values = whole ? steps.map(Math.round) : steps.map((value) => Number(value.toPrecision(6)));
  if (typeof present === "number") values.push(present);
  return [...new Set(values)].filter((value) => value >= feature.low && value <= feature.high).sort((a, b) => a - b);
}

/** Return the hours of the present day, or the days of its year if the model does not look at hours. */
function chooseMoments({ cycles, example }, present, points) {
  const text = String(present ?? example ?? "");
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return [];
  const [day, zone] = [text.slice(0, 10), text.endsWith("Z") ? "Z" : ""];
  if (cycles.includes("hour") && points >= 24) return Array.from({ length: 24 }, (_, hour) => `${day}T${String(hour).padStart(2, "0")}:00:00${zone}`);
  const step = cycles.includes("day_of_year") ? 30 : 1, first = Date.parse(`${day}T00:00:00Z`);
  return Array.from({ length: step === 1 ? 7 : 12 }, (_, index) =>
    `${new Date(first + index * step * 86400000).toISOString().slice(0, 10)}${text.slice(10, 19) || "T00:00:00"}${zone}`);
}

/** Ask for the curve of a feature and show it. */
export async function drawCurve(place, model, row, feature, signal) {
  const room = Math.floor(model.limits.bytes / (2 * JSON.stringify(row).length + 100));
  const values = chooseValues(feature, row[feature.name], Math.min(room, model.limits.rows));
  if (values.length < 2) return say(place, "There is nothing to vary here.");
  const rows = values.map((value) => ({ ...row, [feature.name]: value }));
  try {
    const answered = await askJson(`playground/${encodeURIComponent(model.model)}`, { body: { rows }, signal });
    const label = model.target.task === "multiclass" ? presentLabel(model, answered, values, row[feature.name]) : null;
    const read = (predictions) => predictions?.map((one) => one && readNumber(one, model.target, label));
    const ours = read(answered.predictions), theirs = read(answered.challenger?.predictions);
    const ordered = feature.kind === "number" || feature.kind === "timestamp";
    place.replaceChildren(...(ordered ? drawLine : drawBars)(model, feature, row[feature.name], values, ours, theirs, label));
  } catch (error) {
    if (error.name === "AbortError") return;
    say(place, error.status === 400 ? "There is no curve until the row is right." : error.message);
  }
}

const say = (place, text) => place.replaceChildren(element("p", { class: "soft" }, sentence(text)));

/** Return the class that the row gets now, or else the first value's: of many classes the curve is about one. */
const presentLabel = (model, { predictions }, values, present) => predictions[Math.max(values.indexOf(present), 0)].label;

function drawLine(model, feature, present, values, ours, theirs, label) {
  const moment = feature.kind === "timestamp";
  const spots = moment ? values.map((_, index) => index) : values;
  const known = [...ours, ...(theirs ?? [])].filter((one) => typeof one === "number");
  let [low, high] = [Math.min(...known), Math.max(...known)];
  const least = model.target.task === "regression" ? Math.abs(high) * 0.02 || 1 : 0.02;  // a flat line must look flat
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  const x = (spot) => (WIDTH * (spot - spots[0])) / (spots.at(-1) - spots[0] || 1);
  const y = (number) => 8 + (HEIGHT - 16) * (1 - (number - low) / (high - low));
  const path = (numbers, name) => svg("path", { class: name, d: numbers.map((number, index) =>
    (number === null ? "" : `${index && numbers[index - 1] !== null ? "L" : "M"}${x(spots[index]).toFixed(1)} ${y(number).toFixed(1)}`)).join("") });
  const at = values.findIndex((value) => (moment ? String(value).slice(0, 13) === String(present).slice(0, 13) : value === present));
  const dot = at < 0 ? null : svg("circle", { class: "dot", cx: x(spots[at]), cy: y(ours[at]), r: 5 });
  const picture = svg("svg", { class: "curve", viewBox: `-48 0 ${WIDTH + 54} ${HEIGHT}`, "aria-hidden": "true" },
    svg("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
    theirs ? path(theirs, "rival") : null, path(ours, "line"), dot,
    ...[[high, 10], [low, HEIGHT - 6]].map(([number, place]) => svg("text", { x: -6, y: place }, showNumber(number, { ...model.target, unit: "" }))));
  const ends = [values[0], values.at(-1)].map((value) => element("span", {}, shorten(value, moment)));
  return [element("figure", {}, picture, element("div", { class: "ends soft" }, ...ends), caption(model, feature, values, ours, theirs, label, moment))];
}

const shorten = (value, moment) => (moment ? String(value).slice(5, 16).replace("T", " ") : show(value, 5));

/** Return the curve as a sentence, for everybody and for those who don't see it. */
function caption({ target }, { unit }, values, ours, theirs, label, moment) {
  const most = ours.indexOf(Math.max(...ours)), least = ours.indexOf(Math.min(...ours));
  const spell_ = (index) => `${shorten(values[index], moment)}${unit && !moment ? ` ${unit}` : ""}`;
  const named = label === null ? "" : `${label}: `;
  const rival = theirs ? "; the challenger's is dashed" : "";
  return element("figcaption", { class: "soft", dir: "auto" },
    `${named}lowest ${showNumber(ours[least], target)} at ${spell_(least)}, highest ${showNumber(ours[most], target)} at ${spell_(most)}${rival}.`);
}

function drawBars({ target }, feature, present, values, ours, theirs, label) {
  const known = ours.filter((one) => typeof one === "number");
  const low = target.task === "regression" ? Math.min(0, ...known) : 0, high = Math.max(...known, 1e-9);
  const rows = values.map((value, index) => {
    const bar = element("div", { class: value === present ? "bar" : "bar other" });
    bar.style.width = `${(100 * (ours[index] - low)) / (high - low || 1)}%`;
    const rival = theirs?.[index] ?? null;
    return element("tr", value === present ? { "aria-current": "true" } : {}, element("th", { scope: "row" }, isolate(spell(value))),
      element("td", { class: "grow" }, bar), element("td", {}, showNumber(ours[index], target)),
      theirs ? element("td", { class: "soft" }, rival === null ? "–" : showNumber(rival, target)) : null);
  });
  const head = theirs ? element("thead", {}, element("tr", {}, ...["value", "", "champion", "challenger"].map((name) => element("th", { scope: "col" }, name)))) : null;
  return [label === null ? null : element("p", { class: "soft" }, isolate(label)),
    element("table", { class: "barred" }, head, element("tbody", {}, ...rows))].filter(Boolean);
}
