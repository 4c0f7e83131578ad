// Two moments side by side: of a conversation, of two, of a fork and its origin.

import { element } from "/static/dom.js";
import { written } from "/static/inspect/address.js";
import { line } from "/static/inspect/parts.js";
import { Question } from "/static/inspect/question.js";
import { counted, plain } from "/static/inspect/said.js";
import { words } from "/static/inspect/sides.js";

export class Comparison {
  /** against({with, at}): called with the moment to compare with the shown one. */
  constructor(page, against) {
    Object.assign(this, { page, asked: null });
    this.question = new Question("comparison");
    page("other").addEventListener("submit", (event) => {
      event.preventDefault();
      const [other, at] = [page("with").value.trim(), page("at").value.trim()];
      against({ with: other, at: at === "" ? undefined : Number(at) });
    });
  }

  /** shown: the address; origin: of a fork. */
  async show(conversation, moment, shown, origin) {
    const comparing = shown.view === "compare";
    this.page("comparison").hidden = !comparing;
    this.page("flow").hidden = comparing;
    if (!comparing) return;
    const other = shown.with ?? origin?.conversation ?? conversation;
    const key = JSON.stringify([conversation, moment, other, shown.at]);
    if (key === this.asked) return;
    this.asked = key;
    this.page("with").value = other;
    this.page("at").value = shown.at ?? "";
    try {
      const found = await this.question.ask({ conversation, event: moment, other, at: shown.at });
      if (found) this.#draw(found, [conversation, moment], [other, shown.at]);
    } catch (error) {
      this.page("compared").replaceChildren(element("p", "failed", error.message));
    }
  }

  #draw({ shared, slots, rows, more }, one, other) {
    const made = element("div", "compared");
    made.append(...[one, other].map(([conversation, event]) => heading(conversation, event)));
    const names = Object.entries(slots);
    for (const [name, values] of names) made.append(...values.map((value) => element("div", "differs", `${name} ${value === null ? "has no value" : plain(value)}`)));
    if (!names.length) made.append(element("p", "all soft", "No slot differs."));
    made.append(element("p", "all soft", rows.length ? `${counted(shared, "event")} before this are the same.` : `All ${counted(shared, "event")} are the same.`));
    for (const [left, right] of rows) made.append(cell(left, right), cell(right, left));
    if (more.some(Boolean)) made.append(...more.map((count) => element("p", "soft", count ? `${counted(count, "event")} more` : "")));
    this.page("compared").replaceChildren(made);
  }
}

function heading(conversation, event) {
  const made = element("h2");
  const link = element("a", "", `${conversation}${event === undefined ? "" : `, event ${event}`}`);
  link.href = written({ conversation, event, view: "debug" });
  made.append(link);
  return made;
}

function cell(item, against) {
  if (item === null) return element("div");
  const made = line(item);
  made.classList.toggle("differs", against === null || said(item) !== said(against));
  return made;
}

const said = ({ type, fields }) => words({ type, ...fields });
