// The form: a field for each feature, made from what the service says of it.

import { element, isolate, percent } from "./dom.js";
import { buildCategory } from "./category.js";
import { buildNumber } from "./number.js";
import { buildBoolean, buildMoment, buildText } from "./simple.js";

const KINDS = { number: buildNumber, category: buildCategory, boolean: buildBoolean, timestamp: buildMoment };

/** A form over one row: `changed(name)` is called after a person has changed a value, `chosen(name)` as they come to it. */
export class Form {
  constructor(place, model, row, { changed, chosen }) {
    this.fields = new Map();
    place.replaceChildren(...model.features.map((feature, index) => {
      const field = new Field(feature, `field-${index}`, row, changed);
      field.box.addEventListener("focusin", () => chosen(feature.name));
      this.fields.set(feature.name, field);
      return field.box;
    }));
  }

  /** Show what is wrong, or notable, beside the fields that it is about: sentences by the features' names. */
  say(errors, warnings = new Map()) {
    for (const [name, field] of this.fields) field.say(errors.get(name) || "", warnings.get(name) || "");
  }
}

class Field {
  constructor(feature, id, row, changed) {
    const set = (value) => {
      row[feature.name] = value;
      changed(feature.name);
    };
    const { name, unit, description, nullable } = feature;
    const about = [`${id}-about`, `${id}-said`].join(" ");
    const build = KINDS[feature.kind] || buildText;
    const control = build(feature, { id, about, value: row[name], set });
    const label = element(control.group ? "span" : "label", { class: "name", dir: "auto", id: `${id}-name` }, name);
    if (!control.group) label.htmlFor = id;
    this.control = control;
    this.said = element("p", { class: "said", id: `${id}-said` });
    this.box = element("div", { class: "field", role: "group", "aria-labelledby": `${id}-name` },
      element("div", { class: "title" }, element("span", {}, label, unit ? element("span", { class: "unit" }, isolate(unit)) : ""),
        nullable ? this.buildUnknown(feature, row[name], set) : null),
      element("p", { class: "soft about", id: `${id}-about`, dir: "auto" }, description),
      element("div", { class: "control" }, control.node), this.said);
  }

  /** Return the switch that leaves the value out. */
  buildUnknown({ name, missing }, value, set) {
    const switched = () => {
      this.control.enable(!box.checked);
      set(box.checked ? null : this.control.read());
    };
    const box = element("input", { type: "checkbox", change: switched, "aria-label": `${name} is not known` });
    box.checked = value === null;
    this.control.enable(!box.checked);
    const title = missing === null ? "" : `not known in ${percent(missing)} of training's rows`;
    return element("label", { class: "unknown soft", title }, box, "not known");
  }

  say(error, warning) {
    this.said.textContent = error || warning;
    this.box.classList.toggle("wrong", error !== "");
    this.box.classList.toggle("warned", error === "" && warning !== "");
    this.control.mark(error !== "");
  }
}
