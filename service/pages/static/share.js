// The row in the address: only what differs from the example, so that a link stays short. It is read as data alone.

/** Return the model and the values that the address holds, and a sentence if it can't be read. */
export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const model = given.get("model") || "";
  try {
    const changes = JSON.parse(given.get("row") || "{}");
    if (typeof changes !== "object" || changes === null || Array.isArray(changes)) throw new SyntaxError();
    return { model, changes, said: "" };
  } catch {
    return { model, changes: {}, said: "The link's row can't be read: this is the example row." };
  }
}

/** Return the example row with changes, and a sentence that names those the model has no feature for. */
export function applyChanges(model, changes) {
  const row = exampleOf(model);
  const unknown = [];
  for (const [name, value] of Object.entries(changes)) {
    if (Object.hasOwn(row, name) && (value === null || typeof value !== "object")) row[name] = value;
    else unknown.push(name);
  }
  const said = unknown.length ? `The link has values that this model does not take: ${unknown.join(", ")}.` : "";
  return { row, said };
}

/** Return the model's example row. */
export function exampleOf(model) {
  return Object.fromEntries(model.features.map(({ name, example }) => [name, example]));
}

/** Keep the row in the address, without a step in the browser's history. */
export function writeAddress(model, row) {
  const changed = model.features.filter(({ name, example }) => row[name] !== example).map(({ name }) => [name, row[name]]);
  const given = new URLSearchParams();
  if (model.models.length > 1) given.set("model", model.model);
  if (changed.length) given.set("row", JSON.stringify(Object.fromEntries(changed)));
  const hash = given.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}
