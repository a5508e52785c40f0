// The queues: who wants how many agents, and which of them are clients of the API.

import { byId, make, setAttribute, setText } from "./dom.js";
import { count, duration, plural, secondsUntil } from "./format.js";

/** So many queues are listed; hundreds are normal, thousands are not. */
const SHOWN = 500;

/** The list of queues. */
export class Queues {
  #items = new Map();
  #uccs = [];
  #chosen = "";

  /** @param {(ucc: string) => void} pick shows the agents of this queue */
  constructor(pick) {
    this.pick = pick;
  }

  /** @param {any[]} uccs */
  show(uccs) {
    this.#uccs = uccs;
    setText(byId("queues-count"), count(uccs.length));
    const list = byId("queues");
    const names = new Set(uccs.map(({ name }) => name));
    for (const [name, item] of this.#items) {
      if (!names.has(name)) {
        item.remove();
        this.#items.delete(name);
      }
    }
    uccs.slice(0, SHOWN).forEach((ucc, index) => {
      const item = this.#items.get(ucc.name) ?? this.#make(ucc.name);
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    this.tick();
  }

  #make(name) {
    const button = make("button.queue", { type: "button", title: `Show the agents of ${name}`, click: () => this.pick(this.#chosen === name ? "" : name) },
      make("span.queue-name", {}, name), make("span.queue-note"), make("span.queue-agents"));
    const item = make("li", {}, button);
    this.#items.set(name, item);
    return item;
  }

  /** Marks the queue that the list is narrowed to. @param {string} name */
  mark(name) {
    this.#chosen = name;
    for (const [own, item] of this.#items) setAttribute(item.firstElementChild, "aria-pressed", own === name);
  }

  /** The texts; those with a countdown change every second. */
  tick() {
    for (const ucc of this.#uccs.slice(0, SHOWN)) {
      const [, note, agents] = this.#items.get(ucc.name).firstElementChild.children;
      setText(agents, plural(ucc.agents, "agent"));
      setText(note, notes(ucc));
      note.title = notes(ucc);
    }
    this.mark(this.#chosen);
  }
}

function notes({ remote, connections, released_at: released, calls, lagged }) {
  const parts = [];
  if (!remote) parts.push("in the service");
  else if (connections) parts.push(plural(connections, "stream"));
  else if (released) parts.push(`away, released in ${duration(secondsUntil(released))}`);
  else parts.push("over the API");
  if (calls) parts.push(plural(calls, "call"));
  if (lagged) parts.push(`lagged ${count(lagged)}×`);
  return parts.join(" · ");
}
