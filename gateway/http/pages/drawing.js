// Draws a story on a canvas. Pure: a story, rows, a window of time and a playhead in, pixels out.

import { figuresAt, strips, stripsHeight } from "./strips.js";
import { clock } from "./words.js";

const SPANS = 24; // heights of rows, pixels
const OTHER = 40;
const STEP_ROW = 12;
const AXIS = 22;
const GAP = 6;
const KEYS = 26; // room above the caller's voice
const WORDS = 18; // room above the agent's
const FOOT = 9; // below both, for when they spoke
const BAR = 3; // a stroke of a voice, with the space beside it
const SPAN_COLOURS = {
  menu: "callee",
  hold: "muted",
  transfer: "supervisor",
  callee: "callee",
  outage: "danger",
  private: "muted",
};
export const GROUPS = {
  call: "ink",
  keys: "caller",
  menu: "callee",
  speech: "caller",
  answer: "agent",
  tool: "warn",
  transfer: "callee",
  service: "muted",
  people: "supervisor",
  time: "muted",
};
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/** Where each row begins and how high it is. */
export function layout(story, width) {
  const voice = width < 600 ? 84 : 112;
  const rows = {};
  let top = 0;
  const add = (name, height) => {
    rows[name] = { top, height };
    top += height + GAP;
  };
  if (story.spans.length) add("spans", SPANS);
  for (const lane of story.lanes) {
    const isMain = lane.name === "caller" || lane.name === "agent";
    add(lane.name, isMain ? voice : OTHER);
  }
  const told = story.steps.filter((step) => !step.is_minor && step.kind !== "timer");
  rows.groups = Object.keys(GROUPS).filter((group) => told.some((step) => step.group === group));
  if (rows.groups.length) add("steps", rows.groups.length * STEP_ROW + 8);
  if (stripsHeight(story)) add("quality", stripsHeight(story));
  rows.told = told;
  rows.axis = { top: top - GAP, height: AXIS };
  rows.height = top - GAP + AXIS;
  return rows;
}

export function paint(pen, story, rows, window_, head) {
  const style = getComputedStyle(document.documentElement);
  const colours = new Map();
  const colour = (name) => {
    if (!colours.has(name)) colours.set(name, style.getPropertyValue(`--${name}`).trim());
    return colours.get(name);
  };
  const scale = window_.width / (window_.to - window_.from);
  const canvas = {
    pen,
    colour,
    font: style.fontFamily,
    ...window_,
    x: (time) => (time - window_.from) * scale,
    scale,
    head,
  };
  for (const lane of story.lanes) sheet(canvas, rows[lane.name]);
  if (rows.steps) sheet(canvas, rows.steps);
  if (rows.quality) sheet(canvas, rows.quality);
  axis(canvas, rows);
  if (rows.spans) spans(canvas, rows.spans, story.spans);
  for (const lane of story.lanes) voice(canvas, rows[lane.name], lane);
  if (rows.steps) steps(canvas, rows);
  if (rows.quality) strips(canvas, rows.quality, story);
  cuts(canvas, rows, story.interruptions);
  keys(canvas, rows.caller, story.keys);
  people(canvas, rows, story.interventions);
  if (head !== null) playhead(canvas, rows);
}

function sheet({ pen, colour, width }, row) {
  pen.fillStyle = colour("sunken");
  pen.beginPath();
  pen.roundRect(0, row.top, width, row.height, 8);
  pen.fill();
}

function axis({ pen, colour, from, to, x, width, font }, rows) {
  const step = STEPS.find((one) => (to - from) / one <= width / 70) ?? STEPS.at(-1);
  pen.font = `11px ${font}`;
  pen.textBaseline = "middle";
  for (let tick = Math.ceil(from / step); tick * step <= to; tick += 1) {
    const at = x(tick * step);
    pen.fillStyle = colour("line");
    pen.fillRect(Math.round(at), 0, 1, rows.axis.top);
    const label = clock(tick * step, step < 1 ? 1 : 0);
    const room = pen.measureText(label).width;
    pen.fillStyle = colour("muted");
    pen.textAlign = "left";
    pen.fillText(label, Math.min(Math.max(at - room / 2, 0), width - room), rows.axis.top + AXIS / 2 + 1);
  }
}

