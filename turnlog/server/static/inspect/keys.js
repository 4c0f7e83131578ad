// Keyboard shortcuts, wherever the focus is, except in a field.

import { element } from "/static/dom.js";

const FIELDS = new Set(["INPUT", "TEXTAREA", "SELECT"]);

/** table: {key: [description, action(shift)]}; escape: for fields. */
export function listen(table, escape) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (FIELDS.has(target.tagName) && target.type !== "range" && target.type !== "checkbox") {
      if (event.key === "Escape") escape(target);
      return;
    }
    if (target.closest?.("dialog")) return;
    const found = table[event.key];
    if (!found) return;
    event.preventDefault();
    found[1](event.shiftKey);
  });
}

/** Show what each key does. */
export function help(page, table) {
  const names = { ArrowLeft: "←", ArrowRight: "→", PageUp: "Page up", PageDown: "Page down" };
  const rows = Object.entries(table).map(([key, [words]]) => {
    const row = element("div");
    row.append(element("kbd", "", names[key] ?? key), ` ${words}`);
    return row;
  });
  page("keys").replaceChildren(...rows);
  page("help").showModal();
}
