// What the list shows and which agent is open: it stands in the address, so that a link leads to the same view.

/** The parts of the address that narrow the list. */
export const FILTERS = ["q", "freshness", "state", "source", "endpoint", "ucc"];
const KNOWN = [...FILTERS, "sort", "agent"];

/** @typedef {Record<string, string>} View the parts that are set */

/** @returns {View} what the address says */
export function read() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const view = {};
  for (const name of KNOWN) {
    const value = parameters.get(name);
    if (value) view[name] = value.slice(0, 500);
  }
  return view;
}

/**
 * Puts a view into the address.
 * @param {View} view
 * @param {{push?: boolean}} [options] push: the back button leads back
 */
export function write(view, { push = false } = {}) {
  const parameters = new URLSearchParams();
  for (const name of KNOWN) if (view[name]) parameters.set(name, view[name]);
  const hash = parameters.toString();
  if (hash === location.hash.slice(1)) return;
  const url = hash ? `#${hash}` : location.pathname + location.search;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

/** The parts of a view that the list depends on. @param {View} view @returns {View} */
export function query(view) {
  const { agent, ...rest } = view;
  return rest;
}

/** True when two views list the same agents in the same order. @param {View} one @param {View} other */
export const same = (one, other) => KNOWN.every((name) => name === "agent" || (one[name] ?? "") === (other[name] ?? ""));
