// The answer while it comes: a preview of the message that is not whole yet, and the way to stop.

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

/** The message is whole, or is not to come. */
export function whole() {
  preview.replaceChildren();
}

export function atWork(whether) {
  typing.hidden = !whether;
  stop.disabled = false;
  if (!whether) whole();
}

/** ask(): has the answer broken off; whether there was one. */
export function stopping(ask) {
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    stop.disabled = await ask().catch(() => false); // until the bot is at work again
  });
}
