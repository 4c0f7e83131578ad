// Elements that the views draw events with: bubbles, tools, reasoning, notes. Words are always set as text.

import { element } from "/static/dom.js";
import { fails, isUsers, kindOf } from "/static/inspect/kinds.js";
import { address } from "/static/inspect/question.js";
import { counted, length, listed, plain } from "/static/inspect/said.js";
import { linked, marked } from "/static/words.js";

/** An element that represents an event. */
export function of(item, name, className, ...content) {
  const made = element(name, className);
  made.dataset.event = item.event;
  made.append(...content);
  return made;
}

export function small(text, className = "") {
  return element("small", className, text);
}

/** A message. */
export function bubble(item, whole) {
  const { fields, type } = item;
  const side = isUsers(item) ? "user" : type === "AgentUttered" ? "bot agent" : "bot";
  const made = of(item, "div", `bubble ${side} k-said`);
  made.dir = "auto";
  if (fields.redacted) made.append(element("em", "", "redacted"));
  else if (type === "MediaAdded") made.append(medium(item));
  else made.append(...(item.marked ? marked(item.marked) : linked(fields.text ?? "")));
  const buttons = [...(fields.data?.buttons ?? []), ...(fields.data?.quick_replies ?? [])];
  if (buttons.length) made.append(small(buttons.map((button) => `[${plain(button?.title ?? button)}]`).join(" "), "choices"));
  if (!fields.text && fields.data && !buttons.length) made.append(small(plain(fields.data), "code"));
  if (item.cut) made.append(unfolding(item, whole));
  return made;
}

function medium({ fields, content }) {
  const named = [fields.kind, fields.filename, fields.mime, fields.uri].filter(Boolean).join(", ");
  return small(content ? `${named}, ${counted(content.bytes, "byte")}` : named);
}

/** A button that requests the whole value. whole: called with the event's number. */
export function unfolding(item, whole) {
  const [name, characters] = Object.entries(item.cut)[0];
  const button = element("button", "unfold", `Show all ${counted(characters, "character")} of ${name}`);
  button.type = "button";
  button.addEventListener("click", (click) => {
    click.stopPropagation();
    whole(item.event);
  });
  return button;
}

/** A link to the bytes of an event. */
export function download(conversation, { event, content }) {
  const link = element("a", "", `Download ${content.bytes.toLocaleString("en")} bytes, ${content.type}`);
  link.href = address("content", { conversation, event });
  link.download = "";
  return link;
}

/** A tool call, with its result if known. */
export function tool(call, result, whole) {
  const line = of(call, "div", "tool k-tool", element("b", "", call.fields.name ?? "tool"), ` ${listed(call.fields.arguments ?? call.fields.raw ?? "")}`);
  const took = result && call.time !== null && result.time !== null ? ` · ${length(result.time - call.time)}` : "";
  if (took) line.append(small(took));
  if (!result) line.append(small(" · no result", "soft"));
  if (call.cut) line.append(unfolding(call, whole));
  return result ? [line, returned(result, whole)] : [line];
}

export function returned(result, whole) {
  const { fields } = result;
  const line = of(result, "div", `tool result k-tool${fields.is_error ? " failed" : ""}`, fields.is_error ? "failed: " : "result: ", fields.redacted ? "redacted" : listed(fields.result ?? null));
  if (result.cut) line.append(unfolding(result, whole));
  return line;
}

export function reasoning(item) {
  const made = of(item, "details", "reasoning k-reasoning", element("summary", "", "Reasoning"));
  const thought = element("p", "", item.fields.redacted ? "redacted" : item.fields.text ?? plain(item.fields));
  thought.dir = "auto";
  made.append(thought);
  return made;
}

export function usage({ fields: { usage: took = {}, model, finish }, ...item }) {
  const parts = [model];
  if (took.input !== undefined || took.output !== undefined) parts.push(`${took.input ?? 0} tokens in, ${took.output ?? 0} out`);
  if (took.latency !== undefined) parts.push(length(took.latency));
  if (took.cost !== undefined) parts.push(`${took.cost} ${took.currency ?? ""}`.trim());
  if (finish && finish !== "stop") parts.push(finish);
  return of(item, "div", "note k-usage", parts.filter(Boolean).join(" · "));
}

/** Fields with numbers of other events: they mean little on a line; Moment shows them by name. */
const REFERENCES = new Set(["cause", "call_id"]);

/** The text of a line for an event that is not a message. */
export function what({ fields, to, type }) {
  if (fields.redacted) return "redacted";
  if (to !== undefined) return `back to after event ${to}${fields.branch ? `, on branch ${fields.branch}` : ""}`;
  const { text, intent, name } = fields;
  if (type === "SlotSet") return `${name} ${plain(fields.value ?? null)}`;
  if (text !== undefined && text !== null) return text;
  if (intent) return `${intent.name ?? "?"} ${(fields.entities ?? []).map((e) => `${e.entity}=${plain(e.value)}`).join(" ")}`;
  const shown = Object.entries(fields).filter(([name, held]) => !REFERENCES.has(name) && held !== null && typeof held !== "boolean");
  return shown.map(([, held]) => plain(held)).join("  ");
}

/** A line between messages: a session, a rewind, a failure. */
export function divider(item) {
  const kind = kindOf(item);
  return of(item, "div", `divider k-${kind}${fails(item) ? " failed" : ""}`, `${item.type}  `, small(what(item)));
}

/** One event on its own line. */
export function line(item) {
  const made = of(item, "div", `line k-${kindOf(item)}${fails(item) ? " failed" : ""}`, small(String(item.event)), element("b", "", item.type), ` ${what(item)}`);
  if (item.branch) made.title = `branch ${item.branch}, turn ${item.branch_turn}`;
  return made;
}

/** The results of calls among some events: Map of the call's event to the result. */
export function answers(items) {
  const open = [];
  const found = new Map();
  for (const item of items) {
    if (item.type === "ToolCalled") open.push(item);
    if (item.type !== "ToolReturned") continue;
    const id = item.fields.call_id ?? null;
    const index = id === null ? firstOfNewest(open) : open.findLastIndex((call) => (call.fields.call_id ?? null) === id);
    if (index >= 0) found.set(open.splice(index, 1)[0].event, item);
  }
  return found;
}

/** For concurrent calls without an id, the first of the newest. */
function firstOfNewest(open) {
  const unnamed = (call) => (call?.fields.call_id ?? null) === null;
  let index = open.findLastIndex(unnamed);
  while (unnamed(open[index - 1]) && open[index - 1]?.event === open[index].event - 1) index--;
  return index < 0 ? open.length - 1 : index;
}
