// Messages as elements. A message's content is shown as text: no markup is parsed.

import { element } from "/static/dom.js";
import { allowed, link, linked, marked } from "/static/words.js";

const PICTURE_SCHEMES = new Set(["http:", "https:"]);

export function userBubble(text) {
  const item = element("li", "user");
  item.append(labelled("You", linked(text)));
  return item;
}

/** say(payload, title): called by a card's buttons. */
export function botBubble(message, say) {
  const item = element("li", "bot");
  item.classList.toggle("refusal", message.refusal === true);
  if (message.text) item.append(labelled(speaker(message), words(message)));
  for (const attachment of message.attachments ?? []) item.append(...attached(attachment, say));
  return item;
}

function speaker({ agent, refusal }) {
  if (agent) return "Operator";
  return refusal ? "The bot refused" : "Bot";
}

/** The item of a message that was edited or, its text null, removed. */
export function retold(item, message) {
  const gone = message.text === null;
  item.classList.toggle("gone", gone);
  if (gone && !item.querySelector(".bubble")) item.remove(); // a picture, or the work behind it
  if (gone) for (const shown of item.querySelectorAll(".picture, .card, :scope > a")) shown.remove();
  const content = item.classList.contains("bot") ? words(message) : linked(message.text ?? "");
  item.querySelector(".bubble")?.replaceChildren(...(gone ? ["This message was removed."] : content));
}

export function note(item, text, again) {
  item.querySelector(".note")?.remove();
  if (!text) return;
  const line = element("p", "note", text);
  if (again) {
    const button = element("button", "", "Send again");
    button.type = "button";
    button.addEventListener("click", again);
    line.append(" ", button);
  }
  item.append(line);
}

function words(message) {
  return message.words ? marked(message.words) : linked(message.text ?? "");
}

function labelled(who, content) {
  const bubble = element("div", "bubble");
  bubble.dir = "auto";
  bubble.append(...content);
  const said = element("div");
  said.append(element("span", "visually-hidden", `${who}: `), bubble);
  return said;
}

function attached(attachment, say) {
  const { type, payload } = attachment ?? {};
  if (type === "image") return picture(payload?.src, payload?.title);
  if (type === "template") return [payload?.elements ?? []].flat().map((card) => cardOf(card, say));
  const href = allowed(payload?.src ?? payload?.url ?? "", PICTURE_SCHEMES);
  return payload && href ? [link(href, String(payload.title ?? payload.name ?? type ?? href))] : [];
}

function picture(source, title) {
  const src = source ? allowed(source, PICTURE_SCHEMES) : null;
  if (!src) return [];
  const image = element("img", "picture");
  image.src = src;
  image.alt = title ? String(title) : "Picture";
  image.loading = "lazy";
  image.referrerPolicy = "no-referrer";
  return [image];
}

function cardOf(card, say) {
  const made = element("section", "card");
  made.append(...picture(card?.image_url, card?.title));
  if (card?.title) made.append(element("h2", "", String(card.title)));
  if (card?.subtitle) made.append(element("p", "", String(card.subtitle)));
  for (const button of [card?.buttons ?? []].flat()) {
    const href = button?.url ? allowed(button.url) : null;
    if (href) made.append(link(href, String(button.title ?? href)));
    else if (button?.payload) made.append(replyButton(button, say));
  }
  return made;
}

export function replyButton({ title, payload }, say) {
  const button = element("button", "", String(title ?? payload));
  button.type = "button";
  button.addEventListener("click", () => say(String(payload ?? title), String(title ?? payload)));
  return button;
}
