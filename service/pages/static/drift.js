// What callers sent today and yesterday, beside training's rows: the features that moved most.

import { askJson } from "./api.js";
import { element, isolate, percent, sentence, svg } from "./dom.js";

const SHOWN = 6, BARS = 26;

/** Show how far the features have moved; of a service that counts nothing, the reason. */
export async function showDrift(place, model) {
  try {
    const report = await askJson(`monitoring/models/${encodeURIComponent(model.model)}/drift`);
    place.replaceChildren(...draw(report));
  } catch (error) {
    place.replaceChildren(element("p", { class: "soft" }, sentence(error.message)));
  }
}

function draw({ rows, alarms, features }) {
  const found = alarms.alarms.map(({ text }) => element("p", { class: "large" }, isolate(text)));
  if (!rows) return [element("p", { class: "soft" }, "No caller has sent a row today or yesterday. What is tried on this page does not count.")];
  const key = element("p", { class: "soft" }, `${rows.toLocaleString("en")} rows today and yesterday (UTC); what is tried on this page does not count. `,
    element("span", { class: "key then" }), " training ", element("span", { class: "key now" }), " now");
  return [...found, key, element("div", { class: "cards" }, ...features.slice(0, SHOWN).map(drawFeature))];
}

function drawFeature({ name, verdict, psi, chance, then, now }) {
  const chanced = chance !== null && psi <= chance ? ", which chance explains" : "";
  return element("section", { class: `shift ${verdict}` }, element("h3", { dir: "auto" }, name), drawBins(share(then), share(now)),
    element("p", { class: "soft" }, element("b", {}, verdict), ` PSI ${psi.toFixed(2)}${chanced}`));
}

const share = (counts) => {
  const all = counts.reduce((sum, count) => sum + count, 0) || 1;
  return counts.map((count) => count / all);
};

/** Return pairs of bars: of many bins those with the most rows, in their order. */
function drawBins(then, now) {
  const size = (index) => Math.max(then[index], now[index]);
  const kept = then.map((_, index) => index).filter((index) => size(index) > 0).sort((a, b) => size(b) - size(a)).slice(0, BARS).sort((a, b) => a - b);
  const most = Math.max(...kept.map(size));
  const width = 100 / kept.length;
  const bar = (kind, value, x) => svg("rect", { class: kind, x, width: width * 0.38, y: 40 - (40 * value) / most, height: (40 * value) / most });
  const bars = kept.flatMap((index, place) => [bar("then", then[index], place * width), bar("now", now[index], (place + 0.42) * width)]);
  const label = `largest change of a bin: ${percent(Math.max(...kept.map((index) => Math.abs(now[index] - then[index]))))} of the rows`;
  return svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars);
}
