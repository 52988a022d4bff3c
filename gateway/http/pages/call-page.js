// One call's page: its story, looked at and listened to, and while it is live, supervised.

import { Picture, ZOOM } from "./picture.js";
import { Player } from "./player.js";
import { showFacts, showQuality } from "./quality.js";
import { Said } from "./said.js";
import { ask, askJson } from "./session.js";
import { write } from "./settle.js";
import { Steps } from "./steps.js";
import { Supervision } from "./supervise.js";
import { showWaits } from "./waits.js";
import { clock, ending, parties, when } from "./words.js";

const AGAIN = 3000; // milliseconds between looks at a call that goes on, after news of it
const SELDOM = 15_000; // and where there are none
const SHARE = 20; // of the time, a part at most goes into looking
const SETTLED = 700; // after its end, until its recording is complete

const $ = (id) => document.getElementById(id);

export class CallPage {
  #id = "";
  #story = null;
  #alarm = 0;
  #lookedAt = 0;
  #hasNews = false;
  #isOver = false;
  #rest = AGAIN; // longer where a look takes long
  #asking = new AbortController();
  #picture = new Picture($("picture"), $("tip"));
  #player = new Player();
  #said = new Said($("said"), $("said-none"), (at) => this.#listen(at));
  #steps = new Steps((at) => this.#listen(at));
  #supervision;
  #trouble;

  /** @param {(error: Error | null) => void} trouble shows what is wrong */
  constructor(trouble) {
    this.#trouble = trouble;
    this.#supervision = new Supervision(trouble);
    this.#picture.addEventListener("seek", ({ detail }) => this.#listen(detail));
    this.#picture.addEventListener("play", () => this.#toggle());
    this.#player.addEventListener("time", () => this.#showTime());
    this.#player.addEventListener("state", () => this.#showState());
    $("play").addEventListener("click", () => this.#toggle());
    $("position").addEventListener("input", ({ target }) => this.#go(Number(target.value)));
    $("speed").addEventListener("change", ({ target }) => (this.#player.speed = Number(target.value)));
    $("sides").addEventListener("change", ({ target }) => (this.#player.sides = target.value));
    $("zoom-in").addEventListener("click", () => this.#picture.zoom(1 / ZOOM));
    $("zoom-out").addEventListener("click", () => this.#picture.zoom(ZOOM));
    $("zoom-fit").addEventListener("click", () => this.#picture.fit());
    $("save").addEventListener("click", () => this.#save());
  }

  async open(id) {
    if (id === this.#id) return;
    this.close();
    this.#id = id;
    $("call").setAttribute("aria-busy", "true");
    $("title").textContent = "Loading…";
    await this.#load();
    if (this.#id === id) $("title").focus({ preventScroll: true });
  }

  close() {
    clearTimeout(this.#alarm);
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#player.close();
    this.#supervision.close();
    [this.#id, this.#story, this.#hasNews, this.#isOver] = ["", null, false, false];
  }

  /** Looks again soon: something happened to a call. */
  hear(notice) {
    if (notice.call_id !== this.#id || !this.#story) return;
    if (notice.type === "call.ended") {
      this.#isOver = true;
      this.#supervision.close({ isOver: true });
      this.#loadIn(SETTLED);
    } else this.#hasNews ||= notice.type !== "call.changed";
  }

  #lookAgain() {
    this.#alarm = setTimeout(() => {
      const isDue = this.#hasNews || performance.now() - this.#lookedAt >= SELDOM;
      if (isDue && !document.hidden) this.#load();
      else this.#lookAgain();
    }, this.#rest);
  }

  #loadIn(milliseconds) {
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(() => this.#load(), milliseconds);
  }

  async #load() {
    this.#hasNews = false;
    this.#lookedAt = performance.now();
    const { signal } = this.#asking;
    try {
      const story = await askJson(`v1/calls/${encodeURIComponent(this.#id)}/story`, { signal });
      if (signal.aborted) return;
      this.#trouble(null);
      this.#show(story);
      this.#rest = Math.max(AGAIN, SHARE * (performance.now() - this.#lookedAt));
      if (story.is_live && !this.#isOver) this.#lookAgain();
    } catch (error) {
      if (signal.aborted) return;
      this.#trouble(error);
      if (!this.#story) $("title").textContent = "This call cannot be shown";
      else if (error.status === 0) this.#loadIn(SELDOM);
    } finally {
      if (!signal.aborted) $("call").removeAttribute("aria-busy");
    }
  }

  #show(story) {
    this.#story = story;
    document.title = `${parties(story)} · voice-gateway`;
    write($("title"), parties(story));
    const trunk = story.trunk ? ` · trunk ${story.trunk}` : "";
    const end = story.is_live ? "live" : `ended ${ending(story)}`;
    write($("call-when"), `${when(story.started_at)} · ${clock(story.duration)} · ${end}${trunk}`);
    showFacts(story, $("call-facts"));
    this.#picture.show(story);
    this.#said.show(story);
    const seek = (at) => this.#listen(at);
    showWaits(story, { list: $("waits"), legend: $("waits-legend"), none: $("waits-none"), seek });
    showQuality(story, $("quality"));
    this.#steps.show(story);
    this.#supervision.show(story);
    this.#showRecording(story);
  }

  #showRecording(story) {
    this.#player.open(story.call_id, story.takes);
    $("player").hidden = !this.#player.hasSound;
    $("save").hidden = story.is_live;
    $("silent").hidden = this.#player.hasSound;
    $("silent").textContent = story.is_live
      ? "The recording can be played when the call is over."
      : "There is no recording of this call. Recordings are kept where media.recordings names a folder and a rule begins one.";
    $("position").max = story.duration;
    this.#showTime();
  }

  // Listening

  #listen(seconds) {
    this.#go(seconds, { andPlay: true });
  }

  #go(seconds, options) {
    if (!this.#player.hasSound) this.#picture.place(seconds, false);
    this.#player.seek(seconds, options).catch((error) => this.#trouble(error));
  }

  #toggle() {
    if (this.#player.hasSound) this.#player.toggle().catch((error) => this.#trouble(error));
  }

  #showTime() {
    if (!this.#story) return;
    const { time, isPlaying, hasSound } = this.#player;
    $("clock").textContent = `${clock(time, 1)} / ${clock(this.#story.duration)}`;
    $("position").value = time;
    $("position").setAttribute("aria-valuetext", clock(time, 1));
    if (hasSound) this.#picture.place(time, isPlaying);
    this.#said.mark(hasSound && (isPlaying || time > 0) ? time : -1);
  }

  #showState() {
    $("play").setAttribute("aria-label", this.#player.isPlaying ? "Pause" : "Play");
  }

  async #save() {
    try {
      const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const answer = await ask(`v1/calls/${encodeURIComponent(this.#id)}/picture.png?theme=${theme}`);
      const address = URL.createObjectURL(await answer.blob());
      const link = Object.assign(document.createElement("a"), { href: address, download: `${this.#id}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      this.#trouble(error);
    }
  }
}
