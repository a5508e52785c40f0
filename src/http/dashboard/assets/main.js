// The page: puts its parts together and keeps them up to date.

import { Agents } from "./agents.js";
import { ApiError, ask, whenUnauthorized } from "./api.js";
import { Charts } from "./charts.js";
import { connection } from "./connection.js";
import { byId, setAttribute, setText, toast } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Filters } from "./filters.js";
import { clock, learnClock, plural } from "./format.js";
import { Grid } from "./grid.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { Queues } from "./queues.js";
import { may, signIn, startSignIn } from "./signin.js";
import { EventStream } from "./stream.js";
import { startTheme } from "./theme.js";
import * as view from "./view.js";

/** A page that nobody sees lets go of its stream after this long: browsers have few connections to one host. */
const HIDDEN_FOR = 60_000;

/** The glance is small: a provider that does not give it within this many ms is not there. */
const GLANCE_WITHIN = 4000;

let shown = view.read();
let started = "";
let abandoned = 0;
const ticks = [];

const agents = new Agents(() => listed());
const grid = new Grid(agents, { open: (uri) => go({ ...shown, agent: uri }, true), sort: (sort) => go({ ...shown, sort }) });
const filters = new Filters((filter) => go({ ...filter, sort: shown.sort, agent: shown.agent }));
const overview = new Overview((filter) => {
  filters.pick(filter);
  tab("agents");
});
const queues = new Queues((ucc) => {
  go({ ...shown, ucc });
  tab("agents");
});
const live = new Live((uri) => go({ ...shown, agent: uri }, true));
const charts = new Charts();
const drawer = new Drawer({ closed: () => go({ ...shown, agent: "" }), may, revived: () => agents.refresh() });
const stream = new EventStream("api/v1/events", {
  event: (event) => happened(event),
  state: (state, why) => {
    if (state === "lost") live.note(`The stream of events broke: ${why}.`);
    if (state === "refused") live.note(`No live events: ${why}.`);
    if (state === "open") {
      live.note("Connected: changes appear here as they happen.");
      agents.refresh();
    }
    connection.streamIs(state);
  },
});

/** Shows another view: the address, the list and the detail follow. */
function go(next, push = false) {
  const before = shown;
  shown = Object.fromEntries(Object.entries(next).filter(([, value]) => value));
  view.write(shown, { push });
  if (!view.same(before, shown)) list();
  if (shown.agent) drawer.open(shown.agent);
  else drawer.close();
}

/** Asks for the list that the view wants. */
function list() {
  const query = view.query(shown);
  filters.show(Object.fromEntries(view.FILTERS.map((name) => [name, query[name] ?? ""])));
  overview.mark(query);
  queues.mark(query.ucc ?? "");
  grid.markSort(query.sort ?? "uri");
  grid.top();
  agents.ask({ sort: "uri", ...query });
  reviveAll();
}

/** The list has come. */
function listed() {
  grid.draw();
  const { total, failure } = agents;
  const narrowed = view.FILTERS.some((name) => shown[name]);
  if (failure instanceof ApiError && failure.status === 403) return grid.say("", "Your token may not see agents: that needs the scope read.");
  if (failure instanceof ApiError && failure.status === 400) return grid.say("", `The list cannot be shown: ${failure.message}`);
  if (total === null) return grid.say("", failure ? "The agents cannot be fetched now; trying again." : "");
  const text = narrowed ? `${plural(total, "agent")} ${total === 1 ? "matches" : "match"}` : plural(total, "agent");
  grid.say(text, total ? "" : narrowed ? "No agent matches. Search for a part of the URI, or clear the filters." : "Nobody watches any agent yet.");
}

/** An event has come. */
function happened(event) {
  if (event.type === "changed") {
    if (agents.apply(event)) grid.draw();
    drawer.touched(event.uri);
  } else if (event.type === "lagged" || event.type === "endpoint" || event.type === "graph") agents.refresh();
  live.add(event);
}

