// Searches for the next failure, or the next event with a text.

import { Question } from "/static/inspect/question.js";

export class Seek {
  /** found(event): goes there; notify(words): shows a notice. */
  constructor({ found, notify }) {
    Object.assign(this, { found, notify, question: new Question("match") });
  }

  /** Go to the nearest event after a moment, or before it, that contains a text; without a text, that fails. */
  async find({ conversation, moment }, text, back) {
    this.notify("Looking…");
    try {
      const event = await this.#nearest(conversation, moment, text, back);
      if (event) this.found(event);
      if (event === 0) this.notify(nowhere(text, moment, back));
    } catch (error) {
      this.notify(error.message);
    }
  }

  /** The number of the event; 0 if there is none, null if another search began meanwhile. */
  async #nearest(conversation, moment, text, back) {
    for (let from = moment; from !== null; ) {
      const found = await this.question.ask({ conversation, event: from, text, back });
      if (!found) return null;
      if (found.event !== null) {
        this.notify("");
        return found.event;
      }
      from = found.seen;
    }
    return 0;
  }
}

function nowhere(text, moment, back) {
  const where = `${back ? "before" : "after"} event ${moment}`;
  return text ? `“${text}” does not occur ${where}.` : `No failure ${where}.`;
}
