// The agents that the list needs at the moment: pages of the server's list, kept while they are near.

import { ask } from "./api.js";
import { debounced } from "./dom.js";

const PAGE = 100;
/** Pages further than this from what is seen are forgotten. */
const NEAR = 20;

/**
 * @typedef {{uri: string, presence: any, sequence: number, state: string, endpoint: string|null, uccs: string[],
 *   failures: number, next_retry: string|null, changedAt?: number}} Agent
 */

/** A window on a list of any length. */
export class Agents {
  /** How many agents match; null while that is not known. @type {number|null} */
  total = null;
  /** Why the last request failed; null when it did not. @type {Error|null} */
  failure = null;
  #query = {};
  /** @type {Map<number, Agent[]>} */
  #pages = new Map();
  /** @type {Map<string, Agent>} */
  #byUri = new Map();
  /** @type {Map<number, Promise<void>>} */
  #underway = new Map();
  #abort = new AbortController();
  #replacing = false;
  #seen = [0, 0];
  #settle = debounced(70, () => this.#fetchSeen(false));

  /** @param {() => void} changed called when there is something new to show */
  constructor(changed) {
    this.changed = changed;
  }

  /** Shows another list. What is shown stays until the first page of the new list is there. */
  ask(query) {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#underway.clear();
    this.#query = query;
    this.#replacing = true;
    this.#seen = [0, PAGE];
    this.#fetch(0);
  }

  /** The agent in this row; undefined while it is not known. @param {number} index */
  at(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** These rows are seen: what is missing of them is fetched once the scrolling pauses. */
  see(first, last) {
    this.#seen = [first, last];
    if (!this.#replacing && this.#missing().length) this.#settle();
  }

  /** Fetches the pages that are seen again. */
  refresh() {
    this.#fetchSeen(true);
  }

  /** Takes a change over at once. Returns the agent when it is one that is kept. */
  apply({ uri, presence, sequence }) {
    const agent = this.#byUri.get(uri);
    if (!agent || sequence <= agent.sequence) return undefined;
    Object.assign(agent, { presence, sequence, changedAt: performance.now() });
    return agent;
  }

  /** Forgets everything: the provider is another one. */
  forget() {
    this.#pages.clear();
    this.#byUri.clear();
    this.ask(this.#query);
  }

  #pagesSeen() {
    const [first, last] = this.#seen.map((row) => Math.floor(row / PAGE));
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  #missing() {
    return this.#pagesSeen().filter((page) => !this.#pages.has(page) && page * PAGE < (this.total ?? 1));
  }

  #fetchSeen(again) {
    if (this.#replacing && this.#underway.size) return;
    for (const page of again ? this.#pagesSeen() : this.#missing()) this.#fetch(page);
  }

  #fetch(page) {
    if (this.#underway.has(page)) return;
    const { signal } = this.#abort;
    const work = this.#load(page, signal).finally(() => {
      if (!signal.aborted) this.#underway.delete(page);
    });
    this.#underway.set(page, work);
  }

  async #load(page, signal) {
    try {
      const parameters = { ...this.#query, offset: page * PAGE, limit: PAGE };
      const answer = await ask("agents", { parameters, signal });
      if (signal.aborted) return;
      this.failure = null;
      this.#take(page, answer);
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error;
    }
    this.changed();
  }

  #take(page, { agents, total }) {
    if (this.#replacing) {
      this.#pages.clear();
      this.#replacing = false;
    }
    this.total = total;
    const kept = agents.map((agent) => this.#merged(agent));
    this.#pages.set(page, kept);
    for (const number of this.#pages.keys()) {
      const [first, last] = this.#seen.map((row) => Math.floor(row / PAGE));
      if (number < first - NEAR || number > last + NEAR || number * PAGE >= total) this.#pages.delete(number);
    }
    this.#byUri.clear();
    for (const one of this.#pages.values()) for (const agent of one) this.#byUri.set(agent.uri, agent);
  }

  /** A list is up to a second old: a change that came as an event in between is not taken back. */
  #merged(agent) {
    const known = this.#byUri.get(agent.uri);
    if (!known) return agent;
    if (known.sequence > agent.sequence) return { ...agent, presence: known.presence, sequence: known.sequence, changedAt: known.changedAt };
    if (known.sequence < agent.sequence) return { ...agent, changedAt: performance.now() };
    return { ...agent, changedAt: known.changedAt };
  }
}
