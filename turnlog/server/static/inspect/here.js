// This moment: the slots, why one has its value, and the event itself.

import { element } from "/static/dom.js";
import { download, what } from "/static/inspect/parts.js";
import { Question } from "/static/inspect/question.js";
import { moment as when, plain } from "/static/inspect/said.js";

const ROWS = 14;
const SHORT = 160; // characters of a step

export class Here {
  /** choose(slot or null), go(event): called on a click. */
  constructor(page, { choose, go, fail }) {
    Object.assign(this, { page, choose, go, fail, all: false });
    this.reasons = new Question("why");
    this.asked = null;
    page("all-slots").addEventListener("click", () => {
      this.all = true;
      this.show(this.state);
    });
  }

  /** state: {conversation, moment, item, slots, changes, chosen, turn}. */
  show(state) {
    this.state = state;
    this.#slots(state);
    this.#event(state);
    this.explain(state);
  }

  #slots({ slots, changes, item, moment, chosen, turn }) {
    const rows = [...slots].sort(([one], [other]) => order(changes, other) - order(changes, one));
    const shown = this.all ? rows : rows.slice(0, ROWS);
    this.page("rows").replaceChildren(...shown.map(([name, value]) => this.#row(name, value, changes.get(name), turn, chosen)));
    this.page("slots").hidden = rows.length === 0;
    this.page("no-slots").hidden = rows.length > 0;
    this.page("all-slots").hidden = shown.length === rows.length;
    this.page("all-slots").textContent = `All ${rows.length} slots`;
    this.page("when").textContent = item ? `after event ${moment}${item.time ? `, ${when(item.time)}` : ""}` : "before the first event";
  }

  #row(name, value, change, turn, chosen) {
    const row = element("tr", change?.turn === turn ? "changed" : "");
    const cell = element("td");
    const button = element("button", "", name);
    button.type = "button";
    button.dataset.slot = name;
    button.setAttribute("aria-pressed", name === chosen);
    cell.append(button);
    row.append(cell, element("td", "", plain(value)), element("td", "soft", change ? `turn ${change.turn}` : ""));
    return row;
  }

  #event({ item, moment, conversation }) {
    this.page("detail-title").textContent = item ? `${moment}: ${item.type}${item.actor ? `, by ${item.actor}` : ""}` : "";
    this.page("detail").textContent = item ? JSON.stringify(item.fields, null, 2) : "";
    this.page("content").replaceChildren(...(item?.content ? [download(conversation, item)] : []));
  }

  async explain({ conversation, moment, chosen }) {
    const key = JSON.stringify([conversation, moment, chosen]);
    if (key === this.asked) return;
    this.asked = key;
    this.page("why-title").hidden = !chosen;
    this.page("why-title").textContent = chosen ? `Why ${chosen}?` : "";
    if (!chosen) {
      this.reasons.drop();
      return this.page("why").replaceChildren();
    }
    try {
      const steps = await this.reasons.ask({ conversation, slot: chosen, event: moment });
      if (steps) this.page("why").replaceChildren(...(steps.length ? steps.map((step) => this.#reason(step, chosen)) : [element("li", "", "No event: it has no value, or its initial one.")]));
    } catch (error) {
      this.fail(error.message);
    }
  }

  #reason(item, chosen) {
    const made = element("li");
    const link = element("a", "", `event ${item.event}, ${item.type}`);
    link.href = this.go(item.event);
    const value = item.slots?.[chosen];
    if (item.role) made.append(element("b", "", item.role), " ");
    made.append(link, ` in turn ${item.turn}`);
    if (value !== undefined) made.append(value === null ? ": removed" : `: ${plain(value)}`);
    else made.append(`: ${shortened(item.fields.text ? `“${item.fields.text}”` : what(item))}`);
    return made;
  }
}

const shortened = (text) => (text.length > SHORT ? `${text.slice(0, SHORT)}…` : text);

/** The slot that changed last up to a moment, else any; undefined if there is none. */
export function newest({ slots, changes }) {
  const [last] = [...changes].sort(([, one], [, other]) => other.event - one.event);
  return last?.[0] ?? slots.keys().next().value;
}

function order(changes, name) {
  return changes.get(name)?.event ?? 0;
}
