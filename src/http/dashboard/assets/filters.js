// What narrows the list: the search box, the chips and the choices.

import { byId, debounced, make, setAttribute } from "./dom.js";
import { source, states } from "./format.js";

/** @typedef {Record<string, string>} Filter */

/** The chips: word and the filter that they are. */
const CHIPS = [
  ["All", {}],
  ["Fresh", { freshness: "fresh" }],
  ["Stale", { freshness: "stale" }],
  ["Unknown", { freshness: "unknown" }],
  ["Abandoned", { state: "abandoned" }],
];
const SOURCES = ["UcmaPresenceSource", "MsGraphPresenceSource", "PstnPresenceSource", "AttendantServiceSource"];

/** The filters of the list. */
export class Filters {
  /** @type {Filter} */
  #filter = {};
  #chips = [];
  #choices = {};
  #clear;

  /** @param {(filter: Filter) => void} changed */
  constructor(changed) {
    this.changed = changed;
    const chips = make("div.chips");
    for (const [word, filter] of CHIPS) {
      const chip = make("button.chip", { type: "button", "aria-pressed": "false", click: () => this.pick(filter) },
        make("span.swatch", { "aria-hidden": "true", "data-key": word.toLowerCase() }), word);
      this.#chips.push({ chip, filter });
      chips.append(chip);
    }
    const choice = (name, label, options) => {
      const select = make("select.choice", { "aria-label": label, change: () => this.#set(name, select.value) });
      this.#choices[name] = { select, label };
      this.#fill(name, options);
      return select;
    };
    this.#clear = make("button.quiet.clear", { type: "button", click: () => this.#replace({}) }, "Clear");
    byId("filters").append(chips,
      choice("state", "Any state", states),
      choice("source", "Any source", SOURCES.map((name) => [name, source(name)])),
      choice("endpoint", "Any endpoint", [["application", "Application"], ["user", "User"]]),
      choice("ucc", "Any queue", []),
      this.#clear);
    const search = byId("search");
    const settled = debounced(200, () => this.#set("q", search.value.trim()));
    search.addEventListener("input", settled);
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && search.value) {
        search.value = "";
        this.#set("q", "");
        event.preventDefault();
      }
    });
  }

  /** The queues that can be chosen. @param {string[]} names */
  uccs(names) {
    const { select } = this.#choices.ucc;
    const shown = [...select.options].slice(1).map((option) => option.value);
    if (shown.join("\n") !== names.join("\n")) this.#fill("ucc", names.map((name) => [name, name]));
    // The search box is left alone: somebody may be typing.
    this.#mark();
  }

  #fill(name, options) {
    const { select, label } = this.#choices[name];
    select.replaceChildren(make("option", { value: "" }, label), ...options.map(([value, word]) => make("option", { value }, word)));
  }

  /** Shows these agents and no others, but for the search and the choices. */
  pick(filter) {
    const { freshness, state, ...rest } = this.#filter;
    this.#replace({ ...rest, ...filter });
  }

  #set(name, value) {
    if ((this.#filter[name] ?? "") !== value) this.#replace({ ...this.#filter, [name]: value });
  }

  #replace(filter) {
    this.show(filter);
    this.changed(this.#filter);
  }

  /** Shows a filter, without saying that it has changed. @param {Filter} filter */
  show(filter) {
    this.#filter = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    const { q = "" } = this.#filter;
    const search = byId("search");
    if (document.activeElement !== search || search.value.trim() !== q) search.value = q;
    this.#mark();
  }

  /** Shows the filter at the chips and the choices. */
  #mark() {
    const { freshness = "", state = "" } = this.#filter;
    for (const { chip, filter: own } of this.#chips) {
      setAttribute(chip, "aria-pressed", (own.freshness ?? "") === freshness && (own.state ?? "") === state);
    }
    for (const [name, { select }] of Object.entries(this.#choices)) {
      // Abandoned has its chip.
      const value = name === "state" && state === "abandoned" ? "" : this.#filter[name] ?? "";
      if (value && ![...select.options].some((option) => option.value === value)) select.append(make("option", { value }, value));
      select.value = value;
      select.classList.toggle("set", value !== "");
    }
    this.#clear.hidden = Object.keys(this.#filter).length === 0;
  }
}
