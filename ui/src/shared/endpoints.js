// What the server has to say to its pages. It comes in <meta> elements, so that they need no inline script.

function meta(name) {
  const content = document.querySelector(`meta[name="hub:${name}"]`)?.content;
  return content ? new URL(content, document.baseURI) : null;
}

export const endpoint = meta("endpoint");

export const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

// Only a page opened on the hub's own machine is told of this address, and only there does it answer.
export async function demoHeaders() {
  const address = meta("config");
  const response = address && (await fetch(address, { cache: "no-store" }));
  return response?.ok ? (await response.json()).headers : undefined;
}
