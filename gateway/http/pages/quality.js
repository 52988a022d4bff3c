// How well a call was heard, and what it cost.

import { settle } from "./settle.js";
import { make, milliseconds, money, percent, rating } from "./words.js";

/** The few figures at the top of a call's page. */
export function showFacts(story, list) {
  const { quality, usage } = story;
  const waits = median(story.turns.filter((turn) => turn.by === "speech").map((turn) => turn.packet_ms));
  const facts = [
    ["Codec", story.codec || "–"],
    ["MOS", rating(quality.mos)],
    ["Loss", quality.packets_received ? percent(quality.loss_percent) : "–"],
    ["Jitter", quality.packets_received ? `${quality.jitter_ms.toFixed(1)} ms` : "–"],
    ["Median wait", waits === null ? null : milliseconds(waits)],
    ["Cost", usage?.cost ? money(usage.cost) : null],
  ].filter(([, value]) => value !== null);
  settle(list, facts.map(pair));
}

export function showQuality(story, list) {
  const { quality, usage } = story;
  const tokens = usage?.tokens ?? {};
  const known = (value, shown) => (value === null || value === undefined ? null : shown(value));
  const figures = [
    ["Packets in", quality.packets_received.toLocaleString()],
    ["Packets out", quality.packets_sent.toLocaleString()],
    ["Lost", `${quality.lost.toLocaleString()} (${percent(quality.loss_percent)})`],
    ["Lost at the other side", known(quality.remote_loss_percent, percent)],
    ["Round trip", known(quality.round_trip_ms, (ms) => `${ms} ms`)],
    ["Encrypted", quality.is_encrypted ? "yes" : "no"],
    ["Link", story.transport || null],
    ["Caller spoke", known(usage?.caller_seconds, (seconds) => `${seconds.toFixed(1)} s`)],
    ["Agent spoke", known(usage?.agent_seconds, (seconds) => `${seconds.toFixed(1)} s`)],
    ["Tokens", known(tokens.total, (count) => count.toLocaleString())],
    ["of these cached", known(tokens.audio_cached, (count) => (count + tokens.text_cached).toLocaleString())],
    ["Cost", known(usage?.cost, money)],
  ].filter(([, value]) => value !== null);
  settle(list, figures.map(pair));
}

/** The middle of what is known of some figures; `null` where nothing is. */
function median(figures) {
  const known = figures.filter((one) => one !== null).sort((one, other) => one - other);
  const half = Math.floor(known.length / 2);
  if (!known.length) return null;
  return known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
}

function pair([name, value]) {
  return make("div", { data: { key: name } }, make("dt", {}, name), make("dd", {}, value));
}
