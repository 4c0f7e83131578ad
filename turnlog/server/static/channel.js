// The connection to the server: a session, past messages, new messages. Every message comes
// once and in order, whichever server answers: the stream continues after the last event seen.

const SILENCE = 40_000; // the server sends a sign of life every 15 s
const STREAMS = 4; // a browser opens six connections to an origin, pages and messages need some
const NOTES = { typing: true, chunk: true }; // sent between the messages
const STOPS = 8;
const PAUSE = 2_000; // between the requests of a page that found no free connection

/** An error from the server; `reason` is one word. */
export class Refused extends Error {
  constructor({ reason, message, code }) {
    super(message);
    this.reason = reason;
    this.code = code;
  }
}

async function request(path, token, { body, headers = {}, signal } = {}) {
  const options = { headers: { ...headers }, signal };
  if (token) options.headers.Authorization = `Bearer ${token}`;
  if (body) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, options);
  if (response.ok) return response;
  const refused = await response.json().catch(() => ({}));
  throw new Refused({ reason: "Unavailable", message: "The server is unreachable.", code: response.status, ...refused });
}

/** {session_id, token, expires_in, bot}; token: of the session to return to. */
export async function begin(credential, token) {
  return (await request("/chat/session", credential, { body: token ? { token } : {} })).json();
}

/** {messages, before, last}: the messages before an event, or the last ones. */
export async function past(token, before) {
  return (await request(`/chat/messages${before ? `?before=${before}` : ""}`, token)).json();
}

/** {event}, once the message is recorded. */
export async function say(token, body, patience) {
  const signal = AbortSignal.timeout(patience);
  return (await request("/chat/messages", token, { body, signal })).json();
}

/**
 * Stop the answer in progress. With several servers, only the one that works on it can stop it,
 * so the request is repeated. False if none was found.
 */
export async function stop(token) {
  for (let time = 0; time < STOPS; time++) {
    const answer = await request("/chat/stop", token, { body: {} });
    if ((await answer.json()).stopped) return true;
  }
  return false;
}

/**
 * Follows a conversation until the connection ends. opened(): it is open; came(messages):
 * recorded messages; chunk({text, first}): a piece of an unfinished message; typing(whether);
 * seen: an object whose `event` is the last event seen.
 */
export function follow(token, seen, heard, signal) {
  return holding((wait) => listen(token, seen, heard, signal, wait));
}

/** Runs work(true) if a connection may be kept, else work(false). */
async function holding(work) {
  if (!navigator.locks) return work(true);
  for (let number = 0; number < STREAMS; number++) {
    const options = { ifAvailable: true };
    const done = await navigator.locks.request(`turnlog stream ${number}`, options, async (lock) => {
      if (!lock) return false;
      await work(true);
      return true;
    });
    if (done) return undefined;
  }
  return work(false);
}

async function listen(token, seen, heard, signal, wait) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE);
  const headers = { "Last-Event-ID": String(seen.event) };
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    const response = await request(`/chat/stream?wait=${wait}`, token, { headers, signal: either });
    heard.opened();
    for await (const events of chunks(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
      pass(events, seen, heard);
    }
  } finally {
    clearTimeout(timer);
  }
  if (!wait) await new Promise((done) => setTimeout(done, PAUSE));
}

/** Passes events on in order, with consecutive messages together, so that the page is laid out once. */
function pass(events, seen, heard) {
  const messages = [];
  const flush = () => messages.length && heard.came(messages.splice(0));
  for (const { event, id, data } of events) {
    if (event === undefined) messages.push(...data);
    else if (event in NOTES) {
      flush();
      heard[event](data);
    }
    if (id) seen.event = Math.max(seen.event, id);
  }
  flush();
}

async function* chunks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    yield blocks.map(parsed).filter((event) => event.data !== undefined);
  }
}

function parsed(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (event.data !== undefined) event.data = JSON.parse(event.data);
  if (event.id !== undefined) event.id = Number(event.id);
  return event;
}