function write({ pen, font }, text, left, y, right, { size = 11, weight = 400 } = {}) {
  const room = right - left;
  if (room < 14 || !text) return;
  pen.font = `${weight} ${size}px ${font}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const whole = pen.measureText(text).width;
  if (whole <= room) return pen.fillText(text, left, y);
  let shown = text.slice(0, Math.ceil((text.length * room) / whole));
  while (shown && pen.measureText(`${shown}…`).width > room) shown = shown.slice(0, -1).trimEnd();
  if (shown.length > 1) pen.fillText(`${shown}…`, left, y);
}

/** Fills a stretch of a row, as far as it is in the window; returns its ends in pixels. */
function stretch({ pen, x, width }, span, top, height, radius = 0) {
  const left = Math.max(-8, x(span.start));
  const right = Math.min(width + 8, Math.max(x(span.end), left + 1));
  if (right < 0 || left > width) return null;
  pen.beginPath();
  pen.roundRect(left, top, right - left, height, radius);
  pen.fill();
  return [Math.max(left, 0), Math.min(right, width)];
}

function spans(canvas, row, all) {
  const { pen, colour } = canvas;
  for (const span of all) {
    const tint = colour(SPAN_COLOURS[span.kind] ?? "muted");
    const inner = { start: span.start, end: span.end - 2 / canvas.scale };
    pen.fillStyle = tint;
    pen.globalAlpha = 0.14;
    const ends = stretch(canvas, inner, row.top, row.height, 5);
    pen.globalAlpha = 1;
    if (ends) stretch(canvas, inner, row.top + row.height - 3, 3, 1.5);
    const words = span.kind === "menu" ? span.label : `${span.kind} ${span.label}`;
    if (ends) write(canvas, words, ends[0] + 7, row.top + row.height / 2 - 1, ends[1] - 5);
  }
}

function voice(canvas, row, lane) {
  const { pen, colour } = canvas;
  const tint = colour(lane.name);
  const isMain = lane.name === "caller" || lane.name === "agent";
  const spoken = lane.spans.filter((span) => span.kind !== "voice");
  const shown = spoken.length ? spoken : lane.spans;
  for (const span of shown) {
    pen.fillStyle = tint;
    pen.globalAlpha = 0.1;
    const ends = stretch(canvas, span, row.top, row.height, 4);
    pen.globalAlpha = 1;
    if (!ends) continue;
    stretch(canvas, span, row.top + row.height - 5, 3, 1.5);
    if (isMain && !lane.sound) {
      pen.globalAlpha = 0.4;
      stretch(canvas, span, row.top + row.height / 2 - 9, 18, 9);
      pen.globalAlpha = 1;
    }
    const words = lane.name === "supervisor" ? `${span.label} ${span.kind}` : span.label;
    write(canvas, words, ends[0] + 6, row.top + (isMain ? 10 : row.height / 2 - 2), ends[1] - 4);
  }
  if (spoken.length)
    for (const span of lane.spans.filter((one) => one.kind === "voice")) {
      pen.fillStyle = tint;
      pen.globalAlpha = 0.4;
      stretch(canvas, span, row.top + row.height - 8, 2);
      pen.globalAlpha = 1;
    }
  if (lane.sound) sound(canvas, row, lane, tint);
  label(canvas, lane.name, row.top + row.height - 17, tint);
}

/** Names a lane at its left end, legible over whatever is drawn there. */
function label({ pen, colour, font }, name, y, tint) {
  pen.font = `600 11px ${font}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = colour("sunken");
  pen.globalAlpha = 0.85;
  pen.beginPath();
  pen.roundRect(4, y - 8, pen.measureText(name).width + 10, 16, 5);
  pen.fill();
  pen.globalAlpha = 1;
  pen.fillStyle = tint;
  pen.fillText(name, 9, y);
}

