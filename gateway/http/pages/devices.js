// Which microphone is spoken into and which speaker is heard, and that both are remembered.

const CHOSEN = "voice-gateway.";
const UNNAMED = new Set(["", "default", "communications"]); // the browser's own choice

export class Devices {
  #microphones;
  #speakers;
  #audio;

  /**
   * @param {{microphones: HTMLSelectElement, speakers: HTMLSelectElement,
   *          audio: HTMLAudioElement, change: (deviceId: string) => void}} options
   *        change: another microphone is wanted
   */
  constructor({ microphones, speakers, audio, change }) {
    this.#microphones = microphones;
    this.#speakers = speakers;
    this.#audio = audio;
    speakers.closest("label").hidden = !("setSinkId" in audio);
    microphones.addEventListener("change", () => {
      localStorage.setItem(`${CHOSEN}microphone`, microphones.value);
      change(microphones.value);
    });
    speakers.addEventListener("change", () => {
      localStorage.setItem(`${CHOSEN}speaker`, speakers.value);
      this.useSpeaker();
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => this.refresh());
    this.refresh();
  }

  /** The microphone that was chosen; empty: the browser's choice. */
  get microphone() {
    return this.#microphones.value;
  }

  /** Asks what there is; names are told only once the microphone was allowed. */
  async refresh() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    list(this.#microphones, all, "audioinput", localStorage.getItem(`${CHOSEN}microphone`));
    list(this.#speakers, all, "audiooutput", localStorage.getItem(`${CHOSEN}speaker`));
  }

  /** Plays through the chosen speaker; where that is gone, through the browser's choice. */
  async useSpeaker() {
    await this.#audio.setSinkId?.(this.#speakers.value).catch(() => (this.#speakers.value = ""));
  }
}

function list(select, devices, kind, chosen) {
  const named = devices.filter((one) => one.kind === kind && !UNNAMED.has(one.deviceId));
  const options = named.map(({ label, deviceId }, place) => {
    const word = kind === "audioinput" ? "Microphone" : "Speaker";
    return new Option(label || `${word} ${place + 1}`, deviceId);
  });
  select.replaceChildren(new Option("As the browser chooses", ""), ...options);
  select.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
}
