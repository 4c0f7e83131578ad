// The words of a message as nodes. They are always set as text: no markup is parsed.

import { element } from "/static/dom.js";

const LINK = /\bhttps?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]]/g;
const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);
const NAMES = new Set(["p", "strong", "em", "s", "ul", "ol", "li", "blockquote", "hr", "br", "code", "pre"]);

/** The address if its scheme is on the list, else null. */
export function allowed(address, schemes = SCHEMES) {
  try {
    const url = new URL(String(address), location.href);
    return schemes.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(href, ...content) {
  const made = element("a");
  made.append(...content);
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}

/** Plain text, with its addresses as links. */
export function linked(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const href = allowed(match[0]);
    if (!href) continue;
    pieces.push(text.slice(end, match.index), link(href, match[0]));
    end = match.index + match[0].length;
  }
  return [...pieces, text.slice(end)];
}

/** The server's tree of nodes: texts, and lists of a name, nodes and, for a link, its address. */
export function marked(nodes, inside = false) {
  return nodes.flatMap((node) => {
    if (typeof node === "string") return inside ? [node] : linked(node);
    const [name, content, address] = node;
    const href = name === "a" ? allowed(address) : null;
    if (href) return [link(href, ...marked(content, true))];
    if (name === "h") return [wrapped("p", "heading", marked(content, inside))];
    if (!NAMES.has(name)) return marked(content, inside);
    return [wrapped(name, "", marked(content, inside || name === "code" || name === "pre"))];
  });
}

function wrapped(name, className, content) {
  const made = element(name, className);
  made.append(...content);
  return made;
}
