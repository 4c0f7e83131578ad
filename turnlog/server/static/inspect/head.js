// Everything around the flow: the conversation's length, the moment and the view.

import { HIDEABLE } from "/static/inspect/kinds.js";
import { counted, length, numbered } from "/static/inspect/said.js";
import { VIEWS } from "/static/inspect/views.js";

/** page(id): an element; shown: the address. */
export function head(page, stretch, shown, moment, turn) {
  page("title").textContent = stretch.conversation;
  page("about").textContent = about(stretch);
  page("slider").max = stretch.last;
  page("slider").value = moment;
  page("slider").setAttribute("aria-valuetext", `turn ${turn}, event ${moment}`);
  page("moment").textContent = `turn ${numbered(turn)} of ${numbered(stretch.turns)} · event ${numbered(moment)} of ${numbered(stretch.last)}`;
  page("live").setAttribute("aria-pressed", shown.event === undefined);
  for (const name of Object.keys(VIEWS)) page(`tab-${name}`).setAttribute("aria-selected", name === shown.view);
  page("flow").setAttribute("aria-labelledby", `tab-${shown.view}`);
  hide(page, (shown.hide ?? "").split(","));
}

function hide(page, hidden) {
  for (const kind of Object.keys(HIDEABLE)) {
    page("flow").classList.toggle(`hide-${kind}`, hidden.includes(kind));
    page(`show-${kind}`).checked = !hidden.includes(kind);
  }
}

/** The kinds that the reader hides, as in the address. */
export function hidden(page) {
  return Object.keys(HIDEABLE).filter((kind) => !page(`show-${kind}`).checked).join(",");
}

function about({ turns, last, started, ended, channel, branch, origin }) {
  const parts = [counted(turns, "turn"), counted(last, "event")];
  if (started !== null && ended > started) parts.push(length(ended - started));
  if (origin) parts.push(`${origin.trial ? "trial, " : ""}shares ${origin.event} events with ${origin.conversation ?? "another"}`);
  return [...parts, channel, branch && `branch ${branch}`].filter(Boolean).join(" · ");
}
