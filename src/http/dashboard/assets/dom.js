// Elements without a framework. Text from the provider is hostile: it only ever becomes textContent or an attribute
// that cannot run, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The element with this id.
 * @param {string} id
 * @returns {any} typed loosely: the page and this module are written together
 */
export const byId = (id) => document.getElementById(id);

// Control, bidirectional and invisible characters: they could make a name look like another one.
const TREACHEROUS = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * A text with what would deceive the eye written out, as the log and the terminal write it: `\u{202e}`.
 * @param {string} text
 */
export const visible = (text) => text.replace(TREACHEROUS, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);

/** @param {any} child */
const shown = (child) => (typeof child === "string" ? visible(child) : child);

/**
 * Makes an element.
 * @param {string} tag the name, with classes after dots: `span.word.faint`
 * @param {Record<string, any>} [attributes] attributes; functions become listeners of the event of that name
 * @param {...(Node|string|null|undefined|false)} children strings become text
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== "").map(shown));
  return element;
}

/**
 * Makes an element of SVG.
 * @param {string} name
 * @param {Record<string, string|number>} [attributes]
 * @param {...Node} children
 * @returns {any}
 */
export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/**
 * An icon of the page's sprites; it says nothing to a screen reader, a word stands beside it.
 * @param {string} name the id of the symbol
 * @param {string} [className]
 */
export const icon = (name, className = "icon") =>
  makeSvg("svg", { class: className, "aria-hidden": "true" }, makeSvg("use", { href: `#${name}` }));

/**
 * Makes an icon show another symbol.
 * @param {SVGElement} svg one made by `icon`
 * @param {string} name
 */
export function setIcon(svg, name) {
  const use = svg.firstElementChild;
  if (use && use.getAttribute("href") !== `#${name}`) use.setAttribute("href", `#${name}`);
}

/**
 * Sets a text only when it differs: no needless work for the browser or a screen reader.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  const safe = visible(String(text));
  if (node.textContent !== safe) node.textContent = safe;
}

/**
 * Sets an attribute only when it differs; null removes it.
 * @param {Element} element
 * @param {string} name
 * @param {string|number|boolean|null|undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** True when the person wants nothing to move. */
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Lights an element up for a moment: it has just changed.
 * @param {Element} element
 */
export function flash(element) {
  if (isStill()) return;
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--flash-from");
  element.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], { duration: 1400, easing: "ease-out" });
}

let toastTimer = 0;

/**
 * Says something for a few seconds at the foot of the page.
 * @param {string} text
 */
export function toast(text) {
  const element = byId("toast");
  const home = document.querySelector("dialog[open]") ?? document.body;
  if (element.parentElement !== home) home.append(element);
  element.textContent = visible(text);
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 5000);
}

/**
 * A function that runs once, `wait` ms after its last call.
 * @param {number} wait
 * @param {() => void} run
 */
export function debounced(wait, run) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, wait);
  };
}
