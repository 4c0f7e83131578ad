// Stored in the browser: the session's token, and messages that the server has not confirmed yet.

const KEY = "turnlog";

let memory = {}; // used if the browser stores nothing; the session then ends with the page

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
  /** Unconfirmed messages, oldest first: {id, text, title?, session?}. */
  get outbox() {
    return read().outbox ?? [];
  },
  begin(session, token) {
    write({ token, outbox: this.outbox.filter((m) => !m.session || m.session === session) });
  },
  /** The session is over; its unconfirmed messages go to the next one. */
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
