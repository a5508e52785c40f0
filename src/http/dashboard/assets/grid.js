// The table of agents: only the rows that are seen exist, however many there are.

import { fillRow, makeRow } from "./row.js";
import { byId, flash, make, makeSvg, setAttribute, setText } from "./dom.js";

/** Rows beyond the edges, so that a small scroll shows no gap. */
const SPARE = 8;
/** A change older than this is not lit up any more, in ms. */
const RECENT = 1200;

const COLUMNS = [
  { key: "uri", word: "Agent", sort: "uri" },
  { key: "presence", word: "Presence", sort: "availability" },
  { key: "since", word: "Since", sort: "since" },
  { key: "freshness", word: "Freshness", sort: "freshness" },
  { key: "state", word: "State", sort: "state" },
  { key: "source", word: "Source" },
  { key: "uccs", word: "Queues" },
];

/** A row that is not seen belongs to no agent. */
function release(row) {
  row.hidden = true;
  row.shown = -1;
  row.agent = undefined;
  row.classList.remove("active");
  row.removeAttribute("id");
}

/** The table. */
export class Grid {
  #grid = byId("agents-grid");
  #scroll = byId("grid-scroll");
  #body = byId("grid-body");
  /** @type {any[]} */
  #rows = [];
  #height = 44;
  #active = 0;
  #frame = 0;
  #heads = new Map();

  /**
   * @param {import("./agents.js").Agents} agents
   * @param {{open: (uri: string) => void, sort: (sort: string) => void}} actions
   */
  constructor(agents, { open, sort }) {
    this.agents = agents;
    this.open = open;
    this.#buildHead(sort);
    this.#scroll.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(this.#scroll);
    this.#grid.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#grid.addEventListener("focus", () => this.#grid.classList.add("focused"));
    this.#grid.addEventListener("blur", () => this.#grid.classList.remove("focused"));
  }

  #buildHead(sort) {
    COLUMNS.forEach(({ key, word, sort: by }, index) => {
      const head = make("div.cell", { role: "columnheader", "data-column": key, "aria-colindex": index + 1 });
      if (by) {
        const arrow = makeSvg("svg", { viewBox: "0 0 12 12", class: "arrow", "aria-hidden": "true" }, makeSvg("use", { href: "#i-up" }));
        const click = () => sort(head.getAttribute("aria-sort") === "ascending" ? `-${by}` : by);
        head.append(make("button.sort", { type: "button", click }, word, arrow));
        this.#heads.set(by, head);
      } else head.append(word);
      byId("grid-head").append(head);
    });
    this.#grid.setAttribute("aria-colcount", COLUMNS.length);
  }

  /** Shows by which column the list is sorted. @param {string} sort */
  markSort(sort) {
    const down = sort.startsWith("-");
    for (const [by, head] of this.#heads) {
      const mine = by === sort.replace(/^-/, "");
      setAttribute(head, "aria-sort", mine ? (down ? "descending" : "ascending") : "none");
      head.querySelector("use").setAttribute("href", down && mine ? "#i-down" : "#i-up");
    }
  }

  /** Back to the first row. */
  top() {
    this.#active = 0;
    this.#scroll.scrollTop = 0;
  }

  /** Puts the keyboard into the table. */
  focus() {
    this.#grid.focus();
  }

  /** Draws with the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #measure() {
    const row = this.#rows[0] ?? this.#addRow();
    const { hidden } = row;
    row.hidden = false;
    this.#height = row.getBoundingClientRect().height || this.#height;
    row.hidden = hidden;
    for (const one of this.#rows) one.shown = -1;
    this.draw();
  }

  #addRow() {
    const row = makeRow(COLUMNS);
    row.shown = -1;
    this.#rows.push(row);
    this.#body.append(row);
    return row;
  }

  #draw() {
    const total = this.agents.total ?? 0;
    const seen = Math.ceil(this.#scroll.clientHeight / this.#height) + 1;
    const top = Math.max(0, Math.min(Math.floor(this.#scroll.scrollTop / this.#height), total - seen));
    const first = Math.max(0, top - SPARE);
    const last = Math.min(total, top + seen + SPARE);
    this.#body.style.height = `${total * this.#height}px`;
    setAttribute(this.#grid, "aria-rowcount", this.agents.total === null ? -1 : total + 1);
    while (this.#rows.length < seen + 2 * SPARE) this.#addRow();
    this.agents.see(top, Math.min(total, top + seen));
    this.#active = Math.max(0, Math.min(this.#active, total - 1));
    const size = this.#rows.length;
    const used = new Set();
    for (let index = first; index < last; index++) {
      const row = this.#rows[index % size];
      used.add(row);
      this.#place(row, index);
    }
    for (const row of this.#rows) if (!used.has(row) && !row.hidden) release(row);
    setAttribute(this.#grid, "aria-activedescendant", total ? `agent-row-${this.#active}` : null);
  }

  #place(row, index) {
    if (row.shown !== index) {
      row.shown = index;
      row.hidden = false;
      row.style.transform = `translateY(${index * this.#height}px)`;
      row.id = `agent-row-${index}`;
      row.setAttribute("aria-rowindex", index + 2);
      row.classList.toggle("odd", index % 2 === 1);
    }
    const agent = this.agents.at(index);
    const before = row.agent;
    fillRow(row, agent);
    row.agent = agent;
    row.classList.toggle("active", index === this.#active);
    setAttribute(row, "aria-selected", index === this.#active);
    if (!agent?.changedAt || agent.changedAt === row.lit || performance.now() - agent.changedAt > RECENT) return;
    row.lit = agent.changedAt;
    if (before?.uri === agent.uri) flash(row);
  }

  #click(event) {
    const row = event.target.closest(".row");
    if (!row?.agent || String(getSelection())) return;
    this.#active = row.shown;
    this.draw();
    this.open(row.agent.uri);
  }

  #key(event) {
    if (event.target !== this.#grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.#scroll.clientHeight / this.#height) - 1);
    const last = (this.agents.total ?? 0) - 1;
    const to = {
      ArrowDown: this.#active + 1, ArrowUp: this.#active - 1, PageDown: this.#active + page, PageUp: this.#active - page,
      Home: 0, End: last, j: this.#active + 1, k: this.#active - 1,
    }[event.key];
    if (to !== undefined) this.#go(Math.max(0, Math.min(to, last)));
    else if (event.key === "Enter" || event.key === " ") {
      const agent = this.agents.at(this.#active);
      if (agent) this.open(agent.uri);
    } else return;
    event.preventDefault();
  }

  #go(index) {
    this.#active = index;
    const [top, bottom] = [index * this.#height, (index + 1) * this.#height];
    const { scrollTop, clientHeight } = this.#scroll;
    if (top < scrollTop) this.#scroll.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.#scroll.scrollTop = bottom - clientHeight;
    this.draw();
  }

  /** Says how many there are, or why there are none. @param {string} text @param {string} empty */
  say(text, empty) {
    setText(byId("agents-count"), text);
    const none = byId("grid-empty");
    none.hidden = empty === "";
    setText(none, empty);
  }
}
