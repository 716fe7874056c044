// The page: it asks what the model is, builds a form of it, and asks again whenever a value has changed.

import { askJson, hasToken, onUnauthorized, setToken } from "./api.js";
import { drawAnswer } from "./answer.js";
import { Calls } from "./calls.js";
import { drawCurve } from "./curve.js";
import { buildLinks } from "./documents.js";
import { copy, debounce, element, find, sentence } from "./dom.js";
import { showDrift } from "./drift.js";
import { Form } from "./form.js";
import { applyChanges, exampleOf, readAddress, writeAddress } from "./share.js";
import { Table } from "./table.js";
import { explain } from "./why.js";

const DEBOUNCE_MS = 120, DRIFT_MS = 60_000;
let page = null;

/** One model on the page: its row, its form, and the calls that are under way. */
class Page {
  constructor(model, row, said) {
    this.model = model;
    this.row = row;
    this.feature = model.features.find(({ kind }) => kind === "number") ?? model.features[0];
    this.calls = new Calls(find("call"));
    this.table = new Table(find("table"), model);
    this.askSoon = debounce(() => this.ask(), DEBOUNCE_MS);
    this.showModel();
    this.build(row, said);
    showDrift(find("drift"), model);
  }

  showModel() {
    const { model } = this;
    const { target } = model;
    document.title = `${model.model} ${model.version}`;
    const others = model.models.length > 1 ? this.buildMenu() : model.model;
    find("name").replaceChildren(others, " ", element("span", { class: "chip" }, `version ${model.version}`));
    find("about").textContent = target.description && target.description !== target.name ? `${target.name}: ${target.description}` : `Predicts ${target.name}.`;
    find("links").replaceChildren(...buildLinks(model));
    find("links").hidden = find("model").hidden = false;
    find("curve-feature").replaceChildren(...model.features.map(({ name }, index) => element("option", { value: index }, name)));
  }

  buildMenu() {
    const change = () => { location.hash = new URLSearchParams({ model: menu.value }).toString(); };
    const menu = element("select", { "aria-label": "Model", change }, ...this.model.models.map((name) => element("option", { value: name }, name)));
    menu.value = this.model.model;
    return menu;
  }

  /** Show a row. */
  build(row, said = "") {
    this.row = row;
    find("row-said").textContent = said;
    this.form = new Form(find("form"), this.model, row, {
      changed: () => this.askSoon(),
      chosen: (name) => this.choose(this.model.features.findIndex((feature) => feature.name === name)),
    });
    this.choose(this.model.features.indexOf(this.feature), false);
    this.ask();
  }

  /** Ask what would be if this feature had other values. */
  choose(index, askNow = true) {
    const feature = this.model.features[index];
    const same = feature === this.feature;
    this.feature = feature;
    find("curve-feature").value = String(index);
    if (askNow && !same) drawCurve(find("curve"), this.model, this.row, feature, this.renewCurve());
  }

  renewCurve() {
    this.curve?.abort();
    this.curve = new AbortController();
    return this.curve.signal;
  }

  /** Ask about the row; what was asked before is not waited for. */
  async ask() {
    const { model, row } = this;
    this.asking?.abort();
    const asking = this.asking = new AbortController();
    writeAddress(model, row);
    this.calls.show(model, row);
    explain(find("why"), model, row, asking.signal);
    drawCurve(find("curve"), model, row, this.feature, this.renewCurve());
    try {
      const answered = await askJson(`playground/${encodeURIComponent(model.model)}`, { body: { rows: [row] }, signal: asking.signal });
      find("answer").replaceChildren(...drawAnswer(model, answered));
      this.form.say(new Map(), this.nameWarnings(answered.warnings));
    } catch (error) {
      if (error.name === "AbortError") return;
      const problems = new Map((error.problems ?? []).map(({ field, message }) => [field, message]));
      this.form.say(problems);
      const many = problems.size > 1 ? `${problems.size} values don't` : "one value doesn't";
      const why = problems.size ? `No answer: ${many} fit, and the row says why.` : sentence(error.message);
      find("answer").replaceChildren(element("p", { class: "notice", dir: "auto" }, why));
    }
  }

  /** Return the warnings by feature: they are sentences such as "row 0: `dest`: 'XYZ' was not seen in training". */
  nameWarnings(warnings) {
    const named = new Map();
    for (const { name } of this.model.features) {
      const found = warnings.find((warning) => warning.startsWith(`row 0: \`${name}\`: `));
      if (found) named.set(name, found.slice(`row 0: \`${name}\`: `.length));
    }
    return named;
  }
}

/** Ask what the model in the address is, and show it. */
async function start() {
  const { model: name, changes, said } = readAddress();
  try {
    const model = await askJson(name ? `model/${encodeURIComponent(name)}.json` : "model.json");
    const applied = applyChanges(model, changes);
    find("trouble").hidden = find("gate").hidden = true;
    if (page && page.model.model === model.model && page.model.version === model.version) page.build(applied.row, said || applied.said);
    else page = new Page(model, applied.row, said || applied.said);
  } catch (error) {
    if (error.status === 401) return;
    find("trouble").textContent = sentence(error.message);
    find("trouble").hidden = false;
  }
}

/** Hide the model, and ask for the token. */
function lock() {
  page = null;
  for (const id of ["model", "links"]) find(id).hidden = true;
  for (const id of ["answer", "why", "curve", "form", "call", "table", "drift", "links"]) find(id).replaceChildren();
  find("name").textContent = document.title = "Ekiben";
  find("about").textContent = "A model that answers rows of a table.";
  find("gate-said").textContent = hasToken() ? "The service does not accept this token." : "It stays in this tab's memory and is gone once you close it.";
  find("gate").hidden = false;
  find("token").value = "";
  find("token").focus();
}

find("gate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(find("token").value.trim());
  start();
});
find("share").addEventListener("click", (event) => copy(location.href, event.target));
find("reset").addEventListener("click", () => page?.build(exampleOf(page.model)));
find("curve-feature").addEventListener("change", (event) => page?.choose(Number(event.target.value)));
addEventListener("hashchange", start);
setInterval(() => page && !document.hidden && showDrift(find("drift"), page.model), DRIFT_MS);
onUnauthorized(lock);
start();
