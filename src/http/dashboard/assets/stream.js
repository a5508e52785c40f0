// Server-sent events by fetch: EventSource cannot send the Authorization header.

import { headers, problemOf } from "./api.js";

/** The provider sends at least a comment every 15 s: silence for longer than this is a dead connection. */
const SILENCE = 40_000;
const FIRST_DELAY = 500;
const LAST_DELAY = 15_000;
/** No line of the provider is longer; one that is costs the connection, not the memory. */
const MAX_LINE = 1_000_000;

/**
 * Takes server-sent events out of pieces of text (WHATWG HTML, 9.2.6).
 * @param {(data: string, id: string|null) => void} deliver
 * @param {(wait: number) => void} asked how long the provider asks us to wait before a reconnect, in ms
 */
export function eventParser(deliver, asked) {
  let rest = "";
  let id = null;
  let data = [];
  return (/** @type {string} */ text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) throw new Error("a line without end");
    for (const line of lines) {
      if (line === "") {
        if (data.length) deliver(data.join("\n"), id);
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (field === "data") data.push(value);
      else if (field === "retry" && /^\d+$/.test(value)) asked(Number(value));
      else if (field === "id" && !value.includes("\0")) id = value;
    }
  };
}

/** A stream of events that connects again by itself, with growing pauses, where it left off. */
export class EventStream {
  #lastId = "";
  #first = FIRST_DELAY;
  #delay = FIRST_DELAY;
  #abort = new AbortController();
  #running = false;

  /**
   * @param {string} url
   * @param {{event: (event: any) => void, state: (state: "connecting"|"open"|"lost"|"refused", why: string) => void}} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
  }

  /** Connects, unless it does already. */
  start() {
    if (this.#running) return;
    this.#running = true;
    this.#abort = new AbortController();
    this.#run(this.#abort.signal);
  }

  /** Closes the connection and stays closed. */
  stop() {
    this.#running = false;
    this.#abort.abort();
  }

  /** @param {AbortSignal} stopped */
  async #run(stopped) {
    this.listener.state("connecting", "");
    while (!stopped.aborted) {
      let wait = null;
      try {
        await this.#read(stopped);
        if (!stopped.aborted) this.listener.state("lost", "the provider closed the stream");
      } catch (error) {
        if (stopped.aborted) return;
        if (error.status === 401 || error.status === 403) return this.#refused(error);
        this.listener.state("lost", error.status ? error.message : "no connection");
        wait = error.retryAfter ? error.retryAfter * 1000 : null;
      }
      await pause(wait ?? this.#delay * (0.75 + Math.random() / 2), stopped);
      this.#delay = Math.min(this.#delay * 2, LAST_DELAY);
    }
  }

  #refused(error) {
    this.#running = false;
    this.listener.state("refused", error.message);
  }

  /** Reads one connection until its end. @param {AbortSignal} stopped */
  async #read(stopped) {
    const silence = new AbortController();
    let alarm = setTimeout(() => silence.abort(), SILENCE);
    try {
      const more = { Accept: "text/event-stream" };
      if (this.#lastId) more["Last-Event-ID"] = this.#lastId;
      const signal = AbortSignal.any([stopped, silence.signal]);
      const response = await fetch(this.url, { cache: "no-store", credentials: "omit", headers: headers(more), signal });
      if (!response.ok || !response.body) throw await problemOf(response);
      this.listener.state("open", "");
      const parse = eventParser((data, id) => this.#deliver(data, id), (wait) => { this.#first = Math.min(wait, LAST_DELAY); });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(() => silence.abort(), SILENCE);
        parse(value);
        this.#delay = this.#first;
      }
    } finally {
      clearTimeout(alarm);
      silence.abort();
    }
  }

  #deliver(data, id) {
    if (id !== null) this.#lastId = id;
    let event;
    try { event = JSON.parse(data); } catch { return; }
    if (event && typeof event.type === "string") this.listener.event(event);
  }
}

/**
 * @param {number} wait ms
 * @param {AbortSignal} stopped ends it early
 */
const pause = (wait, stopped) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, wait);
    stopped.addEventListener("abort", () => { clearTimeout(timer); resolve(undefined); }, { once: true });
  });
