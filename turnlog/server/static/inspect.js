// The inspector: a list of conversations, and one of them at a moment.

import { element } from "/static/dom.js";
import * as address from "/static/inspect/address.js";
import { Flow } from "/static/inspect/flow.js";
import { head, hidden } from "/static/inspect/head.js";
import { Here } from "/static/inspect/here.js";
import { described, listen } from "/static/inspect/keys.js";
import { List } from "/static/inspect/list.js";
import { Question, address as place } from "/static/inspect/question.js";
import { Seek } from "/static/inspect/seek.js";
import { Stretch } from "/static/inspect/stretch.js";
import { Strip } from "/static/inspect/strip.js";
import { Trying } from "/static/inspect/trying.js";
import { VIEWS, blocks, top } from "/static/inspect/views.js";

const $ = (id) => document.getElementById(id);
const AT_ONCE = 120; // events that are added to a stretch as they come; more are asked for anew

let shown = {}; // what the address says; without `event` the page follows the end
let stretch = null;
let moment = 0; // number of the event
let state = null; // what is known of the moment, wherever the reader has scrolled to
let source = null;

const around = new Question("timeline");
const sides = { older: new Question("timeline"), newer: new Question("timeline") };
const whole = new Question("event");
const overview = new Question("overview");

const list = new List({ search: $("search"), box: $("list"), more: $("more"), problem: $("problem") });
const strip = new Strip($("strip"), $("slider"));
const flow = new Flow($("flow"), (side) => extend(side));
const here = new Here($, { choose, go: (event) => address.written({ ...shown, event }), fail: tell });

const seek = new Seek((words) => ($("told").textContent = words));
const trying = new Trying($, where, (to) => open(to));

// --- a conversation, and a moment of it ----------------------------------------------------------

/** step: whether the browser's back button comes back to what was before. */
async function open(asked, step = true) {
  const view = view_(asked);
  const { before, after } = VIEWS[view];
  const { conversation, event, turn } = asked;
  const window_ = await answered(around, { conversation, event, turn, before, after });
  if (!window_) return;
  const other = stretch?.conversation !== conversation;
  const followed = event === undefined && turn === undefined;
  stretch = Object.assign(new Stretch(window_), other ? {} : { rewinds: stretch.rewinds });
  stretch.note(window_.items);
  shown = { ...asked, view, turn: undefined, event: followed ? undefined : window_.event };
  if (other) enter();
  show(followed ? stretch.last : window_.event, step);
  flow.reveal(moment);
}

function enter() {
  flow.forget();
  sides.older.drop();
  sides.newer.drop();
  $("view").hidden = false;
  $("hint").hidden = true;
  document.title = `${stretch.conversation} – Inspector`;
  document.body.classList.add("reading");
  list.mark(stretch.conversation);
  strip.show(null);
  listenTo();
  survey();
}

async function survey() {
  const found = await answered(overview, { conversation: stretch.conversation });
  if (!found) return;
  stretch.noteAll(found.rewinds);
  strip.show(found);
  mark();
}

/** The answer to a question; null where it was refused, which is told, or asked anew. */
async function answered(question, query) {
  try {
    return await question.ask(query);
  } catch (error) {
    tell(error.message);
    return null;
  }
}

function tell(message) {
  if (stretch) {
    $("told").textContent = message;
    return;
  }
  $("hint").hidden = false;
  $("hint").textContent = message;
}

function listenTo() {
  source?.close();
  const { conversation, last } = stretch;
  source = new EventSource(place("live", { conversation, after: last }));
  source.onmessage = ({ data }) => {
    const items = JSON.parse(data);
    const followed = shown.event === undefined;
    // What a redaction hides, also among what is shown already, the server alone knows.
    if (items.some(({ type }) => type === "MessageRedacted")) return anew();
    const added = stretch.follow(items) && stretch.items.length < AT_ONCE + items.length;
    if (!added && followed) return open({ ...shown }, false);
    show(followed ? stretch.last : moment, false);
    surveySoon();
  };
}

function anew() {
  stretch = null;
  return open({ ...shown }, false);
}

