// Plays a call's recordings on the call's own clock. Tells its owner by events: "time", "state".

import { ask } from "./session.js";

export class Player extends EventTarget {
  #sound = new Audio();
  #callId = "";
  #takes = [];
  #loaded = new Map(); // by take: the address of what was fetched
  #take = null;
  #wanted = 0; // seconds of the call
  #gains = null;
  #sides = "both";
  #frame = 0;
  #asking = new AbortController();

  constructor() {
    super();
    this.#sound.preservesPitch = true;
    for (const name of ["play", "pause", "ended"]) this.#sound.addEventListener(name, () => this.#tell());
    this.#sound.addEventListener("seeked", () => this.#tick());
    this.#sound.addEventListener("ended", () => this.#goOn());
  }

  get isPlaying() {
    return !this.#sound.paused && !this.#sound.ended;
  }

  get hasSound() {
    return this.#takes.length > 0;
  }

  /** Seconds of the call. */
  get time() {
    return this.#take ? this.#take.start + this.#sound.currentTime : this.#wanted;
  }

  set speed(rate) {
    this.#sound.defaultPlaybackRate = this.#sound.playbackRate = rate;
  }

  /** Who is heard: "both", "caller" or "agent". */
  set sides(which) {
    this.#sides = which;
    if (this.#gains)
      for (const name of ["caller", "agent"])
        this.#gains[name].gain.value = which === "both" || which === name ? 1 : 0;
  }

  open(callId, takes) {
    if (this.#callId !== callId) {
      this.close();
      this.#callId = callId;
    }
    this.#takes = takes;
  }

  close() {
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#sound.pause();
    this.#sound.removeAttribute("src");
    this.#sound.load();
    for (const address of this.#loaded.values()) URL.revokeObjectURL(address);
    this.#loaded.clear();
    [this.#callId, this.#takes, this.#take, this.#wanted] = ["", [], null, 0];
  }

  /** Goes to a moment of the call, and plays from there if asked to. */
  async seek(seconds, { andPlay = this.isPlaying } = {}) {
    this.#wanted = seconds;
    const take = this.#takes.find((one) => seconds < one.end) ?? this.#takes.at(-1);
    if (!take) return this.#tick();
    if (take !== this.#take && !(await this.#load(take))) return;
    const within = Math.min(Math.max(0, this.#wanted - take.start), take.end - take.start);
    this.#sound.currentTime = within;
    if (andPlay) await this.#start();
    this.#tick();
  }

  async toggle() {
    if (this.isPlaying) return this.#sound.pause();
    const last = this.#takes.at(-1);
    const isAtEnd = last && this.time >= last.end - 0.05;
    await this.seek(isAtEnd ? 0 : this.time, { andPlay: true });
  }

  /** @returns {Promise<boolean>} whether it is still wanted */
  async #load(take) {
    const { signal } = this.#asking;
    const { number } = take;
    if (!this.#loaded.has(number)) {
      // A player of the browser's cannot show our token: what it is to play is fetched by us.
      const path = `v1/calls/${encodeURIComponent(this.#callId)}/recording?take=${number}`;
      const answer = await ask(path, { signal });
      const sound = await answer.blob();
      if (signal.aborted) return false;
      this.#loaded.set(number, URL.createObjectURL(sound));
    }
    if (signal.aborted) return false;
    this.#take = take;
    this.#sound.src = this.#loaded.get(number);
    return new Promise((resolve) => {
      const done = () => resolve(!signal.aborted);
      this.#sound.addEventListener("loadedmetadata", done, { once: true });
      this.#sound.addEventListener("error", () => resolve(false), { once: true });
    });
  }

  async #start() {
    this.#wire();
    await this.#sound.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // another moment was asked for meanwhile
    });
  }

  /** Mixes both sides in the middle: they are recorded one on each ear. */
  #wire() {
    if (this.#gains) return void this.#gains.caller.context.resume();
    const context = new AudioContext();
    const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    const middle = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
    const [caller, agent] = [new GainNode(context), new GainNode(context)];
    new MediaElementAudioSourceNode(context, { mediaElement: this.#sound }).connect(splitter);
    splitter.connect(caller, 0).connect(middle);
    splitter.connect(agent, 1).connect(middle);
    middle.connect(context.destination);
    this.#gains = { caller, agent };
    this.sides = this.#sides;
    context.resume();
  }

  /** The call may go on in another recording. */
  #goOn() {
    const next = this.#takes[this.#takes.indexOf(this.#take) + 1];
    if (this.#take && next) this.seek(next.start, { andPlay: true });
  }

  #tell() {
    this.dispatchEvent(new Event("state"));
    this.#tick();
  }

  #tick() {
    cancelAnimationFrame(this.#frame);
    this.dispatchEvent(new Event("time"));
    if (this.isPlaying) this.#frame = requestAnimationFrame(() => this.#tick());
  }
}
