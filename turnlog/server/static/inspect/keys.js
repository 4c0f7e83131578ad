// Keys, wherever the focus is; what is typed into a field stays there.

const FIELDS = new Set(["INPUT", "TEXTAREA", "SELECT"]);

/** table: {key: [what it does, in words, action(shift)]}; escape: for fields. */
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

/** The rows of the help: what each key does. */
export function described(table) {
  const names = { ArrowLeft: "←", ArrowRight: "→", PageUp: "Page up", PageDown: "Page down" };
  return Object.entries(table).map(([key, [words]]) => [names[key] ?? key, words]);
}
