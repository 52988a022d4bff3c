// How good the connection is, once a second: the way there and back, and what was lost on it.

const EVERY = 1_000; // milliseconds

export class Statistics {
  #timer = 0;
  #before = { received: 0, lost: 0 };
  #call;
  #show;

  /** @param {(figures: {roundTrip?: number, loss?: number}) => void} show in ms, and 0 to 1 */
  constructor(call, show) {
    this.#call = call;
    this.#show = show;
    this.#timer = setInterval(() => this.#look(), EVERY);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async #look() {
    const all = [...(await this.#call.statistics()).values()];
    const pair = all.find((one) => one.type === "candidate-pair" && one.nominated);
    const told = all.find((one) => one.type === "remote-inbound-rtp");
    const heard = all.find((one) => one.type === "inbound-rtp");
    const seconds = told?.roundTripTime ?? pair?.currentRoundTripTime;
    const losses = [told?.fractionLost, heard && this.#lost(heard)].filter(Number.isFinite);
    this.#show({
      roundTrip: seconds === undefined ? undefined : 1_000 * seconds,
      loss: losses.length ? Math.max(...losses) : undefined,
    });
  }

  /** The part of what was sent to us since the last look that did not come. */
  #lost({ packetsReceived: received = 0, packetsLost: lost = 0 }) {
    const [more, missing] = [received - this.#before.received, lost - this.#before.lost];
    this.#before = { received, lost };
    return more + missing > 0 ? Math.max(0, missing) / (more + missing) : 0;
  }
}
