// Makes elements. All that a model, a table or an address holds becomes text here, and never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes (functions listen, false and null are left out) and children: nodes or text. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return the element of the page that has this id. */
export const find = (id) => document.getElementById(id);

/** Return text whose direction follows its own letters, whatever stands around it. */
export const isolate = (text) => element("bdi", {}, String(text));

/** Return a number as people read it: few digits, no more than it has. */
export function show(number, digits = 4) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1e9 || size < 1e-4) return number.toExponential(2);
  const whole = size >= 10 ** (digits - 1);
  return number.toLocaleString("en", whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

/** Return a share as a percentage. */
export function percent(share) {
  const shown = 100 * share;
  return `${shown > 0 && shown < 0.1 ? "<0.1" : shown.toFixed(shown >= 9.95 || Number.isInteger(shown) ? 0 : 1)}%`;
}

/** Return what the service says as a sentence. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");

/** Return a value of a row as text. */
export const spell = (value) => (value === null || value === undefined ? "not known" : String(value));

/** Return a function that waits until it was not called for so long. */
export function debounce(call, milliseconds) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), milliseconds);
  };
}

/** Put text on the clipboard, and say so on the button for a moment. */
export async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it and press Ctrl+C";  // without TLS a browser lends no clipboard
  }
  setTimeout(() => { button.textContent = label; }, 2000);
}
