// The scrolling box: blocks of a stretch, with elements only for those near the screen.

import { element } from "/static/dom.js";
import { sync } from "/static/inspect/children.js";

const EDGE = 0.25; // screens from an edge at which more is requested
const SPARE = 0.05; // screens beyond which a block can go
const MOST = 390; // elements of the page; above this, blocks are removed

export class Flow {
  /** more: called with "older" or "newer" when the reader nears an edge. */
  constructor(box, more) {
    this.box = box;
    this.more = more;
    this.kept = new Map();
    this.inner = element("div", "blocks");
    box.append(this.inner);
    this.wanted = null; // the event to keep in sight until the reader scrolls
    this.scrolled = 0;
    box.addEventListener("scroll", () => this.#edge(), { passive: true });
    for (const kind of ["wheel", "touchmove", "pointerdown"]) box.addEventListener(kind, () => (this.wanted = null), { passive: true });
    new ResizeObserver(() => this.wanted !== null && this.reveal(this.wanted)).observe(box);
  }

  /** Show blocks: [{key, first, last, make}], oldest first; one of a known key stays as it is. */
  show(blocks) {
    const anchor = this.#anchor();
    const focused = place(document.activeElement, this.inner);
    const kept = new Map();
    for (const { key, make } of blocks) kept.set(key, this.kept.get(key) ?? make());
    this.kept = kept;
    this.blocks = blocks;
    sync(this.inner, [...kept.values()]);
    if (anchor) this.#hold(anchor);
    if (focused && document.activeElement === document.body) this.inner.querySelector(focused)?.focus({ preventScroll: true });
  }

  /** Rebuild everything next time. */
  forget() {
    this.kept = new Map();
  }

  /** A block to remove if the page is crowded: {before} or {after}, its neighbour's event. */
  spare() {
    if (this.blocks.length < 2 || !crowded()) return null;
    const { scrollTop, clientHeight } = this.box;
    const [top, bottom] = [this.inner.firstElementChild, this.inner.lastElementChild];
    const above = scrollTop - (top.offsetTop + top.offsetHeight);
    const below = bottom.offsetTop - (scrollTop + clientHeight);
    if (Math.max(above, below) < SPARE * clientHeight) return null;
    return above > below ? { before: this.blocks[1].first } : { after: this.blocks.at(-2).last };
  }

  /** Whether the shown part ends so near on that side that more fits. */
  wants(side) {
    return !crowded() && this.#ends(side);
  }

  #ends(side) {
    const { scrollTop, clientHeight, scrollHeight } = this.box;
    const left = side === "older" ? scrollTop : scrollHeight - scrollTop - clientHeight;
    return left < EDGE * clientHeight;
  }

  /** The newest element of an event that has one. */
  of(event) {
    return this.inner.querySelector(`[data-event="${event}"]`) ?? this.#around(event);
  }

  #around(event) {
    const before = [...this.inner.querySelectorAll("[data-event]")].filter((one) => Number(one.dataset.event) <= event);
    return before.at(-1) ?? this.inner.firstElementChild;
  }

  /** Scroll until an event is visible. */
  reveal(event) {
    this.wanted = event;
    const found = this.of(event);
    if (!found) return;
    const [outer, box] = [this.box.getBoundingClientRect(), found.getBoundingClientRect()];
    const margin = Math.min(60, outer.height / 8);
    if (box.top >= outer.top + margin && box.bottom <= outer.bottom - margin) return;
    const room = Math.max(0, outer.height - box.height) / 2;
    this.box.scrollTop += box.top - outer.top - Math.min(room, outer.height / 3);
  }

  /** undone(number): whether an event is rewound at the moment. */
  mark(moment, undone) {
    for (const one of this.inner.querySelectorAll("[data-event]")) {
      const first = Number(one.dataset.event);
      const last = Number(one.dataset.last ?? first);
      one.classList.toggle("after", first > moment);
      one.classList.toggle("here", first <= moment && moment <= last);
      one.classList.toggle("struck", undone(first));
    }
    for (const [index, { first, last }] of this.blocks.entries()) {
      this.inner.children[index].classList.toggle("current", first <= moment && moment <= last);
    }
  }

  #edge() {
    const { scrollTop } = this.box;
    const side = scrollTop < this.scrolled ? "older" : "newer";
    this.scrolled = scrollTop;
    if (this.#ends(side)) this.more(side);
  }

  /** The element at the top of the screen, and its offset. */
  #anchor() {
    const top = this.box.getBoundingClientRect().top;
    for (const one of this.inner.querySelectorAll("[data-event]")) {
      const box = one.getBoundingClientRect();
      if (box.bottom > top && box.height) return { event: one.dataset.event, top: box.top };
    }
    return null;
  }

  #hold({ event, top }) {
    const found = this.inner.querySelector(`[data-event="${event}"]`);
    if (found) this.box.scrollTop += found.getBoundingClientRect().top - top;
  }
}

function crowded() {
  return document.getElementsByTagName("*").length > MOST;
}

/** A selector that finds an element after its block was rebuilt. */
function place(focused, inner) {
  const event = inner.contains(focused) ? focused.closest("[data-event]")?.dataset.event : null;
  if (event === null || event === undefined) return null;
  const within = focused.dataset.event ? "" : ` ${focused.localName}`;
  return `[data-event="${event}"]${within}`;
}
