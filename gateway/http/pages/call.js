// One call: the microphone, the peer connection, and what both sides tell each other beside the
// sound. It tells its owner by events: "state", "notice" (as the gateway tells them), "sound" (of
// either side, when it comes or changes), "unplugged" (the microphone is gone).

import { Refusal } from "./session.js";
import { Resource } from "./whip.js";

const CONNECT_WITHIN = 20_000; // milliseconds
const HOLD_OUT = 30_000; // without a way to the gateway
const PATIENCE = 1_500; // before another way is looked for: most gaps are short
const TOGETHER = 40; // candidates that are found within this go in one request
const CLOSE_WITHIN = 1_000;
const ASKED = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** @typedef {"asking" | "connecting" | "talking" | "reconnecting" | "ended"} State */

export class Call extends EventTarget {
  /** @type {State} */
  state = "asking";
  reason = ""; // why it ended, as a sentence
  isFault = false; // whether it should not have ended like that
  callId = "";
  isMuted = false;
  startedAt = 0; // performance.now() of the first sound; 0: not yet
  /** @type {MediaStream | null} */
  microphone = null;
  /** @type {MediaStream | null} */
  sound = null;

  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #channel = this.#peer.createDataChannel("gateway");
  #sender;
  #resource = null;
  #giveUp = new AbortController();
  #found = []; // candidates that the gateway does not know yet
  #canTrickle = true;
  #alarm = 0;
  #restartAt = 0;
  #isRestarting = false;

  async start(deviceId = "") {
    this.#watch();
    try {
      const microphone = await openMicrophone(deviceId);
      if (this.state === "ended") return stop(microphone);
      this.#take(microphone);
      this.#turn("connecting");
      this.#alarm = setTimeout(() => this.#end(NO_WAY, true), CONNECT_WITHIN);
      await this.#connect();
    } catch (error) {
      this.#end(explain(error), true);
    }
  }

  hangUp() {
    this.#end("You hung up.");
  }

  /** The page goes away: tells the gateway in a request that outlives it. */
  leave() {
    this.#resource?.close({ isLeaving: true });
    this.#resource = null;
    this.#end("The page was left.");
  }

  mute(isMuted) {
    this.isMuted = isMuted;
    this.microphone?.getAudioTracks().forEach((track) => (track.enabled = !isMuted));
  }

  /** Sends a key: as an event among the sound (RFC 4733), else by the data channel. */
  press(key, milliseconds) {
    const tones = this.#sender?.dtmf;
    if (tones?.canInsertDTMF) tones.insertDTMF(tones.toneBuffer + key, milliseconds, 70);
    else if (this.#channel.readyState === "open") {
      this.#channel.send(JSON.stringify({ type: "key", key, duration_ms: milliseconds }));
    }
  }

  /** Speaks through another microphone from now on. */
  async useMicrophone(deviceId) {
    const next = await openMicrophone(deviceId);
    if (this.state === "ended") return stop(next);
    stop(this.microphone);
    this.#take(next);
    await this.#sender?.replaceTrack(next.getAudioTracks()[0]);
    this.dispatchEvent(new Event("sound"));
  }

