// People's say in a call that is live: they listen, speak, take over, whisper, transfer, hang up.

import { Overhearing } from "./overhear.js";
import { ask, askJson } from "./session.js";
import { make } from "./words.js";

const MODES = { listen: "You are listening. Nobody hears you.", speak: "You speak with the caller, beside the agent.", takeover: "You have taken over: the agent is silent until you leave." };

const $ = (id) => document.getElementById(id);

export class Supervision {
  #visitor = null;
  #id = "";
  #joined = null;
  #trouble;

  /** @param {(error: Error | null) => void} trouble shows what is wrong */
  constructor(trouble) {
    this.#trouble = trouble;
    for (const button of this.#modes) button.addEventListener("click", () => this.#try(() => this.#turn(button.dataset.mode)));
    $("whisper").addEventListener("submit", (event) => this.#submit(event, "whisper", "text", "The agent was told."));
    $("transfer").addEventListener("submit", (event) => this.#submit(event, "transfer", "target", "The caller is being transferred."));
    $("hang-up").addEventListener("click", () => this.#try(() => this.#hangUp()));
    addEventListener("pagehide", () => this.#joined?.leave({ isLeaving: true }));
  }

  get #modes() {
    return [...document.querySelectorAll("#supervision [data-mode]")];
  }

  /** Offers what our role may do, as long as the call goes on. */
  async show(story) {
    if (this.#id !== story.call_id) this.close();
    this.#id = story.call_id;
    if (!story.is_live) return this.close({ isOver: true });
    this.#visitor ??= await askJson("v1/visitor").catch(() => null);
    const isAllowed = ["supervisor", "admin"].includes(this.#visitor?.role);
    if (this.#id !== story.call_id) return;
    $("supervision").hidden = !isAllowed;
    const targets = this.#visitor?.targets ?? [];
    $("transfer").hidden = targets.length === 0;
    if ($("transfer").elements.target.options.length !== targets.length)
      $("transfer").elements.target.replaceChildren(...targets.map(optionOf));
  }

  close(how) {
    this.#id = "";
    $("supervision").hidden = true;
    this.#joined?.leave(how);
    this.#joined = null;
    this.#tell("");
  }

  async #turn(mode) {
    if (this.#joined?.mode === mode) {
      this.#joined.leave();
      this.#joined = null;
      return this.#tell("You have left the call.");
    }
    if (this.#joined) {
      if (mode !== "listen") await this.#joined.openMicrophone();
      await this.#do({ supervise: mode });
      this.#joined.mode = mode;
    } else {
      this.#tell("Joining…");
      const joined = new Overhearing($("overheard"), (reason) => this.#lose(joined, reason));
      this.#joined = joined;
      try {
        await joined.join(this.#id, mode);
      } catch (error) {
        this.#joined = null;
        this.#tell("");
        throw error;
      }
    }
    this.#tell(MODES[mode]);
  }

  #lose(joined, reason) {
    if (this.#joined !== joined) return;
    this.#joined = null;
    this.#tell(reason);
  }

  async #submit(event, step, field, done) {
    event.preventDefault();
    const input = event.target.elements[field];
    await this.#try(async () => {
      await this.#do({ [step]: input.value });
      if (step === "whisper") input.value = "";
      this.#tell(done);
    });
  }

  async #hangUp() {
    await ask(`v1/calls/${encodeURIComponent(this.#id)}`, { method: "DELETE" });
    this.#joined?.leave({ isOver: true }); // the gateway lets go of us with the call
    this.#joined = null;
    this.#tell("The call is being ended.");
  }

  #do(step) {
    const path = `v1/calls/${encodeURIComponent(this.#id)}/actions`;
    return ask(path, { method: "POST", json: { do: [step] } });
  }

  async #try(act) {
    try {
      await act();
      this.#trouble(null);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #tell(words) {
    $("supervised").textContent = words;
    for (const button of this.#modes)
      button.setAttribute("aria-pressed", String(this.#joined?.mode === button.dataset.mode));
  }
}

function optionOf({ name, description }) {
  return make("option", { value: name }, description ? `${name}: ${description}` : name);
}
