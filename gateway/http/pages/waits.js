// How long the caller waited for each answer, and for what.

import { settle } from "./settle.js";
import { clock, make, milliseconds } from "./words.js";

const PARTS = [
  ["committed_ms", "committed", "turn taken"],
  ["created_ms", "created", "answer begun"],
  ["tool_ms", "tool", "tool called"],
  ["delta_ms", "delta", "first sound"],
  ["packet_ms", "packet", "first packet"],
];

export function showWaits(story, { list, legend, none, seek }) {
  const longest = Math.max(1, ...story.turns.map(lengthOf));
  none.hidden = story.turns.length > 0;
  legend.hidden = !none.hidden;
  settle(
    legend,
    PARTS.map(([, name, words]) => make("li", {}, make("i", { className: `part-${name}` }), words)),
  );
  const rows = story.turns.map((turn) => make("li", { data: { key: turn.at } }, rowOf(turn, longest, seek)));
  settle(list, rows);
}

function lengthOf(turn) {
  return Math.max(0, ...PARTS.map(([field]) => turn[field] ?? 0));
}

function rowOf(turn, longest, seek) {
  const bar = make("span", { className: "bar", aria: { hidden: "true" } });
  const told = [];
  let reached = 0;
  for (const [field, name, words] of PARTS) {
    const ms = turn[field];
    if (ms === null) continue;
    told.push(`${words} after ${milliseconds(ms)}`);
    if (ms <= reached) continue;
    bar.append(make("i", { className: `part-${name}`, style: { width: `${(100 * (ms - reached)) / longest}%` } }));
    reached = ms;
  }
  const by = turn.by === "speech" ? "words" : "key";
  const row = make(
    "button",
    { type: "button", className: "wait", title: told.join(", ") },
    make("span", { className: "numbers muted" }, `${clock(turn.at, 1)} ${by}`),
    bar,
    make("span", { className: "total numbers" }, milliseconds(lengthOf(turn))),
    make("span", { className: "visually-hidden" }, `: ${told.join(", ")}`),
  );
  row.addEventListener("click", () => seek(turn.at));
  return row;
}
