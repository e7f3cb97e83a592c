// The page's API key: that of the session which a login link starts, or one that the user entered. It is stored in this tab
// until the tab is closed. A new tab of this hub asks the open ones for it. It is no cookie, so no other page can use it.
import { session } from "./endpoints.js";

const STORAGE_KEY = "hub:key";
const LINK = "#link=";
const ANSWER_TIMEOUT = 250; // milliseconds for another tab to answer
const NO_KEY = "This page has no API key. Open the link that the hub printed, print a new one with `hub link`, or enter a key.";

const tabs = new BroadcastChannel("hub:key");
tabs.addEventListener("message", ({ data }) => {
  const key = sessionStorage.getItem(STORAGE_KEY);
  if (data === "ask" && key) tabs.postMessage({ key });
});

function askOtherTabs() {
  return new Promise((resolve) => {
    setTimeout(resolve, ANSWER_TIMEOUT);
    tabs.addEventListener("message", ({ data }) => data.key && resolve(data.key));
    tabs.postMessage("ask");
  });
}

// Exchanges the link in the address for a session. The address loses it at once, because it works only once.
async function followLink() {
  const link = location.hash.slice(LINK.length);
  history.replaceState(null, "", location.pathname + location.search);
  const response = await fetch(session, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ link }),
    cache: "no-store",
  });
  const { key, errors } = await response.json();
  if (key) storeKey(key);
  return errors?.[0].message;
}

export function storeKey(key) {
  if (key) sessionStorage.setItem(STORAGE_KEY, key);
  else sessionStorage.removeItem(STORAGE_KEY);
}

// Returns the Authorization header, or the problem why there is none.
export async function authorize() {
  const problem = location.hash.startsWith(LINK) ? await followLink() : undefined;
  if (!sessionStorage.getItem(STORAGE_KEY)) storeKey(await askOtherTabs());
  const key = sessionStorage.getItem(STORAGE_KEY);
  return key ? { authorization: `Bearer ${key}` } : { problem: problem ?? NO_KEY };
}