let surveying = 0;
function surveySoon() {
  clearTimeout(surveying);
  surveying = setTimeout(survey, 1_000);
}

/** Go to a moment. */
function travel(event, more = {}) {
  const to = Math.max(0, Math.min(event, stretch.last));
  if (!stretch.covers(to)) return open({ ...shown, ...more, event: to });
  around.drop();
  shown = { ...shown, ...more, event: to };
  show(to);
}

function toTurn(turn) {
  if (turn > stretch.turns) return travel(stretch.last);
  const event = turn < 0 ? 0 : stretch.endOf(turn);
  if (event !== undefined && stretch.covers(event)) return travel(event);
  open({ ...shown, event: undefined, turn: Math.max(0, turn) });
}

function follow() {
  open({ ...shown, event: undefined });
}

// --- drawing -------------------------------------------------------------------------------------

function show(event, step = true) {
  moment = event;
  if (stretch.covers(moment)) look();
  address.write(shown, step);
  draw();
  $("top").replaceChildren(...top(stretch, shown.view));
  if (step || shown.event === undefined) flow.reveal(moment);
  draw();
  extendIfShort();
  here.show(state);
}

function look() {
  const item = stretch.item(moment);
  const [slots, changes] = [stretch.slotsAt(moment), stretch.changesAt(moment)];
  state = { conversation: stretch.conversation, moment, item, slots, changes, turn: item?.turn ?? 0, chosen: shown.slot };
}

function draw() {
  flow.show(blocks(stretch, shown.view, unfold));
  for (let spare = flow.spare(); spare; spare = flow.spare()) {
    if (spare.before) stretch.leaveBefore(spare.before);
    else stretch.leaveAfter(spare.after);
    flow.show(blocks(stretch, shown.view, unfold));
  }
  mark();
}

function mark() {
  flow.mark(moment, (number) => stretch.isUndone(number, Math.max(moment, number)));
  strip.move(moment, stretch.last, shown.slot);
  head($, stretch, shown, moment, state.turn);
}

// --- the edges -----------------------------------------------------------------------------------

async function extend(side) {
  const older = side === "older";
  if (sides[side].asking || (older ? stretch.first <= 1 : stretch.end >= stretch.last)) return;
  const [asked, { before, after }] = [stretch, VIEWS[shown.view]];
  const count = before + after;
  const query = older ? { event: asked.first - 1, before: count, after: 0 } : { event: asked.end, before: 0, after: count };
  const found = await answered(sides[side], { conversation: asked.conversation, ...query });
  sides[side].drop();
  if (!found || asked !== stretch) return;
  if (older) stretch.prepend(found);
  else stretch.append(found);
  draw();
  extendIfShort();
}

function extendIfShort() {
  if (flow.wants("older")) extend("older");
  if (flow.wants("newer")) extend("newer");
}

async function unfold(event) {
  const asked = stretch;
  const item = await answered(whole, { conversation: asked.conversation, event });
  if (!item || asked !== stretch || !stretch.item(event)) return;
  stretch.items[event - stretch.first] = { ...item, unfolded: true };
  show(moment, false);
}

// --- what a reader does --------------------------------------------------------------------------

function choose(slot) {
  shown = { ...shown, slot: shown.slot === slot ? undefined : slot };
  if (state) state.chosen = shown.slot;
  show(moment, false);
  address.write(shown);
}

function view_({ view }) {
  return view in VIEWS ? view : shown.view ?? "debug";
}

function look_(view) {
  open({ ...shown, view });
}

async function next(back, text = "") {
  try {
    const found = await seek.find(stretch.conversation, moment, text, back);
    if (found !== null) travel(found);
  } catch (error) {
    tell(error.message);
  }
}

function where() {
  const { moment: event, conversation, turn } = state;
  const message = stretch.items.find((item) => item.turn === turn && item.type === "UserUttered");
  return { conversation, moment: event, turn, message: message?.fields.text };
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(new URL(address.written({ ...shown, event: moment }), location.href).href);
    $("told").textContent = "The link to this moment is copied.";
  } catch {
    $("told").textContent = "The browser lets nothing be copied; the address is the link.";
  }
}

