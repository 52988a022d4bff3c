// What was said, as it was heard: what was cut is shown as cut, keys and people where they came in.

import { settle } from "./settle.js";
import { clock, make } from "./words.js";

const TOGETHER = 2; // seconds between keys that are shown as one

export class Said {
  #list;
  #none;
  #seek;
  #lines = []; // with their elements

  constructor(list, none, seek) {
    [this.#list, this.#none, this.#seek] = [list, none, seek];
  }

  show(story) {
    const isAtEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const all = [
      ...story.lines.map((line) => ({ at: line.at, line, element: this.#line(line, story.is_live) })),
      ...presses(story).map(([at, keys]) => ({ at, element: pressed(keys) })),
      ...story.interventions.map((mark) => ({ at: mark.at, element: aside(mark) })),
    ].sort((one, other) => one.at - other.at);
    const rows = all.map(({ at, element }) => make("li", { data: { key: `${at} ${element.className}` } }, element));
    const shown = settle(this.#list, rows);
    this.#lines = all
      .map(({ line }, place) => ({ line, element: shown[place].firstElementChild }))
      .filter(({ line }) => line);
    this.#list.hidden = all.length === 0;
    this.#none.hidden = all.length > 0;
    this.#none.textContent = story.is_live ? "Nothing has been said yet." : "Nothing was said.";
    if (story.is_live && isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** Marks what is said at this moment of the call. */
  mark(seconds) {
    for (const { line, element } of this.#lines) {
      const isNow = line.at <= seconds && seconds < (line.end ?? line.at);
      if (isNow && !element.classList.contains("now")) this.#reveal(element);
      element.classList.toggle("now", isNow);
    }
  }

  #reveal(element) {
    const [box, frame] = [element.getBoundingClientRect(), this.#list.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom)
      this.#list.scrollTop += box.top - frame.top - frame.height / 3;
  }

  #line(line, isLive) {
    const element = make("button", { type: "button", className: `line ${line.who}` });
    const who = make("span", { className: "who numbers" }, `${nameOf(line)} · ${clock(line.at, 1)}`);
    element.append(who, ...wordsOf(line, isLive));
    element.addEventListener("click", () => this.#seek(line.at));
    return element;
  }
}

function nameOf(line) {
  return line.who === "tool" ? `Tool ${line.tool}` : line.who === "agent" ? "Agent" : "Caller";
}

function wordsOf(line, isLive) {
  if (line.who === "tool") {
    const none = isLive ? "no answer yet" : "not answered";
    const answer = line.heard ? ["→ ", make("code", {}, line.heard)] : [`→ ${none}`];
    return [make("code", {}, line.text || "{}"), make("span", {}, ...answer)];
  }
  if (!line.text && line.who === "caller") {
    const seconds = line.end === null ? "" : ` for ${(line.end - line.at).toFixed(1)} s`;
    return [make("em", { className: "muted" }, `spoke${seconds}, not transcribed`)];
  }
  if (!line.is_cut) return [make("span", {}, line.text || "…")];
  const rest = line.text.startsWith(line.heard) ? line.text.slice(line.heard.length) : ` ${line.text}`;
  const note = make("span", { className: "visually-hidden" }, " Not heard: ");
  return [make("span", {}, line.heard, note, make("s", {}, rest))];
}

/** Keys that follow on each other, nothing being said between them, as one entry. */
function presses({ keys, lines }) {
  const groups = [];
  for (const key of keys) {
    const last = groups.at(-1);
    const isNext = last && !lines.some(({ at }) => last.end < at && at < key.at);
    if (isNext && key.at - last.end <= TOGETHER) {
      last.keys.push(key.key);
      last.end = key.at;
    } else groups.push({ at: key.at, end: key.at, keys: [key.key] });
  }
  return groups.map(({ at, keys: pressedKeys }) => [at, pressedKeys]);
}

function pressed(keys) {
  const drawn = keys.flatMap((key) => [make("kbd", {}, key), " "]);
  return make("p", { className: "pressed" }, "pressed ", ...drawn);
}

function aside(mark) {
  return make("p", { className: "aside" }, `${mark.who} ${mark.did}`);
}
