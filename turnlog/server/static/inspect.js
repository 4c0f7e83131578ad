// The inspector: a list of conversations, and one of them at a moment.

import * as address from "/static/inspect/address.js";
import { Comparison } from "/static/inspect/comparison.js";
import { Edges } from "/static/inspect/edges.js";
import { Flow } from "/static/inspect/flow.js";
import { head, hidden } from "/static/inspect/head.js";
import { Here, newest } from "/static/inspect/here.js";
import { help, listen } from "/static/inspect/keys.js";
import { List } from "/static/inspect/list.js";
import { Live } from "/static/inspect/live.js";
import { Question } from "/static/inspect/question.js";
import { Runs } from "/static/inspect/runs.js";
import { Seek } from "/static/inspect/seek.js";
import { Shortening } from "/static/inspect/shortening.js";
import { Stretch } from "/static/inspect/stretch.js";
import { Strip } from "/static/inspect/strip.js";
import { Trying } from "/static/inspect/trying.js";
import { VIEWS, blocks, top } from "/static/inspect/views.js";
import { keys, keysAnywhere, wire } from "/static/inspect/wiring.js";

const $ = (id) => document.getElementById(id);
const AT_ONCE = 120; // new events that are added to a stretch; if more come, the page is loaded again

const WIDE = matchMedia("(width > 60rem)"); // narrower screens show the list or a conversation

let shown = {}; // the address; without `event` the page follows the end
let stretch = null;
let moment = 0; // number of the event
let state = null; // the data of the moment, wherever the reader has scrolled to
let may = null; // the reader's rights

const around = new Question("timeline");
const whole = new Question("event");
const overview = new Question("overview");

const list = new List({ search: $("search"), box: $("list"), more: $("more"), problem: $("problem") });
const strip = new Strip($("strip"), $("slider"));
const flow = new Flow($("flow"), (side) => extend(side));
const here = new Here($, { choose, go: (event) => address.written({ ...shown, event }), fail: notify });

const edges = new Edges(notify);
const seek = new Seek({ found: travel, notify });
const trying = new Trying($, () => state, (to) => open(to));
const runs = new Runs($, (group) => pick(group));
const shortening = new Shortening($, () => ({ conversation: stretch.conversation, divergence: runs.at(state.turn) }), () => runs.begin().then(compare));
const comparison = new Comparison($, (other) => open({ ...shown, ...other }));
const live = new Live({ took, hid: reload });

// --- a conversation and its moment ----------------------------------------------------------

/** step: whether the browser's back button returns to the previous view. */
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
  edges.drop();
  $("view").hidden = false;
  $("hint").hidden = true;
  document.title = `${stretch.conversation} – Inspector`;
  document.body.classList.add("reading");
  list.mark(stretch.conversation);
  strip.show(null);
  live.listen(stretch.conversation, stretch.last);
  survey();
  compare();
}

async function compare() {
  const { conversation } = stretch;
  const differs = await runs.compare(conversation);
  if (conversation !== stretch.conversation) return;
  draw();
  if (differs) flow.reveal(moment);
}

async function survey() {
  const found = await answered(overview, { conversation: stretch.conversation });
  if (!found) return;
  stretch.noteAll(found.rewinds);
  strip.show(found);
  mark();
}

/** The answer to a question; null if it was refused, with a notice, or was asked again. */
async function answered(question, query) {
  try {
    return await question.ask(query);
  } catch (error) {
    notify(error.message);
    return null;
  }
}

function notify(message) {
  if (stretch) {
    $("notice").textContent = message;
    return;
  }
  $("view").hidden = true;
  $("hint").hidden = false;
  $("hint").textContent = message;
}

function took(items) {
  const followed = shown.event === undefined;
  const added = stretch.follow(items) && stretch.items.length < AT_ONCE + items.length;
  if (!added && followed) return open({ ...shown }, false);
  show(followed ? stretch.last : moment, false);
  surveySoon();
}

function reload() {
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
  if (stretch.covers(moment)) state = { ...stretch.at(moment), chosen: shown.slot };
  address.write(shown, step);
  draw();
  $("top").replaceChildren(...top(stretch, shown.view));
  if (step || shown.event === undefined) flow.reveal(moment);
  draw();
  extendIfShort();
  here.show(state);
  comparison.show(stretch.conversation, moment, shown, stretch.origin);
}

