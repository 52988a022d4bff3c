// The console: the calls that are live and those that are over, or one call's page.

import { CallPage } from "./call-page.js";
import { FinishedCalls } from "./finished.js";
import { LiveCalls } from "./live.js";
import { askJson, follow } from "./session.js";
import { goesOn } from "./words.js";

const $ = (id) => document.getElementById(id);

const troubles = new Map(); // by who has it
const live = new LiveCalls($("live"), $("live-none"), $("live-count"));
const finished = new FinishedCalls((error) => showTrouble("search", error));
const page = new CallPage((error) => showTrouble("call", error));

/** Shows what is wrong somewhere, or with `null` that nothing is any more. */
function showTrouble(where, error) {
  if (error) troubles.set(where, error.message);
  else troubles.delete(where);
  const words = [...new Set(troubles.values())].join(" ");
  const trouble = $("trouble");
  trouble.hidden = !words;
  if (trouble.textContent !== words) trouble.textContent = words;
}

function showPulse(words, kind) {
  const pulse = $("pulse");
  pulse.className = `badge ${kind}`;
  pulse.querySelector("span").textContent = words;
}

async function takeStock() {
  try {
    const { calls } = await askJson("v1/calls?state=live&limit=500");
    live.setAll(calls.filter(goesOn));
    showTrouble("live", null);
  } catch (error) {
    showTrouble("live", error);
  }
}

function hear(notice) {
  live.hear(notice);
  page.hear(notice);
  if (notice.type === "call.ended" && !$("overview").hidden) finished.searchSoon();
}

function tell(state, refusal) {
  if (state === "open") {
    showPulse("Live", "good");
    takeStock();
  } else if (state === "lost") {
    showPulse("Reconnecting…", "warn");
  } else {
    showPulse("Not live", "bad");
    for (const part of $("overview").children) part.hidden = true;
    showTrouble("live", refusal);
  }
}

/** Shows what the address names: `#call=ID` one call, else all. */
function route() {
  const id = new URLSearchParams(location.hash.slice(1)).get("call");
  const isCall = Boolean(id);
  const wasCall = $("overview").hidden;
  $("overview").hidden = $("pulse").hidden = isCall;
  for (const part of ["call", "back", "call-when", "call-facts"]) $(part).hidden = !isCall;
  if (isCall) {
    page.open(id);
    scrollTo(0, 0);
  } else {
    page.close();
    showTrouble("call", null);
    document.title = "Console · voice-gateway";
    $("title").textContent = "Calls";
    finished.search();
    if (wasCall) $("title").focus({ preventScroll: true });
  }
}

addEventListener("hashchange", route);
route();
follow("v1/events", { hear, tell, signal: new AbortController().signal });
