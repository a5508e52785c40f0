// Small charts of the last ten minutes: inline SVG, made here, with their text beside them.

import { byId, make, makeSvg, setAttribute, setText } from "./dom.js";
import { count, duration, rate } from "./format.js";

/** What a chart covers, in seconds. */
const SPAN = 600;
const [WIDTH, HEIGHT] = [600, 100];

/** @typedef {{key: string, word: string}} Series */

const CHARTS = [
  { title: "Changes", unit: "/s", series: [{ key: "changes", word: "changes" }], format: rate, floor: 1 },
  { title: "SIP messages", unit: "/s", series: [{ key: "messages", word: "messages" }], format: rate, floor: 1 },
  {
    title: "Agents", unit: "", stacked: true, format: count, floor: 1, line: "waiting",
    series: [{ key: "fresh", word: "fresh" }, { key: "stale", word: "stale" }, { key: "unknown", word: "unknown" }, { key: "waiting", word: "waiting" }],
  },
];

/** All charts. */
export class Charts {
  #charts = CHARTS.map((options) => new Chart(options));

  constructor() {
    byId("charts").append(...this.#charts.map((chart) => chart.element));
  }

  /** @param {{samples: any[]}} history */
  show({ samples }) {
    const recent = smoothed(samples.filter(({ age }) => age <= SPAN));
    for (const chart of this.#charts) chart.show(recent);
  }
}

/** One chart: a title with the value of now (or of the moment that is pointed at), and the curve. */
class Chart {
  #samples = [];
  #pointed = null;
  #paths = new Map();

  constructor({ title, unit, series, format, floor, stacked = false, line = "" }) {
    Object.assign(this, { title, unit, series, format, floor, stacked, line });
    this.value = make("span.chart-value");
    this.top = make("span.chart-top", { "aria-hidden": "true" });
    this.cross = makeSvg("path", { class: "cross", d: "" });
    for (const { key } of series) this.#paths.set(key, makeSvg("path", { class: key === line ? "curve" : "area", "data-key": key }));
    if (!stacked) this.#paths.set("", makeSvg("path", { class: "curve", "data-key": series[0].key }));
    this.svg = makeSvg("svg", { class: "plot", role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
      makeSvg("path", { class: "rule", d: `M0 .5H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}` }), ...this.#paths.values(), this.cross);
    this.element = make("figure.chart", { "data-stacked": stacked },
      make("figcaption", {}, make("span.chart-title", {}, title), this.value),
      make("div.plot-box", {}, this.svg, this.top),
      make("p.chart-axis", { "aria-hidden": "true" }, make("span", {}, "10 min ago"), make("span", {}, "now")));
    this.svg.addEventListener("pointermove", (event) => this.#point(event));
    this.svg.addEventListener("pointerleave", () => { this.#pointed = null; this.#label(); });
  }

  show(samples) {
    this.#samples = samples;
    const top = this.#top();
    const x = ({ age }) => ((1 - age / SPAN) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - (value / top) * (HEIGHT - 4)).toFixed(1);
    const base = samples.map(() => 0);
    for (const { key } of this.series) {
      if (this.stacked && key === this.line) continue;
      const upper = samples.map((sample, index) => base[index] + sample[key]);
      const forth = samples.map((sample, index) => `${x(sample)} ${y(upper[index])}`).join("L");
      const back = samples.map((sample, index) => `${x(sample)} ${y(base[index])}`).reverse().join("L");
      this.#paths.get(key).setAttribute("d", samples.length > 1 ? `M${forth}L${back}Z` : "");
      if (this.stacked) upper.forEach((value, index) => { base[index] = value; });
    }
    const traced = this.stacked ? this.line : this.series[0].key;
    const curve = samples.map((sample) => `${x(sample)} ${y(sample[traced])}`).join("L");
    this.#paths.get(this.stacked ? traced : "").setAttribute("d", samples.length > 1 ? `M${curve}` : "");
    setText(this.top, this.format(top));
    this.#label();
  }

  #top() {
    const sum = (sample) => this.series.filter(({ key }) => key !== this.line).reduce((all, { key }) => all + sample[key], 0);
    const highest = this.#samples.reduce((most, sample) => Math.max(most, sum(sample)), this.floor);
    return this.stacked ? highest : niceAbove(highest);
  }

  #point(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const age = (1 - (event.clientX - left) / width) * SPAN;
    this.#pointed = this.#samples.reduce((best, sample) => (best && Math.abs(best.age - age) < Math.abs(sample.age - age) ? best : sample), null);
    this.#label();
  }

  #label() {
    const sample = this.#pointed ?? this.#samples.at(-1);
    if (!sample) return;
    const values = this.series.map(({ key, word }) => (this.series.length > 1 ? `${this.format(sample[key])} ${word}` : `${this.format(sample[key])}${this.unit}`));
    const shown = this.series.length > 1 ? this.series.filter(({ key }) => key === "fresh" || sample[key] > 0).map(({ key, word }) => make("span.key", { "data-key": key }, `${this.format(sample[key])} ${word}`)) : [values[0]];
    this.value.replaceChildren(this.#pointed ? make("span.faint", {}, `${duration(sample.age)} ago `) : "", ...shown);
    const at = ((1 - sample.age / SPAN) * WIDTH).toFixed(1);
    this.cross.setAttribute("d", this.#pointed ? `M${at} 0V${HEIGHT}` : "");
    const key = this.series[0].key;
    const highest = this.#samples.reduce((most, one) => Math.max(most, one[key]), 0);
    const lowest = this.#samples.reduce((least, one) => Math.min(least, one[key]), highest);
    const range = `${this.series[0].word} between ${this.format(lowest)} and ${this.format(highest)} in the last ten minutes`;
    setAttribute(this.svg, "aria-label", `${this.title}${this.unit}: now ${values.join(", ")}; ${range}.`);
  }
}

/** Means over five seconds: what happens in one second is noise at this size. The newest sample stays as it is. */
function smoothed(samples) {
  const groups = new Map();
  for (const sample of samples) {
    const slot = Math.floor(sample.age / 5);
    groups.set(slot, [...(groups.get(slot) ?? []), sample]);
  }
  const mean = (group, key) => group.reduce((sum, sample) => sum + sample[key], 0) / group.length;
  const means = [...groups.values()].map((group) => ({ ...group.at(-1), changes: mean(group, "changes"), messages: mean(group, "messages") }));
  return means.length ? [...means.slice(0, -1), samples.at(-1)] : [];
}

/** The next round number: 1, 2 or 5 times a power of ten. @param {number} value */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}
