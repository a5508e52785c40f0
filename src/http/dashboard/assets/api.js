// Requests to the API: the token, time limits, and errors as problems (RFC 9457).

const KEY = "token";
/** Requests that take longer have failed, in ms. */
const PATIENCE = 10_000;

/** Where the token is asked for when the provider wants one. */
let onUnauthorized = () => {};

/** @param {() => void} handler called when a request is answered by 401 */
export function whenUnauthorized(handler) {
  onUnauthorized = handler;
}

/** A token that is kept in this tab only. @returns {string|null} */
export function token() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

/** @param {string|null} value */
export function keepToken(value) {
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch { /* No storage: the next request is refused and says so. */ }
}

/** An answer that is no success, or none at all (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {number} [retryAfter] seconds
   */
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * The headers of every request.
 * @param {Record<string, string>} [more]
 */
export function headers(more = {}) {
  const bearer = token();
  return bearer ? { ...more, Authorization: `Bearer ${bearer}` } : more;
}

/**
 * What an answer that is no success says.
 * @param {Response} response
 */
export async function problemOf(response) {
  let detail = `${response.status} ${response.statusText}`;
  try {
    const problem = await response.json();
    if (typeof problem.detail === "string") detail = problem.detail;
  } catch { /* Not a problem document: the status must do. */ }
  const wait = Number(response.headers.get("Retry-After"));
  return new ApiError(response.status, detail, wait > 0 ? wait : undefined);
}

/**
 * Asks the API and gives its JSON.
 * @param {string} path below `api/v1/`
 * @param {{method?: string, signal?: AbortSignal, within?: number, parameters?: Record<string, string|number|null|undefined>}} [options]
 * @returns {Promise<any>}
 */
export async function ask(path, { method = "GET", signal, within = PATIENCE, parameters = {} } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const patience = AbortSignal.timeout(within);
  const url = `api/v1/${path}${query.size ? `?${query}` : ""}`;
  let response;
  try {
    response = await fetch(url, {
      method,
      cache: "no-store",
      credentials: "omit",
      headers: headers({ Accept: "application/json" }),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
    if (response.ok) return response.status === 204 ? null : await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, patience.aborted ? "no answer in time" : "no connection");
  }
  const error = await problemOf(response);
  if (error.status === 401) onUnauthorized();
  throw error;
}

/**
 * The path of one agent.
 * @param {string} uri
 * @param {string} [more]
 */
export const agentPath = (uri, more = "") => `agents/${encodeURIComponent(uri)}${more}`;
