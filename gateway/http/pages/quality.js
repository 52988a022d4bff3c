// How well a call was heard, and what it cost.

import { settle } from "./settle.js";
import { make, milliseconds, money, percent, rating } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [BEST, WORST] = [4.5, 1];

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

export function showQuality(story, { list, line }) {
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
  draw(quality.points, story.duration, line);
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

/** A line of the scores, with a mark wherever packets were lost. */
function draw(points, duration, line) {
  const scored = points.filter((point) => point.mos !== null);
  line.toggleAttribute("hidden", scored.length < 2);
  if (scored.length < 2) return line.replaceChildren();
  const x = (point) => (300 * point.at) / duration;
  const y = (mos) => 4 + (52 * (BEST - mos)) / (BEST - WORST);
  const worst = Math.min(...scored.map((point) => point.mos));
  line.setAttribute("aria-label", `MOS over the call, ${worst.toFixed(2)} at the worst`);
  const path = document.createElementNS(SVG, "polyline");
  path.setAttribute("points", scored.map((point) => `${x(point)},${y(point.mos)}`).join(" "));
  const losses = scored.filter((point) => point.loss_percent > 0).map((point) => {
    const mark = document.createElementNS(SVG, "rect");
    const sizes = { x: x(point) - 1, width: 2, y: 52, height: 8, class: "lost" };
    for (const [name, value] of Object.entries(sizes)) mark.setAttribute(name, value);
    return mark;
  });
  line.replaceChildren(path, ...losses);
}