/** Strokes as high as the voice is loud; those that were played are in full colour. */
function sound({ pen, from, to, x, scale, width, head }, row, lane, tint) {
  const { step, peaks } = lane.sound;
  const above = lane.name === "caller" ? KEYS : WORDS;
  const middle = row.top + above + (row.height - above - FOOT) / 2;
  const reach = (row.height - above - FOOT) / 2;
  const seconds = BAR / scale;
  pen.fillStyle = tint;
  for (let number = Math.floor(from / seconds); number * seconds <= to; number += 1) {
    const time = number * seconds;
    const loud = loudness(peaks, time / step, (time + seconds) / step);
    const height = Math.max(1, 2 * reach * 0.95 * loud ** 0.65);
    const left = x(time);
    if (left > width) break;
    pen.globalAlpha = head === null || time < head ? 0.95 : 0.42;
    pen.beginPath();
    pen.roundRect(left, middle - height / 2, BAR - 1, height, 1);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function loudness(peaks, from, to) {
  if (to - from < 1) {
    const place = Math.max(0, (from + to) / 2 - 0.5);
    const low = Math.floor(place);
    const [one, other] = [peaks[low] ?? 0, peaks[low + 1] ?? 0];
    return (one + (other - one) * (place - low)) / 255;
  }
  let most = 0;
  for (let place = Math.floor(from); place < to; place += 1) most = Math.max(most, peaks[place] ?? 0);
  return most / 255;
}

function steps({ pen, colour, x, width }, rows) {
  for (const step of rows.told) {
    const at = x(step.at);
    if (at < -5 || at > width + 5) continue;
    const y = rows.steps.top + 4 + (rows.groups.indexOf(step.group) + 0.5) * STEP_ROW;
    pen.fillStyle = pen.strokeStyle = colour(GROUPS[step.group] ?? "muted");
    pen.lineWidth = 1.2;
    pen.beginPath();
    if (step.kind === "action" || step.kind === "request") {
      pen.moveTo(at, y - 4);
      pen.lineTo(at + 4, y);
      pen.lineTo(at, y + 4);
      pen.lineTo(at - 4, y);
      pen.fill();
    } else {
      pen.arc(at, y, 2.6, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
}

function cuts({ pen, colour, x, width }, rows, interruptions) {
  const bottom = rows.agent.top + rows.agent.height;
  for (const cut of interruptions) {
    const at = x(cut.at);
    if (at < -5 || at > width + 5) continue;
    pen.fillStyle = pen.strokeStyle = colour("danger");
    if (cut.by === "speech") {
      pen.lineWidth = 1.4;
      pen.setLineDash([5, 3]);
      pen.beginPath();
      pen.moveTo(at, rows.caller.top + 4);
      pen.lineTo(at, bottom);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.arc(at, rows.caller.top + 6, 4, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.fillRect(at - 1.2, bottom - 9, 2.4, 9);
  }
}

function keys({ pen, colour, x, width, font }, row, all) {
  pen.font = `600 12px ${font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const key of all) {
    const at = x(key.at);
    if (at < -12 || at > width + 12) continue;
    pen.fillStyle = colour("caller");
    pen.globalAlpha = 0.5;
    pen.fillRect(at - 0.5, row.top + 20, 1, row.height - 20);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("sunken");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(at - 8.5, row.top + 4, 17, 18, 5);
    pen.fill();
    pen.stroke();
    pen.fillStyle = colour("surface");
    pen.fillText(key.key, at, row.top + 13.5);
  }
}

function people({ pen, colour, x }, rows, interventions) {
  for (const mark of interventions) {
    const at = x(mark.at);
    pen.fillStyle = colour("supervisor");
    pen.fillRect(at - 0.75, 0, 1.5, rows.axis.top);
    pen.beginPath();
    pen.moveTo(at - 5, 0);
    pen.lineTo(at + 5, 0);
    pen.lineTo(at, 7);
    pen.fill();
  }
}

function playhead({ pen, colour, x, head }, rows) {
  const at = x(head);
  pen.fillStyle = colour("ink");
  pen.fillRect(at - 1, 0, 2, rows.axis.top);
  pen.beginPath();
  pen.arc(at, rows.axis.top, 5, 0, 2 * Math.PI);
  pen.fill();
}

/** What lies under a point, each as a name and a detail. */
export function under(story, rows, time, y, reach) {
  const isIn = (row) => row && y >= row.top && y <= row.top + row.height;
  const isNear = (mark) => Math.abs(mark.at - time) <= reach;
  const holds = (span) => span.start <= time && time <= span.end;
  const found = [];
  for (const mark of story.interventions.filter(isNear)) found.push([mark.who, mark.did]);
  for (const key of story.keys.filter(isNear))
    found.push([`Key ${key.key}`, [...key.sources, key.duration_ms && `${key.duration_ms} ms`].filter(Boolean).join(", ")]);
  for (const cut of story.interruptions.filter(isNear)) {
    const by = { speech: "Barge-in", key: "Cut by a key", gateway: "Cut by the gateway" }[cut.by];
    const quick = `silent after ${Math.round((cut.silent_at - cut.at) * 1000)} ms`;
    found.push([by, cut.heard_ms === null ? quick : `${quick}; ${cut.heard_ms} ms of it were heard`]);
  }
  if (isIn(rows.spans))
    for (const span of story.spans.filter(holds)) found.push([span.kind, span.label]);
  for (const lane of story.lanes.filter((one) => isIn(rows[one.name])))
    for (const span of lane.spans.filter((one) => holds(one) && one.kind !== "voice"))
      found.push([{ speech: "Caller speaks", playout: "Agent", prompt: "Prompt" }[span.kind] ?? span.kind, span.label]);
  if (isIn(rows.quality)) found.push(...figuresAt(story, time));
  if (isIn(rows.steps)) {
    const group = rows.groups[Math.floor((y - rows.steps.top - 4) / STEP_ROW)];
    const near = rows.told.filter((step) => step.group === group && isNear(step));
    for (const step of near) found.push([step.name, step.detail]);
  }
  return found.slice(0, 6).map(([name, detail]) => [name, cutShort(detail ?? "", 120)]);
}

function cutShort(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
