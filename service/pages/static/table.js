// A table: a CSV file dropped here is answered a few rows at a time, shown, and given back with the answers.

import { askPatiently, Rejected } from "./api.js";
import { BadTable, readRecords, writeRecord } from "./csv.js";
import { element, isolate, sentence } from "./dom.js";

const MAX_BYTES = 10_000_000, MAX_ROWS = 20_000, SHOWN_ROWS = 100;

/** The place where tables are dropped. */
export class Table {
  constructor(place, model) {
    this.model = model;
    this.said = element("p", { role: "status", dir: "auto" });
    this.result = element("div", {});
    const file = element("input", { type: "file", accept: ".csv,.tsv,text/csv", id: "file", change: () => file.files[0] && this.take(file.files[0]) });
    const zone = element("div", { class: "drop" },
      element("label", { for: "file" }, "Drop a CSV file here, or choose one"), file,
      element("p", { class: "soft" }, `Up to ${MAX_ROWS.toLocaleString("en")} rows and ${MAX_BYTES / 1e6} MB, with the features' names in its first line. ` +
        "For more: ekiben predict, or POST /invocations."));
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", name === "dragenter" || name === "dragover");
        if (name === "drop" && event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
      });
    }
    place.replaceChildren(zone, this.said, this.result);
  }

  /** Answer a file's rows, or say in one sentence why not. */
  async take(file) {
    this.abort?.abort();
    const abort = this.abort = new AbortController();
    this.result.replaceChildren();
    try {
      if (file.size > MAX_BYTES) {
        throw new BadTable(`${file.name} has ${Math.round(file.size / 1e6)} MB, and this page takes ${MAX_BYTES / 1e6}: use ekiben predict ${file.name} -o scored.csv.`);
      }
      this.said.textContent = `Reading ${file.name} …`;
      const scored = await this.score(file, abort.signal);
      abort.signal.throwIfAborted();  // another file was dropped as the last rows were answered
      this.said.textContent = `${scored.count.toLocaleString("en")} rows of ${file.name} were answered.${scored.note}`;
      this.show(file.name, scored);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof BadTable || error instanceof Rejected)) throw error;
      this.said.textContent = error instanceof BadTable ? error.message : sentence(error.message);  // a file's name stays as it is
    }
  }

  async score(file, signal) {
    const names = this.model.features.map(({ name }) => name);
    const records = readRecords(file.stream(), (line) => guessSeparator(line, names));
    const scored = { head: null, lines: [], shown: [], count: 0, note: "" };
    let places = null, chunk = [];
    const flush = async () => {
      if (chunk.length) await this.answer(scored, names, places, chunk, signal);
      signal.throwIfAborted();
      chunk = [];
      this.said.textContent = `${scored.count.toLocaleString("en")} rows answered …`;
    };
    let size = 0;
    for await (const { cells, line } of records) {
      if (!places) {
        places = this.findColumns(cells, names);
        scored.head = cells;
        const ignored = cells.filter((cell) => !names.includes(cell.trim()));
        if (ignored.length) scored.note = ` Not features of this model, and not used: ${ignored.slice(0, 5).join(", ")}${ignored.length > 5 ? " …" : ""}.`;
        continue;
      }
      if (cells.length !== scored.head.length) throw new BadTable(`Line ${line} has ${cells.length} cells, the first line ${scored.head.length}.`);
      if (scored.count + chunk.length >= MAX_ROWS) throw new BadTable(`${file.name} has more than ${MAX_ROWS.toLocaleString("en")} rows: use ekiben predict ${file.name} -o scored.csv.`);
      const bytes = 3 * cells.reduce((sum, cell) => sum + cell.length + 3, 0);
      if (chunk.length === this.model.limits.rows || size + bytes > this.model.limits.bytes / 2) {
        await flush();
        size = 0;
      }
      chunk.push({ cells, line });
      size += bytes;
    }
    await flush();
    if (!places || !scored.count) throw new BadTable(`${file.name} has no rows.`);
    return scored;
  }

  findColumns(cells, names) {
    const given = cells.map((cell) => cell.trim());
    const missing = names.filter((name) => !given.includes(name));
    if (missing.length === names.length) throw new BadTable(`The first line names none of the model's features: it should have ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}.`);
    if (missing.length) throw new BadTable(`The table lacks ${missing.length === 1 ? "the column" : "the columns"} ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ` and ${missing.length - 5} more` : ""}.`);
    const twice = names.find((name) => given.indexOf(name) !== given.lastIndexOf(name));
    if (twice !== undefined) throw new BadTable(`The column ${twice} is there twice.`);
    return names.map((name) => given.indexOf(name));
  }

  /** Answer some rows; an error names the line of the file. */
  async answer(scored, names, places, chunk, signal) {
    const body = writeRecord(names) + chunk.map(({ cells }) => writeRecord(places.map((place) => cells[place]))).join("");
    let answered;
    try {
      answered = await (await askPatiently(`playground/${encodeURIComponent(this.model.model)}`, { body, type: "text/csv", signal })).json();
    } catch (error) {
      const [first] = error.problems ?? [];
      if (first?.row === undefined || first.row === null || !chunk[first.row]) throw error;
      throw new BadTable(`Line ${chunk[first.row].line}: ${first.field}: ${first.message}.`);
    }
    if (answered.predictions.length !== chunk.length) {
      throw new BadTable(`The service answered ${answered.predictions.length} of the ${chunk.length} rows from line ${chunk[0].line} on: use ekiben predict.`);
    }
    scored.columns ??= Object.keys(flatten(answered.predictions[0]));
    answered.predictions.forEach((prediction, index) => {
      const answers = Object.values(flatten(prediction)).map(String), { cells } = chunk[index];
      scored.lines.push(writeRecord([...cells, ...answers]));
      if (scored.shown.length < SHOWN_ROWS) scored.shown.push([...answers.map(round), ...cells]);
    });
    scored.count += chunk.length;
  }

  show(name, { head, columns, lines, shown, count }) {
    const content = new Blob(["\ufeff", writeRecord([...head, ...columns]), ...lines], { type: "text/csv" });
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(content);
    const link = element("a", { href: this.address, download: name.replace(/(\.\w+)?$/, "-answered.csv"), class: "button" }, "Download with the answers");
    const title = (text, kind) => element("th", { scope: "col", class: kind }, isolate(text));
    this.result.replaceChildren(element("p", {}, link),
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The table's answers" }, element("table", { class: "cells" },
        element("thead", {}, element("tr", {}, ...columns.map((one) => title(one, "ours")), ...head.map((one) => title(one, null)))),
        element("tbody", {}, ...shown.map((cells) => element("tr", {}, ...cells.map((cell, index) =>
          element("td", { class: index < columns.length ? "ours" : null }, isolate(cell)))))))),
      element("p", { class: "soft" }, count > SHOWN_ROWS ? `The first ${SHOWN_ROWS} of ${count.toLocaleString("en")} rows.` : ""));
  }
}

/** Return an answer with the digits that a person looks at; the file has all of them. */
const round = (text) => (/\.\d{6}/.test(text) ? String(Number(Number(text).toPrecision(6))) : text);

/** Return a prediction's values by name; those of classes as other tables of ours name them. */
function flatten(prediction) {
  return Object.fromEntries(Object.entries(prediction).flatMap(([name, value]) =>
    (value !== null && typeof value === "object" ? Object.entries(value).map(([label, share]) => [`${name}.${label}`, share]) : [[name, value]])));
}

/** Return what separates the cells of a first line: that by which most of the features are found. */
function guessSeparator(line, names) {
  const known = new Set(names);
  const count = (separator) => line.split(separator).filter((cell) => known.has(cell.trim().replace(/^"|"$/g, ""))).length;
  return [",", ";", "\t", "|"].reduce((best, one) => (count(one) > count(best) ? one : best));
}
