// What is recorded in a conversation, as it comes.

import { address } from "/static/inspect/question.js";

// What these hide, also among what is shown already, the server alone knows.
const HIDING = new Set(["MessageRedacted", "OriginDeleted"]);

export class Live {
  /** took(items): what came; hid(): something that is shown may have to go. */
  constructor({ took, hid }) {
    Object.assign(this, { took, hid, source: null });
  }

  listen(conversation, after) {
    this.source?.close();
    this.source = new EventSource(address("live", { conversation, after }));
    this.source.onmessage = ({ data }) => {
      const items = JSON.parse(data);
      if (items.some(({ type }) => HIDING.has(type))) this.hid();
      else this.took(items);
    };
  }
}
