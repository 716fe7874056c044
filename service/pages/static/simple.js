// Booleans, moments and what has no other field. A field has a `node`, `read()`, `enable(on)` and `mark(wrong)`.

import { element, percent } from "./dom.js";

/** Return two buttons of which one is down. */
export function buildBoolean({ name, shares }, { id, about, value, set }) {
  const buttons = [false, true].map((one) => {
    const button = element("input", { type: "radio", name: id, id: `${id}-${one}`, "aria-describedby": about, change: () => set(one) });
    button.checked = value === one;
    return button;
  });
  const labels = buttons.map((button, index) => element("label", { class: "choice" }, button,
    index ? "true" : "false", shares ? element("span", { class: "soft" }, ` ${percent(shares[index])}`) : null));
  const read = () => {
    if (!buttons[1].checked) buttons[0].checked = true;  // neither was, where it was not known
    return buttons[1].checked;
  };
  return {
    group: true,
    node: element("div", { class: "choices", role: "radiogroup", "aria-label": name }, ...labels),
    read,
    enable: (on) => buttons.forEach((button) => { button.disabled = !on; }),
    mark: () => {},
  };
}

/** Return a calendar and a clock; where the table has moments of its own format, a text. */
export function buildMoment(feature, given) {
  const known = given.value ?? feature.example ?? feature.span?.[0] ?? new Date().toISOString();
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?|$)/;
  if (!iso.test(String(known))) return buildText(feature, given);
  const toInput = (value) => iso.exec(value)[0].replace(" ", "T").padEnd(16, "T00:00").slice(0, 19);
  const toValue = () => (input.value.length === 16 ? `${input.value}:00` : input.value) + (feature.zoned ? "Z" : "");
  const listen = () => input.value && given.set(toValue());
  const input = element("input", { type: "datetime-local", id: given.id, step: 1, "aria-describedby": given.about, input: listen });
  input.value = toInput(String(known));
  const zone = feature.zoned ? element("span", { class: "soft" }, "UTC") : null;
  return simple(input, toValue, element("span", { class: "moment" }, input, zone));
}

/** Return a text, for what no other field fits. */
export function buildText(feature, { id, about, value, set }) {
  const numeric = typeof (value ?? feature.example) === "number";
  const read = () => (numeric && input.value.trim() !== "" && !isNaN(input.value) ? Number(input.value) : input.value);
  const input = element("input", { type: "text", id, "aria-describedby": about, dir: "auto", input: () => set(read()) });
  input.value = value ?? feature.example ?? "";
  return simple(input, read);
}

/** Return the field of one input. */
export function simple(input, read, node = input) {
  return {
    node,
    read,
    enable: (on) => { input.disabled = !on; },
    mark: (wrong) => input.setAttribute("aria-invalid", String(wrong)),
  };
}
