// Says in the page's bar how the connection is: live, connecting, lost since when, or refused.
import { make } from "./dom.js";
import { time } from "./format.js";

const STATES = { open: "Live", connecting: "Connecting", lost: "Reconnecting", closed: "", refused: "Refused" };

export function linkState() {
  const element = make("p", { class: "state", role: "status" });
  let connection = "closed";
  let refused = false;
  let seen; // time of the last message

  function show() {
    const now = refused ? "refused" : connection;
    element.dataset.state = now;
    element.textContent = STATES[now] + (now === "lost" && seen ? ` · as of ${time(seen)}` : "");
  }

  return {
    element,
    onState(now) {
      connection = now;
      show();
    },
    onMessage() {
      seen = Date.now();
    },
    refuse(isRefused) {
      refused = isRefused;
      show();
    },
  };
}
