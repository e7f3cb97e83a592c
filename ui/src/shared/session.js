// The page's session: the key that the hub gives for a login link, an API key or a token. It is stored in this tab until the tab is
// closed or the user signs out. A new tab of this hub asks the open ones for it. It is no cookie, so no other page can use it.
import { session } from "./endpoints.js";

const STORAGE_KEY = "hub:key";
const LINK = "#link=";
const SIGNED_OUT = "#signed-out";
const EDITOR_PREFIX = "graphiql:"; // what GraphiQL stores: queries, variables and history
const ANSWER_TIMEOUT = 250; // milliseconds for another tab to answer
const ENDED = new Set([204, 400, 401]); // ended now, never a session, ended before
const NO_KEY = "This page has no API key. Open the link that the hub printed, print a new one with `hub link`, or sign in.";

const tabs = new BroadcastChannel("hub:key");
tabs.addEventListener("message", ({ data }) => {
  const key = sessionStorage.getItem(STORAGE_KEY);
  if (data === "ask" && key) tabs.postMessage({ key });
  if (data.ended && data.ended === key) leave();
});

function askOtherTabs() {
  return new Promise((resolve) => {
    setTimeout(resolve, ANSWER_TIMEOUT);
    tabs.addEventListener("message", ({ data }) => data.key && resolve(data.key));
    tabs.postMessage("ask");
  });
}

function storeKey(key) {
  if (key) sessionStorage.setItem(STORAGE_KEY, key);
  else sessionStorage.removeItem(STORAGE_KEY);
}

// Exchanges a credential for a session. Returns the problem if the hub refuses it.
async function start(body) {
  const response = await fetch(session, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
  });
  const { key, errors } = await response.json();
  if (key) storeKey(key);
  return errors?.[0].message;
}

// The address loses the link at once, because it works only once.
function followLink() {
  const link = location.hash.slice(LINK.length);
  history.replaceState(null, "", location.pathname + location.search);
  return start({ link });
}

// Forgets everything of the session. The page begins anew, and forgets then what its editors stored last.
function leave() {
  storeKey(null);
  location.hash = SIGNED_OUT;
  location.reload();
}

function forgetEditors() {
  history.replaceState(null, "", location.pathname + location.search);
  for (const name of Object.keys(localStorage)) if (name.startsWith(EDITOR_PREFIX)) localStorage.removeItem(name);
}

// Exchanges an API key or a token for a session and begins anew with it. Returns the problem if the hub refuses it.
export async function signIn(credential) {
  const problem = await start({ credential });
  if (!problem) location.reload();
  return problem;
}

// Ends the session, here and in the other tabs. Returns the problem if the hub cannot be reached.
export async function signOut() {
  const key = sessionStorage.getItem(STORAGE_KEY);
  const response = await fetch(session, {
    method: "DELETE",
    headers: { authorization: `Bearer ${key}` },
    cache: "no-store",
  }).catch(() => undefined);
  if (!ENDED.has(response?.status)) return "The hub cannot be reached, so the session goes on. Try again.";
  tabs.postMessage({ ended: key });
  leave();
  return undefined;
}

// Returns the Authorization header, or the problem why there is none.
export async function authorize() {
  const isSignedOut = location.hash === SIGNED_OUT;
  if (isSignedOut) forgetEditors();
  const problem = location.hash.startsWith(LINK) ? await followLink() : undefined;
  if (!sessionStorage.getItem(STORAGE_KEY) && !isSignedOut) storeKey(await askOtherTabs());
  const key = sessionStorage.getItem(STORAGE_KEY);
  return key ? { authorization: `Bearer ${key}` } : { problem: problem ?? (isSignedOut ? "" : NO_KEY) };
}
