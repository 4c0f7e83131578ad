// Looking for the next event that fails, or says a text.

import { Question } from "/static/inspect/question.js";

export class Seek {
  /** tell(words): what the reader is told. */
  constructor(tell) {
    this.tell = tell;
    this.question = new Question("match");
  }

  /** The number of the nearest event; null where there is none, or another is looked for meanwhile. */
  async find(conversation, event, text, back) {
    this.tell("Looking…");
    for (let from = event; from !== null; ) {
      const found = await this.question.ask({ conversation, event: from, text, back });
      if (!found) return null;
      if (found.event !== null) {
        this.tell("");
        return found.event;
      }
      from = found.seen;
    }
    const where = `${back ? "before" : "after"} event ${event}`;
    this.tell(text ? `“${text}” is said nowhere ${where}.` : `Nothing fails ${where}.`);
    return null;
  }
}
