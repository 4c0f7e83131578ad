// The chat page: shows what the log says, and keeps what the log has not confirmed yet.

import { names } from "/chat/names.js";
import { io } from "/static/vendor/socket.io.js";
import { botBubble, note, replyButton, retold, userBubble } from "/static/bubbles.js";
import { kept } from "/static/kept.js";

const PATIENCE = 10_000;
const AGAIN = 3_000;
const OVER = new Set(["Expired", "NotAuthenticated", "Forbidden", "Gone"]); // the session is

const $ = (id) => document.getElementById(id);
const messages = $("messages");
const credential = new URLSearchParams(location.hash.slice(1)).get("token");

let seen = 0;
let session = null;
let ready = false;
let later = 0;
let fresh = false;

const socket = io(location.origin + names.namespace, {
  path: names.path,
  auth: credential ? { token: credential } : {},
  reconnectionDelay: 500,
  reconnectionDelayMax: 5_000,
});

// --- the session ---------------------------------------------------------------------------------

function enter() {
  const wish = fresh ? { new: true, after: 0 } : { token: kept.token, after: seen };
  socket.emit("session_request", wish);
}

function confirmed({ session_id: id, token, expires_in: life, event: last }) {
  const restored = last < seen; // from a backup older than what is shown
  if ((session !== null && session !== id) || restored) clear();
  fresh = false;
  session = id;
  kept.begin(id, token);
  if (restored) return enter();
  ready = true;
  say_status("Connected", false);
  $("empty").hidden = messages.childElementCount > 0;
  for (const message of kept.outbox) pending(message);
  flush();
  clearTimeout(later);
  later = setTimeout(enter, Math.min((life * 1000) / 2, 2 ** 30));
}

function clear() {
  seen = 0;
  messages.replaceChildren();
  $("replies").replaceChildren();
}

function refused({ reason, message, message_id: id }) {
  if (id) return failed(id, reason, message);
  if (!ready && kept.token && OVER.has(reason)) {
    kept.forget();
    clear();
    return enter();
  }
  say_status(message, true);
  if (reason === "Unavailable") setTimeout(enter, AGAIN);
}

socket.on("connect", enter);
socket.on("session_confirm", confirmed);
socket.on("chat_error", refused);
socket.on("disconnect", (why) => {
  ready = false;
  $("typing").hidden = true;
  say_status("Reconnecting…", true);
  if (why === "io server disconnect") socket.connect();
});
socket.on("connect_error", (error) => {
  say_status(socket.active ? "Reconnecting…" : `Not connected: ${error.message}`, true);
});

function say_status(text, away) {
  $("status").textContent = text;
  $("status").classList.toggle("away", away);
}

// --- what comes in -------------------------------------------------------------------------------

function shown(item, event) {
  seen = event;
  item.dataset.event = event;
  $("empty").hidden = true;
  const waiting = messages.querySelector(".waiting, .failed");
  const wasAtEnd = atEnd();
  if (!item.isConnected) messages.insertBefore(item, waiting);
  if (wasAtEnd) toEnd();
}

socket.on(names.user_message, ({ message, title, event, message_id: id }) => {
  if (event <= seen) return;
  const item = (id && find(id)) ?? userBubble(title ?? message);
  item.classList.remove("waiting", "failed");
  note(item, "");
  kept.confirm(id);
  $("replies").replaceChildren();
  const following = messages.querySelector(".waiting, .failed");
  if (item.isConnected && following) messages.insertBefore(item, following);
  shown(item, event);
});

socket.on(names.bot_message, (message) => {
  if (message.event <= seen) return;
  const item = botBubble(message, say);
  if (item.childElementCount) shown(item, message.event);
  seen = message.event;
  const replies = (message.quick_replies ?? []).map((reply) => replyButton(reply, say));
  $("replies").replaceChildren(...replies);
  $("typing").hidden = true;
  if (replies.length && atEnd(200)) toEnd();
});

socket.on("message_changed", ({ message, text, event }) => {
  seen = Math.max(seen, event);
  const item = messages.querySelector(`[data-event="${Number(message)}"]`);
  if (item) retold(item, text);
});

socket.on("bot_typing", ({ typing }) => {
  const wasAtEnd = atEnd();
  $("typing").hidden = !typing;
  if (wasAtEnd) toEnd();
});

// --- what goes out -------------------------------------------------------------------------------

function say(text, title) {
  const message = { id: crypto.randomUUID?.() ?? random(), text, title, session };
  kept.put(message);
  pending(message);
  $("replies").replaceChildren();
  toEnd();
  if (ready) send(message);
}

function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function find(id) {
  return [...messages.querySelectorAll("[data-id]")].find((item) => item.dataset.id === id);
}

function pending(message) {
  if (find(message.id)) return;
  const item = userBubble(message.title ?? message.text);
  item.dataset.id = message.id;
  item.classList.add("waiting");
  messages.append(item);
  $("empty").hidden = true;
}

function flush() {
  for (const message of kept.outbox) if (!message.session || message.session === session) send(message);
}

function send({ id, text, title }) {
  const data = { message: text, message_id: id };
  if (title && title !== text) data[names.metadata] = { title };
  socket.timeout(PATIENCE).emit(names.user_message, data, (late, answer) => {
    if (late) return failed(id, "Unavailable", "");
    if (answer?.event) kept.confirm(id);
  });
}

function failed(id, reason, message) {
  const item = find(id);
  const waiting = kept.outbox.find((one) => one.id === id);
  if (!item || !waiting) return;
  if (reason === "Unavailable" || reason === "TooFast" || reason === "TooMany") {
    note(item, "Not sent yet; trying again…");
    setTimeout(() => ready && kept.outbox.some((one) => one.id === id) && send(waiting), AGAIN);
    return;
  }
  if (reason === "Expired") return enter();
  item.classList.replace("waiting", "failed");
  kept.confirm(id);
  note(item, `Not sent: ${message}`, () => {
    item.remove();
    say(waiting.text, waiting.title);
  });
}

// --- the form ------------------------------------------------------------------------------------

const text = $("text");

function atEnd(slack = 80) {
  const box = $("scroller");
  return box.scrollHeight - box.scrollTop - box.clientHeight < slack;
}

function toEnd() {
  $("scroller").scrollTop = $("scroller").scrollHeight;
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
  session = null;
  ready = false;
  fresh = true;
  if (socket.connected) enter();
  text.focus();
});

window.addEventListener("online", () => socket.connect());
