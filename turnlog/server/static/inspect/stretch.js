// A stretch of a conversation: some consecutive events, and what follows from them.

export class Stretch {
  /** window: the server's part of a conversation around a moment. */
  constructor(window) {
    this.conversation = window.conversation;
    this.before = new Map(Object.entries(window.slots));
    this.first = window.first;
    this.items = window.items;
    this.rewinds = new Map(); // the number of each rewind, and of the event it went back to
    this.learn(window);
    this.note(window.items);
  }

  /** The conversation's length now. */
  learn({ last, turns, started, ended, channel, branch, origin }) {
    Object.assign(this, { last, turns, started, ended, channel, branch, origin });
  }

  get end() {
    return this.first + this.items.length - 1;
  }

  covers(event) {
    return event >= this.first - 1 && event <= this.end;
  }

  item(event) {
    return this.items[event - this.first];
  }

  /** Note the rewinds and their targets. */
  note(items) {
    for (const { event, to } of items) if (to !== undefined) this.rewinds.set(event, to);
    this.order = null;
  }

  noteAll(pairs) {
    for (const [event, to] of pairs) this.rewinds.set(event, to);
    this.order = null;
  }

  // --- growing and shrinking ----------------------------------------------------------------------

  /** Adds events recorded meanwhile. False if some are missing in between. */
  follow(items) {
    const fresh = items.filter(({ event }) => event > this.last);
    if (!fresh.length) return true;
    const whole = this.end === this.last && fresh[0].event === this.last + 1;
    this.last = fresh.at(-1).event;
    this.turns = Math.max(this.turns, fresh.at(-1).turn);
    this.note(fresh);
    if (whole) this.items.push(...fresh);
    return whole;
  }

  /** Whether a window was added that follows. */
  append(window) {
    if (window.first !== this.end + 1) return false;
    this.items.push(...window.items);
    this.learn(window);
    this.note(window.items);
    return true;
  }

  /** Whether a window was added that comes before. */
  prepend(window) {
    if (window.first + window.items.length !== this.first) return false;
    this.items = [...window.items, ...this.items];
    this.before = new Map(Object.entries(window.slots));
    this.first = window.first;
    this.note(window.items);
    return true;
  }

  /** Drop the events before one. */
  leaveBefore(event) {
    this.before = this.slotsAt(event - 1);
    this.items = this.items.slice(event - this.first);
    this.first = event;
  }

  /** Drop the events after one. */
  leaveAfter(event) {
    this.items = this.items.slice(0, event - this.first + 1);
  }

  // --- what follows --------------------------------------------------------------------------------

  /** The slots after an event of the stretch; Map of name to value. */
  slotsAt(event) {
    const slots = new Map(this.before);
    for (const item of this.items) {
      if (item.event > event) break;
      changed(slots, item.slots);
    }
    return slots;
  }

  /** The item that last changed each slot up to an event; none if it changed before the stretch. */
  changesAt(event) {
    const changes = new Map();
    for (const item of this.items) {
      if (item.event > event) break;
      for (const name of Object.keys(item.slots ?? {})) changes.set(name, item);
    }
    return changes;
  }

  /** The data of a moment: the event, its turn, the slots and where each last changed. */
  at(moment) {
    const item = this.item(moment);
    const [slots, changes] = [this.slotsAt(moment), this.changesAt(moment)];
    const turn = item?.turn ?? 0;
    const said = this.items.find((each) => each.turn === turn && each.type === "UserUttered");
    return { conversation: this.conversation, moment, item, turn, slots, changes, message: said?.fields.text };
  }

  /** Whether an event was rewound, or is on an inactive branch, at a moment. */
  isUndone(number, moment) {
    this.order ??= [...this.rewinds].sort((one, other) => other[0] - one[0]);
    let reached = moment; // the events that count, from the moment back to the first
    for (const [event, to] of this.order) {
      if (event > reached) continue;
      if (number >= event) return false;
      if (number > to) return true;
      reached = to;
    }
    return false;
  }

  /** The turns of the stretch, in parts of at most so many events: [{turn, items}], oldest first. */
  byTurn(most) {
    const turns = [];
    for (const item of this.items) {
      const open = turns.at(-1);
      if (open?.turn === item.turn && open.items.length < most) open.items.push(item);
      else turns.push({ turn: item.turn, items: [item] });
    }
    return turns;
  }

  /** The last event of a turn; undefined unless the stretch has the whole turn. */
  endOf(turn) {
    const next = this.items.find((item) => item.turn > turn);
    if (next) return next.event - 1 >= this.first - 1 ? next.event - 1 : undefined;
    return this.end === this.last && turn >= this.turns ? this.last : undefined;
  }
}

function changed(slots, changes = {}) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) slots.delete(name);
    else slots.set(name, value);
  }
}
