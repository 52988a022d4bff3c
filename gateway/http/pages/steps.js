// What happened and what was done, a row for each, to be filtered.

import { GROUPS } from "./drawing.js";
import { settle, write } from "./settle.js";
import { clock, make, plural } from "./words.js";

const PAGE = 150; // rows at a time

export class Steps {
  #form = document.getElementById("sift");
  #groups = document.getElementById("groups");
  #body = document.querySelector("#steps tbody");
  #count = document.getElementById("steps-count");
  #more = document.getElementById("steps-more");
  #chosen = new Set(); // groups; none: all
  #shown = PAGE;
  #story = null;
  #seek;

  constructor(seek) {
    this.#seek = seek;
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#show());
    this.#more.addEventListener("click", () => {
      this.#shown += 4 * PAGE;
      this.#show();
    });
  }

  show(story) {
    if (this.#story?.call_id !== story.call_id) {
      this.#chosen.clear();
      this.#shown = PAGE;
      this.#form.reset();
    }
    this.#story = story;
    const groups = Object.keys(GROUPS).filter((group) => story.steps.some((one) => one.group === group));
    settle(this.#groups, [this.#groups.firstElementChild, ...groups.map((group) => this.#chip(group))]);
    this.#show();
  }

  #chip(group) {
    const isOn = this.#chosen.has(group);
    const looks = { style: { "--tint": `var(--${GROUPS[group]})` }, aria: { pressed: String(isOn) } };
    const chip = make("button", { type: "button", className: "chip", data: { key: group }, ...looks }, group);
    chip.addEventListener("click", () => {
      if (!this.#chosen.delete(group)) this.#chosen.add(group);
      chip.setAttribute("aria-pressed", String(this.#chosen.has(group)));
      this.#show();
    });
    return chip;
  }

  #show() {
    const words = this.#form.elements.words.value.trim().toLowerCase();
    const withMinor = this.#form.elements.minor.checked;
    const found = this.#story.steps.filter(
      (step) =>
        (withMinor || !step.is_minor) &&
        (!this.#chosen.size || this.#chosen.has(step.group)) &&
        (!words || `${step.name} ${step.detail}`.toLowerCase().includes(words)),
    );
    settle(this.#body, found.slice(0, this.#shown).map((step) => this.#row(step)));
    this.#more.hidden = found.length <= this.#shown;
    const left = this.#story.steps_left_out;
    write(this.#count, plural(found.length, "entry", "entries") + (left ? `, ${left} left out` : ""));
  }

  #row(step) {
    const at = make("button", { type: "button", className: "at" }, clock(step.at, 3));
    at.addEventListener("click", () => this.#seek(step.at));
    const isDone = step.kind === "action" || step.kind === "request";
    const dot = make("i", { aria: { hidden: "true" } });
    const looks = { className: isDone ? "action" : "", style: { "--tint": `var(--${GROUPS[step.group]})` } };
    return make(
      "tr",
      { data: { key: `${step.at} ${step.name}` }, ...looks },
      make("td", { className: "number" }, at),
      make("td", { className: "name" }, dot, step.name),
      make("td", { className: "detail" }, step.detail),
    );
  }
}
