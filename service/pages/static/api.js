// Asks the service. The token is kept here, in memory: no storage, no address and no copied call ever holds it.

let token = "";
let whenUnauthorized = () => {};

const BUSY = new Set([429, 504]), TRIES = 5, MOST_PAUSE_S = 10;

/** An answer that is no success: its sentence, its status, which fields are wrong, and in how many seconds to ask again. */
export class Rejected extends Error {
  constructor(status, sentence, problems = [], retryAfter = 1) {
    super(sentence);
    this.status = status;
    this.problems = problems;
    this.retryAfter = retryAfter;
  }
}

export const setToken = (given) => { token = given; };
export const hasToken = () => token !== "";
export const onUnauthorized = (listener) => { whenUnauthorized = listener; };

/** Return the address of a path of this service, wherever a proxy has put it. */
export const locate = (path) => new URL(path, document.baseURI).href;

/** Ask for a path; `body` is posted, an object as JSON. Throws Rejected, or AbortError. */
export async function ask(path, { body, type = "application/json", signal } = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const options = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  if (body !== undefined) {
    options.method = "POST";
    headers["content-type"] = type;
    options.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(locate(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Rejected(0, "The service can't be reached: is it still running?");
  }
  if (response.ok) return response;
  throw await explain(response);
}

/** Ask as `ask` does, and a few times again, after a pause, where the service is busy: what is tried waits for all others. */
export async function askPatiently(path, options) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (!BUSY.has(error.status) || tried === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(error.retryAfter, MOST_PAUSE_S)));
    }
  }
}

/** Ask for JSON. */
export const askJson = async (path, options) => (await ask(path, options)).json();

async function explain(response) {
  const told = await response.json().catch(() => ({}));
  const error = new Rejected(response.status, told.error || `The service answered ${response.status}.`, told.problems, Number(response.headers.get("retry-after")) || 1);
  if (response.status === 401) whenUnauthorized(error);
  return error;
}
