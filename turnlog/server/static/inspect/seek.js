// Looking for the next event that fails, or says a text.

import { Question } from "/static/inspect/question.js";

export class Seek {
  /** found(event): where to go; tell(words): what the reader is told. */
  constructor({ found, tell }) {
    Object.assign(this, { found, tell, question: new Question("match") });
  }

  /** Go to the nearest event after a moment, or before it, that says a text; without one, that fails. */
  async find({ conversation, moment }, text, back) {
    this.tell("Looking…");
    try {
      const event = await this.#nearest(conversation, moment, text, back);
      if (event) this.found(event);
      if (event === 0) this.tell(nowhere(text, moment, back));
    } catch (error) {
      this.tell(error.message);
    }
  }

  /** The number of the event; 0 where there is none, null where another is looked for meanwhile. */
  async #nearest(conversation, moment, text, back) {
    for (let from = moment; from !== null; ) {
      const found = await this.question.ask({ conversation, event: from, text, back });
      if (!found) return null;
      if (found.event !== null) {
        this.tell("");
        return found.event;
      }
      from = found.seen;
    }
    return 0;
  }
}

function nowhere(text, moment, back) {
  const where = `${back ? "before" : "after"} event ${moment}`;
  return text ? `“${text}” is said nowhere ${where}.` : `Nothing fails ${where}.`;
}
