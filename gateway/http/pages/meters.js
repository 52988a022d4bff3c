// How loud both sides are: the meters, and how much the agent's sign moves.

const QUIETEST = -60; // dB of full scale
const LOUDEST = -12;
const FALL = 0.12; // of the scale and frame: a meter falls more gently than it rises
const SAID_EVERY = 250; // milliseconds: what a screen reader can ask for, and still pictures

export class Meters {
  #meters = new Map();
  #frame = 0;
  #saidAt = 0;
  #isStill = matchMedia("(prefers-reduced-motion: reduce)");
  #living;

  /** @param {HTMLElement} living takes `--caller` and `--agent`, from 0 to 1 */
  constructor(living) {
    this.#living = living;
  }

  /** Watches a stream from now on. */
  watch(name, meter, context, stream) {
    this.#meters.get(name)?.source.disconnect();
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#meters.set(name, { meter, source, analyser, samples, level: 0 });
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const [name, one] of this.#meters) {
      one.source.disconnect();
      this.#show(name, one, 0);
    }
    this.#meters.clear();
  }

  #draw(now) {
    this.#frame = requestAnimationFrame((next) => this.#draw(next));
    const isSaid = now - this.#saidAt >= SAID_EVERY;
    if (isSaid) this.#saidAt = now;
    for (const [name, one] of this.#meters) {
      one.level = Math.max(loudness(one), one.level - FALL);
      if (isSaid || !this.#isStill.matches) this.#show(name, one, one.level, isSaid);
    }
  }

  #show(name, { meter }, level, isSaid = true) {
    meter.style.setProperty("--level", level.toFixed(3));
    if (isSaid) meter.setAttribute("aria-valuenow", Math.round(100 * level));
    if (!this.#isStill.matches) this.#living.style.setProperty(`--${name}-level`, level.toFixed(3));
  }
}

function loudness({ analyser, samples }) {
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
  const decibels = 10 * Math.log10(power + 1e-12);
  return Math.min(1, Math.max(0, (decibels - QUIETEST) / (LOUDEST - QUIETEST)));
}
