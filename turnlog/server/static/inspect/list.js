// The conversations of the log, newest first.

import { element } from "/static/dom.js";
import { written } from "/static/inspect/address.js";
import { sync } from "/static/inspect/children.js";
import { Question } from "/static/inspect/question.js";
import { counted, moment } from "/static/inspect/said.js";

const REFRESH = 4_000;
const PAUSE = 250;
const SHOWN = 15; // at first, and again for each request for more

export class List {
  /** search, box, more, problem: elements of the page. */
  constructor({ search, box, more, problem }) {
    Object.assign(this, { search, box, more, problem });
    this.question = new Question("conversations");
    this.lines = new Map();
    this.found = [];
    this.shown = SHOWN;
    this.current = null;
    search.addEventListener("input", () => this.#typed());
    more.addEventListener("click", () => this.grow());
    setInterval(() => document.visibilityState === "visible" && this.found.length <= SHOWN * 2 && this.refresh(), REFRESH);
  }

  #typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.shown = SHOWN;
      this.refresh();
    }, PAUSE);
  }

  async refresh() {
    const answer = await this.#ask({});
    if (!answer) return;
    this.found = answer.conversations;
    this.next = answer.more;
    this.draw();
  }

  async grow() {
    this.shown += SHOWN;
    const cursor = typeof this.next === "boolean" ? null : this.next;
    if (this.shown > this.found.length && cursor) {
      const answer = await this.#ask({ after: cursor });
      if (!answer) return;
      this.found.push(...answer.conversations);
      this.next = answer.more;
    }
    this.draw();
  }

  async #ask(query) {
    try {
      const answer = await this.question.ask({ search: this.search.value.trim(), ...query });
      if (answer) this.problem.textContent = "";
      return answer;
    } catch (error) {
      this.problem.textContent = error.message;
      return null;
    }
  }

  /** conversation: the open one. */
  mark(conversation) {
    this.current = conversation;
    this.draw();
  }

  draw() {
    const lines = new Map();
    for (const said of this.found.slice(0, this.shown)) {
      const key = JSON.stringify([said.conversation, said.turns, said.events, said.last, said.conversation === this.current]);
      lines.set(key, this.lines.get(key) ?? line(said, said.conversation === this.current));
    }
    this.lines = lines;
    sync(this.box, [...lines.values()]);
    this.more.hidden = this.shown >= this.found.length && !this.next;
  }
}

function line({ conversation, turns, events, last, trial }, current) {
  const item = element("li");
  const link = element("a", "", conversation);
  link.href = written({ conversation });
  link.title = conversation;
  if (current) link.setAttribute("aria-current", "true");
  const said = [counted(turns, "turn"), counted(events, "event"), trial && "trial", last && moment(last)];
  link.append(element("small", "", said.filter(Boolean).join(", ")));
  item.append(link);
  return item;
}
