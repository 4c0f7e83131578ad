// Slots: a table over turns. Raw: one line an event.

import { element } from "/static/dom.js";
import { line } from "/static/inspect/parts.js";
import { plain } from "/static/inspect/said.js";

const COLUMNS = 12;

/** Names of the slots that have a column: those that change in the stretch first. */
export function columns(stretch) {
  const changing = stretch.items.flatMap(({ slots }) => Object.keys(slots ?? {}));
  return [...new Set([...changing.toReversed(), ...stretch.before.keys()])].slice(0, COLUMNS).sort();
}

export function heading(names) {
  const made = element("div", "cells heading");
  made.append(element("span", "", "turn"), ...names.map((name) => element("span", "", name)));
  return made;
}

/** The slots after a turn; slots: Map of those before it. */
export function row({ turn, items, slots, names }) {
  const made = element("div", "cells turn");
  made.dataset.event = items.at(-1).event;
  made.append(element("span", "", String(turn)));
  const after = new Map(slots);
  for (const item of items) for (const [name, value] of Object.entries(item.slots ?? {})) after.set(name, value);
  for (const name of names) {
    const [was, is] = [slots.get(name) ?? null, after.get(name) ?? null];
    const differs = plain(was) !== plain(is);
    const cell = element("span", differs ? "changed" : "same", is === null ? (differs ? "−" : "") : plain(is));
    if (differs) cell.dataset.slot = name;
    if (is !== null) cell.title = plain(is);
    made.append(cell);
  }
  return made;
}

/** The lines of some events of a turn. */
export function lines({ items }) {
  const made = element("section", "turn raw");
  made.append(...items.map(line));
  return made;
}
