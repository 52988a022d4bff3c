// A supervisor's own connection to a call: its sound, and a microphone once they want to be heard.

import { Resource } from "./whip.js";

const CONNECT_WITHIN = 20_000; // milliseconds
const ASKED = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } };

export class Overhearing {
  mode = "";
  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #sender;
  #resource = null;
  #microphone = null;
  #player;
  #onEnd;
  #alarm = 0;

  /**
   * @param {HTMLAudioElement} player of what is heard
   * @param {(reason: string) => void} onEnd when it is over without our doing
   */
  constructor(player, onEnd) {
    [this.#player, this.#onEnd] = [player, onEnd];
    const channel = this.#peer.createDataChannel("gateway");
    channel.addEventListener("close", () => this.#end("The call is over.", { isOver: true }));
    this.#peer.addEventListener("track", ({ track }) => (player.srcObject = new MediaStream([track])));
    this.#peer.addEventListener("connectionstatechange", () => this.#follow());
  }

  /** @throws {import("./session.js").Refusal} */
  async join(callId, mode) {
    this.#sender = this.#peer.addTransceiver("audio", { direction: "sendrecv" }).sender;
    if (mode !== "listen") await this.openMicrophone();
    const offer = await this.#peer.createOffer();
    const resource = await Resource.open(offer.sdp, undefined, `whip?${new URLSearchParams({ call: callId, mode })}`);
    if (this.#isOver) return void resource.close();
    [this.#resource, this.mode] = [resource, mode];
    if (resource.iceServers.length)
      this.#peer.setConfiguration({ ...this.#peer.getConfiguration(), iceServers: resource.iceServers });
    this.#peer.addEventListener("icecandidate", ({ candidate }) => this.#trickle(candidate));
    this.#alarm = setTimeout(() => this.#end("No way to the gateway was found."), CONNECT_WITHIN);
    await this.#peer.setLocalDescription(offer);
    await this.#peer.setRemoteDescription({ type: "answer", sdp: resource.answer });
  }

  async openMicrophone() {
    if (this.#microphone) return;
    try {
      this.#microphone = await navigator.mediaDevices.getUserMedia(ASKED);
    } catch {
      throw new Error("The microphone is needed for this, and was refused. Allow it for this page.");
    }
    await this.#sender.replaceTrack(this.#microphone.getAudioTracks()[0]);
  }

  /** `isOver`: the call has ended, and the gateway has nothing of us left to end. */
  leave({ isOver = false, isLeaving = false } = {}) {
    if (!isOver) this.#resource?.close({ isLeaving });
    this.#resource = null;
    this.#close();
  }

  get #isOver() {
    return this.#peer.connectionState === "closed";
  }

  async #trickle(candidate) {
    const found = [candidate?.candidate ? candidate : null];
    // Where that fails, the gateway finds us by what it hears from us.
    await this.#resource?.trickle(this.#peer.localDescription.sdp, found).catch(() => {});
  }

  #follow() {
    const state = this.#peer.connectionState;
    if (state === "connected") clearTimeout(this.#alarm);
    if (state === "failed") this.#end("The connection was lost.");
  }

  #end(reason, how) {
    if (this.#isOver) return;
    this.leave(how);
    this.#onEnd(reason);
  }

  #close() {
    clearTimeout(this.#alarm);
    this.#microphone?.getTracks().forEach((track) => track.stop());
    this.#player.srcObject = null;
    this.#peer.close();
  }
}
