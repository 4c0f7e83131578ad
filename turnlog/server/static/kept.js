// What the browser keeps: the session's token, and messages the server has not confirmed yet.

const KEY = "turnlog";

let memory = {}; // for a browser that keeps nothing: the session then lasts as long as the page

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? memory;
  } catch {
    return memory;
  }
}

function write(changes) {
  memory = { ...read(), ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(memory));
  } catch {
    // see `memory`
  }
}

export const kept = {
  get token() {
    return read().token ?? null;
  },
  /** Messages not yet confirmed, oldest first: {id, text, title?, session?}. */
  get outbox() {
    return read().outbox ?? [];
  },
  begin(session, token) {
    write({ token, outbox: this.outbox.filter((m) => !m.session || m.session === session) });
  },
  /** The session is over; what was not confirmed goes into the next one. */
  forget() {
    write({ token: null, outbox: this.outbox.map((m) => ({ ...m, session: null })) });
  },
  drop() {
    write({ token: null, outbox: [] });
  },
  put(message) {
    write({ outbox: [...this.outbox, message] });
  },
  confirm(id) {
    const left = this.outbox.filter((message) => message.id !== id);
    if (left.length !== this.outbox.length) write({ outbox: left });
  },
};
