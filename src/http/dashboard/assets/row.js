// One row of the table, and the small marks that other parts show too.

import { icon, make, setAttribute, setIcon, setText } from "./dom.js";
import { GRAPH, activity, ago, availability, capital, clock, exact, source, state, uriParts } from "./format.js";

/** States that are as they should be: they are not worth a second look. */
const CALM = new Set(["active", "served"]);
/** States that a person should see. */
const ALARMING = new Set(["abandoned", "quarantined"]);

/** An empty row. @param {{key: string}[]} columns @returns {any} */
export function makeRow(columns) {
  const row = make("div.row.agent", { role: "row", hidden: true });
  for (const [index, { key }] of columns.entries()) {
    row.append(make("div.cell", { role: "gridcell", "data-column": key, "aria-colindex": index + 1 }));
  }
  const [uri, presence, since, freshness, standing, origin, uccs] = row.children;
  uri.append(make("span.scheme"), make("span.address"));
  presence.append(icon("p-Unknown", "presence-icon"), make("span.presence-word"), make("span.activity"));
  since.append(make("time"));
  freshness.append(make("span.fresh-mark", { "aria-hidden": "true" }), make("span.fresh-word"));
  standing.append(make("span.state-word"));
  origin.append(make("span.source-word"), make("span.endpoint-word"));
  uccs.append(make("span.queue-first"), make("span.queue-more"));
  row.parts = {
    scheme: uri.children[0], address: uri.children[1], icon: presence.children[0], word: presence.children[1],
    activity: presence.children[2], since: since.children[0], fresh: freshness.children[1], state: standing.children[0],
    source: origin.children[0], endpoint: origin.children[1], queue: uccs.children[0], more: uccs.children[1],
  };
  return row;
}

/** Shows an agent in a row; without one the row says that it is being fetched. */
export function fillRow(row, agent) {
  const { parts } = row;
  row.classList.toggle("waiting", !agent);
  if (!agent) {
    setAttribute(row, "aria-busy", "true");
    for (const part of Object.values(parts)) if (part !== parts.icon) setText(part, "");
    return;
  }
  row.removeAttribute("aria-busy");
  const { presence } = agent;
  const [scheme, address] = uriParts(agent.uri);
  const { symbol, word, name } = availability(presence);
  row.dataset.availability = name;
  row.dataset.freshness = presence.freshness;
  row.dataset.state = ALARMING.has(agent.state) ? "alarming" : CALM.has(agent.state) ? "calm" : "moving";
  setText(parts.scheme, scheme);
  setText(parts.address, address);
  setAttribute(row.firstElementChild, "title", agent.uri);
  setIcon(parts.icon, symbol);
  setText(parts.word, word);
  setText(parts.activity, activity(presence));
  setAttribute(parts.activity, "title", presence.activity);
  const known = presence.freshness !== "unknown" || agent.sequence > 0;
  setText(parts.since, known ? ago(presence.since) : "–");
  setAttribute(parts.since, "title", known ? exact(presence.since) : null);
  setText(parts.fresh, capital(presence.freshness));
  setText(parts.state, state(agent.state, presence.source));
  setAttribute(parts.state, "title", standing(agent));
  setText(parts.source, source(presence.source));
  setText(parts.endpoint, agent.endpoint === "application" ? "app" : agent.endpoint ?? "");
  const via = (agent.endpoint && `, ${agent.endpoint} endpoint`) || (agent.account && `, account ${agent.account}`) || "";
  setAttribute(parts.source.parentElement, "title", `${presence.source}${via}`);
  setText(parts.queue, agent.uccs[0] ?? "–");
  setText(parts.more, agent.uccs.length > 1 ? `+${agent.uccs.length - 1}` : "");
  setAttribute(row.lastElementChild, "title", agent.uccs.slice(0, 30).join(", "));
}

/** What the state means where a word is too short. */
function standing({ state: name, failures, next_retry: next, presence }) {
  if (name === "waiting_for_endpoint" && presence.source === GRAPH) return "Microsoft Graph cannot be asked: it waits";
  if (name === "waiting_for_endpoint") return "No endpoint can be used: it waits for one";
  if (name === "awaiting_token") return "It waits for its turn: the throttle lets so many a second on the wire";
  if (name === "backing_off" && next) return `Failed ${failures} times, tried again at ${clock(next)}`;
  return null;
}

/** The presence as icon and word, for the detail, the timeline and the feed. */
export function presenceMark(presence) {
  const { symbol, word, name } = availability(presence);
  const doing = activity(presence);
  return make("span.presence-mark", { "data-availability": name, "data-freshness": presence.freshness },
    icon(symbol, "presence-icon"), make("span.presence-word", {}, word), doing && make("span.activity", {}, doing));
}
