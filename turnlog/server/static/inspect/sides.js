// Two answers side by side, with the part that differs marked.

import { element } from "/static/dom.js";
import { listed, plain } from "/static/inspect/said.js";

const LEFT_OUT = new Set(["type", "timestamp", "cause", "message", "actor", "extra"]);

/** An event in plain form, in words; anything else unchanged. */
export function words(event) {
  if (event === null || event === undefined) return "nothing";
  if (Array.isArray(event)) return event.map(words).join("; ");
  if (typeof event !== "object" || !event.type) return plain(event);
  const { type, text, name, value, arguments: given, intent, entities = [] } = event;
  if (type === "SlotSet") return `${name} ${plain(value ?? null)}`;
  if (type === "ToolCalled") return `${name}: ${listed(given ?? {})}`;
  if (intent) return `${intent.name} ${entities.map((e) => `${e.entity}=${plain(e.value)}`).join(" ")}`.trim();
  if (typeof text === "string") return text;
  const rest = Object.entries(event).filter(([key]) => !LEFT_OUT.has(key));
  return `${type} ${listed(Object.fromEntries(rest))}`;
}

/** Two columns with headings; each a list of events, or one. */
export function sideBySide(heading, one, otherHeading, other) {
  const made = element("div", "sides");
  const pairs = aligned(list(one), list(other));
  made.append(column(heading, pairs.map(([left, right]) => [left, right])), column(otherHeading, pairs.map(([left, right]) => [right, left]), "now"));
  return made;
}

const list = (held) => (Array.isArray(held) ? held : held ? [held] : []);

/** Events of both sides of the same type, in order; null where one side has none. */
function aligned(left, right) {
  const pairs = [];
  const rest = [...right];
  for (const one of left) {
    const index = rest.findIndex(({ type }) => type === one.type);
    pairs.push(...(index > 0 ? rest.splice(0, index) : []).map((other) => [null, other]));
    pairs.push([one, index < 0 ? null : rest.shift()]);
  }
  return [...pairs, ...rest.map((other) => [null, other])];
}

function column(heading, pairs, className = "") {
  const made = element("div", `side ${className}`);
  made.append(element("small", "", heading));
  for (const [shown, against] of pairs) made.append(shown === null ? element("p", "none", "nothing") : compared(shown, against));
  return made;
}

function compared(shown, against) {
  const [text, other] = [words(shown), against === null ? "" : words(against)];
  const line = element("p");
  line.title = shown.type ?? "";
  if (text === other) line.append(text);
  else line.append(...split(text, other));
  return line;
}

/** A text in three parts: equal, differing (marked), equal. Words are not cut. */
function split(text, other) {
  const [one, two] = [text.split(/(\s+)/), other.split(/(\s+)/)];
  let start = 0;
  while (start < one.length && one[start] === two[start]) start++;
  let end = 0;
  while (end < one.length - start && end < two.length - start && one.at(-1 - end) === two.at(-1 - end)) end++;
  const differing = one.slice(start, one.length - end).join("");
  const parts = [one.slice(0, start).join("")];
  if (differing) parts.push(element("mark", "", differing));
  return [...parts, one.slice(one.length - end).join("")];
}
