// Trials from a moment: a fork, or another message and the bot's answer to it.

import { element } from "/static/dom.js";
import { written } from "/static/inspect/address.js";
import { Question } from "/static/inspect/question.js";
import { sideBySide } from "/static/inspect/sides.js";

export class Trying {
  /** page(id): an element; where(): {conversation, moment, turn, message}; open(address): go there. */
  constructor(page, where, open) {
    Object.assign(this, { page, where, open });
    this.question = new Question("trial");
    this.forking = new Question("fork");
    page("edit").addEventListener("click", () => this.edit());
    page("fork").addEventListener("click", () => this.fork());
    page("go-on").addEventListener("click", () => this.#try());
    page("keep").addEventListener("click", () => this.#try(this.#name("trial")));
    page("trying").addEventListener("close", () => this.question.drop());
  }

  /** may: the reader's rights. */
  allow(may) {
    this.may = may;
    this.page("edit").disabled = !(this.may?.write && this.may.bot);
    this.page("fork").disabled = !this.may?.write;
    this.page("may").textContent = this.may?.write ? (this.may.bot ? "" : "This server has no bot to continue with.") : "You may read but not write.";
  }

  #name(what) {
    const { conversation, turn } = this.asked ?? this.where();
    return `${conversation} ${what} ${turn} ${new Date().toISOString().slice(0, 19)}`;
  }

  edit() {
    if (this.page("edit").disabled) return;
    this.asked = this.where();
    this.page("trying-title").textContent = `${this.asked.conversation}, turn ${this.asked.turn}`;
    this.page("say").value = this.asked.message ?? "";
    this.page("tried").replaceChildren();
    this.page("keep").hidden = true;
    this.page("trying").showModal();
  }

  async #try(as) {
    const { conversation, turn } = this.asked;
    this.page("tried").replaceChildren(element("p", "soft", "Asking the bot…"));
    try {
      const answer = await this.question.ask({}, { conversation, turn, say: this.page("say").value, as });
      if (!answer) return;
      this.page("tried").replaceChildren(...answer.turns.map(tried));
      this.page("keep").hidden = false;
      if (as) this.page("tried").prepend(this.#kept(as));
    } catch (error) {
      this.page("tried").replaceChildren(element("p", "failed", error.message));
    }
  }

  #kept(conversation) {
    const link = element("a", "", `Kept as ${conversation}`);
    link.href = written({ conversation });
    link.addEventListener("click", () => this.page("trying").close());
    return link;
  }

  async fork() {
    if (this.page("fork").disabled) return;
    const { conversation, moment } = this.where();
    const as = this.#name("fork");
    try {
      const made = await this.forking.ask({}, { conversation, event: moment, as });
      if (made) this.open({ conversation: made.conversation });
    } catch (error) {
      this.page("notice").textContent = error.message;
    }
  }
}

function tried({ message, expected, actual, slots, expected_slots: before, divergence }) {
  const made = element("section");
  made.append(element("div", "bubble user", message ?? ""), sideBySide("recorded", expected, divergence ? "now" : "now, equal", actual));
  const names = [...new Set([...Object.keys(slots), ...Object.keys(before)])].filter((name) => JSON.stringify(slots[name]) !== JSON.stringify(before[name]));
  const set = (held) => names.map((name) => ({ type: "SlotSet", name, value: held[name] ?? null }));
  if (names.length) made.append(sideBySide("slots then", set(before), "slots now", set(slots)));
  return made;
}
