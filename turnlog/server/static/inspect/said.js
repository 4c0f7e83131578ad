// Values, times and lengths in words.

/** A value on one line. */
export function plain(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Members as `name value, name value`; any other value unchanged. */
export function listed(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return plain(value);
  return Object.entries(value).map(([name, held]) => `${name} ${plain(held)}`).join(", ");
}

export function counted(number, what) {
  return `${numbered(number)} ${what}${number === 1 ? "" : "s"}`;
}

/** A number as `3,000`. */
export function numbered(number) {
  return number.toLocaleString("en");
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

export function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString("en-GB");
}

/** Seconds as `84 ms`, `12 s`, `6 min`, `3 h`, `2 days`. */
export function length(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${+seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return counted(Math.round(seconds / 86400), "day");
}
