// The present row as a call to copy: curl, Python, JavaScript and gRPC. A token stands there as a variable.

import { hasToken, locate } from "./api.js";
import { copy, element, isolate } from "./dom.js";

const LANGUAGES = { curl: writeCurl, Python: writePython, JavaScript: writeJavaScript, gRPC: writeGrpc };

/** Tabs of calls; `show(model, row)` writes them for a row. */
export class Calls {
  constructor(place) {
    this.texts = {};
    this.code = element("code", {});
    const button = element("button", { type: "button", class: "copy", click: () => copy(this.code.textContent, button) }, "Copy");
    this.tabs = Object.keys(LANGUAGES).map((name) => element("button", {
      type: "button", role: "tab", id: `call-${name}`, "aria-controls": "call-code", click: () => this.choose(name), keydown: (event) => this.press(event),
    }, name));
    this.panel = element("pre", { role: "tabpanel", id: "call-code", tabindex: 0, dir: "ltr" }, this.code);
    place.replaceChildren(element("div", { class: "title" },
      element("div", { role: "tablist", "aria-label": "Language", class: "tabs" }, ...this.tabs), button), this.panel);
    this.choose("curl");
  }

  show(model, row) {
    for (const [name, write] of Object.entries(LANGUAGES)) this.texts[name] = write(model, row);
    this.choose(this.chosen);
  }

  choose(name) {
    this.chosen = name;
    this.code.replaceChildren(...isolateStrings(this.texts[name] ?? ""));
    this.panel.setAttribute("aria-labelledby", `call-${name}`);
    for (const tab of this.tabs) {
      const chosen = tab.textContent === name;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
  }

  press(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = this.tabs.findIndex((tab) => tab.textContent === this.chosen);
    const next = this.tabs[(place + step + this.tabs.length) % this.tabs.length];
    this.choose(next.textContent);
    next.focus();
  }
}

/** Return text in which strings of letters that run to the left don't turn what stands around them. */
const isolateStrings = (text) => text.split(/("[^"\n]*[^\0-\x7f][^"\n]*")/).map((part, index) => (index % 2 ? isolate(part) : part));

const address = ({ model }) => locate(`predict/${encodeURIComponent(model)}`);
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function writeCurl(model, row) {
  const token = hasToken() ? ` \\\n  -H "authorization: Bearer $AUTH_TOKEN"` : "";
  return `curl -s ${quote(address(model))} \\\n  -H 'content-type: application/json'${token} \\\n  -d ${quote(JSON.stringify({ rows: [row] }))}`;
}

export function writePython(model, row) {
  const lines = Object.entries(row).map(([name, value]) => `    ${JSON.stringify(name)}: ${spellPython(value)},\n`);
  const token = hasToken() ? `\nheaders = {"authorization": f"Bearer {os.environ['AUTH_TOKEN']}"}` : "";
  const given = hasToken() ? ", headers=headers" : "";
  return `${hasToken() ? "import os\n\n" : ""}import httpx\n\nrow = {\n${lines.join("")}}${token}\n` +
    `answer = httpx.post(${JSON.stringify(address(model))}, json={"rows": [row]}${given})\nanswer.raise_for_status()\nprint(answer.json()["predictions"][0])`;
}

const spellPython = (value) => (value === null ? "None" : value === true ? "True" : value === false ? "False" : JSON.stringify(value));

export function writeJavaScript(model, row) {
  const token = hasToken() ? ", authorization: `Bearer ${process.env.AUTH_TOKEN}`" : "";
  return `const row = ${JSON.stringify(row, null, 2)};\nconst response = await fetch(${JSON.stringify(address(model))}, {\n  method: "POST",\n` +
    `  headers: { "content-type": "application/json"${token} },\n  body: JSON.stringify({ rows: [row] }),\n});\n` +
    `if (!response.ok) throw new Error((await response.json()).error);\nconsole.log((await response.json()).predictions[0]);`;
}

export function writeGrpc(model, row) {
  const inputs = model.features.map((feature) => ({ name: feature.name, shape: [1, 1], ...writeTensor(feature, row[feature.name]) }));
  const options = [location.protocol === "https:" ? "" : "-plaintext ", hasToken() ? '-H "authorization: Bearer $AUTH_TOKEN" ' : ""].join("");
  const message = JSON.stringify({ model_name: model.model, inputs });
  return `grpcurl ${options}-d ${quote(message)} \\\n  ${location.hostname}:${model.grpc_port} inference.GRPCInferenceService/ModelInfer`;
}

/** Return a value as a tensor of the Open Inference Protocol; one that is not known is NaN or an empty string. */
function writeTensor({ kind, nullable }, value) {
  if (kind === "boolean" && !nullable) return { datatype: "BOOL", contents: { bool_contents: [value] } };
  if (kind === "number" || kind === "boolean") return { datatype: "FP32", contents: { fp32_contents: [value === null ? "NaN" : Number(value)] } };
  const bytes = new TextEncoder().encode(value === null ? "" : String(value));
  return { datatype: "BYTES", contents: { bytes_contents: [btoa(String.fromCharCode(...bytes))] } };
}
