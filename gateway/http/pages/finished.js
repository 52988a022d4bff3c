// Calls that are over: a search, a page at a time.

import { askJson } from "./session.js";
import { settle } from "./settle.js";
import { clock, ending, make, milliseconds, money, parties, plural, rating, when } from "./words.js";

const PAGE = 25;
const QUIET = 250; // milliseconds after the last key before it is searched

export class FinishedCalls {
  #form = document.getElementById("search");
  #table = document.getElementById("over");
  #none = document.getElementById("over-none");
  #found = document.getElementById("found");
  #more = document.getElementById("more");
  #alarm = 0;
  #asking = new AbortController();
  #next = "";

  /** @param {(refusal: Error | null) => void} tell of trouble, or that it is over */
  constructor(tell) {
    this.tell = tell;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.search();
    });
    this.#form.addEventListener("input", () => this.searchSoon());
    this.#more.addEventListener("click", () => this.#load(false));
  }

  searchSoon() {
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(() => this.search(), QUIET);
  }

  search() {
    clearTimeout(this.#alarm);
    this.#next = "";
    return this.#load(true);
  }

  async #load(isAnew) {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.#table.setAttribute("aria-busy", "true");
    try {
      const page = await askJson(`v1/calls?${this.#query()}`, { signal });
      this.#next = page.next ?? "";
      this.#show(page.calls, isAnew);
      this.tell(null);
    } catch (error) {
      if (!signal.aborted) this.tell(error);
    } finally {
      if (!signal.aborted) this.#table.removeAttribute("aria-busy");
    }
  }

  #query() {
    const { q, ended_by, since } = Object.fromEntries(new FormData(this.#form));
    const query = new URLSearchParams({ state: "over", limit: PAGE });
    if (q.trim()) query.set("q", q.trim());
    if (ended_by) query.set("ended_by", ended_by);
    if (since) query.set("since", (Date.now() / 1000 - Number(since)).toFixed(0));
    if (this.#next) query.set("cursor", this.#next);
    return query;
  }

  #show(calls, isAnew) {
    const body = this.#table.tBodies[0];
    if (isAnew) settle(body, calls.map(rowOf));
    else body.append(...calls.map(rowOf));
    const count = body.rows.length;
    const isSearch = [...new FormData(this.#form).values()].some(Boolean);
    this.#table.hidden = count === 0;
    this.#none.hidden = count > 0;
    this.#none.textContent = isSearch
      ? "No finished call is like that. Search for less, or for another word."
      : "No call has been finished yet. Each is kept here with its story.";
    this.#more.hidden = !this.#next;
    this.#found.textContent = count ? plural(count, "call") + (this.#next ? ", and older ones" : "") : "";
  }
}

function rowOf(call) {
  const link = make("a", { className: "parties", href: `#call=${encodeURIComponent(call.call_id)}` }, parties(call));
  const head = make("th", { scope: "row" }, link, make("span", { className: "under" }, call.call_id));
  const wait = call.usage?.latency?.heard_ms_median;
  const cell = (label, ...shown) => make("td", { data: label ? { label } : {} }, ...shown);
  const number = (label, ...shown) => make("td", { className: "number", data: { label } }, ...shown);
  return make(
    "tr",
    { data: { call: call.call_id, key: call.call_id } },
    head,
    cell("", when(call.started_at)),
    cell("ended", ending(call)),
    cell("", call.codec || "–"),
    number("MOS", rating(call.media?.mos)),
    number("wait", wait ? milliseconds(wait) : "–"),
    number("cost", money(call.usage?.cost)),
    number("time", clock(call.duration)),
  );
}
