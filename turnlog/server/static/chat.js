// The chat page: shows the log's messages, and keeps those that the log has not confirmed yet.

import { atWork, chunk as preview, stopping, whole } from "/static/answer.js";
import { begin, follow, past, Refused, say as send, stop as breakOff } from "/static/channel.js";
import { botBubble, note, replyButton, retold, userBubble } from "/static/bubbles.js";
import { kept } from "/static/kept.js";
import { isWork, workItem } from "/static/work.js";

const PATIENCE = 10_000;
const AGAIN = 3_000;
const FIRST_PAUSE = 500;
const LAST_PAUSE = 5_000;
const OVER = new Set(["Expired", "NotAuthenticated", "Forbidden", "Gone"]); // the session is over
const NOT_YET = new Set(["Unavailable", "TooFast", "TooMany"]);

const $ = (id) => document.getElementById(id);
const messages = $("messages");
const scroller = $("scroller");
const credential = new URLSearchParams(location.hash.slice(1)).get("token");

let session = null;
let token = null;
let seen = { event: 0 };
let before = null; // the event before which older messages are
let ready = false;
let stop = new AbortController();
let wake = () => {};
let renewal = 0;

const shown = new Map(); // items by the number of their message's event
const waiting = new Map(); // items by the id of an unconfirmed message

// --- the session ---------------------------------------------------------------------------------

async function run() {
  for (let pause = FIRST_PAUSE; pause; ) {
    try {
      if (session === null) await enter();
      await follow(token, seen, { opened, came, chunk, typing }, stop.signal);
      pause = FIRST_PAUSE;
    } catch (error) {
      if (stop.signal.aborted) pause = FIRST_PAUSE;
      else if (refused(error)) pause = Math.min(pause * 2, LAST_PAUSE);
      else return;
    }
    if (!stop.signal.aborted) await sleep(pause);
    stop = new AbortController();
  }
}

function sleep(time) {
  return new Promise((done) => {
    wake = done;
    setTimeout(done, time);
  });
}

async function enter() {
  const begun = await begin(credential, kept.token);
  const said = await past(begun.token);
  clear();
  kept.begin(begun.session_id, begun.token);
  ({ session_id: session, token } = begun);
  seen = { event: said.last };
  renew(begun.expires_in);
  $("no-bot").hidden = begun.bot;
  older(said);
  offer(said.messages.findLast((message) => message.type.endsWith("_uttered")));
  for (const message of kept.outbox) pending(message);
  toEnd();
}

function renew(life) {
  clearTimeout(renewal);
  renewal = setTimeout(async () => {
    try {
      const begun = await begin(credential, token);
      token = begun.token;
      kept.begin(session, token);
      renew(begun.expires_in);
    } catch {
      renew(life / 2);
    }
  }, Math.min((life * 1000) / 2, 2 ** 30));
}

function opened() {
  ready = true;
  say_status("Connected", false);
  $("empty").hidden = messages.childElementCount > 0;
  deliver();
}

/** Whether a retry can succeed. */
function refused(error) {
  ready = false;
  atWork(false);
  say_status("Reconnecting…", true);
  if (!(error instanceof Refused) || error.reason === "Unavailable") return true;
  const again = kept.token !== null && OVER.has(error.reason);
  if (again) kept.forget();
  if (again || error.reason === "Restored") session = null; // a backup older than the shown messages
  else if (OVER.has(error.reason)) say_status(`Not connected: ${error.message}`, true);
  return again || !OVER.has(error.reason);
}

function clear() {
  messages.replaceChildren();
  $("replies").replaceChildren();
  atWork(false);
  shown.clear();
  waiting.clear();
}

function say_status(text, away) {
  $("status").textContent = text;
  $("status").classList.toggle("away", away);
}

// --- what comes in -------------------------------------------------------------------------------

/** Adds all messages that came together, so that they are laid out once. */
function came(list) {
  const wasAtEnd = atEnd();
  const items = list.map(itemOf).filter(Boolean);
  messages.insertBefore(fragment(items), [...waiting.values()].find((item) => item.isConnected) ?? null);
  if (messages.childElementCount) $("empty").hidden = true;
  const last = list.findLast((message) => message.type.endsWith("_uttered"));
  if (last) offer(last);
  if (last?.type === "bot_uttered") whole();
  if (wasAtEnd) toEnd();
}

function fragment(items) {
  const made = document.createDocumentFragment();
  made.append(...items);
  return made;
}

/** The item of a message; none if it changes an earlier one or shows nothing. */
function itemOf(message) {
  if (message.type === "message_changed") {
    const item = shown.get(message.message);
    if (item) retold(item, message);
    return null;
  }
  const item = madeItem(message);
  if (item) shown.set(message.event, item);
  return item?.childElementCount ? item : null;
}

