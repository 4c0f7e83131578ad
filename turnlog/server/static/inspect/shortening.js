// Actions on a difference: minimise it, make it a test, accept it.

import { element } from "/static/dom.js";
import { Question } from "/static/inspect/question.js";
import { counted } from "/static/inspect/said.js";

const EXPECTS = "This test expects the recorded answer, and fails until the bot gives it. If the record is wrong and the bot is right now, accept the difference instead.";

export class Shortening {
  /** where(): {conversation, divergence}; accepted(): called when the list has grown. */
  constructor(page, where, accepted) {
    Object.assign(this, { page, where, accepted });
    this.minimising = new Question("minimise");
    this.accepting = new Question("accept");
    page("shorten").addEventListener("click", () => this.shorten());
    page("accept").addEventListener("click", () => this.ask());
    page("accept-it").addEventListener("click", () => this.accept());
    page("copy-test").addEventListener("click", () => navigator.clipboard?.writeText(this.test));
    page("shortened").addEventListener("close", () => this.minimising.drop());
  }

  /** may: the reader's rights. */
  allow(may, divergence) {
    this.page("shorten").disabled = !(may?.write && may.bot);
    this.page("accept").hidden = !divergence || divergence.accepted;
    this.page("accept").disabled = !may?.write;
  }

  async shorten() {
    const { conversation, divergence } = this.where();
    this.#open("Shortest example", element("p", "soft", "Asking the bot again, with fewer messages…"));
    try {
      const found = await this.minimising.ask({}, { conversation, group: divergence?.group });
      if (!found) return;
      this.test = found.test;
      const said = element("ol");
      said.append(...found.messages.map((text) => element("li", "", text ?? "")));
      const test = element("pre", "", found.test);
      this.#show(element("p", "", `${counted(found.messages.length, "message")} of ${found.of} show it, found in ${counted(found.runs, "run")}.`), said, element("p", "", EXPECTS), test);
      this.page("copy-test").hidden = false;
    } catch (error) {
      this.#show(element("p", "failed", error.message));
    }
  }

  ask() {
    this.#open("Accept as right");
    this.page("accepting").hidden = false;
    this.page("note").focus();
  }

  async accept() {
    const { divergence } = this.where();
    try {
      const done = await this.accepting.ask({}, { group: divergence.group, note: this.page("note").value });
      if (!done) return;
      this.#show(element("p", "", done.accepted.length ? `Accepted in ${done.into}. It is reported again if it changes.` : "It was already accepted."));
      this.accepted();
    } catch (error) {
      this.#show(element("p", "failed", error.message));
    }
  }

  #open(title, ...content) {
    this.page("shortened-title").textContent = title;
    this.page("accepting").hidden = true;
    this.page("copy-test").hidden = true;
    this.#show(...content);
    this.page("shortened").showModal();
  }

  #show(...content) {
    this.page("found").replaceChildren(...content);
  }
}
