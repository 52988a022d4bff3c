// The phone: what its buttons do, and what it shows of the call.

import { Call } from "./call.js";
import { Conversation } from "./conversation.js";
import { Devices } from "./devices.js";
import { Keypad } from "./keypad.js";
import { Meters } from "./meters.js";
import { ask } from "./session.js";
import { Statistics } from "./statistics.js";
import { Tones } from "./tones.js";

const $ = (id) => document.getElementById(id);

const HOLD_AFTER = 1_000; // milliseconds without the service
const HEADLINES = {
  asking: ["One moment", "Allow the microphone: your browser asks for it."],
  connecting: ["Connecting", "Reaching the gateway."],
  reconnecting: ["Reconnecting", "The connection is lost for the moment; the call goes on."],
};
const ACTIVITIES = {
  away: "One moment",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  tool: "Looking something up",
  menu: "Your choice",
  collect: "Enter your number",
  transfer: "Transferring",
  silent: "With a person",
};
const DETAILS = {
  away: "The service is away; please hold.",
  menu: "Press a key.",
  collect: "Press its keys, then the pound key.",
};
const NAMES = { caller: "caller-name", agent: "agent-name", callee: "agent-name" };

/** @type {Call | null} */
let call = null;
let statistics = null;
let clock = 0;
let hold = 0;

let audioContext;
/** One for all sounds of the page, made by the first press of a button. */
function audio() {
  audioContext ??= new AudioContext({ latencyHint: "interactive" });
  if (audioContext.state === "suspended") audioContext.resume();
  return audioContext;
}

const conversation = new Conversation($("captions"), $("spoken"));
const meters = new Meters($("page"));
const keypad = new Keypad($("keypad"), {
  press: (key, milliseconds) => call?.press(key, milliseconds),
  tones: new Tones(audio),
});
const devices = new Devices({
  microphones: $("microphones"),
  speakers: $("speakers"),
  audio: $("sound"),
  change: (deviceId) => isLive() && changeMicrophone(deviceId),
});

function isLive() {
  return call !== null && call.state !== "ended";
}

function isTalking() {
  return call?.state === "talking" || call?.state === "reconnecting";
}

// ---- what one can do ----

function begin() {
  audio();
  conversation.clear();
  for (const fact of ["answer", "round-trip", "loss"]) $(fact).textContent = "–";
  $("story").hidden = true;
  call = new Call();
  call.addEventListener("state", show);
  call.addEventListener("sound", showSound);
  call.addEventListener("unplugged", () => changeMicrophone(""));
  call.addEventListener("notice", ({ detail }) => take(detail));
  show();
  call.start(devices.microphone);
}

function toggleMute() {
  call.mute(!call.isMuted);
  $("mute").setAttribute("aria-pressed", call.isMuted);
  announce(call.isMuted ? "You are muted." : "You are heard again.");
}

async function changeMicrophone(deviceId) {
  try {
    await call.useMicrophone(deviceId);
  } catch {
    tell("This microphone cannot be used. Choose another, below the conversation.", true);
  }
}

$("call").addEventListener("click", ({ detail }) => {
  if (detail > 1) return; // the second half of a double click
  if (isLive()) call.hangUp();
  else begin();
});
$("mute").addEventListener("click", toggleMute);
$("keys").addEventListener("click", () => openKeypad($("keypad").hidden));

function openKeypad(isOpen) {
  $("keypad").hidden = !isOpen;
  $("keys").setAttribute("aria-expanded", isOpen);
}

addEventListener("keydown", (event) => {
  const isElsewhere = event.ctrlKey || event.altKey || event.metaKey || event.isComposing;
  if (isElsewhere || !$("shortcuts").checked || event.target.matches("select, input")) return;
  if (event.key === "Enter" && event.target === document.body && !isLive()) begin();
  else if (event.key === "Escape" && isLive()) call.hangUp();
  else if (event.key.toLowerCase() === "m" && !event.repeat && isLive()) toggleMute();
  else if (!keypad.keyDown(event)) return;
  event.preventDefault();
});
addEventListener("keyup", (event) => keypad.keyUp(event));
addEventListener("pagehide", () => call?.leave());

$("shortcuts").checked = localStorage.getItem("voice-gateway.shortcuts") !== "off";
$("shortcuts").addEventListener("change", ({ target }) => {
  localStorage.setItem("voice-gateway.shortcuts", target.checked ? "on" : "off");
});

