// The answer in progress: a preview of the unfinished message, and a button that stops it.

import { element } from "/static/dom.js";

const $ = (id) => document.getElementById(id);
const preview = $("preview");
const typing = $("typing");
const stop = $("stop");

/** A piece of a message; first: the message begins with it. */
export function chunk({ text, first }) {
  if (first) begin();
  preview.querySelector(".bubble")?.append(text);
}

function begin() {
  const item = element("li", "bot");
  const bubble = element("div", "bubble");
  bubble.dir = "auto";
  item.append(bubble);
  preview.replaceChildren(item);
}

/** The message is complete, or will not come. */
export function whole() {
  preview.replaceChildren();
}

export function atWork(whether) {
  typing.hidden = !whether;
  stop.disabled = false;
  if (!whether) whole();
}

/** ask(): stops the answer; false if there was none. */
export function stopping(ask) {
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    stop.disabled = await ask().catch(() => false); // until the bot is at work again
  });
}
