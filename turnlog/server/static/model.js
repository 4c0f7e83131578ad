// A conversation in the browser: the events the server described, and what follows from them.

const CHECKPOINT = 256;

export class Model {
  constructor(items) {
    this.items = [];
    this.rewinds = []; // the events that went back, oldest first
    this.turns = []; // one for each turn: {turn, event, slots}
    this.names = []; // of slots, in order of appearance
    this.checkpoints = [new Map()]; // the slots after every CHECKPOINT events
    this.slots = new Map();
    this.add(items);
  }

  get last() {
    return this.items.length;
  }

  add(items) {
    for (const item of items) {
      if (item.event !== this.last + 1) continue; // seen already
      this.items.push(item);
      if (item.to !== undefined) this.rewinds.push(item);
      this.#change(item);
    }
  }

  #change(item) {
    for (const [name, value] of Object.entries(item.slots ?? {})) {
      if (!this.names.includes(name)) this.names.push(name);
      set(this.slots, name, value);
    }
    if (item.event % CHECKPOINT === 0) this.checkpoints.push(new Map(this.slots));
    const row = { turn: item.turn, event: item.event, slots: item.slots ? new Map(this.slots) : null };
    const before = this.turns.at(-1);
    row.slots ??= before?.slots ?? new Map();
    if (before?.turn === item.turn) this.turns[this.turns.length - 1] = row;
    else this.turns.push(row);
  }

  /** The slots after an event; Map of name to value. */
  slotsAt(event) {
    const checkpoint = Math.floor(event / CHECKPOINT);
    const slots = new Map(this.checkpoints[checkpoint]);
    for (let index = checkpoint * CHECKPOINT; index < event; index++) {
      for (const [name, value] of Object.entries(this.items[index].slots ?? {})) set(slots, name, value);
    }
    return slots;
  }

  /** Whether an event was taken back, or is on a branch that was left, at a moment. */
  isUndone(index, moment) {
    const number = index + 1;
    let reached = moment; // what counts, from the moment back to the first event
    for (const { event, to } of this.rewinds.toReversed()) {
      if (event > reached) continue;
      if (number >= event) return false;
      if (number > to) return true;
      reached = to;
    }
    return false;
  }

  /**
   * The events that explain a slot's value after an event, newest first: what changed it, and
   * where that was a rewind, what had set the value it went back to.
   */
  why(name, event) {
    const found = [];
    for (let number = event; number > 0; number--) {
      const item = this.items[number - 1];
      const changed = item.slots && name in item.slots;
      if (changed) found.push(item);
      if (item.to !== undefined) number = item.to + 1;
      else if (changed) break;
    }
    return found;
  }

  /** The user's message that opened a turn. */
  messageOf(turn) {
    return this.items.find((item) => item.turn === turn && item.type === "UserUttered");
  }

  /** The number of the last event of a turn: "the state at turn N". */
  endOf(turn) {
    return this.turns.find((row) => row.turn === turn)?.event;
  }
}

function set(slots, name, value) {
  if (value === null) slots.delete(name);
  else slots.set(name, value);
}
