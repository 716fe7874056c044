// Card, lineage and drift page of a service with a token: a link carries none, so they are fetched and copied in here.

import { ask, askJson, hasToken, locate } from "./api.js";
import { element, find, isolate, svg } from "./dom.js";

// What is copied of a page of the service's own: structure and text, no link, no style, no script.
const HTML = new Set(["H1", "H2", "H3", "P", "B", "SECTION", "DIV", "SPAN", "TABLE", "TBODY", "THEAD", "TR", "TH", "TD", "UL", "LI"]);
const DRAWN = new Set(["svg", "g", "rect", "line", "title"]);
const ATTRIBUTES = ["class", "viewBox", "preserveAspectRatio", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "role", "aria-label"];

/** Return the links to what else there is of a model. */
export function buildLinks(model) {
  const name = encodeURIComponent(model.model);
  const pages = [
    model.card && ["Model card", `card/${name}.html`, showPage],
    model.lineage && ["Lineage", `lineage/${name}.json`, showJson],
    model.monitoring && ["Monitoring", `monitoring/models/${name}/page`, showPage],
    model.challenger && ["Challenger", `monitoring/models/${name}/challenger/page`, showPage],
  ].filter(Boolean);
  const links = pages.map(([title, path, show]) => (hasToken() || show === showJson
    ? element("button", { type: "button", class: "link", click: () => open(title, path, show) }, title)
    : element("a", { href: locate(path) }, title)));
  return [...links, element("a", { href: locate(`docs/${name}.html`) }, "API")];
}

async function open(title, path, show) {
  const body = find("document-body");
  find("document-title").textContent = title;
  body.replaceChildren("…");
  find("document").showModal();
  try {
    body.replaceChildren(...await show(path));
  } catch (error) {
    body.replaceChildren(error.message);
  }
}

async function showPage(path) {
  const parsed = new DOMParser().parseFromString(await (await ask(path)).text(), "text/html");
  return [...parsed.body.childNodes].map(copyNode).filter(Boolean);
}

function copyNode(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  const make = HTML.has(node.nodeName) ? element : DRAWN.has(node.nodeName) ? svg : null;
  if (!make) return null;
  const kept = Object.fromEntries(ATTRIBUTES.filter((name) => node.hasAttribute(name)).map((name) => [name, node.getAttribute(name)]));
  return make(node.nodeName === node.nodeName.toUpperCase() ? node.nodeName.toLowerCase() : node.nodeName, kept, ...[...node.childNodes].map(copyNode));
}

/** Return what a statement of provenance says, what made the model first and the digests of its files last. */
async function showJson(path) {
  const { subject, predicate } = await askJson(path);
  const files = Object.fromEntries(subject.map(({ name, digest }) => [name, digest.sha256]));
  return [list({ run: predicate.run, ...predicate.definition, files })];
}

/** Return an object as nested lists of names and values. */
function list(value) {
  if (value === null || typeof value !== "object") return isolate(value === null ? "–" : value);
  const entries = Object.entries(value);
  if (!entries.length) return isolate("–");
  return element("dl", {}, ...entries.flatMap(([name, inner]) => [element("dt", {}, isolate(Array.isArray(value) ? Number(name) + 1 : name)), element("dd", {}, list(inner))]));
}
