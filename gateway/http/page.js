// Shows the gateway's address and its calls, asked for once a second.
"use strict";

function row(call) {
  const tr = document.createElement("tr");
  tr.className = call.ended_by ? "" : "live";
  const cells = [call.call_id, call.caller, call.called, call.state, call.duration.toFixed(1),
    call.ended_by ? `${call.ended_by}: ${call.reason}` : ""];
  for (const text of cells) {
    const td = document.createElement("td");
    td.textContent = text;
    tr.append(td);
  }
  return tr;
}

async function refresh() {
  const { calls } = await (await fetch("/v1/calls")).json();
  document.getElementById("none").hidden = calls.length > 0;
  document.getElementById("calls").replaceChildren(...calls.map(row));
}

async function start() {
  const facts = await (await fetch("/v1/gateway")).json();
  document.getElementById("uri").textContent = facts.sip;
  await refresh();
  setInterval(() => refresh().catch(() => {}), 1000);
}

start();