function reviveAll() {
  byId("revive-all").hidden = shown.state !== "abandoned" || abandoned === 0;
  const allowed = may("operate");
  byId("revive-all-button").hidden = !allowed;
  const all = `${plural(abandoned, "agent")} ${abandoned === 1 ? "has" : "have"} been given up after failures of their own and ${abandoned === 1 ? "is" : "are"} not tried again by ${abandoned === 1 ? "itself" : "themselves"}.`;
  setText(byId("revive-all-text"), allowed ? all : `${all} Reviving them needs a token with the scope operate.`);
}

function startReviveAll() {
  const dialog = byId("confirm");
  byId("revive-all-button").addEventListener("click", () => {
    setText(byId("confirm-text"), `${plural(abandoned, "agent")} will be subscribed again, at the rate of the throttle. Those that fail again are given up again.`);
    dialog.showModal();
    byId("confirm-no").focus();
  });
  byId("confirm-no").addEventListener("click", () => dialog.close());
  byId("confirm-yes").addEventListener("click", async () => {
    dialog.close();
    try {
      const { revived } = await ask("agents/revive", { method: "POST" });
      toast(`${plural(revived, "agent")} ${revived === 1 ? "is" : "are"} tried again.`);
      agents.refresh();
    } catch (error) {
      toast(error.status === 403 ? "Your token may not revive agents: that needs the scope operate." : `Not revived: ${error.message}.`);
    }
  });
}

/** The glance. */
async function glance() {
  try {
    const status = await ask("status", { within: GLANCE_WITHIN });
    learnClock(status.taken);
    abandoned = status.agents.abandoned;
    connection.arrived(status.taken);
    overview.show(status);
    reviveAll();
    if (started && started !== status.started) agents.forget();
    started = status.started;
  } catch (error) {
    if (error.status === 403) {
      setText(byId("verdict-word"), "Not for this token");
      setText(byId("verdict-line"), `${error.message}. The page needs a token with the scope read.`);
    } else if (error.status !== 401) connection.failed(error.message);
    throw error;
  }
}

/**
 * Does something again and again, never twice at once; seldom while nobody sees the page or when it fails.
 * @param {number} interval ms
 * @param {() => Promise<any>} work
 */
function every(interval, work) {
  let [timer, failures, busy] = [0, 0, false];
  const run = async () => {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    let wait = interval;
    try {
      await work();
      failures = 0;
    } catch (error) {
      failures += 1;
      wait = Math.max(Math.min(interval * 2 ** Math.min(failures - 1, 3), 10_000), (error?.retryAfter ?? 0) * 1000);
    }
    busy = false;
    timer = setTimeout(run, document.hidden ? Math.max(wait, 10_000) : wait);
  };
  ticks.push(run);
  run();
}

function tab(name) {
  byId("main").dataset.tab = name;
  for (const button of document.querySelectorAll(".tabs button")) setAttribute(button, "aria-pressed", button.dataset.tab === name);
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    tab("agents");
    byId("search").select();
    byId("search").focus();
  });
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      grid.focus();
    }
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    tab("agents");
    grid.focus();
  });
  for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => tab(button.dataset.tab));
}

function startRest() {
  let timer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => {
        stream.stop();
        connection.streamIs("resting");
      }, HIDDEN_FOR);
      return;
    }
    stream.start();
    for (const tick of ticks) tick();
  });
}

function tick() {
  setText(byId("clock"), clock(Date.now()));
  connection.show();
  overview.tick();
  queues.tick();
  grid.draw();
}

async function begin() {
  startTheme();
  startKeys();
  startReviveAll();
  startSignIn(() => location.reload());
  for (;;) {
    try {
      await signIn();
      break;
    } catch (error) {
      connection.failed(error.message);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  whenUnauthorized(() => location.reload());
  window.addEventListener("hashchange", () => go(view.read()));
  window.addEventListener("popstate", () => go(view.read()));
  list();
  if (shown.agent) drawer.open(shown.agent);
  tick();
  setInterval(tick, 1000);
  every(1000, glance);
  every(2000, async () => agents.refresh());
  every(2000, async () => { if (drawer.uri) await drawer.refresh(); });
  every(5000, async () => charts.show(await ask("history")));
  every(3000, async () => {
    const { uccs } = await ask("uccs");
    queues.show(uccs);
    filters.uccs(uccs.map(({ name }) => name));
  });
  stream.start();
  startRest();
}

begin();