// ---- what is shown ----

function show() {
  const { state } = call;
  $("page").dataset.state = state;
  const isOver = state === "ended";
  $("call").classList.toggle("primary", isOver);
  $("call").classList.toggle("danger", !isOver);
  const stopping = isTalking() ? "Hang up" : "Cancel";
  $("call").lastElementChild.textContent = isOver ? "Call again" : stopping;
  $("mute").disabled = isOver;
  keypad.isEnabled = isTalking();
  if (state === "talking") showTalking();
  else if (isOver) showEnd();
  else {
    const [headline, detail] = HEADLINES[state];
    $("headline").textContent = headline;
    tell(detail);
    announce(`${headline}. ${detail}`);
  }
}

function showTalking() {
  showActivity({ agent: $("page").dataset.activity });
  announce("Connected.");
  $("timer").hidden = false;
  clock ||= setInterval(showTime, 250);
  statistics ??= new Statistics(call, showFigures);
  devices.refresh().then(() => devices.useSpeaker());
}

function showEnd() {
  clearInterval(clock);
  clearTimeout(hold);
  clock = 0;
  statistics?.stop();
  statistics = null;
  meters.stop();
  for (const who of Object.keys(NAMES)) showSpeaking(who, false);
  $("sound").srcObject = null;
  $("timer").hidden = true;
  $("mute").setAttribute("aria-pressed", "false");
  $("page").dataset.activity = "";
  const wasTalking = call.startedAt > 0;
  $("headline").textContent = wasTalking || !call.isFault ? "Call ended" : "No call";
  tell(call.reason, call.isFault);
  announce(`${$("headline").textContent}. ${call.reason}`);
  if (!wasTalking) return;
  conversation.note(`The call lasted ${$("timer").textContent}`);
  offerStory(call);
}

/** Links to the call's story, where we may see it. */
async function offerStory(ended) {
  try {
    await ask(`v1/calls/${encodeURIComponent(ended.callId)}`);
  } catch {
    return;
  }
  if (call !== ended) return;
  $("story").href = `console#call=${encodeURIComponent(ended.callId)}`;
  $("story").hidden = false;
}

function showSound() {
  if (call.microphone) meters.watch("caller", $("caller-level"), audio(), call.microphone);
  if (!call.sound || $("sound").srcObject === call.sound) return;
  $("sound").srcObject = call.sound;
  meters.watch("agent", $("agent-level"), audio(), call.sound);
}

function showTime() {
  const seconds = Math.floor((performance.now() - call.startedAt) / 1_000);
  const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0")];
  const text = `${minutes}:${rest}`;
  if ($("timer").textContent !== text) $("timer").textContent = text;
}

function showFigures({ roundTrip, loss }) {
  if (roundTrip !== undefined) $("round-trip").textContent = duration(roundTrip);
  if (loss !== undefined) $("loss").textContent = `${(100 * loss).toFixed(1)} %`;
}

function showActivity({ agent }) {
  clearTimeout(hold);
  $("page").dataset.activity = agent;
  // At the beginning of a call, and between two sessions, it is away for a moment alone.
  if (agent === "away") hold = setTimeout(showDoing, HOLD_AFTER, agent);
  else showDoing(agent);
}

function showDoing(agent) {
  if (call.state !== "talking") return;
  $("headline").textContent = ACTIVITIES[agent] ?? "Connected";
  tell(DETAILS[agent] ?? "");
}

function showSpeaking(who, isOn) {
  $(NAMES[who] ?? NAMES.agent).classList.toggle("speaking", isOn);
}

function take(notice) {
  conversation.take(notice);
  if (notice.type === "activity") showActivity(notice);
  else if (notice.type === "speaking") showSpeaking(notice.who, notice.is_on);
  else if (notice.type === "turn") $("answer").textContent = duration(notice.ms);
}

function duration(milliseconds) {
  if (milliseconds < 1) return "< 1 ms";
  return milliseconds < 1_000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1_000).toFixed(1)} s`;
}

function tell(detail, isBad = false) {
  $("detail").textContent = detail;
  $("detail").classList.toggle("bad", isBad);
}

function announce(text) {
  $("announced").textContent = text;
}

openKeypad(matchMedia("(min-width: 52rem)").matches);
if (!("RTCPeerConnection" in window)) {
  $("call").disabled = true;
  tell("This browser cannot call. Use another, or allow WebRTC in its settings.", true);
}