let latest = null; // the bot's item that shows the answer's usage

function madeItem(message) {
  if (isWork(message)) return workItem(message, latest);
  if (message.type === "user_uttered") return ownItem(message);
  latest = botBubble(message, say);
  return latest;
}

function ownItem({ message, title, message_id: id }) {
  const item = waiting.get(id) ?? userBubble(title ?? message);
  if (id) settled(id, item);
  return item;
}

function settled(id, item) {
  kept.confirm(id);
  waiting.delete(id);
  item.classList.remove("waiting", "failed");
  note(item, "");
}

/** The answers suggested by the last message. */
function offer(message) {
  const replies = message?.type === "bot_uttered" ? (message.quick_replies ?? []) : [];
  $("replies").replaceChildren(...replies.map((reply) => replyButton(reply, say)));
}

function chunk(piece) {
  const wasAtEnd = atEnd();
  preview(piece);
  if (wasAtEnd) toEnd();
}

function typing(at_work) {
  const wasAtEnd = atEnd();
  atWork(at_work);
  if (wasAtEnd) toEnd();
}

stopping(() => breakOff(token));

// --- what was said before --------------------------------------------------------------------------

function older(said) {
  const left = scroller.scrollHeight - scroller.scrollTop;
  $("log").ariaBusy = "true"; // a screen reader must not read it all again
  messages.prepend(fragment(said.messages.map(itemOf).filter(Boolean)));
  $("log").ariaBusy = "false";
  before = said.before;
  $("older").hidden = before === null;
  scroller.scrollTop = scroller.scrollHeight - left;
}

let asking = false;

async function askOlder() {
  if (asking || before === null) return;
  asking = true;
  const began = session;
  try {
    const said = await past(token, before);
    if (session === began) older(said);
  } catch {
    // the button stays for another try
  } finally {
    asking = false;
  }
}

$("older").addEventListener("click", askOlder);
new IntersectionObserver(([entry]) => entry.isIntersecting && askOlder(), { root: scroller }).observe($("older"));

// --- what goes out -------------------------------------------------------------------------------

function say(text, title) {
  const message = { id: crypto.randomUUID?.() ?? random(), text, title, session };
  kept.put(message);
  pending(message);
  $("replies").replaceChildren();
  toEnd();
  deliver();
}

function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pending(message) {
  if (waiting.has(message.id)) return;
  const item = userBubble(message.title ?? message.text);
  item.classList.add("waiting");
  waiting.set(message.id, item);
  messages.append(item);
  $("empty").hidden = true;
}

let delivering = false;

/** Sends the unconfirmed messages one after the other, to keep their order. */
async function deliver() {
  if (delivering) return;
  delivering = true;
  try {
    for (let next; ready && (next = unsent()); ) await attempt(next);
  } finally {
    delivering = false;
  }
}

function unsent() {
  return kept.outbox.find((message) => !message.session || message.session === session);
}

async function attempt(message) {
  const { id, text, title } = message;
  const body = { message: text, message_id: id };
  if (title && title !== text) body.metadata = { title };
  try {
    await send(token, body, PATIENCE);
    kept.confirm(id);
  } catch (error) {
    await failed(message, error);
  }
}

async function failed(message, error) {
  const item = waiting.get(message.id);
  if (!(error instanceof Refused) || NOT_YET.has(error.reason)) {
    if (item) note(item, "Not sent yet; trying again…");
    await new Promise((done) => setTimeout(done, AGAIN));
  } else if (OVER.has(error.reason)) {
    ready = false;
    session = null;
    kept.forget();
    stop.abort();
  } else {
    kept.confirm(message.id);
    if (item) unsendable(item, message, error.message);
  }
}

function unsendable(item, message, why) {
  item.classList.replace("waiting", "failed");
  note(item, `Not sent: ${why}`, () => {
    waiting.delete(message.id);
    item.remove();
    say(message.text, message.title);
  });
}

// --- the form ------------------------------------------------------------------------------------

const text = $("text");

function atEnd(slack = 80) {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < slack;
}

function toEnd() {
  scroller.scrollTop = scroller.scrollHeight;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  text.value = "";
  say(said);
  text.focus();
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("form").requestSubmit();
  }
});

$("new").addEventListener("click", () => {
  kept.drop();
  clear();
  $("older").hidden = true;
  before = null;
  session = null;
  ready = false;
  stop.abort();
  wake();
  text.focus();
});

window.addEventListener("online", () => wake());

run();
