// More of a conversation where the reader comes near an edge of what there is.

import { Question } from "/static/inspect/question.js";

export class Edges {
  /** tell(words): what the reader is told where the server refuses. */
  constructor(tell) {
    this.tell = tell;
    this.sides = { older: new Question("timeline"), newer: new Question("timeline") };
  }

  /** Let nothing come of what was asked. */
  drop() {
    for (const question of Object.values(this.sides)) question.drop();
  }

  /** Let a stretch grow by so many events on a side. Whether it has; not where it is asked already. */
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
      this.tell(error.message);
      return false;
    } finally {
      question.drop();
    }
  }
}
