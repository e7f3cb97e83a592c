// Sends one operation to the hub, and returns its data; throws an Error with the hub's message and the error's code.
import { endpoint } from "./endpoints.js";

export async function request(authorization, query, variables, signal) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", ...(authorization && { authorization }) },
    body: JSON.stringify({ query, variables }),
    cache: "no-store",
    signal,
  });
  const { data, errors } = await response.json();
  if (errors) throw Object.assign(new Error(errors[0].message), { code: errors[0].extensions?.code });
  return data;
}
