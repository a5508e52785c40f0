// The glance: the verdict, the recovery, the endpoints and the numbers.

import { connection } from "./connection.js";
import { byId, icon, make, setAttribute, setText } from "./dom.js";
import { showTenants } from "./tenants.js";
import { ago, capital, clock, count, duration, plural, rate, secondsUntil } from "./format.js";

const VERDICTS = {
  well: "All well", recovering: "Recovering", degraded: "Needs a look", down: "Down", lost: "No connection",
};
/** During a recovery the headline changes every second; a screen reader hears it this often at most. */
const ANNOUNCE_EVERY = 20_000;

/** The numbers: key, word, what is counted, the filter of the list that a click sets. */
const TILES = [
  { key: "total", word: "Agents", of: (status) => status.agents.total, filter: {} },
  { key: "fresh", word: "Fresh", of: (status) => status.agents.fresh, filter: { freshness: "fresh" } },
  { key: "stale", word: "Stale", of: (status) => status.agents.stale, filter: { freshness: "stale" } },
  { key: "unknown", word: "Unknown", of: (status) => status.agents.unknown, filter: { freshness: "unknown" } },
  { key: "abandoned", word: "Abandoned", of: (status) => status.agents.abandoned, filter: { state: "abandoned" } },
  { key: "queue", word: "In the queue", of: (status) => status.throttle.waiting, filter: { state: "awaiting_token" } },
];

/** The top of the page. */
export class Overview {
  #status = null;
  #announced = { text: "", at: 0, verdict: "" };
  #tiles = new Map();

  /** @param {(filter: {freshness?: string, state?: string}) => void} pick shows these agents in the list */
  constructor(pick) {
    this.#build(pick);
    connection.onChange(() => this.#verdict());
  }

  #build(pick) {
    const row = make("div.tile-row");
    for (const { key, word, filter } of TILES) {
      const value = make("span.tile-value", {}, "–");
      const note = make("span.tile-note");
      const label = make("span.tile-word", {}, make("span.swatch", { "aria-hidden": "true" }), word);
      const tile = make("button.tile", { type: "button", "data-key": key, "aria-pressed": "false", click: () => pick(filter) }, label, value, note);
      this.#tiles.set(key, { tile, value, note, filter });
      row.append(tile);
    }
    const share = make("div.share", { "aria-hidden": "true" });
    for (const key of ["fresh", "stale", "unknown"]) share.append(make("span", { "data-key": key }));
    byId("tiles").append(row, share);
  }

  /** Marks the tile whose filter the list has. @param {Record<string, string>} filter */
  mark(filter) {
    for (const { tile, filter: own } of this.#tiles.values()) {
      const same = (own.freshness ?? "") === (filter.freshness ?? "") && (own.state ?? "") === (filter.state ?? "");
      setAttribute(tile, "aria-pressed", same);
    }
  }

  /** Shows what the provider says of itself. */
  show(status) {
    this.#status = status;
    setText(byId("version"), status.version);
    this.#verdict();
    this.#numbers(status);
    this.#endpoints(status);
    showTenants(status.graph ?? []);
    this.tick();
  }

  /** What changes with the clock alone: the countdowns. */
  tick() {
    const status = this.#status;
    if (!status) return;
    this.#recovery(status.recovery);
    const { waiting, predicted_end: end, rate: now } = status.throttle;
    const note = this.#tiles.get("queue").note;
    if (!waiting) setText(note, `empty · ${rate(now)}/s`);
    else if (end && connection.current) setText(note, `${duration(secondsUntil(end))} left`);
    else setText(note, `${rate(now)}/s`);
  }

