// The inspector: a list of conversations, and one of them at a moment.

import { element } from "/static/dom.js";
import { Model } from "/static/model.js";
import { Rows } from "/static/rows.js";

const REFRESH = 4_000;
const PAUSE = 250;

const $ = (id) => document.getElementById(id);
const api = (path, query) => fetch(`/inspect/api/${path}?${new URLSearchParams(query)}`);

let shown = null; // the conversation's id
let model = new Model([]);
let moment = 0; // number of the event
let following = true;
let chosen = null; // the slot whose value is explained
let source = null;

// --- the list ------------------------------------------------------------------------------------

async function list() {
  const answer = await api("conversations", { search: $("search").value.trim() });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return;
  const { conversations, more } = await answer.json();
  $("list").replaceChildren(...conversations.map(line));
  $("more").hidden = !more;
}

function counted(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function line({ conversation, turns, events, last }) {
  const link = element("a");
  link.href = address(conversation);
  link.append(element("b", "", conversation), element("small", "", `${counted(turns, "turn")}, ${counted(events, "event")}${last ? `, ${clock(last)}` : ""}`));
  link.title = conversation;
  if (conversation === shown) link.setAttribute("aria-current", "true");
  const item = element("li");
  item.append(link);
  return item;
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleString();
}

function address(conversation, event) {
  return `#${new URLSearchParams({ conversation, ...(event ? { event } : {}) })}`;
}

let searching = 0;
$("search").addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(list, PAUSE);
});
setInterval(() => document.visibilityState === "visible" && list(), REFRESH);

// --- one conversation ----------------------------------------------------------------------------

async function open(conversation, event) {
  source?.close();
  const answer = await api("timeline", { conversation });
  if (!answer.ok) return say((await answer.json()).message);
  shown = conversation;
  model = new Model((await answer.json()).items);
  chosen = null;
  $("view").hidden = false;
  $("hint").hidden = true;
  $("title").textContent = conversation;
  document.title = `${conversation} – Inspector`;
  document.body.classList.add("reading");
  listen();
  event ? travel(event) : follow();
  list();
}

function say(message) {
  $("view").hidden = true;
  $("hint").hidden = false;
  $("hint").textContent = message;
}

function listen() {
  source = new EventSource(`/inspect/api/live?${new URLSearchParams({ conversation: shown, after: model.last })}`);
  source.onmessage = ({ data }) => {
    const items = JSON.parse(data);
    // What a redaction hides, also among what is shown already, the server alone knows.
    if (items.some(({ type }) => type === "MessageRedacted")) return open(shown, following ? 0 : moment);
    model.add(items);
    following ? show(model.last) : show(moment);
  };
}

function follow() {
  following = true;
  show(model.last);
  history.replaceState(null, "", address(shown));
}

let noted = 0;
function travel(event) {
  following = false;
  show(Math.max(0, Math.min(event, model.last)));
  clearTimeout(noted); // browsers allow few of these a second
  noted = setTimeout(() => shown && !following && history.replaceState(null, "", address(shown, moment)), 150);
}

function show(event) {
  moment = event;
  $("slider").max = model.last;
  $("slider").value = moment;
  $("live").setAttribute("aria-pressed", following);
  const item = model.items[moment - 1];
  const turn = item?.turn ?? 0;
  $("moment").textContent = `turn ${turn} of ${model.turns.at(-1)?.turn ?? 0} · event ${moment} of ${model.last}`;
  $("slider").setAttribute("aria-valuetext", `turn ${turn}, event ${moment}`);
  if (!$("timeline").hidden) {
    timeline.show(model.last);
    if (moment) timeline.reveal(moment - 1);
  }
  if (!$("turns").hidden) showTurns(turn);
  showSlots(item);
}

// --- the timeline --------------------------------------------------------------------------------

