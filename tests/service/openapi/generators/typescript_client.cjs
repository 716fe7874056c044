/* Calls every operation of a client that openapi-generator made and tsc compiled:
   node typescript_client.cjs FOLDER DOCUMENT URL [TOKEN]. It prints a line for each, and fails unless all got 200. */
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const [folder, document, basePath, accessToken] = process.argv.slice(2);
const made = require(path.resolve(folder, "dist"));
const described = JSON.parse(fs.readFileSync(document, "utf8"));
const LAST = /^(delete_|post_v2_repository_models_model_unload)/;
const configuration = new made.Configuration({ basePath, accessToken });

const capitalize = (name) => name[0].toUpperCase() + name.slice(1);
const camel = (name) => name.replace(/[_-]+(\w)/g, (_, letter) => letter.toUpperCase());

/* Parameters under the generator's names: those of the path as the document has them, no headers, and the body. */
function fill(operation, headers) {
  const parts = operation.parameters.filter((one) => one.in === "path").map((one) => [camel(one.name), one.example]);
  const known = new Map(parts);
  const body = operation.requestBody?.content["application/json"]?.example;
  return new Proxy({}, {
    get(_, name) {
      if (known.has(name)) return known.get(name);
      if (headers.has(name.toLowerCase()) || body === undefined) return undefined;
      const read = made[`${capitalize(name)}FromJSON`];
      return read ? read(body) : body;
    },
  });
}

function listHeaders(operation) {
  const resolve = (one) => (one.$ref ? described.components.parameters[one.$ref.split("/").pop()] : one);
  const others = operation.parameters.map(resolve).filter((one) => one.in !== "path");
  return new Set(others.map((one) => camel(one.name).toLowerCase()));
}

async function call(operation) {
  const api = new made[`${operation.tags[0].replace(/\W/g, "")}Api`](configuration);
  try {
    const answered = await api[`${camel(operation.operationId)}Raw`](fill(operation, listHeaders(operation)));
    await answered.value();
    return answered.raw.status;
  } catch (error) {
    return error.response ? `${error.response.status} ${await error.response.text()}` : error.stack;
  }
}

async function main() {
  const operations = Object.values(described.paths).flatMap((item) => Object.values(item));
  operations.sort((one, other) => LAST.test(one.operationId) - LAST.test(other.operationId));
  for (const operation of operations) {
    const status = await call(operation);
    console.log(operation.operationId, status);
    if (status !== 200) process.exitCode = 1;
  }
}

main();
