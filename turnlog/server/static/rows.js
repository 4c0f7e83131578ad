// A long list of rows of one height, of which only those in sight are elements.

import { element } from "/static/dom.js";

const AROUND = 12;

export class Rows {
  /** render(index) makes a row's element. */
  constructor(box, render) {
    this.box = box;
    this.render = render;
    this.count = 0;
    this.spacer = element("div", "spacer");
    box.append(this.spacer);
    box.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.show()).observe(box);
  }

  get height() {
    return (this.measured ||= Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 1.9));
  }

  show(count = this.count) {
    this.count = count;
    this.spacer.style.height = `${count * this.height}px`;
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - AROUND);
    const last = Math.min(count, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + AROUND);
    const rows = [];
    for (let index = first; index < last; index++) {
      const row = this.render(index);
      row.style.top = `${index * this.height}px`;
      rows.push(row);
    }
    this.spacer.replaceChildren(...rows);
  }

  /** Scroll so far that the row can be seen. */
  reveal(index) {
    const top = index * this.height;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop + this.height) this.box.scrollTop = top - clientHeight / 3;
    else if (top + 2 * this.height > scrollTop + clientHeight) this.box.scrollTop = top - (clientHeight * 2) / 3;
    else return;
    this.show();
  }
}