function draw() {
  flow.show(blocks(stretch, shown.view, unfold, runs.here));
  for (let spare = flow.spare(); spare; spare = flow.spare()) {
    if (spare.before) stretch.leaveBefore(spare.before);
    else stretch.leaveAfter(spare.after);
    flow.show(blocks(stretch, shown.view, unfold, runs.here));
  }
  mark();
}

function mark() {
  flow.mark(moment, (number) => stretch.isUndone(number, Math.max(moment, number)));
  strip.move(moment, stretch.last, shown.slot);
  head($, stretch, shown, moment, state.turn);
  runs.badge(state.turn);
  shortening.allow(may, runs.at(state.turn));
}

// --- the edges -----------------------------------------------------------------------------------

async function extend(side) {
  const [asked, { before, after }] = [stretch, VIEWS[shown.view]];
  const grown = await edges.extend(asked, side, before + after);
  if (!grown || asked !== stretch) return;
  draw();
  extendIfShort();
}

function extendIfShort() {
  if (shown.view === "compare") return;
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

// --- actions of the reader --------------------------------------------------------------------------

function choose(slot) {
  shown = { ...shown, slot: shown.slot === slot ? undefined : slot };
  if (state) state.chosen = shown.slot;
  address.write(shown);
  show(moment, false);
}

function view_({ view }) {
  return view in VIEWS ? view : shown.view ?? "debug";
}

function pick(group) {
  shown = { ...shown, group };
  runs.show(group);
  if (stretch) address.write(shown);
}

function nextDifference() {
  const place = runs.after(stretch?.conversation, moment);
  if (!place) return notify("No further difference.");
  if (place.conversation === stretch?.conversation) return travel(place.event);
  return open({ ...shown, conversation: place.conversation, event: place.event });
}

function leave() {
  document.body.classList.remove("reading");
  history.pushState(null, "", location.pathname);
}

const actions = {
  travel,
  follow,
  choose,
  why: () => newest(state) && choose(newest(state)),
  copyLink: async () => notify(await address.copied({ ...shown, event: moment })),
  leave,
  nextDifference,
  seek: (back, text) => seek.find(state, text, back),
  view: (view) => open({ ...shown, view }),
  step: (by) => travel(moment + by),
  stepTurn: (by) => toTurn(by < 0 ? Math.max(by === -1 ? -1 : 0, state.turn + by) : state.turn + by),
  toggleLive: () => (shown.event === undefined ? travel(moment) : follow()),
  toDifference: () => travel(runs.named(state.turn).event),
  edit: () => trying.edit(),
  fork: () => trying.fork(),
  shorten: () => $("shorten").disabled || shortening.shorten(),
  help: () => help($, { ...here_, ...anywhere }),
  hide: () => {
    shown = { ...shown, hide: hidden($) };
    address.write(shown);
    show(moment, false);
  },
};
const [here_, anywhere] = [keys($, actions), keysAnywhere($, actions)];
const guarded = Object.entries(here_).map(([key, [words, act]]) => [key, [words, (shift) => stretch && state && act(shift)]]);
listen({ ...Object.fromEntries(guarded), ...anywhere }, (field) => field.blur());
wire($, actions);

/** For an address without a conversation: the first difference of the run, else the newest conversation. */
async function begin() {
  document.body.classList.remove("reading");
  const places = [runs.places[0], list.found[0]].filter(Boolean);
  while (WIDE.matches && places.length && !address.asked().conversation) {
    const { conversation, event } = places.shift();
    await open({ ...address.asked(), conversation, event }, false);
    if (stretch) return;
  }
}

function fromAddress() {
  address.forget();
  const asked = address.asked();
  if (!asked.conversation) return begin();
  document.body.classList.add("reading");
  if (asked.event !== undefined) asked.event = Number(asked.event) || 0;
  if (asked.at !== undefined) asked.at = Number(asked.at) || 0;
  const same = stretch?.conversation === asked.conversation && shown.view === view_(asked);
  shown = { ...asked, view: view_(asked) };
  if (asked.group !== runs.group) runs.show(asked.group);
  if (same && asked.event !== undefined && stretch.covers(asked.event)) return show(asked.event, false), flow.reveal(moment);
  open(asked, false);
}

window.addEventListener("popstate", fromAddress);
fromAddress();
const listed = list.refresh();
new Question("abilities").ask({}).catch(() => null).then((answer) => {
  may = answer;
  trying.allow(may);
  if (state) mark();
});
const compared = runs.begin().then(() => stretch && compare());
Promise.all([listed, compared]).then(() => address.asked().conversation || begin());
