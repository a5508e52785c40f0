// Who asks: the token, the form that asks for it, and what it may.

import { ask, keepToken, token } from "./api.js";
import { byId, setText } from "./dom.js";

/** @type {{name: string, token_required: boolean, scopes: string[]}|null} */
let caller = null;
let resolveSignedIn = null;

/** True when the caller has this scope; `operate` has all of `read`. @param {string} scope */
export function may(scope) {
  if (!caller) return false;
  return !caller.token_required || caller.scopes.includes(scope) || (scope === "read" && caller.scopes.includes("operate"));
}

/** Why this caller may not see the page; empty when he may. A queue's token must not get in: its stream would be the queue. */
function unfit(who) {
  const fits = !who.token_required || who.scopes.includes("read") || who.scopes.includes("operate");
  return fits ? "" : `The token ${who.name} may not see this page: that needs the scope read.`;
}

/** Asks who we are, and for a token where one is needed; returns when we are somebody who may see the page. */
export async function signIn() {
  for (;;) {
    try {
      const who = await ask("caller");
      const why = unfit(who);
      if (why) {
        keepToken(null);
        await askForToken(why);
        continue;
      }
      caller = who;
      show();
      return;
    } catch (error) {
      if (error.status !== 401) throw error;
      await askForToken(token() ? "This token is not accepted (any more)." : "");
    }
  }
}

function show() {
  byId("caller").hidden = !caller?.token_required;
  setText(byId("caller-name"), caller?.name ?? "");
}

/** Shows the form until a token has been given. @param {string} error */
function askForToken(error) {
  const dialog = byId("sign-in");
  setText(byId("sign-in-error"), error);
  if (!dialog.open) dialog.showModal();
  byId("token").focus();
  return new Promise((resolve) => { resolveSignedIn = resolve; });
}

/** Makes form and button work. @param {() => void} left called when the person signs out */
export function startSignIn(left) {
  byId("sign-in").addEventListener("cancel", (event) => event.preventDefault());
  byId("sign-in-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = byId("token").value.trim();
    if (!/^[\x21-\x7e]+$/.test(value)) {
      setText(byId("sign-in-error"), value ? "A token has no blanks and no letters beyond ASCII." : "Paste the token here.");
      return;
    }
    byId("sign-in-button").disabled = true;
    keepToken(value);
    try {
      const why = unfit(await ask("caller"));
      if (why) {
        keepToken(null);
        setText(byId("sign-in-error"), why);
        byId("token").select();
        return;
      }
      byId("token").value = "";
      setText(byId("sign-in-error"), "");
      byId("sign-in").close();
      resolveSignedIn?.();
    } catch (error) {
      keepToken(null);
      setText(byId("sign-in-error"), error.status === 401 ? "This token is not accepted." : `The provider cannot be asked: ${error.message}.`);
      byId("token").select();
    } finally {
      byId("sign-in-button").disabled = false;
    }
  });
  byId("sign-out").addEventListener("click", () => {
    keepToken(null);
    caller = null;
    left();
  });
}
