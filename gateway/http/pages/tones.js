// What a key sounds like to the one who presses it. One pure note each, of a scale without
// half-tones: a note alone is no key to a telephone, should the microphone pick it up.

const SCALE = "123456789*0#";
const LOWEST = 392; // Hz: g'
const STEPS = [0, 2, 4, 7, 9]; // semitones
const LOUDNESS = 0.06;

export class Tones {
  #context;
  #gain = null;

  /** @param {() => AudioContext} context made when first needed: browsers want a gesture first */
  constructor(context) {
    this.#context = context;
  }

  start(key) {
    this.stop();
    const context = this.#context();
    const place = SCALE.indexOf(key);
    const semitones = 12 * Math.floor(place / STEPS.length) + STEPS[place % STEPS.length];
    const note = new OscillatorNode(context, { frequency: LOWEST * 2 ** (semitones / 12) });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setTargetAtTime(LOUDNESS, context.currentTime, 0.008);
    note.connect(gain).connect(context.destination);
    note.start();
    this.#gain = { gain, note };
  }

  stop() {
    if (!this.#gain) return;
    const { gain, note } = this.#gain;
    const now = note.context.currentTime;
    gain.gain.setTargetAtTime(0, now + 0.05, 0.04);
    note.stop(now + 0.4);
    this.#gain = null;
  }
}
