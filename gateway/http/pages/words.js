// Elements without markup, and figures as people read them.

/** Makes an element; what is text stays text, whatever it looks like. */
export function make(tag, { data = {}, aria = {}, style = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** `1:05`, with tenths where `digits` asks for them. */
export function clock(seconds, digits = 0) {
  const scale = 10 ** digits;
  const whole = Math.max(0, Math.round(seconds * scale));
  const rest = (whole / scale) % 60;
  const minutes = Math.floor(whole / scale / 60);
  const padded = rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  if (minutes < 60) return `${minutes}:${padded}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${padded}`;
}

export function milliseconds(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function percent(value) {
  return `${Number(value.toFixed(value < 1 ? 2 : 1))} %`;
}

export function money(cost) {
  if (!cost) return "–";
  return cost < 1 ? cost.toFixed(4) : cost.toFixed(2);
}

export function when(unixSeconds) {
  const date = new Date(unixSeconds * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const day = isToday ? {} : { day: "numeric", month: "short", year: "numeric" };
  return new Intl.DateTimeFormat(undefined, { ...day, ...time }).format(date);
}

export function parties(call) {
  const named = [call.caller_name, call.caller].filter(Boolean).join(" · ");
  return `${named || "unknown"} → ${call.called || "unknown"}`;
}

export function goesOn(call) {
  return !call.ended_by && call.state !== "ended";
}

/** How the call came to its end, in words. */
export function ending(call) {
  if (goesOn(call)) return call.state;
  const who = { caller: "the caller", gateway: "the gateway", peer: "the other side" };
  const by = who[call.ended_by] ?? (call.ended_by ? `the ${call.ended_by}` : "");
  const reason = call.reason ? `: ${call.reason}` : "";
  return by ? `by ${by}${reason}` : `ended${reason}`;
}

/** `good`, `warn` or `bad`, as ITU-T G.107 puts listeners' contentment. */
export function judged(mos) {
  return mos >= 4 ? "good" : mos >= 3.1 ? "warn" : "bad";
}

export function rating(mos) {
  if (mos === null || mos === undefined) return make("span", { className: "muted" }, "–");
  return make("span", { className: `rating ${judged(mos)}` }, mos.toFixed(2));
}

/** Part of the packets that were lost, in percent; `null` where none came. */
export function lossOf(media) {
  const all = (media?.packets_received ?? 0) + (media?.lost ?? 0);
  return all ? (100 * media.lost) / all : null;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}
