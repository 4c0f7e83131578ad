// The address: what the page shows, and how one gets back to it.

const TOGETHER = 500; // milliseconds within which steps are one entry of the browser's history

/** What the address asks for: conversation, event, view, … as texts; absent where it says nothing. */
export function asked() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

export function written(shown) {
  const said = Object.entries(shown).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `#${new URLSearchParams(said)}`;
}

let stepped = -Infinity;
let waiting = null; // what is to be written as soon as the browser allows
let timer = 0;

/** Write what is shown. step: whether the browser's back button comes back to what was before. */
export function write(shown, step = true) {
  const address = written(shown);
  if (address === (waiting ?? location.hash)) return;
  const now = performance.now();
  const apart = step && (now - stepped > TOGETHER || isElsewhere(address));
  if (step) stepped = now;
  if (apart) {
    replace();
    history.pushState(null, "", address);
  } else {
    waiting = address;
    clearTimeout(timer);
    timer = setTimeout(replace, 120); // browsers allow few of these a second
  }
}

/** Whether it shows more than another moment of the same. */
function isElsewhere(address) {
  const [there, here] = [address, waiting ?? location.hash].map((each) => new URLSearchParams(each.slice(1)));
  return ["conversation", "view"].some((name) => there.get(name) !== here.get(name));
}

function replace() {
  clearTimeout(timer);
  if (waiting !== null) history.replaceState(null, "", waiting);
  waiting = null;
}

/** Forget what is still to be written: the reader went elsewhere. */
export function forget() {
  waiting = null;
  stepped = -Infinity;
}

/** Copy the link to what is shown; in words, whether the browser has let it. */
export async function copied(shown) {
  try {
    await navigator.clipboard.writeText(new URL(written(shown), location.href).href);
    return "The link to this moment is copied.";
  } catch {
    return "The browser lets nothing be copied; the address is the link.";
  }
}
