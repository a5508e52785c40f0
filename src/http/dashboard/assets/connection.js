// Is what the page shows true now? It never pretends: without news it says since when, and how old its data is.

import { byId, setText } from "./dom.js";
import { clock } from "./format.js";

/** A provider whose picture of itself is older than this, in ms, has stopped looking; one that looks seldom (it rests
 * after each look, the longer the more agents there are) may take three times its pace. */
const RENEWED_WITHIN = 30_000;

/** What is known of the connection to the provider. */
class Connection {
  /** When the glance arrived last, in ms of this computer; 0: never. */
  lastData = 0;
  /** Since when there is no connection; 0: there is one. */
  lostSince = 0;
  /** Why there is none. */
  why = "";
  /** @type {"connecting"|"open"|"lost"|"refused"|"resting"} how the stream of events is */
  stream = "connecting";
  #taken = "";
  #renewed = Date.now();
  #pace = 0;
  #listeners = [];

  /** @param {() => void} listener called when the page turns true or old */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** True when what is shown holds now. */
  get current() {
    return this.lastData > 0 && this.lostSince === 0 && !this.#frozen;
  }

  get #frozen() {
    return Date.now() - this.#renewed > Math.max(RENEWED_WITHIN, 3 * this.#pace);
  }

  /** The glance has arrived. @param {string} taken when the provider took it */
  arrived(taken) {
    this.lastData = Date.now();
    if (taken !== this.#taken) {
      if (this.#taken) this.#pace = this.lastData - this.#renewed;
      this.#renewed = this.lastData;
      this.#taken = taken;
    }
    this.lostSince = 0;
    this.show();
  }

  /** The provider did not answer, or not as it should. @param {string} why */
  failed(why) {
    if (!this.lostSince) this.lostSince = Date.now();
    this.why = why;
    this.show();
  }

  /** The stream of events has changed. */
  streamIs(state) {
    this.stream = state;
    this.show();
  }

  /** Puts banner, word and body in order; called once a second too. */
  show() {
    const last = this.lastData ? `last data ${clock(this.lastData)}` : "no data yet";
    let banner = "";
    if (this.lostSince) banner = `No connection to the provider since ${clock(this.lostSince)}, ${last}. Trying again (${this.why}).`;
    else if (this.lastData && this.#frozen) {
      banner = `The provider answers, but has not looked at its agents since ${clock(this.#taken)}: what is shown is old.`;
    }
    byId("banner").hidden = banner === "";
    setText(byId("banner-text"), banner);
    const old = this.lastData > 0 && !this.current;
    if (document.body.classList.contains("old") !== old) {
      document.body.classList.toggle("old", old);
      for (const listener of this.#listeners) listener();
    }
    const [state, word] = this.#word();
    byId("link-state").dataset.state = state;
    setText(byId("link-word"), word);
  }

  #word() {
    if (this.lostSince || this.#frozen) return ["lost", "Not live"];
    if (!this.lastData) return ["connecting", "Connecting"];
    if (this.stream === "open") return ["open", "Live"];
    if (this.stream === "refused") return ["polling", "Every second"];
    return ["polling", "Events reconnecting"];
  }
}

/** The connection of this page. */
export const connection = new Connection();
