// Views: they draw the blocks of a stretch.

import * as debug from "/static/inspect/debug.js";
import { answers } from "/static/inspect/parts.js";
import * as read from "/static/inspect/read.js";
import { columns, heading, lines, row } from "/static/inspect/tables.js";

const BLOCK = 24; // events of a turn that are one block

/** name: {before, after: events requested around a moment, make: a block's element}. */
export const VIEWS = {
  read: { before: 30, after: 18, make: read.turn },
  debug: { before: 30, after: 18, make: debug.turn },
  slots: { before: 120, after: 80, make: row, whole: true },
  raw: { before: 40, after: 30, make: lines },
  compare: { before: 1, after: 0, make: lines },
};

/**
 * The blocks of a stretch: [{key, first, last, make}]. whole: requests an event that was cut.
 * differing: Map of an event to the kept run's divergence there.
 */
export function blocks(stretch, name, whole, differing) {
  const view = VIEWS[name];
  const names = view.whole ? columns(stretch) : [];
  const results = answers(stretch.items);
  const pairs = { results, answered: new Set([...results.values()].map(({ event }) => event)) };
  const made = [];
  let before = null;
  for (const { turn, items } of stretch.byTurn(view.whole ? Infinity : BLOCK)) {
    const [first, last] = [items[0].event, items.at(-1).event];
    const differs = items.map(({ event }) => differing.get(event)).find(Boolean);
    const given = { turn, items, before, names, pairs, whole, differs };
    const key = JSON.stringify([name, first, last, names, items.map(({ event }) => results.get(event)?.event), items.some(({ unfolded }) => unfolded), differs?.group, differs?.accepted]);
    made.push({ key, first, last, make: () => view.make({ ...given, slots: stretch.slotsAt(first - 1) }) });
    before = items.findLast(({ time }) => time !== null) ?? before;
  }
  return made;
}

/** The heading above the blocks. */
export function top(stretch, name) {
  return VIEWS[name].whole ? [heading(columns(stretch))] : [];
}
