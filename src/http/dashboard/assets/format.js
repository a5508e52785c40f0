// How times, numbers and the provider's names are written for people.

/** How far the provider's clock is ahead of this computer's, in ms. */
let ahead = null;

/**
 * Learns the provider's clock from a moment that it wrote just now.
 * @param {string} taken RFC 3339
 */
export function learnClock(taken) {
  const seen = Date.parse(taken) - Date.now();
  if (!Number.isFinite(seen)) return;
  // What arrives late makes the provider look behind: the newest news is the best. Creeps back, should a clock be set.
  ahead = ahead === null || seen > ahead || Math.abs(seen - ahead) > 60_000 ? seen : ahead + (seen - ahead) * 0.02;
}

/** Now, by the provider's clock, in ms since 1970. */
export const now = () => Date.now() + (ahead ?? 0);

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const fullFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
const numberFormat = new Intl.NumberFormat("en-GB");
const rateFormat = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

/** @param {number} value */
export const count = (value) => numberFormat.format(value);
/** @param {number} value per second */
export const rate = (value) => (value >= 100 ? numberFormat.format(Math.round(value)) : rateFormat.format(value));

/**
 * `1 agent`, `2 agents`; `2 losses`.
 * @param {number} value
 * @param {string} noun
 * @param {string} many
 */
export const plural = (value, noun, many = `${noun}s`) => `${count(value)} ${value === 1 ? noun : many}`;

/**
 * The time of day in this browser's zone; with the day when it is not today.
 * @param {string|number} moment RFC 3339, or ms since 1970
 */
export function clock(moment) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "–";
  const time = clockFormat.format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${dayFormat.format(date)} ${time}`;
}

/**
 * The whole date, for a title.
 * @param {string} moment
 */
export function exact(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : `${fullFormat.format(date)} (${moment})`;
}

/**
 * A duration, two units at most: `4 s`, `2 min 10 s`, `3 h 5 min`, `2 d 4 h`.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)];
  const two = (big, bigUnit, small, smallUnit) => (small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`);
  if (minutes < 60) return minutes < 10 ? two(minutes, "min", whole % 60, "s") : `${minutes} min`;
  if (hours < 24) return two(hours, "h", minutes % 60, "min");
  return two(days, "d", hours % 24, "h");
}

/**
 * How long ago: `now`, `12 s`, `4 min`, `3 h`, `2 d`.
 * @param {string} moment
 */
export function ago(moment) {
  const seconds = (now() - Date.parse(moment)) / 1000;
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1.5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** @param {string} moment */
export const secondsUntil = (moment) => (Date.parse(moment) - now()) / 1000;

const AVAILABILITIES = {
  Online: "Online", IdleOnline: "Idle", Busy: "Busy", IdleBusy: "Busy, idle", DoNotDisturb: "Do not disturb",
  BeRightBack: "Be right back", Away: "Away", Offline: "Offline", None: "None", Unknown: "Unknown",
};

/**
 * The availability as an icon's name and a word.
 * @param {{availability: {name: string}}} presence
 * @returns {{symbol: string, word: string, name: string}}
 */
export function availability(presence) {
  const name = Object.hasOwn(AVAILABILITIES, presence.availability.name) ? presence.availability.name : "Unknown";
  return { symbol: `p-${name}`, word: AVAILABILITIES[name], name };
}

/**
 * An activity token as words: `on-the-phone` becomes `on the phone`; nothing when it only repeats the availability.
 * @param {{activity: string|null, availability: {name: string}}} presence
 */
export function activity({ activity: token, availability: { name } }) {
  if (!token) return "";
  const words = /^[a-z]+(-[a-z]+)+$/.test(token) ? token.replaceAll("-", " ") : token;
  return words.toLowerCase() === (AVAILABILITIES[name] ?? "").toLowerCase() ? "" : words;
}

/** The source of Teams agents. */
export const GRAPH = "MsGraphPresenceSource";

const STATES = {
  served: "Served", idle: "Idle", waiting_for_endpoint: "Waiting", awaiting_token: "In queue",
  subscribing: "Subscribing", active: "Subscribed", backing_off: "Backing off", abandoned: "Abandoned",
  withdrawing: "Withdrawing", releasing: "Releasing", unsubscribing: "Unsubscribing", quarantined: "Quarantined",
};

/** All states that an agent can have, with their words. */
export const states = Object.entries(STATES);
/** Nothing is subscribed to at Microsoft: it is asked. */
const ASKED = { active: "Asked for", subscribing: "Starting", waiting_for_endpoint: "Waiting" };
/**
 * @param {string} name
 * @param {string} [origin] the agent's source
 */
export const state = (name, origin) => (origin === GRAPH && ASKED[name]) || (STATES[name] ?? name);
/** @param {string} name */
export const source = (name) => (name === GRAPH ? "Graph" : name.replace(/PresenceSource$|ServiceSource$/, ""));
/** @param {string} name such as `application` */
export const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);

/**
 * A URI in two parts: its scheme, which is always the same, and the rest.
 * @param {string} uri
 * @returns {[string, string]}
 */
export function uriParts(uri) {
  const colon = uri.indexOf(":") + 1;
  return [uri.slice(0, colon), uri.slice(colon)];
}
