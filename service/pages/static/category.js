// A category: a list to search, the most frequent values first, that takes values nobody has seen (ARIA's combobox).

import { element, percent } from "./dom.js";

const MAX_SHOWN = 50;
const UNSEEN = "never seen in training";

/** Return the field of a category. */
export function buildCategory(feature, given) {
  return new Combobox(feature, given);
}

class Combobox {
  constructor({ name, values, known, example }, { id, about, value, set }) {
    this.values = values;
    this.known = known;
    this.set = set;
    this.id = id;
    this.value = value ?? example ?? values[0]?.[0] ?? "";
    this.input = element("input", {
      type: "text", id, role: "combobox", dir: "auto", spellcheck: "false", "aria-describedby": about,
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-list`,
      focus: () => this.input.select(), click: () => this.open(), input: () => this.open(this.input.value),
      keydown: (event) => this.press(event), blur: () => this.leave(),
    });
    this.input.value = String(this.value);
    this.list = element("ul", { role: "listbox", id: `${id}-list`, "aria-label": `${name}: values`, hidden: true });
    this.list.addEventListener("mousedown", (event) => this.point(event));
    this.node = element("div", { class: "combobox" }, this.input, this.list);
    this.active = -1;
  }

  read() { return this.value; }
  enable(on) { this.input.disabled = !on; }
  mark(wrong) { this.input.setAttribute("aria-invalid", String(wrong)); }

  /** Show the values that hold some text; all of them until something is typed. */
  open(text = "") {
    const wanted = text.trim().toLowerCase();
    const fitting = this.values.filter(([value]) => value.toLowerCase().includes(wanted)).slice(0, MAX_SHOWN);
    const exact = this.values.some(([value]) => value === text.trim());
    const shown = fitting.map(([value, share]) => this.buildOption(value, share === null ? "" : percent(share), share));
    if (text.trim() && !exact) shown.push(this.buildOption(text.trim(), this.values.length < this.known ? "as typed" : UNSEEN, null));
    this.list.replaceChildren(...shown);
    this.list.hidden = shown.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.activate(text ? 0 : fitting.findIndex(([value]) => value === String(this.value)));
  }

  buildOption(value, note, share) {
    const option = element("li", { role: "option", "data-value": value, "aria-selected": "false" },
      element("span", { dir: "auto" }, value), element("span", { class: "soft" }, note));
    if (share) option.style.setProperty("--share", `${Math.min(100, 100 * share / (this.values[0][1] || 1))}%`);
    return option;
  }

  activate(index) {
    const options = [...this.list.children];
    this.active = options.length ? Math.min(Math.max(index, -1), options.length - 1) : -1;
    options.forEach((option, place) => {
      option.id = `${this.id}-option-${place}`;
      option.setAttribute("aria-selected", String(place === this.active));
    });
    const active = options[this.active];
    if (active) {
      this.input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  press(event) {
    const open = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (open) this.activate(this.active + step < 0 ? this.list.children.length - 1 : this.active + step);
      else this.open();
    } else if (event.key === "Enter") {
      if (open && this.active >= 0) this.choose(this.list.children[this.active].dataset.value);
      else this.leave();
    } else if (event.key === "Escape" && open) {
      this.input.value = String(this.value);
      this.close();
    } else return;
    event.preventDefault();
  }

  point(event) {
    event.preventDefault();  // the field keeps the focus
    const option = event.target.closest("li");
    if (option) this.choose(option.dataset.value);
  }

  choose(value) {
    this.input.value = value;
    this.close();
    if (value === String(this.value)) return;
    this.value = value;
    this.set(value);
  }

  /** Take what was typed; nothing typed is no value, and the one before stays. */
  leave() {
    this.choose(this.input.value.trim() || String(this.value));
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
