// The strip of slots over time: a picture under the slider, drawn from spans that the server gives.

const [ROW, LABEL, EDGE, SHOWN] = [13, 78, 6, 6]; // pixels; EDGE is half the slider's thumb
const PAUSE = 60; // seconds; longer gaps before a turn are marked

export class Strip {
  constructor(canvas, slider) {
    this.canvas = canvas;
    this.slider = slider;
    [this.spans, this.turns] = [[], []];
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** overview: the server's; null until it is loaded. */
  show(overview) {
    const slots = overview?.slots ?? [];
    this.spans = slots.slice(0, SHOWN);
    this.turns = overview?.turns ?? [];
    this.more = slots.length - this.spans.length + (overview?.more ?? 0);
    this.canvas.style.height = `${Math.max(1, this.spans.length) * ROW + 10}px`;
    this.draw();
  }

  /** moment: an event; last: the conversation's; chosen: a slot. */
  move(moment, last, chosen) {
    [this.moment, this.last, this.chosen] = [moment, last, chosen];
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !this.last) return;
    const scale = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.font = `11px ${style.fontFamily}`;
    const x = (event) => LABEL + EDGE + (event / this.last) * (width - LABEL - 2 * EDGE);
    for (const [row, { name, spans }] of this.spans.entries()) {
      const y = row * ROW + 3;
      pen.fillStyle = colour("--soft");
      pen.fillText(fitting(pen, name), 2, y + 8);
      for (const [from, to] of spans) this.#span(pen, colour, name, x(from), x(to + 1), y, from <= this.moment && this.moment <= to);
    }
    pen.fillStyle = colour("--line");
    pen.fillRect(LABEL, height - 4, width - LABEL, 1);
    for (const [event, pause] of this.turns) mark(pen, colour, x(event), height, pause);
    pen.fillStyle = colour("--accent");
    pen.fillRect(x(this.moment) - 1, 0, 2, height);
  }

  #span(pen, colour, name, from, to, y, held) {
    pen.fillStyle = colour(name === this.chosen ? "--warn" : "--accent");
    pen.globalAlpha = held ? 0.75 : 0.3;
    pen.fillRect(from, y, Math.max(1, to - from - 1), ROW - 5);
    pen.globalAlpha = 1;
  }
}

/** Where a turn begins; through all rows after a pause. */
function mark(pen, colour, at, height, pause) {
  const paused = pause >= PAUSE;
  pen.fillStyle = colour(paused ? "--warn" : "--soft");
  pen.fillRect(at, paused ? 0 : height - 8, 1, height);
}

function fitting(pen, name) {
  let text = name;
  while (text && pen.measureText(text).width > LABEL - 6) text = text.slice(0, -1);
  return text === name ? name : `${text.slice(0, -1)}…`;
}
