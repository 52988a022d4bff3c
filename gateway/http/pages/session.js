// What every page shares: who we are (a token), requests and their refusals in words, and the
// stream of what happens.

const KEPT = "voice-gateway.token";

/** Where the gateway is, seen from these files: it may stand below a path of a proxy's. */
export const root = new URL("../", import.meta.url);

/** The token that was given to this tab; empty without one. */
export function token() {
  return sessionStorage.getItem(KEPT) ?? "";
}

export function keepToken(text) {
  sessionStorage.setItem(KEPT, text.trim());
}

export function forgetToken() {
  sessionStorage.removeItem(KEPT);
}

/** Takes the token out of the address (`#token=…`), where others could read it. */
function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const shown = fragment.get("token");
  if (shown === null) return;
  keepToken(shown);
  fragment.delete("token");
  const rest = fragment.size ? `#${fragment}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + rest);
}

takeToken();
addEventListener("hashchange", takeToken);

/** A request that came to nothing; the message is a sentence that says what to do. */
export class Refusal extends Error {
  /**
   * @param {number} status of the answer; 0 where none came
   * @param {{title?: string, detail?: string}} problem as the gateway told it (RFC 9457)
   * @param {number} retryAfter seconds; 0 where not said
   */
  constructor(status, problem = {}, retryAfter = 0) {
    super(words(status, problem, retryAfter));
    this.name = "Refusal";
    this.status = status;
    this.detail = problem.detail ?? "";
    this.retryAfter = retryAfter;
  }

  static async of(answer) {
    const type = answer.headers.get("Content-Type") ?? "";
    const problem = type.includes("json") ? await answer.json().catch(() => ({})) : {};
    return new Refusal(answer.status, problem, Number(answer.headers.get("Retry-After")) || 0);
  }
}

function words(status, { title = "", detail = "" }, retryAfter) {
  const seconds = retryAfter === 1 ? "second" : "seconds";
  const later = retryAfter ? `in ${retryAfter} ${seconds}` : "in a moment";
  switch (status) {
    case 0:
      return "The gateway cannot be reached. Check that it runs and you are online, and try again.";
    case 401:
      return token()
        ? "The token is wrong or has expired. Open this page by a new link."
        : "This needs a token. Open this page by the link you were given, which ends in #token=…";
    case 403:
      return "Your token does not allow this. Open this page by a link that does.";
    case 429:
      return `That was too often. Try again ${later}.`;
    case 503:
      return `The gateway has no room at the moment. Try again ${later}.`;
    default:
      return sentence(detail || title || `The gateway answered with ${status}`);
  }
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

/**
 * Asks the gateway, as who we are.
 *
 * @param {string | URL} path below the root: `v1/calls`
 * @param {RequestInit & {json?: unknown}} options json: becomes the body
 * @returns {Promise<Response>} an answer that is no refusal
 * @throws {Refusal}
 */
export async function ask(path, { json, headers, ...options } = {}) {
  const all = new Headers(headers);
  if (token()) all.set("Authorization", `Bearer ${token()}`);
  if (json !== undefined) {
    all.set("Content-Type", "application/json");
    options.body = JSON.stringify(json);
  }
  let answer;
  try {
    const request = { cache: "no-store", credentials: "omit", redirect: "error", ...options };
    answer = await fetch(new URL(path, root), { ...request, headers: all });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0);
  }
  if (!answer.ok) throw await Refusal.of(answer);
  return answer;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/** Reads `text/event-stream` piece by piece, wherever it was cut. */
export class EventReader {
  lastId = ""; // of what was read to its end
  retry = 0; // milliseconds; 0: not said
  #id = null; // of what is being read
  #rest = "";
  #data = [];
  #type = "";

  /** @returns {{id: string, type: string, data: string}[]} */
  read(piece) {
    // A CR at the end may be half of a CRLF: it waits for what comes next.
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch() {
    const [data, type] = [this.#data.join("\n"), this.#type || "message"];
    const isEvent = this.#data.length > 0;
    this.lastId = this.#id ?? this.lastId;
    [this.#data, this.#type] = [[], ""];
    return isEvent ? { id: this.lastId, type, data } : null;
  }
}

const FIRST_WAIT = 500; // milliseconds, doubled with every attempt that brought nothing
const LONGEST_WAIT = 15_000;
const SILENCE = 60_000; // the gateway gives a sign of life far more often
const FOR_GOOD = [400, 401, 403, 404, 405];

/**
 * Follows a stream of notices until `signal` is aborted, from where it was lost.
 *
 * @param {string} path
 * @param {{hear: (notice: object, id: string) => void,
 *          tell?: (state: "open" | "lost" | "refused", refusal?: Refusal) => void,
 *          signal: AbortSignal}} options
 */
export async function follow(path, { hear, tell = () => {}, signal }) {
  let wait = FIRST_WAIT;
  let lastId = "";
  const take = (event) => {
    wait = FIRST_WAIT;
    try {
      hear(JSON.parse(event.data), event.id);
    } catch (error) {
      reportError(error); // of whoever hears it; the stream goes on
    }
  };
  while (!signal.aborted) {
    const reader = new EventReader();
    reader.lastId = lastId;
    const loss = await listen(path, reader, { begin: () => tell("open"), take, signal });
    if (signal.aborted) return;
    if (FOR_GOOD.includes(loss.status)) return void tell("refused", loss);
    lastId = reader.lastId;
    tell("lost", loss);
    await pause((reader.retry || wait) * (0.75 + Math.random() / 2), signal);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

/** Reads one answer to its end; returns the refusal that it ended with. */
async function listen(path, reader, { begin, take, signal }) {
  const silence = new AbortController();
  const watch = () => setTimeout(() => silence.abort(), SILENCE);
  let alarm = watch();
  try {
    const headers = { Accept: "text/event-stream" };
    if (reader.lastId) headers["Last-Event-ID"] = reader.lastId;
    const answer = await ask(path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
    begin();
    const decoder = new TextDecoder();
    for (const body = answer.body.getReader(); ; ) {
      const { done, value } = await body.read();
      if (done) return new Refusal(0);
      clearTimeout(alarm);
      alarm = watch();
      reader.read(decoder.decode(value, { stream: true })).forEach(take);
    }
  } catch (error) {
    return error instanceof Refusal ? error : new Refusal(0);
  } finally {
    clearTimeout(alarm);
  }
}

/** Waits, less long where the network comes back or nobody waits any more. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(alarm);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const alarm = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
