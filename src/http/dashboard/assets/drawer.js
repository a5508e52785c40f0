// The detail of one agent: a dialog at the side, opened by a click, by Enter, or by the address.

import { agentPath, ask } from "./api.js";
import { byId, debounced, icon, make, setText, toast } from "./dom.js";
import { detail } from "./detail.js";
import { clock, uriParts } from "./format.js";

/** The detail. */
export class Drawer {
  #dialog = byId("drawer");
  #inner = byId("drawer-inner");
  #body = make("div.drawer-body");
  #uri = "";
  #abort = new AbortController();
  #shown = "";
  #again = debounced(150, () => this.refresh());

  /** @param {{closed: () => void, may: (scope: string) => boolean, revived: () => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.addEventListener("click", (event) => { if (event.target === this.#dialog) this.close(); });
  }

  /** The agent that is shown; empty when none is. */
  get uri() {
    return this.#uri;
  }

  /** Shows an agent. @param {string} uri */
  open(uri) {
    if (this.#uri === uri && this.#dialog.open) return;
    this.#abort.abort();
    this.#uri = uri;
    this.#shown = "";
    const [scheme, address] = uriParts(uri);
    this.#body.replaceChildren(make("p.drawer-wait", {}, "One moment."));
    this.#inner.replaceChildren(
      make("header.drawer-head", {},
        make("h2", { id: "drawer-title", tabindex: "-1" }, make("span.scheme", {}, scheme), address),
        make("button.icon-button", { type: "button", "aria-label": "Copy the URI", title: "Copy the URI", click: () => this.#copy() }, icon("i-copy")),
        make("button.icon-button", { type: "button", "aria-label": "Close", title: "Close (Esc)", click: () => this.close() }, icon("i-close"))),
      this.#body);
    if (!this.#dialog.open) this.#dialog.showModal();
    byId("drawer-title").focus();
    this.refresh();
  }

  /** Closes it. */
  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  #closed() {
    this.#abort.abort();
    this.#uri = "";
    this.actions.closed();
  }

  /** Something has happened to this agent. @param {string} uri */
  touched(uri) {
    if (uri === this.#uri) this.#again();
  }

  /** Asks again. */
  async refresh() {
    if (!this.#uri) return;
    const uri = this.#uri;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      const answer = await ask(agentPath(uri), { signal });
      if (!signal.aborted) this.#show(answer);
    } catch (error) {
      if (signal.aborted) return;
      const text = {
        403: "Your token may not see this agent.",
        404: "Nobody watches this agent, so nothing is known of it.",
      }[error.status] ?? `This agent cannot be shown: ${error.message}.`;
      this.#shown = "";
      this.#body.replaceChildren(make("p.drawer-wait", { role: "alert" }, text));
    }
  }

  #show(answer) {
    // What is marked to be copied stays marked: what only tells that it is still so is no reason to write all anew.
    const facts = JSON.stringify({ ...answer, subscription: { ...answer.subscription, next_retry_in: 0 }, graph: { ...answer.graph, heard_at: 0 } });
    const heard = this.#body.querySelector("[data-heard]");
    if (heard && answer.graph?.heard_at) setText(heard, clock(answer.graph.heard_at));
    if (facts === this.#shown) return;
    // What is focused inside is found again by its name, and the place in the text stays.
    const focused = document.activeElement?.getAttribute("data-keep");
    const { scrollTop } = this.#body;
    this.#shown = facts;
    this.#body.replaceChildren(...detail(answer, { may: this.actions.may, revive: () => this.#revive(answer.agent.uri) }));
    this.#body.scrollTop = scrollTop;
    if (focused) this.#body.querySelector(`[data-keep="${CSS.escape(focused)}"]`)?.focus();
  }

  async #revive(uri) {
    try {
      await ask(agentPath(uri, "/revive"), { method: "POST" });
      toast("It is tried again.");
      this.actions.revived();
    } catch (error) {
      toast(error.status === 403 ? "Your token may not revive agents: that needs the scope operate." : `Not revived: ${error.message}`);
    }
    this.refresh();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#uri);
      toast("Copied.");
    } catch {
      getSelection()?.selectAllChildren(byId("drawer-title"));
      toast("This browser does not let the page copy. It is selected: press Ctrl+C.");
    }
  }
}
