// The hub that the clients call, and a fetch that does what a browser does for a page of another origin.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

export const url = process.env.HUB_URL;
export const socketUrl = url.replace(/^http/, "ws");
export const authorization = `Bearer ${process.env.HUB_KEY}`;

const ORIGIN = "https://app.example";
const SIMPLE_HEADERS = new Set(["accept", "accept-language", "content-language"]);
const preflights = new Map();

async function preflight(address, method, names) {
  const headers = { origin: ORIGIN, "access-control-request-method": method, "access-control-request-headers": names };
  const response = await fetch(address, { method: "OPTIONS", headers });
  assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
  const allowed = response.headers.get("access-control-allow-headers").toLowerCase().split(/, */);
  assert.deepEqual(names.split(",").filter((name) => !allowed.includes(name)), [], "headers that CORS does not allow");
}

// Sends a request as a browser sends it: a preflight for what is not simple, then the request, then a look at the answer's CORS.
export async function browserFetch(address, init = {}) {
  const request = new Request(address, init);
  const names = [...request.headers.keys()].filter((name) => !SIMPLE_HEADERS.has(name)).sort().join(",");
  const route = `${request.method} ${names}`;
  if (!preflights.has(route)) preflights.set(route, preflight(url, request.method, names));
  await preflights.get(route);
  const response = await fetch(address, { ...init, headers: { ...Object.fromEntries(request.headers), origin: ORIGIN } });
  assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
  return response;
}

// A name that no other customer has.
export function uniqueName(client) {
  return `${client} ${randomUUID()}`;
}

// A queue that is read by awaiting.
export function mailbox() {
  const messages = [];
  const readers = [];
  return {
    put: (message) => (readers.length ? readers.shift()(message) : messages.push(message)),
    take: () => (messages.length ? Promise.resolve(messages.shift()) : new Promise((resolve) => readers.push(resolve))),
  };
}
