// The work behind an answer: reasoning, tool calls and usage.

import { element } from "/static/dom.js";
import { note } from "/static/bubbles.js";

const calls = new Map(); // lines of calls without a result, by the call's id
const WHY = { stopped: "Stopped.", timeout: "Stopped: it took too long.", error: "Stopped by an error." };

/** The item of a work message; none if it belongs to an earlier item. last: the bot's latest. */
export function workItem(message, last) {
  return MAKERS[message.type](message, last);
}

export const isWork = (message) => message.type in MAKERS;

function reasoning({ text }) {
  const item = element("li", "bot work");
  const details = element("details");
  const thought = element("p", "", text);
  thought.dir = "auto";
  details.append(element("summary", "", "Reasoning"), thought);
  item.append(details);
  return item;
}

function called({ name, call_id }) {
  const item = element("li", "bot work");
  const line = element("p", "tool", "Tool ");
  line.append(element("code", "", String(name)), element("span", "", " is running…"));
  item.append(line);
  calls.set(call_id, line);
  return item;
}

function returned({ call_id, failed }) {
  const line = calls.get(call_id);
  calls.delete(call_id);
  line?.classList.toggle("bad", failed);
  line?.lastElementChild.replaceChildren(failed ? " failed" : " is done");
  return null;
}

function measured({ model, input, output, cost, currency, latency }, last) {
  const parts = [model];
  if (input !== undefined || output !== undefined) parts.push(`${count(input)} tokens in, ${count(output)} out`);
  if (latency !== undefined) parts.push(`${latency.toLocaleString("en", { maximumFractionDigits: 1 })} s`);
  if (cost !== undefined) parts.push(`${cost} ${currency ?? ""}`.trim());
  if (last) note(last, parts.filter(Boolean).join(" · "));
  return null;
}

function count(tokens) {
  return (tokens ?? 0).toLocaleString("en");
}

function brokenOff({ reason }) {
  const item = element("li", "bot work");
  item.append(element("p", "broken", WHY[reason] ?? `Stopped${reason ? `: ${reason}` : ""}.`));
  return item;
}

const MAKERS = {
  reasoning,
  tool_called: called,
  tool_returned: returned,
  measured,
  broken_off: brokenOff,
};
