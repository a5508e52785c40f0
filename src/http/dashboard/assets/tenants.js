// The tenants of Microsoft Graph: a card each, beside the endpoints, with its accounts.

import { connection } from "./connection.js";
import { byId, icon, make, setAttribute, setText } from "./dom.js";
import { ago, duration, plural, secondsUntil } from "./format.js";

/** A card shows so many accounts; those that need a look come first. */
const SHOWN = 5;

const STATES = { starting: "Starting", working: "Works", failed: "Failed" };
const PUSH = {
  idle: "", subscribing: "notifications are coming", listening: "notifies", deaf: "notifications are deaf",
  backing_off: "no notifications for now", contested: "notifications belong to another process",
};
/** Notifications that do not work are no reason for red: the agents are asked for. */
const WEAK = new Set(["deaf", "backing_off", "contested"]);

/** Shows the tenants. @param {any[]} tenants of the glance */
export function showTenants(tenants) {
  const list = byId("tenants");
  list.hidden = tenants.length === 0;
  while (list.children.length > tenants.length) list.lastElementChild.remove();
  while (list.children.length < tenants.length) list.append(card());
  tenants.forEach((tenant, index) => fill(list.children[index], tenant));
}

const card = () =>
  make("li.endpoint.tenant.panel", {}, icon("p-Online", "endpoint-icon"),
    make("div.endpoint-text", {},
      make("p.endpoint-title", {}, make("span.name"), make("span.word")),
      make("p.line"), make("p.line.second"), make("ul.accounts")));

function fill(element, tenant) {
  const { tenant: id, up, accounts } = tenant;
  element.dataset.up = String(up);
  element.title = tenant.says;
  element.querySelector("use").setAttribute("href", up ? "#p-Online" : "#p-Offline");
  setText(element.querySelector(".name"), id);
  setText(element.querySelector(".word"), up ? "Up" : "Down");
  const [first, second] = element.querySelectorAll(".line");
  setText(first, work(tenant));
  setText(second, standing(tenant));
  const worst = [...accounts].sort((a, b) => trouble(b) - trouble(a));
  const rows = worst.slice(0, SHOWN).map((account) => row(account, up));
  if (worst.length > SHOWN) rows.push({ state: "more", name: `and ${plural(worst.length - SHOWN, "more account")}`, word: "", says: "" });
  const list = element.querySelector(".accounts");
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) list.append(make("li.account", {}, make("span.account-name"), make("span.account-word")));
  rows.forEach(({ state, name, word, says }, index) => {
    const item = list.children[index];
    item.dataset.state = state;
    setText(item.firstElementChild, name);
    setText(item.lastElementChild, word);
    setAttribute(item, "title", says || null);
  });
}

/** What is done for its agents. */
function work({ agents, looking_up: looking, batches, sweep }) {
  const parts = [`Teams: ${plural(agents, "agent")}`];
  if (agents) parts.push(`${plural(batches, "request")} every ${duration(sweep)}`);
  if (looking) parts.push(`${looking} looked up`);
  return parts.join(" · ");
}

/** How long it has been so, and when it goes on. */
function standing({ up, since, swept_at: swept, retry_at: retry, last_failure: failure }) {
  const parts = [];
  if (since) parts.push(`${up ? "up" : "down"} for ${ago(since)}`.replace("for now", "just now"));
  if (up && swept) parts.push(`all answered ${ago(swept)} ago`.replace("now ago", "just now"));
  if (!up && retry && connection.current) parts.push(again(retry));
  if (!up && failure) parts.push(brief(failure));
  return parts.join(" · ");
}

/** Without the numbers for Microsoft's support: the log and the API have them. */
function brief({ code, detail }) {
  const text = detail.split(/ Trace ID:| \(request-id /)[0];
  return code ? `${code} ${text}` : text;
}

function again(at) {
  const left = secondsUntil(at);
  return left > 0.5 ? `next try in ${duration(left)}` : "being tried";
}

function trouble({ state, needs_a_person: person, push }) {
  return (state === "failed" ? 2 : 0) + (person ? 2 : 0) + (WEAK.has(push?.state) ? 1 : 0);
}

/** When a tenant is down it says itself when it goes on. */
function row({ account, state, says, needs_a_person: person, retry_at: retry, push }, tenantUp) {
  const words = [person ? "Needs a person" : STATES[state] ?? state];
  if (state === "failed" && tenantUp && retry && connection.current) words.push(again(retry));
  const weak = state !== "failed" && WEAK.has(push?.state);
  if (state !== "failed" && push && PUSH[push.state]) {
    words.push(push.state === "listening" ? `${PUSH.listening} ${plural(push.users, "user")}` : PUSH[push.state]);
  }
  return { state: weak ? "weak" : state, name: account, word: words.join(" · "), says: weak ? `${says} ${push.says}` : says };
}
