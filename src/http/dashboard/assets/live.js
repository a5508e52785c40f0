// The live feed: what has just happened, the newest first.

import { byId, make, setAttribute, setText } from "./dom.js";
import { capital, clock, now, uriParts } from "./format.js";
import { presenceMark } from "./row.js";

const KEPT = 200;
/** At a thousand changes a second nobody reads: the feed is put on the page four times a second. */
const EVERY = 250;

/** The feed. */
export class Live {
  #waiting = [];
  #paused = false;
  #missed = 0;
  #timer = 0;

  /** @param {(uri: string) => void} open shows an agent */
  constructor(open) {
    this.open = open;
    const button = byId("live-pause");
    button.addEventListener("click", () => {
      this.#paused = !this.#paused;
      setAttribute(button, "aria-pressed", this.#paused);
      setText(button, this.#paused ? "Go on" : "Pause");
      this.#flush();
    });
  }

  /** @param {any} event of the observer's stream */
  add(event) {
    if (!["changed", "endpoint", "silent_loss", "graph", "lagged", "note"].includes(event.type)) return;
    this.#waiting.push({ ...event, seen: now() });
    if (this.#waiting.length > KEPT) this.#missed += this.#waiting.splice(0, this.#waiting.length - KEPT).length;
    this.#timer ||= setTimeout(() => this.#flush(), EVERY);
  }

  /** Says something of the page itself, such as that the stream broke. @param {string} text */
  note(text) {
    this.add({ type: "note", text });
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#paused) {
      setText(byId("live-count"), this.#waiting.length ? `${this.#waiting.length === KEPT ? `${KEPT}+` : this.#waiting.length} new` : "paused");
      return;
    }
    setText(byId("live-count"), "");
    const feed = byId("feed");
    const news = this.#waiting.splice(0).reverse().map((event) => this.#entry(event));
    if (this.#missed) news.push(make("li.feed-note", {}, `${this.#missed} more, too fast to show`));
    this.#missed = 0;
    const reading = feed.scrollTop > 4;
    const before = feed.scrollHeight;
    feed.prepend(...news);
    while (feed.children.length > KEPT) feed.lastElementChild.remove();
    if (reading) feed.scrollTop += feed.scrollHeight - before;
  }

  #entry(event) {
    const time = make("time", {}, clock(event.at ?? event.seen));
    if (event.type === "note") return make("li.feed-note", {}, time, event.text);
    if (event.type === "lagged") return make("li.feed-note", {}, time, event.missed ? `${event.missed} events were missed` : "events were missed");
    if (event.type === "endpoint") {
      const word = `${capital(event.endpoint)} endpoint ${event.state}`;
      return make("li.feed-endpoint", { "data-up": String(event.up) }, time, make("span.feed-text", {}, word, event.why ? `: ${event.why}` : ""));
    }
    if (event.type === "silent_loss") {
      const { uri, endpoint, held, said } = event;
      const word = ({ availability, activity }) => availability.name + (activity ? ` (${activity})` : "");
      const text = `silent loss at the ${endpoint} endpoint: ${word(held)} was held, it is ${word(said)}`;
      const agent = make("button.feed-agent", { type: "button", tabindex: "-1", title: uri, click: () => this.open(uri) }, uriParts(uri)[1]);
      return make("li.feed-endpoint", { "data-up": "false" }, time, make("span.feed-text", {}, agent, ` ${text}`));
    }
    if (event.type === "graph") return make("li.feed-endpoint", { "data-up": String(event.good) }, time, make("span.feed-text", {}, event.text));
    const [, address] = uriParts(event.uri);
    const click = () => this.open(event.uri);
    const { previous, presence } = event;
    const other = previous && previous.freshness !== presence.freshness;
    return make("li", {}, time,
      make("button.feed-agent", { type: "button", tabindex: "-1", title: event.uri, click }, address),
      make("span.feed-what", {},
        other && make("span.tag", { "data-freshness": presence.freshness }, capital(presence.freshness)),
        presenceMark(presence)));
  }
}