const MESSAGES = new Set([
  "UserUttered", "BotUttered", "AgentUttered", "SystemInstructed",
  "TextAdded", "ReasoningAdded", "RefusalAdded", "MediaAdded", "OpaqueAdded",
]);
const SESSIONS = new Set(["SessionStarted", "SessionEnded", "SessionExpired", "ConversationRestarted", "ThreadStarted", "ThreadEnded"]);
const FAILURES = new Set(["BotFailed", "DeliveryFailed", "ToolFailed", "AnswerBrokenOff", "IncidentReported"]);

const timeline = new Rows($("timeline"), (index) => {
  const item = model.items[index];
  const row = element("div", `row ${classes(item, index)}`);
  const before = model.items[index - 1];
  const opens = before?.turn !== item.turn;
  row.append(
    element("span", "turn", opens ? String(item.turn) : ""),
    element("span", "number", String(item.event)),
    element("span", "kind", item.type),
    element("span", "what", what(item)),
  );
  if (item.branch) row.title = `branch ${item.branch}, turn ${item.branch_turn}`;
  if (item.slots) row.append(element("span", "delta", delta(item.slots)));
  row.addEventListener("click", () => travel(item.event));
  return row;
});

function classes(item, index) {
  return [
    MESSAGES.has(item.type) && "message",
    item.type === "UserUttered" && "user opens",
    SESSIONS.has(item.type) && "session",
    item.to !== undefined && "rewind",
    (FAILURES.has(item.type) || item.fields.is_error) && "failed",
    model.isUndone(index, Math.max(moment, item.event)) && "struck",
    item.event > moment && "after",
    item.event === moment && "here",
  ].filter(Boolean).join(" ");
}

function what({ fields, to }) {
  if (fields.redacted) return "(redacted)";
  if (to !== undefined) return `back to after event ${to}${fields.branch ? `, on branch ${fields.branch}` : ""}`;
  const { text, name, value, intent, arguments: given, result, reason, detail } = fields;
  if (text !== undefined) return text;
  if (intent) return `${intent.name ?? "?"} ${(fields.entities ?? []).map((e) => `${e.entity}=${plain(e.value)}`).join(" ")}`;
  const { kind, source, agent, filename, uri, usage, finish, delta: changed, content, body } = fields;
  const parts = [
    name, value, given, result, reason, detail, agent, source, kind, filename, uri, usage, finish, changed, content, body,
  ].filter((part) => part !== undefined && part !== null);
  return parts.map(plain).join("  ");
}

