// The twelve keys: by mouse, by finger, by a screen reader, and from the keyboard. A key is as
// long as it was held.

const SHORTEST = 100; // milliseconds
const LONGEST = 3_000;
const KEYS = "0123456789*#";

export class Keypad {
  #buttons;
  #press;
  #tones;
  #held = null;

  /**
   * @param {HTMLElement} group holds a button with `data-key` for each key
   * @param {{press: (key: string, milliseconds: number) => void,
   *          tones: import("./tones.js").Tones}} options
   */
  constructor(group, { press, tones }) {
    this.#press = press;
    this.#tones = tones;
    const buttons = [...group.querySelectorAll("[data-key]")];
    this.#buttons = new Map(buttons.map((button) => [button.dataset.key, button]));
    group.addEventListener("pointerdown", (event) => {
      const button = event.target.closest("[data-key]");
      if (button && event.button === 0 && !button.disabled) this.#begin(button.dataset.key);
    });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => this.#finish());
    group.addEventListener("click", (event) => this.#click(event));
    group.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long touch
    addEventListener("blur", () => this.#finish());
  }

  set isEnabled(isEnabled) {
    for (const button of this.#buttons.values()) button.disabled = !isEnabled;
    if (!isEnabled) this.#finish();
  }

  /** Takes a key of the keyboard; returns whether it is one of these. */
  keyDown(event) {
    if (!KEYS.includes(event.key) || event.key.length !== 1) return false;
    if (!event.repeat && !this.#buttons.get(event.key).disabled) this.#begin(event.key);
    return true;
  }

  keyUp(event) {
    if (event.key === this.#held?.key || event.key === "Shift") this.#finish();
  }

  /** A click that no pointer made: Enter, Space, or a screen reader's. */
  #click(event) {
    const button = event.target.closest("[data-key]");
    if (!button || event.detail > 0) return;
    this.#begin(button.dataset.key);
    setTimeout(() => this.#finish(), SHORTEST);
  }

  #begin(key) {
    this.#finish();
    this.#buttons.get(key).classList.add("held");
    this.#tones.start(key);
    const alarm = setTimeout(() => this.#finish(), LONGEST);
    this.#held = { key, since: performance.now(), alarm };
  }

  #finish() {
    if (!this.#held) return;
    const { key, since, alarm } = this.#held;
    this.#held = null;
    clearTimeout(alarm);
    this.#tones.stop();
    this.#buttons.get(key).classList.remove("held");
    const milliseconds = Math.round(performance.now() - since);
    this.#press(key, Math.min(LONGEST, Math.max(SHORTEST, milliseconds)));
  }
}
