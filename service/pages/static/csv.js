// CSV as RFC 4180 has it, in pieces as they arrive: quotes may hold separators and line breaks. What a cell means the
// service decides, as for every table; here it is only found where cells end.

/** A table that can't be read; the message is a sentence for a person. */
export class BadTable extends Error {}

/** Yield the records of a stream of bytes, arrays of cells, each with the line it begins in. */
export async function* readRecords(stream, separatorOf) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = new Reader(separatorOf);
  const source = stream.getReader();
  for (;;) {
    const { done, value } = await source.read();
    let text;
    try {
      text = done ? decoder.decode() : decoder.decode(value, { stream: true });
    } catch {
      throw new BadTable(`Line ${reader.line} is not UTF-8: save the table as CSV in UTF-8.`);
    }
    if (text.includes("\0")) throw new BadTable("This is no CSV table: it has bytes that no text has.");
    yield* reader.take(text, done);
    if (done) return;
  }
}

class Reader {
  constructor(separatorOf) {
    this.separatorOf = separatorOf;
    this.rest = "";
    this.line = 1;
  }

  /** Yield the records that are whole; at the end the last one too. */
  * take(text, end) {
    const all = this.rest + text;
    this.separator ??= /[\r\n]/.test(all) || end ? this.separatorOf(all.split(/[\r\n]/, 1)[0].replace(/^\ufeff/, "")) : undefined;
    let start = 0;
    while (this.separator && start < all.length) {
      const found = this.readRecord(all, start, end);
      if (!found) break;
      const { cells, next, lines } = found;
      if (cells.length > 1 || all.slice(start, next).trim() !== "") yield { cells, line: this.line };
      start = next;
      this.line += lines;
    }
    this.rest = all.slice(start);
    if (this.rest.length > 2 ** 20) throw new BadTable(`Line ${this.line}: a row has more than a million characters. Is a quote not closed?`);
  }

  /** Return the record that begins there, null if its end has not arrived. */
  readRecord(text, start, end) {
    const cells = [];
    let place = start, lines = 1;
    if (this.line === 1 && text[place] === "\ufeff") place += 1;
    for (;;) {
      let cell;
      if (text[place] === '"') {
        const close = findClose(text, place + 1);
        if (close < 0 || (close === text.length - 1 && !end)) {
          if (!end) return null;
          throw new BadTable(`Line ${this.line}: a quote is not closed.`);
        }
        cell = text.slice(place + 1, close).replaceAll('""', '"');
        lines += cell.split("\n").length - 1;
        place = close + 1;
        const after = text[place];
        if (after !== undefined && after !== this.separator && after !== "\r" && after !== "\n") {
          throw new BadTable(`Line ${this.line}: after a closing quote stands ${JSON.stringify(after)}: double the quotes within a cell.`);
        }
      } else {
        const stop = findStop(text, place, this.separator);
        if (stop === text.length && !end) return null;
        cell = text.slice(place, stop);
        place = stop;
      }
      cells.push(cell);
      if (text[place] === this.separator) place += 1;
      else return this.finish(text, place, end, cells, lines);
    }
  }

  finish(text, place, end, cells, lines) {
    if (text[place] === "\r") {
      if (place + 1 === text.length && !end) return null;  // its \n may still come
      return { cells, lines, next: place + (text[place + 1] === "\n" ? 2 : 1) };
    }
    if (text[place] === undefined && !end) return null;
    return { cells, lines, next: place + 1 };
  }
}

/** Return the position of the quote that closes a cell, -1 if there is none; doubled ones stand for one. */
function findClose(text, place) {
  for (let close = text.indexOf('"', place); close >= 0; close = text.indexOf('"', close + 2)) {
    if (text[close + 1] !== '"') return close;
  }
  return -1;
}

function findStop(text, place, separator) {
  while (place < text.length && text[place] !== separator && text[place] !== "\n" && text[place] !== "\r") place += 1;
  return place;
}

/** Return cells as one line; a lone empty cell has quotes, else the line would be blank and no record. */
export function writeRecord(cells) {
  if (cells.length === 1 && cells[0].trim() === "") return `"${cells[0]}"\n`;
  return `${cells.map((cell) => (/[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")}\n`;
}
