// Addresses that the server passes to its pages. They are in <meta> elements, so that pages need no inline script.

function meta(name) {
  const content = document.querySelector(`meta[name="hub:${name}"]`)?.content;
  return content ? new URL(content, document.baseURI) : null;
}

export const endpoint = meta("endpoint");
export const session = meta("session");

export const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";