  #take(microphone) {
    this.microphone = microphone;
    this.mute(this.isMuted);
    const [track] = microphone.getAudioTracks();
    track.addEventListener("ended", () => this.dispatchEvent(new Event("unplugged")));
  }

  statistics() {
    return this.#peer.getStats();
  }

  async #connect() {
    const peer = this.#peer;
    const [track] = this.microphone.getAudioTracks();
    this.#sender = peer.addTransceiver(track, { streams: [this.microphone] }).sender;
    this.dispatchEvent(new Event("sound"));
    const offer = await peer.createOffer();
    // Nothing is gathered before the gateway has named the servers to gather from.
    const resource = await Resource.open(offer.sdp, this.#giveUp.signal);
    if (this.state === "ended") return resource.close();
    this.#resource = resource;
    this.callId ||= resource.id;
    if (resource.iceServers.length) {
      peer.setConfiguration({ ...peer.getConfiguration(), iceServers: resource.iceServers });
    }
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: "answer", sdp: resource.answer });
  }

  #watch() {
    const peer = this.#peer;
    peer.addEventListener("track", ({ track, streams }) => {
      this.sound = streams[0] ?? new MediaStream([track]);
      this.dispatchEvent(new Event("sound"));
    });
    peer.addEventListener("icecandidate", ({ candidate }) => this.#note(candidate));
    peer.addEventListener("connectionstatechange", () => this.#follow(peer.connectionState));
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data));
    this.#channel.addEventListener("close", () => this.#letGo("The gateway ended the call."));
    addEventListener("online", () => this.#restart(), { signal: this.#giveUp.signal });
  }

  #hear(data) {
    const notice = JSON.parse(data);
    this.callId = notice.call_id ?? this.callId;
    this.dispatchEvent(new CustomEvent("notice", { detail: notice }));
    if (notice.type === "call.ended") this.#letGo(farewell(notice.call ?? {}));
  }

  #note(candidate) {
    if (!this.#found.length) setTimeout(() => this.#tellFound(), TOGETHER);
    this.#found.push(candidate?.candidate ? candidate : null);
  }

  async #tellFound() {
    const found = this.#found.splice(0);
    if (!this.#resource || !this.#canTrickle || this.#isRestarting) return;
    try {
      await this.#resource.trickle(this.#peer.localDescription.sdp, found);
    } catch {
      this.#canTrickle = false; // the gateway finds us by what it hears from us
    }
  }

  #follow(connection) {
    if (this.state === "ended") return;
    if (connection === "connected") {
      clearTimeout(this.#alarm);
      this.startedAt ||= performance.now();
      this.#turn("talking");
    } else if (connection === "disconnected" || connection === "failed") {
      if (this.state === "talking") {
        this.#turn("reconnecting");
        this.#alarm = setTimeout(() => this.#end(LOST, true), HOLD_OUT);
      }
      setTimeout(() => this.#restart(), connection === "failed" ? 0 : PATIENCE);
    }
  }

  /** Looks for another way to the gateway, again until there is one or the time is up. */
  async #restart() {
    if (this.state !== "reconnecting" || this.#isRestarting) return;
    this.#isRestarting = true;
    let again = 4 * PATIENCE;
    try {
      const offer = await this.#peer.createOffer({ iceRestart: true });
      await this.#peer.setLocalDescription(offer);
      const answer = await this.#resource.restart(offer.sdp);
      await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      if (error.status === 404) this.#end(LOST, true);
      again = PATIENCE;
    }
    this.#isRestarting = false;
    clearTimeout(this.#restartAt);
    this.#restartAt = setTimeout(() => this.#restart(), again);
  }

  #turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** The gateway has ended it: there is nothing left there to end. */
  #letGo(reason) {
    this.#resource = null;
    this.#end(reason);
  }

  #end(reason, isFault = false) {
    if (this.state === "ended") return;
    this.reason = reason;
    this.isFault = isFault;
    clearTimeout(this.#alarm);
    clearTimeout(this.#restartAt);
    this.#turn("ended");
    this.#giveUp.abort();
    stop(this.microphone);
    this.#close(this.#resource);
    this.#resource = null;
  }

  /** Ends it at the gateway first: a connection that closes unannounced could be a lost one. */
  async #close(resource) {
    await Promise.race([resource?.close(), new Promise((done) => setTimeout(done, CLOSE_WITHIN))]);
    this.#peer.close();
  }
}

const NO_WAY =
  "No way to the gateway's sound was found. A firewall may keep UDP away: ask for a TURN server.";
const LOST = "The connection was lost. Check your network, then call again.";

async function openMicrophone(deviceId) {
  const media = navigator.mediaDevices;
  if (!media) throw new DOMException("", "SecurityError");
  const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
  return media.getUserMedia({ audio: { ...ASKED, ...device } });
}

function stop(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

const REFUSED = {
  NotAllowedError:
    "The microphone was refused. Allow it for this page, beside the address, then call again.",
  NotFoundError: "No microphone was found. Connect one, then call again.",
  NotReadableError: "The microphone is taken by another program. Close that, then call again.",
  SecurityError:
    "Browsers give the microphone only to pages on localhost or https. Open this page there.",
};

/** Why there is no call, as a sentence that says what to do. */
function explain(error) {
  if (error instanceof Refusal && error.status === 404) {
    return "This gateway takes no calls from browsers. Set webrtc.enabled = true there.";
  }
  return REFUSED[error.name] ?? (error.message || "The call could not be placed. Try again.");
}

const AWAY = "The agent could not be reached. Call again in a moment.";
const ENDS = {
  agent: "The agent ended the call.",
  rule: "The agent ended the call.",
  normal: "The agent ended the call.",
  idle: "Nobody spoke any more, so the gateway hung up.",
  "no input": "Nothing was pressed, so the gateway hung up. Call again.",
  "invalid input": "None of the keys was one to choose, so the gateway hung up. Call again.",
  "time limit": "The call had lasted as long as calls may.",
  "session limit": "The call had lasted as long as calls may.",
  "token limit": "The call had used up what a call may use.",
  "cost limit": "The call had used up what a call may use.",
  transferred: "You were transferred.",
  "transfer failed": "Nobody could be reached to take the call. Call again later.",
  "callee hung up": "The other side hung up.",
  "gateway stopped": "The gateway was stopped. Call again in a moment.",
  "internal error": "Something went wrong in the gateway. Call again.",
  "service lost": AWAY,
  "Service Unavailable": AWAY,
  "no media": "Nothing was heard from your microphone any more. Call again.",
};

/** How the call came to its end, as a sentence; a reason of the operator's own in their words. */
export function farewell({ ended_by: by, reason }) {
  if (by === "caller") return "You hung up.";
  return ENDS[reason] ?? `The gateway ended the call${reason ? `: ${reason}` : "."}`;
}
