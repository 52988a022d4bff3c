// A call as a picture: voices, menus, keys and barge-ins on one axis of time, to zoom and to hear.
// It tells its owner by events: "seek" (detail: seconds), "play".

import { layout, paint, under } from "./drawing.js";
import { clock, make } from "./words.js";

const CLOSEST = 0.5; // seconds that are seen at least
const STEP = 1.5; // of a zoom
const STILL = 4; // pixels within which a press is a click
const FOLLOW = 0.15; // where in the window the playhead goes on after it has left it

export class Picture extends EventTarget {
  #canvas;
  #tip;
  #story = null;
  #rows = null;
  #from = 0;
  #to = 1;
  #head = 0;
  #hasPlayed = false;
  #fingers = new Map(); // pointers that are down: where they are now
  #pressedAt = 0;
  #hasMoved = false;
  #frame = 0;

  constructor(canvas, tip) {
    super();
    [this.#canvas, this.#tip] = [canvas, tip];
    new ResizeObserver(() => this.#draw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (event) => this.#release(event));
    canvas.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    canvas.addEventListener("wheel", (event) => this.#roll(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows a story; where it is the same call as before, it stays where it was looked at. */
  show(story) {
    const isSame = this.#story?.call_id === story.call_id;
    const wasWhole = !isSame || this.#to >= this.#story.duration;
    this.#story = story;
    if (!isSame || this.#from === 0 || wasWhole) {
      if (!isSame || this.#from === 0) this.#from = 0;
      this.#to = Math.max(story.duration, CLOSEST);
    }
    if (!isSame) [this.#head, this.#hasPlayed] = [0, false];
    this.#canvas.setAttribute("aria-label", summary(story));
    this.#draw();
  }

  /** Moves the playhead. */
  place(seconds, isPlaying) {
    this.#head = seconds;
    this.#hasPlayed ||= isPlaying || seconds > 0;
    const isOut = seconds > this.#to || seconds < this.#from;
    if (isOut && this.#story) {
      const span = this.#to - this.#from;
      this.#look(seconds - span * FOLLOW, span);
    }
    this.#draw();
  }

  zoom(factor, around = this.#isSeen(this.#head) ? this.#head : (this.#from + this.#to) / 2) {
    const span = Math.min(Math.max((this.#to - this.#from) * factor, CLOSEST), this.#whole);
    const share = (around - this.#from) / (this.#to - this.#from);
    this.#look(around - share * span, span);
  }

  fit() {
    this.#look(0, this.#whole);
  }

  get #whole() {
    return Math.max(this.#story?.duration ?? 0, CLOSEST);
  }

  get #scale() {
    return (this.#to - this.#from) / this.#canvas.clientWidth; // seconds of a pixel
  }

  #isSeen(seconds) {
    return seconds >= this.#from && seconds <= this.#to;
  }

  #look(from, span) {
    this.#from = Math.min(Math.max(0, from), Math.max(0, this.#whole - span));
    this.#to = this.#from + span;
    this.#draw();
  }

  #timeAt(event) {
    return this.#from + (event.clientX - this.#canvas.getBoundingClientRect().left) * this.#scale;
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    const width = this.#canvas.clientWidth;
    if (!this.#story || !width) return;
    this.#rows = layout(this.#story, width);
    const ratio = devicePixelRatio || 1;
    this.#canvas.style.height = `${this.#rows.height}px`;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(this.#rows.height * ratio);
    const pen = this.#canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const window_ = { from: this.#from, to: this.#to, width };
    paint(pen, this.#story, this.#rows, window_, this.#hasPlayed ? this.#head : null);
  }

  // Fingers, wheels and keys

  #press(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, event);
    this.#pressedAt = event.clientX;
    this.#hasMoved = this.#fingers.size > 1;
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return this.#point(event);
    if (Math.abs(event.clientX - this.#pressedAt) > STILL) this.#hasMoved = true;
    if (this.#fingers.size === 2) {
      const other = [...this.#fingers.values()].find((one) => one.pointerId !== event.pointerId);
      const [was, is] = [before, event].map((one) => Math.max(20, Math.abs(one.clientX - other.clientX)));
      this.zoom(was / is, this.#timeAt({ clientX: (event.clientX + other.clientX) / 2 }));
    } else if (this.#hasMoved) {
      this.#canvas.classList.add("held");
      this.#tip.hidden = true;
      this.#look(this.#from - (event.clientX - before.clientX) * this.#scale, this.#to - this.#from);
    }
    this.#fingers.set(event.pointerId, event);
  }

  #release(event) {
    const isClick = event.type === "pointerup" && !this.#hasMoved && this.#fingers.size === 1;
    this.#fingers.delete(event.pointerId);
    this.#canvas.classList.remove("held");
    if (isClick) this.#seek(this.#timeAt(event));
  }

  #seek(seconds) {
    this.dispatchEvent(new CustomEvent("seek", { detail: Math.min(Math.max(0, seconds), this.#whole) }));
  }

  #roll(event) {
    const isAside = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(event.deltaY / 200), this.#timeAt(event));
    else if (isAside) this.#look(this.#from + (event.deltaX || event.deltaY) * this.#scale, this.#to - this.#from);
    else return;
    event.preventDefault();
  }

  #key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key in moves) this.#seek(this.#head + moves[event.key] * (event.shiftKey ? 5 : 1));
    else if (event.key === "Home") this.#seek(0);
    else if (event.key === "+" || event.key === "=") this.zoom(1 / STEP);
    else if (event.key === "-") this.zoom(STEP);
    else if (event.key === "0") this.fit();
    else if (event.key === " ") this.dispatchEvent(new Event("play"));
    else return;
    event.preventDefault();
  }

  #point(event) {
    if (!this.#story || !this.#rows || event.pointerType === "touch") return;
    const box = this.#canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const time = this.#from + x * this.#scale;
    const found = under(this.#story, this.#rows, time, y, 5 * this.#scale);
    this.#tip.hidden = false;
    this.#tip.replaceChildren(
      make("p", { className: "numbers" }, make("b", {}, clock(time, 2))),
      ...found.map(([name, detail]) => make("p", {}, make("b", {}, name), detail ? ` ${detail}` : "")),
    );
    const right = Math.max(0, Math.min(x + 14, box.width - this.#tip.offsetWidth - 4));
    const left = x > box.width / 2 ? Math.max(0, x - this.#tip.offsetWidth - 14) : right;
    this.#tip.style.transform = `translate(${left}px, ${Math.min(y + 14, box.height - 20)}px)`;
  }
}

function summary(story) {
  const cuts = story.interruptions.length;
  const keys = story.keys.map((one) => one.key).join(" ");
  return [
    `The call on one axis of time, ${clock(story.duration)} long.`,
    keys && `Keys pressed: ${keys}.`,
    cuts && `The agent was cut short ${cuts === 1 ? "once" : `${cuts} times`}.`,
    "What was said and what happened is listed below.",
    "Arrow keys move in time, plus and minus zoom, space plays.",
  ]
    .filter(Boolean)
    .join(" ");
}

export const ZOOM = STEP;