  #verdict() {
    const status = this.#status;
    const verdict = connection.current ? status?.verdict : "lost";
    if (!status || !Object.hasOwn(VERDICTS, verdict)) return;
    const panel = byId("verdict");
    panel.dataset.verdict = verdict;
    byId("verdict-icon").setAttribute("href", `#verdict-${verdict}`);
    const word = verdict === "lost" && !connection.lostSince ? "Old data" : VERDICTS[verdict];
    setText(byId("verdict-word"), word);
    // The word stands above already.
    const told = status.headline.startsWith(`${word}: `) ? status.headline.slice(word.length + 2) : status.headline;
    const line = verdict === "lost" ? `As of ${clock(status.taken)} it said: ${status.headline}` : capital(told);
    setText(byId("verdict-line"), line);
    document.title = `${word} · Presence Provider`;
    this.#announce(verdict, `${word}. ${line}`);
  }

  #announce(verdict, text) {
    const { at, verdict: before, text: said } = this.#announced;
    if (said === text || (verdict === before && Date.now() - at < ANNOUNCE_EVERY)) return;
    this.#announced = { text, at: Date.now(), verdict };
    setText(byId("announce"), text);
  }

  #recovery(recovery) {
    const part = byId("recovery");
    part.hidden = !recovery;
    if (!recovery) return;
    const { done, total, cause, since, predicted_end: end } = recovery;
    const share = total ? Math.min(1, done / total) : 0;
    setText(byId("recovery-cause"), `${cause} · since ${clock(since)}`);
    setText(byId("recovery-order"), recovery.order || "");
    setText(byId("recovery-done"), count(done));
    setText(byId("recovery-total"), count(total));
    byId("recovery-bar").value = share;
    setAttribute(byId("recovery-bar"), "aria-valuetext", `${count(done)} of ${count(total)} agents are back`);
    setText(byId("recovery-percent"), `${Math.floor(share * 100)} %`);
    let text = "no end in sight while no endpoint is up";
    if (!connection.current) text = "";
    else if (end) {
      const left = secondsUntil(end);
      text = left > 0.5 ? `all back in ${duration(left)}, at ${clock(end)}` : "any moment now";
    }
    setText(byId("recovery-end"), text);
  }

  #numbers(status) {
    const { total, quarantined, backing_off: backing } = status.agents;
    for (const { key, of } of TILES) {
      const { tile, value, note } = this.#tiles.get(key);
      const number = of(status);
      setText(value, count(number));
      tile.classList.toggle("none", number === 0);
      if (["fresh", "stale", "unknown"].includes(key)) setText(note, total ? percent(number, total) : "");
    }
    setText(this.#tiles.get("total").note, plural(status.uccs, "queue"));
    const extra = [backing && `${count(backing)} backing off`, quarantined && `${count(quarantined)} quarantined`];
    setText(this.#tiles.get("abandoned").note, extra.filter(Boolean).join(" · ") || (status.agents.abandoned ? "can be revived" : "none"));
    for (const part of byId("tiles").querySelectorAll(".share span")) {
      part.style.flexGrow = String(status.agents[part.dataset.key] || 0);
    }
  }

  #endpoints(status) {
    const unready = status.sources.filter((source) => !source.ready);
    const cards = [
      ...status.endpoints.map((endpoint) => ({
        key: endpoint.endpoint,
        up: endpoint.up,
        title: `${capital(endpoint.endpoint)} endpoint`,
        word: endpoint.state,
        lines: [endpoint.uri, standing(endpoint), losses(endpoint)],
      })),
      ...(status.state && !status.state.kept ? [{ key: "state", up: false, title: "State for the next start", word: "Not written", lines: unwritten(status.state) }] : []),
      ...unready
        // The endpoints and the tenants have cards of their own.
        .filter((source) => source.source !== "UcmaPresenceSource" || status.endpoints.length === 0)
        .filter((source) => source.source !== "MsGraphPresenceSource" || !status.graph?.length)
        .map((source) => ({ key: source.source, up: false, title: source.source, word: "Not ready", lines: [source.why ?? ""] })),
    ];
    const list = byId("endpoints");
    while (list.children.length > cards.length) list.lastElementChild.remove();
    while (list.children.length < cards.length) list.append(card());
    cards.forEach((one, index) => fill(list.children[index], one));
  }
}

/** What stands in the second line of an endpoint. */
function standing({ up, since, agents, last_failure: failure }) {
  const parts = up || !failure ? [`serves ${plural(agents, "agent")}`] : [];
  if (since) parts.push(`${up ? "up" : "down"} for ${ago(since)}`.replace("for now", "just now"));
  if (!up && failure) parts.push(failure.detail);
  return parts.join(" · ");
}

/** What samples found; the pool had given no sign of it. */
function losses({ silent_losses: found, last_silent_loss: last }) {
  return last ? `${plural(found, "silent loss", "silent losses")}, the last at ${clock(last)}` : "";
}

/** Why a restart would begin with something older than this. */
function unwritten({ why, since, written }) {
  const before = written ? `a restart would begin with what was known at ${clock(written)}` : "a restart would know nothing of this run";
  return [why ?? "", `since ${clock(since)} · ${before}`, ""];
}

const card = () =>
  make("li.endpoint.panel", {}, icon("p-Online", "endpoint-icon"),
    make("div.endpoint-text", {}, make("p.endpoint-title", {}, make("span.name"), make("span.word")), make("p.line"), make("p.line.second"), make("p.line.losses")));

function fill(element, { key, up, title, word, lines }) {
  element.dataset.key = key;
  element.dataset.up = String(up);
  element.querySelector("use").setAttribute("href", up ? "#p-Online" : "#p-Offline");
  setText(element.querySelector(".name"), title);
  setText(element.querySelector(".word"), word);
  element.querySelectorAll(".line").forEach((line, index) => {
    setText(line, lines[index] ?? "");
    line.title = lines[index] ?? "";
    line.hidden = !lines[index];
  });
}

/** Never 100 % when one is missing, never 0 % when there is one. */
function percent(part, whole) {
  if (part === 0 || part === whole) return part ? "100 %" : "none";
  return `${Math.min(99.9, Math.max(0.1, (part / whole) * 100)).toFixed(1)} %`;
}
