// New events of a conversation, as they are recorded.

import { address } from "/static/inspect/question.js";

// Only the server knows what these hide, also among the shown events.
const HIDING = new Set(["MessageRedacted", "OriginDeleted"]);

export class Live {
  /** took(items): new items; hid(): something shown may have to disappear. */
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
