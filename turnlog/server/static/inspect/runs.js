// A kept run of a replay: its groups on the left, and the differences in the open conversation.

import { element } from "/static/dom.js";
import { written } from "/static/inspect/address.js";
import { sync } from "/static/inspect/children.js";
import { Question } from "/static/inspect/question.js";
import { counted, numbered } from "/static/inspect/said.js";

const EXAMPLES = 5;

export class Runs {
  /** page(id): an element; choose(group): called on a click. */
  constructor(page, choose) {
    Object.assign(this, { page, choose, groups: [], places: [], group: undefined, here: new Map() });
    this.listed = new Question("groups");
    this.placed = new Question("differences");
    this.found = new Question("differences");
  }

  /** Load the groups. */
  async begin() {
    const run = await this.listed.ask({}).catch(() => null);
    this.run = run;
    this.groups = run?.groups ?? [];
    if (this.groups.length) await this.show(this.group);
  }

  /** Show all groups, with the places of one. */
  async show(group) {
    this.group = group;
    if (!this.groups.length) return;
    const found = await this.placed.ask({ group }).catch(() => null);
    if (found) this.places = found;
    this.draw();
  }

  draw() {
    this.page("run").hidden = !this.groups.length;
    this.page("run-bot").textContent = [this.run?.bot, this.run?.version].filter(Boolean).join(" ");
    sync(this.page("groups"), this.groups.map((group) => this.#line(group)));
  }

  #line({ group, label, conversations, turns, accepted }) {
    const line = element("li");
    const button = element("button", "group");
    button.type = "button";
    button.setAttribute("aria-pressed", group === this.group);
    button.append(element("b", "", String(conversations)), ` ${label}`);
    button.append(element("small", "", accepted ? "accepted" : counted(turns, "turn")));
    button.addEventListener("click", () => this.choose(group === this.group ? undefined : group));
    line.append(button);
    if (group === this.group) line.append(...this.places.slice(0, EXAMPLES).map((place) => this.#link(place)));
    if (group === this.group && turns > EXAMPLES) line.append(element("small", "", `${turns - EXAMPLES} more: press n`));
    return line;
  }

  #link({ conversation, turn, event }) {
    const link = element("a", "", `${conversation} turn ${turn}`);
    link.href = written({ conversation, event, view: "debug", group: this.group });
    return link;
  }

  /** Load the differences of a conversation: Map of the event to each divergence. False if it has none. */
  async compare(conversation) {
    this.here = new Map();
    if (!this.groups.length) return false;
    const found = await this.found.ask({ conversation }).catch(() => null);
    if (found) this.here = new Map(found.map((each) => [each.event, each]));
    return this.here.size > 0;
  }

  /** How the open conversation differs in a turn; undefined if it does not. */
  at(turn) {
    return [...this.here.values()].find((each) => each.turn === turn);
  }

  /** The divergence that the header names: that of a turn, else the first. */
  named(turn) {
    return this.at(turn) ?? this.here.values().next().value;
  }

  /** The next place after a moment, in the chosen group or in all; null after the last. */
  after(conversation, event) {
    const here = this.places.findLastIndex((place) => place.conversation === conversation && place.event <= event);
    const first = this.places.findIndex((place) => place.conversation === conversation);
    const next = here >= 0 ? here + 1 : Math.max(0, first);
    return this.places[next] ?? null;
  }

  /** The header's text on the divergence of a turn, or on the first. */
  badge(turn) {
    const differs = this.named(turn);
    this.page("badge").hidden = !differs;
    if (!differs) return;
    const alike = this.groups.find(({ group }) => group === differs.group);
    const said = [`turn ${differs.turn} differs: ${differs.kind.replace("_", " ")}`, alike && `one of ${numbered(alike.turns)} in its group`, differs.accepted && "accepted"];
    this.page("badge").textContent = said.filter(Boolean).join(" · ");
    this.page("badge").classList.toggle("accepted", differs.accepted);
  }
}