const KEYS = {
  ArrowLeft: ["event before; with Shift turn before", (shift) => (shift ? toTurn(state.turn - 1) : travel(moment - 1))],
  ArrowRight: ["next event; with Shift next turn", (shift) => (shift ? toTurn(state.turn + 1) : travel(moment + 1))],
  PageUp: ["ten turns back", () => toTurn(Math.max(0, state.turn - 10))],
  PageDown: ["ten turns on", () => toTurn(state.turn + 10)],
  Home: ["before the first event", () => travel(0)],
  End: ["the last event", () => travel(stretch.last)],
  l: ["follow the conversation as it goes on", follow],
  x: ["next failure", () => next(false)],
  X: ["failure before", () => next(true)],
  e: ["edit this message and go on", () => trying.edit()],
  f: ["fork here", () => trying.fork()],
  w: ["why the slot that changed last has its value", why],
  1: ["Read", () => look_("read")],
  2: ["Debug", () => look_("debug")],
  3: ["Slots", () => look_("slots")],
  4: ["Raw", () => look_("raw")],
  s: ["search in this conversation", () => $("find").focus()],
};
const ALWAYS = {
  "/": ["search the conversations", () => $("search").focus()],
  "?": ["this help", help],
};

function why() {
  const [newest] = [...state.changes].sort(([, one], [, other]) => other.event - one.event);
  const slot = newest?.[0] ?? [...state.slots.keys()][0];
  if (slot) choose(slot);
}

function help() {
  const rows = described({ ...KEYS, ...ALWAYS }).map(([key, words]) => {
    const row = element("div");
    row.append(element("kbd", "", key), ` ${words}`);
    return row;
  });
  $("keys").replaceChildren(...rows);
  $("help").showModal();
}

const guarded = Object.fromEntries(Object.entries(KEYS).map(([key, [words, act]]) => [key, [words, (shift) => stretch && state && act(shift)]]));
listen({ ...guarded, ...ALWAYS }, (field) => field.blur());

$("slider").addEventListener("input", () => travel(Number($("slider").value)));
$("prev").addEventListener("click", () => KEYS.ArrowLeft[1](false));
$("next").addEventListener("click", () => KEYS.ArrowRight[1](false));
$("prev-turn").addEventListener("click", () => KEYS.ArrowLeft[1](true));
$("next-turn").addEventListener("click", () => KEYS.ArrowRight[1](true));
$("live").addEventListener("click", () => (shown.event === undefined ? travel(moment) : follow()));
$("failure").addEventListener("click", () => next(false));
$("copy").addEventListener("click", copyLink);
$("show-help").addEventListener("click", help);
$("back").addEventListener("click", leave);
$("find").addEventListener("keydown", ({ key, shiftKey }) => key === "Enter" && $("find").value && next(shiftKey, $("find").value));
for (const name of Object.keys(VIEWS)) $(`tab-${name}`).addEventListener("click", () => look_(name));
$("tab-here").addEventListener("click", () => document.body.classList.toggle("at-moment"));
$("hide").addEventListener("change", () => {
  shown = { ...shown, hide: hidden($) };
  show(moment, false);
  address.write(shown);
});
$("view").addEventListener("click", ({ target }) => {
  const slot = target.closest("[data-slot]");
  const event = target.closest("[data-event]");
  if (target.closest("a, summary, .unfold") || getSelection().toString()) return;
  if (slot) choose(slot.dataset.slot);
  if (event) travel(Number(event.dataset.event));
});

function leave() {
  document.body.classList.remove("reading");
  history.pushState(null, "", location.pathname);
}

function fromAddress() {
  address.forget();
  const asked = address.asked();
  if (!asked.conversation) return document.body.classList.remove("reading");
  document.body.classList.add("reading");
  if (asked.event !== undefined) asked.event = Number(asked.event) || 0;
  const same = stretch?.conversation === asked.conversation && shown.view === view_(asked);
  shown = { ...asked, view: view_(asked) };
  if (same && asked.event !== undefined && stretch.covers(asked.event)) return show(asked.event, false), flow.reveal(moment);
  open(asked, false);
}

window.addEventListener("popstate", fromAddress);
fromAddress();
list.refresh();
trying.begin();
