// Loads more of a conversation when the reader nears an edge of the loaded part.

import { Question } from "/static/inspect/question.js";

export class Edges {
  /** notify(words): shows the reader an error. */
  constructor(notify) {
    this.notify = notify;
    this.sides = { older: new Question("timeline"), newer: new Question("timeline") };
  }

  /** Ignore the answers to open requests. */
  drop() {
    for (const question of Object.values(this.sides)) question.drop();
  }

  /** Extend a stretch by so many events on a side. False if it did not grow or a request is open. */
  async extend(stretch, side, count) {
    const question = this.sides[side];
    const older = side === "older";
    if (question.asking || (older ? stretch.first <= 1 : stretch.end >= stretch.last)) return false;
    const place = older ? { event: stretch.first - 1, before: count, after: 0 } : { event: stretch.end, before: 0, after: count };
    try {
      const found = await question.ask({ conversation: stretch.conversation, ...place });
      if (!found) return false;
      return older ? stretch.prepend(found) : stretch.append(found);
    } catch (error) {
      this.notify(error.message);
      return false;
    } finally {
      question.drop();
    }
  }
}
