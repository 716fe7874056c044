// Why: how far each feature has moved the answer from the usual one (Shapley values, POST /explain).

import { askJson } from "./api.js";
import { element, isolate, sentence, show, spell } from "./dom.js";

const TOP = 8;
let absent = "";  // why this service explains nothing, once it is known

/** Show the explanation of a row in a place, or in one sentence why there is none. */
export async function explain(place, model, row, signal) {
  if (absent) return say(place, absent);
  try {
    const path = `explain/${encodeURIComponent(model.model)}?top=${TOP}`;
    const { explanations } = await askJson(path, { body: { rows: [row] }, signal });
    place.replaceChildren(...draw(explanations[0], row, model));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 404 || error.status === 405) absent = "This service does not explain its answers.";
    say(place, absent || (error.status === 400 ? "There is nothing to explain until the row is right." : error.message));
  }
}

const say = (place, text) => place.replaceChildren(element("p", { class: "soft" }, sentence(text)));

function draw({ base_value: base, output_value: output, unit, class: explained, attributions, rest }, row, model) {
  const most = Math.max(...attributions.map(({ value, standard_error: error }) => Math.abs(value) + error), Math.abs(rest), 1e-12);
  const rows = attributions.map((one) => line(one.feature, spell(row[one.feature]), one.value, one.standard_error, most));
  const others = model.features.length - attributions.length;
  if (others > 0) rows.push(line(`${others} others`, "", rest, 0, most));
  const end = unit && unit !== "log-odds" ? ` ${unit}` : "";
  const about = explained === undefined ? [] : [" of ", isolate(explained)];
  return [element("p", { class: "soft" }, `From ${show(base)} for the usual row to ${show(output)}${unit === "log-odds" ? ", in log-odds" : end}`, ...about, "; bars to the right raise it."),
    element("table", { class: "barred why" },
      element("thead", { class: "hidden" }, element("tr", {}, ...["feature", "bar", `effect in ${unit || "units"}`].map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows))];
}

/** Return a row: a bar to the right of the middle raises the answer, one to the left lowers it. */
function line(name, value, effect, error, most) {
  const bar = element("div", { class: effect < 0 ? "bar lower" : "bar raise" });
  bar.style.width = `${(50 * Math.abs(effect)) / most}%`;
  const shown = effect < 0 ? `−${show(-effect, 3)}` : `+${show(effect, 3)}`;
  return element("tr", {},
    element("th", { scope: "row" }, isolate(name), value === "" ? null : element("span", { class: "soft" }, " ", isolate(value))),
    element("td", { class: "grow middle" }, bar),
    element("td", { title: error ? `standard error ${show(error, 2)}` : null }, shown));
}
