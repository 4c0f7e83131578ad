// Connects the elements of the page with actions.

import { VIEWS } from "/static/inspect/views.js";

/** page(id): an element; act: the reader's actions by name. */
export function wire(page, act) {
  const click = (id, action) => page(id).addEventListener("click", action);
  click("prev", () => act.step(-1));
  click("next", () => act.step(1));
  click("prev-turn", () => act.stepTurn(-1));
  click("next-turn", () => act.stepTurn(1));
  click("live", act.toggleLive);
  click("failure", () => act.seek(false));
  click("copy", act.copyLink);
  click("badge", act.toDifference);
  click("show-help", act.help);
  click("back", act.leave);
  click("tab-here", () => document.body.classList.toggle("at-moment"));
  for (const name of Object.keys(VIEWS)) click(`tab-${name}`, () => act.view(name));
  page("slider").addEventListener("input", () => act.travel(Number(page("slider").value)));
  page("hide").addEventListener("change", act.hide);
  page("find").addEventListener("keydown", ({ key, shiftKey }) => {
    if (key === "Enter" && page("find").value) act.seek(shiftKey, page("find").value);
  });
  page("view").addEventListener("click", ({ target }) => {
    const slot = target.closest("[data-slot]");
    const event = target.closest("[data-event]");
    if (target.closest("a, summary, .unfold") || getSelection().toString()) return;
    if (slot) act.choose(slot.dataset.slot);
    if (event) act.travel(Number(event.dataset.event));
  });
}

/** Keys, with a description and the action. */
export const keys = (page, act) => ({
  ArrowLeft: ["previous event; with Shift, previous turn", (shift) => (shift ? act.stepTurn(-1) : act.step(-1))],
  ArrowRight: ["next event; with Shift, next turn", (shift) => (shift ? act.stepTurn(1) : act.step(1))],
  PageUp: ["ten turns back", () => act.stepTurn(-10)],
  PageDown: ["ten turns forward", () => act.stepTurn(10)],
  Home: ["before the first event", () => act.travel(0)],
  End: ["the last event", () => act.travel(Infinity)],
  l: ["follow the live conversation", act.follow],
  x: ["next failure", () => act.seek(false)],
  X: ["previous failure", () => act.seek(true)],
  w: ["why the slot that changed last has its value", act.why],
  e: ["edit this message and continue", act.edit],
  f: ["fork here", act.fork],
  m: ["minimise it and make a test", act.shorten],
  1: ["Read", () => act.view("read")],
  2: ["Debug", () => act.view("debug")],
  3: ["Slots", () => act.view("slots")],
  4: ["Raw", () => act.view("raw")],
  5: ["Compare", () => act.view("compare")],
  s: ["search in this conversation", () => page("find").focus()],
});

/** Keys that need no conversation. */
export const keysAnywhere = (page, act) => ({
  n: ["the next difference of the kept run", act.nextDifference],
  "/": ["search the conversations", () => page("search").focus()],
  "?": ["this help", act.help],
});
