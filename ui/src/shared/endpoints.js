// Addresses that the server passes to its pages. They are in <meta> elements, so that pages need no inline script.

function meta(name) {
  const content = document.querySelector(`meta[name="hub:${name}"]`)?.content;
  return content ? new URL(content, document.baseURI) : null;
}

export const endpoint = meta("endpoint");

export const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

// The headers with the demo key. The server gives this address only to pages opened on its own machine.
export async function demoHeaders() {
  const address = meta("config");
  const response = address && (await fetch(address, { cache: "no-store" }));
  return response?.ok ? (await response.json()).headers : undefined;
}
