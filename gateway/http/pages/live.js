// The table of calls in progress: a row for each, told anew with every notice of it.

import { clock, goesOn, lossOf, make, milliseconds, money, parties, percent, rating } from "./words.js";

const STAY = 1600; // milliseconds that a row is still seen after its call
const LEGS = { sip: "SIP", webrtc: "browser", browser: "browser", hosted: "SIP at the service" };
const HELPING = { listen: "listens", speak: "speaks too", takeover: "has taken over" };
const DOING = {
  away: "service away",
  listening: "listening",
  thinking: "thinking",
  speaking: "speaking",
  tool: "using a tool",
  menu: "in a menu",
  collect: "collecting",
  transfer: "transferring",
  silent: "silent",
};

class Row {
  speaking = new Set();
  #people = new Map(); // who supervises, and how
  #key = make("kbd", { hidden: true });
  #said = make("span", { className: "under caption" });
  #under = make("span", { className: "under" });
  #link;
  #cells;

  constructor(call) {
    this.#link = make("a", { className: "parties", href: `#call=${encodeURIComponent(call.call_id)}` });
    const head = make("th", { scope: "row" }, this.#link, this.#under, this.#said);
    const labels = { now: "", key: "key", leg: "", mos: "MOS", loss: "loss", wait: "wait", cost: "cost", time: "time" };
    const cells = Object.entries(labels).map(([name, label]) => {
      const isNumber = ["mos", "loss", "wait", "cost", "time"].includes(name);
      return [name, make("td", { className: isNumber ? "number" : "", data: label ? { label } : {} })];
    });
    this.#cells = Object.fromEntries(cells);
    this.#cells.key.append(this.#key);
    this.element = make("tr", { className: "arriving", data: { call: call.call_id } }, head);
    this.element.append(...cells.map(([, cell]) => cell));
    this.doing = { agent: "", detail: "" };
    this.tell(call);
  }

  tell(call) {
    this.call = call;
    this.heardAt = performance.now();
    const { leg, mos, loss, cost } = this.#cells;
    this.#link.textContent = parties(call);
    this.#under.textContent = call.call_id;
    leg.replaceChildren([LEGS[call.leg] ?? call.leg, call.codec].filter(Boolean).join(" · ") || "–");
    mos.replaceChildren(rating(call.media?.mos));
    const lost = lossOf(call.media);
    loss.replaceChildren(lost === null ? "–" : percent(lost));
    cost.replaceChildren(money(call.usage?.cost));
    this.#showNow();
    this.tick();
  }

  hear(notice) {
    switch (notice.type) {
      case "speaking":
        if (notice.is_on) this.speaking.add(notice.who);
        else this.speaking.delete(notice.who);
        break;
      case "activity":
        this.doing = notice;
        break;
      case "caption":
        this.#said.textContent = notice.text ? `${notice.who}: ${notice.text}` : "";
        break;
      case "key":
        this.#key.hidden = false;
        this.#key.textContent = notice.key;
        break;
      case "supervision":
        if (notice.mode === "leave") this.#people.delete(notice.name);
        else this.#people.set(notice.name, HELPING[notice.mode] ?? notice.mode);
        break;
      case "turn":
        this.#cells.wait.replaceChildren(milliseconds(notice.ms));
        break;
    }
    this.#showNow();
  }

  tick() {
    const passed = goesOn(this.call) ? (performance.now() - this.heardAt) / 1000 : 0;
    this.#cells.time.replaceChildren(clock(this.call.duration + passed));
  }

  #showNow() {
    const { agent, detail } = this.doing;
    const speakers = [...this.speaking];
    const state = detail ? `${DOING[agent] ?? agent} ${detail}` : (DOING[agent] ?? agent);
    const words = goesOn(this.call) ? state || this.call.state : "ended";
    const shown = speakers.length ? speakers : [""];
    const voices = shown.map((who) =>
      make("span", { className: `voice ${who} ${who ? "on" : ""}` }, bars(), who ? `${who} speaks` : words),
    );
    const rest = speakers.length && agent !== "speaking" ? make("span", { className: "under" }, words) : null;
    const people = [...this.#people].map(([name, how]) => make("span", { className: "under person" }, `${name} ${how}`));
    this.#cells.now.replaceChildren(...voices, ...(rest ? [rest] : []), ...people);
  }
}

function bars() {
  const drawn = make("span", { className: "bars", aria: { hidden: "true" } });
  drawn.append(make("i"), make("i"), make("i"));
  return drawn;
}

export class LiveCalls {
  #rows = new Map();
  #table;
  #none;
  #count;
  #isKnown = false; // who is on the line

  constructor(table, none, count) {
    [this.#table, this.#none, this.#count] = [table, none, count];
    setInterval(() => this.#rows.forEach((row) => row.tick()), 1000);
  }

  /** Takes the calls as they stand; what is not among them is over. */
  setAll(calls) {
    this.#isKnown = true;
    const known = new Set(calls.map((call) => call.call_id));
    for (const id of [...this.#rows.keys()]) if (!known.has(id)) this.#drop(id);
    for (const call of [...calls].reverse()) this.#tell(call);
    this.#show();
  }

  hear(notice) {
    const id = notice.call_id;
    switch (notice.type) {
      case "call.began":
      case "call.changed":
        this.#tell(notice.call);
        break;
      case "call.ended":
        this.#end(notice.call);
        break;
      default:
        this.#rows.get(id)?.hear(notice);
    }
    this.#show();
  }

  #tell(call) {
    const row = this.#rows.get(call.call_id);
    if (row) return row.tell(call);
    if (!goesOn(call)) return;
    const fresh = new Row(call);
    this.#rows.set(call.call_id, fresh);
    this.#table.tBodies[0].prepend(fresh.element);
  }

  #end(call) {
    const row = this.#rows.get(call.call_id);
    if (!row) return;
    row.speaking.clear();
    row.tell(call);
    row.element.classList.add("leaving");
    setTimeout(() => {
      if (this.#rows.get(call.call_id) === row) this.#drop(call.call_id);
      this.#show();
    }, STAY);
  }

  #drop(id) {
    this.#rows.get(id)?.element.remove();
    this.#rows.delete(id);
  }

  #show() {
    const count = [...this.#rows.values()].filter((row) => goesOn(row.call)).length;
    this.#table.hidden = this.#rows.size === 0;
    this.#none.hidden = this.#rows.size > 0 || !this.#isKnown;
    this.#count.textContent = count ? `${count} on the line` : "";
  }
}
