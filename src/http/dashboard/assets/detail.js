// What the detail of an agent says, as elements.

import { make } from "./dom.js";
import { GRAPH, ago, capital, clock, count, duration, exact, plural, secondsUntil, source, state } from "./format.js";
import { presenceMark } from "./row.js";

const OUTCOMES = {
  taken: "serves it", tentative: "serves it if known there", otherwise: "otherwise", refused: "no", disabled: "off",
  not_reached: "not asked",
};
const OWNERS = {
  transient: "the agent, perhaps not for long", not_found: "the agent: not known", forbidden: "the agent: refuses us",
  dialog: "the dialog", invariant: "the agent: its presence cannot change", endpoint: "the endpoint or the pool",
  tenant: "the account, the tenant or the network",
};

/**
 * @param {any} answer AgentDetail
 * @param {{may: (scope: string) => boolean, revive: () => void}} actions
 * @returns {Node[]}
 */
export function detail(answer, { may, revive }) {
  const { agent, subscription, graph } = answer;
  const asked = answer.source === GRAPH;
  return [
    head(answer),
    make("p.why", {}, answer.why),
    agent.state === "abandoned" && abandoned(may("operate"), revive),
    graph && section("Microsoft Graph", facts(graphFacts(graph))),
    subscription && !asked && section("Subscription", facts(subscriptionFacts(agent, subscription))),
    subscription && asked && agent.state !== "active" && section("Attempts", facts(subscriptionFacts(agent, subscription))),
    subscription?.last_failure && section("Last failure", facts(failureFacts(subscription.last_failure, asked))),
    section("Source", rules(answer.rules)),
    section(agent.uccs.length === 1 ? "Watched by 1 queue" : `Watched by ${count(agent.uccs.length)} queues`, queues(agent.uccs)),
    section("Can be reached by", capabilities(answer.capabilities)),
    section("Last changes", timeline(answer.changes)),
  ].filter(Boolean);
}

function head({ agent }) {
  const { presence } = agent;
  const known = presence.freshness !== "unknown" || agent.sequence > 0;
  const where = [presence.device !== "Undefined" && presence.device, presence.location].filter(Boolean).join(" · ");
  return make("div.detail-head", { "data-freshness": presence.freshness },
    presenceMark(presence),
    make("p.detail-tags", {},
      make("span.tag", { "data-freshness": presence.freshness }, capital(presence.freshness)),
      make("span.tag", { "data-state": agent.state }, state(agent.state, presence.source)),
      make("span.faint", {}, `${presence.availability.value}`)),
    make("p.faint", {}, known && `since ${clock(presence.since)} (${ago(presence.since)})`, known && where && " · ", where));
}

function abandoned(allowed, revive) {
  return make("div.call", {},
    make("p", {}, "It has been given up: it is not tried again by itself."),
    allowed
      ? make("button.primary", { type: "button", "data-keep": "revive", click: revive }, "Revive")
      : make("p.faint", {}, "Reviving it needs a token with the scope operate."));
}

const section = (title, body) => make("section.detail-section", {}, make("h3", {}, title), body);

/** @param {[string, string|Node|null|undefined|false][]} pairs */
function facts(pairs) {
  const list = make("dl.facts");
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== false && value !== "") list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

function graphFacts({ tenant, object_id: id, account, notified, heard_at: heard }) {
  return [
    ["Tenant", tenant ?? "not known yet"],
    ["User", id ? make("code", {}, id) : "being looked up"],
    ["Account", account],
    ["Changes", notified ? "are notified, and asked for now and then" : "are found by asking"],
    ["Last answer", make("span", { "data-heard": true }, heard ? clock(heard) : "none yet")],
  ];
}

function subscriptionFacts(agent, { endpoint, attempt, failures, next_retry: next, expires }) {
  return [
    ["State", state(agent.state, agent.presence.source)],
    ["Endpoint", endpoint && capital(endpoint)],
    ["Attempt", agent.state !== "active" && String(attempt)],
    ["Failures that count", failures > 0 && String(failures)],
    ["Next attempt", next && moment(next, `${clock(next)} (in ${duration(secondsUntil(next))})`)],
    ["Runs out", expires && moment(expires, `${clock(expires)}, unless it is refreshed`)],
  ];
}

function failureFacts({ owner, by, code, ms_diagnostics: diagnostics, detail: text, retry_after: wait }, asked) {
  return [
    ["What", text],
    [asked ? "HTTP status" : "SIP code", code && String(code)],
    ["ms-diagnostics", diagnostics && String(diagnostics)],
    ["Owner", OWNERS[asked && owner === "endpoint" ? "tenant" : owner] ?? owner],
    ["Ended by", by],
    ["Asked us to wait", wait && duration(wait)],
  ];
}

const moment = (at, text) => make("time", { datetime: at, title: exact(at) }, text);

function rules({ considered }) {
  const list = make("ol.rules");
  for (const { source: name, verdict, rule, why } of considered) {
    list.append(make("li", { "data-outcome": verdict },
      make("p.rule-head", {}, make("span.name", {}, source(name)), make("span.tag", { "data-outcome": verdict }, OUTCOMES[verdict] ?? verdict),
        rule && make("span.faint", {}, `rule ${rule.number}: `, make("code", {}, rule.pattern))),
      make("p.faint", {}, why)));
  }
  return list;
}

function queues(names) {
  if (!names.length) return make("p.faint", {}, "No queue watches it now.");
  const list = make("ul.names");
  for (const name of names.slice(0, 60)) list.append(make("li.tag", {}, name));
  if (names.length > 60) list.append(make("li.faint", {}, `and ${plural(names.length - 60, "more queue")}`));
  return list;
}

function capabilities(can) {
  const list = make("ul.names");
  const words = { enabled: "yes", disabled: "no", unknown: "not known" };
  for (const [key, word] of [["audio", "Voice"], ["video", "Video"], ["text", "Messages"]]) {
    list.append(make("li.tag", { "data-can": can[key] }, `${word}: ${words[can[key]] ?? can[key]}`));
  }
  return list;
}

function timeline(changes) {
  if (!changes.length) return make("p.faint", {}, "Nothing has changed since the provider began to remember.");
  const list = make("ol.timeline");
  for (const { at, presence, previous } of changes) {
    const fresher = previous && previous.freshness !== presence.freshness;
    list.append(make("li", {},
      make("time", { datetime: at, title: exact(at) }, clock(at)),
      presenceMark(presence),
      fresher && make("span.tag", { "data-freshness": presence.freshness }, capital(presence.freshness))));
  }
  return list;
}
