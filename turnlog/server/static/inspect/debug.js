// Debug: each turn's messages, what was understood, the slots that it set and its calls.

import { element } from "/static/dom.js";
import { fails, kindOf } from "/static/inspect/kinds.js";
import { of, small, what } from "/static/inspect/parts.js";
import { MAKERS, times } from "/static/inspect/read.js";
import { plain } from "/static/inspect/said.js";
import { sideBySide } from "/static/inspect/sides.js";

/** The elements of some events of a turn; slots: Map of those before the first of them. */
export function turn({ turn: number, items, before, slots, pairs, whole, differs }) {
  const made = element("section", "turn debug");
  const head = element("header", "", `${number} `);
  head.append(...times(items, before));
  const body = element("div", "does");
  const held = new Map(slots);
  let line = null; // the line that collects what is understood and set
  for (const item of items) {
    const maker = MAKERS[kindOf(item)];
    if (maker) body.append(...maker({ item, pairs, whole }));
    if (maker && !item.slots) line = null;
    else {
      if (!line) body.append((line = element("div", "chips")));
      line.append(...chips(item, held));
    }
    for (const [name, value] of Object.entries(item.slots ?? {})) held.set(name, value);
  }
  if (differs) body.append(...now(differs));
  made.append(head, body);
  return made;
}

/** Recorded and now. */
function now({ kind, expected, actual, hidden, accepted }) {
  if (hidden) return [element("div", "divider failed", "The answer differs now; its text may no longer be shown.")];
  const sides = sideBySide(`recorded, ${kind.replace("_", " ")}`, expected, accepted ? "now, accepted as right" : "now", actual);
  sides.classList.toggle("accepted", accepted);
  return [sides];
}

function chips(item, held) {
  const made = Object.entries(item.slots ?? {}).map(([name, value]) => chip(item, name, value, held.get(name) ?? null));
  const kind = kindOf(item);
  if (kind === "understood") return [of(item, "span", "understood k-understood", what(item)), ...made];
  if (kind === "slots" && made.length) return made;
  if (kind === "slots" || kind === "other") return [of(item, "span", `plain k-${kind}${fails(item) ? " failed" : ""}`, item.type, small(` ${what(item)}`)), ...made];
  return made;
}

function chip(item, name, value, before) {
  const text = value === null ? `− ${name}` : `${name} ${plain(value)}`;
  const made = of(item, "button", "chip k-slots", text);
  made.type = "button";
  made.dataset.slot = name;
  if (value !== null && before !== null) made.append(small(` was ${plain(before)}`));
  made.title = "Why this value?";
  return made;
}