function plain(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function delta(slots) {
  return Object.entries(slots).map(([name, value]) => (value === null ? `−${name}` : `${name}=${plain(value)}`)).join("  ");
}

// --- slots over turns ----------------------------------------------------------------------------

const heading = element("div", "head");
$("turns").append(heading);
const turns = new Rows($("turns"), (index) => {
  const { turn, event, slots } = model.turns[index];
  const before = model.turns[index - 1]?.slots ?? new Map();
  const row = element("div", `row${event === model.endOf(model.items[moment - 1]?.turn) ? " here" : ""}`);
  row.append(element("span", "cell", String(turn)));
  for (const name of model.names) {
    const value = slots.get(name);
    const changed = plain(value ?? null) !== plain(before.get(name) ?? null);
    const cell = element("span", `cell${changed ? " changed" : ""}`, value === undefined ? (changed ? "∅" : "") : plain(value));
    cell.title = value === undefined ? "" : plain(value);
    cell.addEventListener("click", () => (chosen = name));
    row.append(cell);
  }
  row.addEventListener("click", () => travel(event));
  return row;
});

function showTurns(turn) {
  heading.replaceChildren(element("span", "cell", "turn"), ...model.names.map((name) => element("span", "cell", name)));
  const index = model.turns.findIndex((row) => row.turn === turn);
  turns.show(model.turns.length);
  if (index >= 0) turns.reveal(index);
}

// --- this moment ---------------------------------------------------------------------------------

function showSlots(item) {
  const slots = model.slotsAt(moment);
  const rows = [...slots].map(([name, value]) => {
    const row = element("tr", item?.slots && name in item.slots ? "changed" : "");
    const button = element("button", "", name);
    button.type = "button";
    button.title = "Why this value?";
    button.addEventListener("click", () => explain(chosen === name ? null : name));
    const cell = element("td");
    cell.append(button);
    row.append(cell, element("td", "", plain(value)));
    return row;
  });
  $("slots").tBodies[0].replaceChildren(...rows);
  $("slots").hidden = rows.length === 0;
  $("no-slots").hidden = rows.length > 0;
  $("when").textContent = item ? `after event ${moment}${item.time ? `, ${clock(item.time)}` : ""}` : "before the first event";
  $("detail-title").textContent = item ? `${moment}: ${item.type}` : "";
  $("detail").textContent = item ? JSON.stringify(item.fields, null, 2) : "";
  $("content").replaceChildren(...(item?.content ? [download(item)] : []));
  explain(chosen);
}

function download({ event, content }) {
  const link = element("a", "", `Download ${content.bytes.toLocaleString("en")} bytes, ${content.type}`);
  link.href = `/inspect/api/content?${new URLSearchParams({ conversation: shown, event })}`;
  link.download = "";
  return link;
}

function explain(name) {
  chosen = name;
  $("why-title").hidden = name === null;
  $("why-title").textContent = name === null ? "" : `Why ${name}?`;
  $("why").replaceChildren(...(name === null ? [] : model.why(name, moment).map(reason)));
}

function reason(item) {
  const value = item.slots[chosen];
  const link = element("a", "", `event ${item.event}, ${item.type}`);
  link.href = address(shown, item.event);
  const said = model.messageOf(item.turn);
  const line = element("li");
  const became = value === null ? "was taken away" : `became ${plain(value)}`;
  line.append(link, ` in turn ${item.turn}: it ${became}`);
  if (said?.fields.text) line.append(`, after “${said.fields.text}”`);
  return line;
}

// --- moving --------------------------------------------------------------------------------------

function toTurn(step) {
  const turn = model.items[moment - 1]?.turn ?? 0;
  const index = model.turns.findIndex((row) => row.turn === turn);
  const wanted = model.turns[index < 0 ? 0 : index + step];
  travel(wanted ? wanted.event : step < 0 ? 0 : model.last);
}

const KEYS = {
  ArrowLeft: (shift) => (shift ? toTurn(-1) : travel(moment - 1)),
  ArrowRight: (shift) => (shift ? toTurn(1) : travel(moment + 1)),
  PageUp: () => toTurn(-10),
  PageDown: () => toTurn(10),
  Home: () => travel(0),
  End: () => travel(model.last),
  l: () => follow(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("search")) {
    if (event.key === "Escape") $("search").blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    return $("search").focus();
  }
  if (shown && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key](event.shiftKey);
  }
});

$("slider").addEventListener("input", () => travel(Number($("slider").value)));
$("prev").addEventListener("click", () => travel(moment - 1));
$("next").addEventListener("click", () => travel(moment + 1));
$("prev-turn").addEventListener("click", () => toTurn(-1));
$("next-turn").addEventListener("click", () => toTurn(1));
$("live").addEventListener("click", () => (following ? travel(moment) : follow()));
$("back").addEventListener("click", () => {
  location.hash = "";
  document.body.classList.remove("reading");
});

const TABS = ["timeline", "turns", "now"];
for (const name of TABS) {
  $(`tab-${name}`).addEventListener("click", () => {
    for (const other of TABS) $(`tab-${other}`).setAttribute("aria-selected", other === name);
    $("timeline").hidden = name !== "timeline";
    $("turns").hidden = name !== "turns";
    $("now").classList.toggle("shown", name === "now");
    show(moment);
  });
}

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const conversation = asked.get("conversation");
  const event = Number(asked.get("event")) || 0;
  if (!conversation) return list();
  if (conversation !== shown) return open(conversation, event);
  event ? travel(event) : follow();
}

window.addEventListener("hashchange", fromAddress);
fromAddress();
list();
