// The address bar: it says what the page shows, and leads back there.

const TOGETHER = 500; // milliseconds; steps this close are one entry of the browser's history

/** The parts of the address: conversation, event, view, … as texts; absent if not in the address. */
export function asked() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

export function written(shown) {
  const said = Object.entries(shown).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `#${new URLSearchParams(said)}`;
}

let stepped = -Infinity;
let waiting = null; // written as soon as the browser allows
let timer = 0;

/** Write what is shown. step: whether the browser's back button returns to the previous view. */
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

/** Whether more changes than the moment. */
function isElsewhere(address) {
  const [there, here] = [address, waiting ?? location.hash].map((each) => new URLSearchParams(each.slice(1)));
  return ["conversation", "view"].some((name) => there.get(name) !== here.get(name));
}

function replace() {
  clearTimeout(timer);
  if (waiting !== null) history.replaceState(null, "", waiting);
  waiting = null;
}

/** Drop the address that is still to be written: the reader went elsewhere. */
export function forget() {
  waiting = null;
  stepped = -Infinity;
}

/** Copy the link to what is shown. The result is a notice for the reader. */
export async function copied(shown) {
  try {
    await navigator.clipboard.writeText(new URL(written(shown), location.href).href);
    return "Link to this moment copied.";
  } catch {
    return "The browser does not allow copying; copy the address instead.";
  }
}
