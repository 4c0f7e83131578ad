// Read: a conversation's messages; everything else is folded.

import { element } from "/static/dom.js";
import { fails, kindOf } from "/static/inspect/kinds.js";
import { bubble, divider, line, reasoning, returned, small, tool, usage } from "/static/inspect/parts.js";
import { counted, clock, length } from "/static/inspect/said.js";

const PAUSE = 60; // seconds; longer gaps are named

/** Makes the elements of these kinds of events; each view draws the other kinds itself. */
export const MAKERS = {
  said: ({ item, whole }) => [bubble(item, whole)],
  reasoning: ({ item }) => [reasoning(item)],
  usage: ({ item }) => [usage(item)],
  failure: ({ item }) => [divider(item)],
  session: ({ item }) => [divider(item)],
  back: ({ item }) => [divider(item)],
  tool: ({ item, pairs, whole }) => {
    if (item.type === "ToolCalled") return tool(item, pairs.results.get(item.event), whole);
    return pairs.answered.has(item.event) ? [] : [returned(item, whole)];
  },
};

/** The elements of some events of a turn. whole: requests an event that was cut. */
export function turn({ turn: number, items, before, pairs, whole }) {
  const made = element("section", "turn read");
  const head = element("header", "", `Turn ${number} `);
  head.append(...times(items, before));
  made.append(head, ...flow(items, pairs, whole));
  return made;
}

/** When it was, how long it took, and the pause before it. */
export function times(items, before) {
  const [first, last] = [items.find(({ time }) => time !== null), items.findLast(({ time }) => time !== null)];
  if (!first) return [];
  const took = last.time - first.time;
  const pause = before?.time ? first.time - before.time : 0;
  const said = [clock(first.time)];
  if (took > 0) said.push(`took ${length(took)}`);
  if (pause >= PAUSE) said.push(`after ${length(pause)}`);
  return [small(said.join(" · "))];
}

function flow(items, pairs, whole) {
  const made = [];
  let quiet = [];
  const close = () => {
    if (quiet.length) made.push(folded(quiet));
    quiet = [];
  };
  for (const item of items) {
    const maker = MAKERS[kindOf(item)];
    if (!maker) quiet.push(item);
    else {
      close();
      made.push(...maker({ item, pairs, whole }));
    }
  }
  close();
  return made;
}

/** Events of no interest to most readers, as one line that unfolds. */
export function folded(items) {
  const made = element("details", `quiet k-other${items.some(fails) ? " failed" : ""}`);
  made.dataset.event = items[0].event;
  made.dataset.last = items.at(-1).event;
  const set = items.flatMap(({ slots }) => Object.keys(slots ?? {}));
  made.append(element("summary", "", `${counted(items.length, "event")}${set.length ? `: ${[...new Set(set)].join(", ")}` : ""}`));
  made.addEventListener("toggle", () => made.open && made.children.length === 1 && made.append(...items.map(line)));
  return made;
}
