// A call's resource at the gateway (WHIP, RFC 9725): an offer for an answer, candidates as they
// are found, another way through the network when the old one is lost, and the end.

import { ask } from "./session.js";

const FRAGMENT = "application/trickle-ice-sdpfrag";

export class Resource {
  #where;
  #tag;

  constructor(where, tag, answer, iceServers) {
    this.#where = where;
    this.#tag = tag;
    this.answer = answer;
    this.iceServers = iceServers;
  }

  /** The last part of its address. */
  get id() {
    return this.#where.pathname.split("/").pop();
  }

  /**
   * Places a call with an offer, or joins one where the address says so (`whip?call=ID&mode=…`).
   *
   * @throws {import("./session.js").Refusal}
   */
  static async open(offer, signal, address = "whip") {
    const headers = { "Content-Type": "application/sdp", Accept: "application/sdp" };
    const reply = await ask(address, { method: "POST", headers, body: offer, signal });
    return new Resource(
      new URL(reply.headers.get("Location"), reply.url),
      reply.headers.get("ETag"),
      await reply.text(),
      iceServers(reply.headers.get("Link") ?? ""),
    );
  }

  /** Tells of candidates that were found since the offer was made; `null` says: these were all. */
  async trickle(sdp, candidates) {
    const headers = { "Content-Type": FRAGMENT };
    if (this.#tag) headers["If-Match"] = this.#tag;
    await ask(this.#where, { method: "PATCH", headers, body: fragment(sdp, candidates) });
  }

  /** Begins ICE anew (section 4.3.3). @returns {Promise<string>} the answer as it is now */
  async restart(offer) {
    const headers = { "Content-Type": FRAGMENT, "If-Match": "*" };
    const body = fragment(offer, []);
    const reply = await ask(this.#where, { method: "PATCH", headers, body });
    this.#tag = reply.headers.get("ETag") ?? this.#tag;
    this.answer = merged(this.answer, await reply.text());
    return this.answer;
  }

  /** Ends the call; `isLeaving`: the page goes away, and the request must outlive it. */
  async close({ isLeaving = false } = {}) {
    await ask(this.#where, { method: "DELETE", keepalive: isLeaving }).catch(() => {});
  }
}

/** The STUN and TURN servers that `Link` names (section 4.6). @returns {RTCIceServer[]} */
export function iceServers(link) {
  return [...link.matchAll(/<([^>]+)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^",;\s]+))*)/g)]
    .map(([, urls, rest]) => [urls, parameters(rest)])
    .filter(([, told]) => told.rel === "ice-server")
    .map(([urls, { username, credential }]) =>
      username === undefined ? { urls } : { urls, username, credential },
    );
}

function parameters(text) {
  const found = text.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]+))/g);
  return Object.fromEntries(
    [...found].map(([, name, quoted, bare]) => [name, quoted?.replace(/\\(.)/g, "$1") ?? bare]),
  );
}

/** What goes into a PATCH (RFC 8840): the credentials of an offer, and candidates of it. */
export function fragment(sdp, candidates) {
  const kept = ["a=group:BUNDLE", "a=ice-ufrag:", "a=ice-pwd:"].map((start) => lineOf(sdp, start));
  const [group, ...credentials] = kept;
  const found = candidates.map((one) => (one ? `a=${one.candidate}` : "a=end-of-candidates"));
  const media = lineOf(sdp, "m=").replace(/ \d+ /, " 9 "); // no port: it is told by candidates
  const all = [group, ...credentials, media, lineOf(sdp, "a=mid:"), ...found];
  return all.filter(Boolean).map((line) => `${line}\r\n`).join("");
}

/** An answer with the credentials and candidates of a fragment in the place of its own. */
export function merged(answer, sdpFragment) {
  const ufrag = lineOf(sdpFragment, "a=ice-ufrag:");
  const password = lineOf(sdpFragment, "a=ice-pwd:");
  const candidates = lines(sdpFragment).filter((line) => isCandidate(line));
  let isTold = false;
  return lines(answer)
    .filter((line) => !isCandidate(line))
    .flatMap((line) => {
      if (line.startsWith("a=ice-ufrag:")) return ufrag;
      if (!line.startsWith("a=ice-pwd:")) return line;
      const all = isTold ? [password] : [password, ...candidates];
      isTold = true;
      return all;
    })
    .map((line) => `${line}\r\n`)
    .join("");
}

function isCandidate(line) {
  return line.startsWith("a=candidate:") || line.startsWith("a=end-of-candidates");
}

function lineOf(sdp, start) {
  return lines(sdp).find((line) => line.startsWith(start)) ?? "";
}

function lines(sdp) {
  return sdp.split(/\r?\n/).filter(Boolean);
}
