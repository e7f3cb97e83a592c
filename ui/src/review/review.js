// The page at /review: pairs of customers who may be one. A person sees the two side by side and why, chooses whose values stay,
// and merges them, or says that they are two. Merges are undone here, too. All of it is live.
import { account } from "../shared/account.js";
import { make } from "../shared/dom.js";
import { socket } from "../shared/endpoints.js";
import { linkState } from "../shared/link-state.js";
import { request } from "../shared/request.js";
import { authorize } from "../shared/session.js";
import { connect, follow } from "../shared/subscriptions-client.js";
import { comparison } from "./comparison.js";
import { decision, problemOf } from "./decision.js";
import { candidatesPanel, mergesPanel } from "./queue.js";
import { reasonsPanel } from "./reasons.js";
import CANDIDATE from "./candidate.graphql";
import CANDIDATES from "./candidates.graphql";
import DECIDE from "./decide.graphql";
import MERGE from "./merge.graphql";
import MERGES from "./merges.graphql";
import UNDO from "./undo.graphql";
import "../shared/base.css";
import "./review.css";

const access = await authorize();
const { authorization } = access;
const state = linkState();
const client = connect(socket, authorization, state.onState);
const person = account(access);
const main = make("main");
const news = make("p", { class: "news", role: "status" });
const candidates = candidatesPanel();
const merges = mergesPanel(undo);
const pair = make("div", { class: "pair" });
let stop = () => {};

function bar() {
  const title = make("span", { class: "title" }, "Customer hub");
  const links = [["live", "Customers"], ["graphiql", "GraphiQL"]].map(([href, text]) => make("a", { class: "plain", href }, text));
  return make("nav", { class: "bar", "aria-label": "Page" }, title, state.element, ...links, person.button);
}

function fail([{ message, extensions }]) {
  state.refuse(true);
  if (extensions?.signedOut) person.ask(message);
  else pair.prepend(make("p", { class: "refusal", role: "alert" }, message));
}

// Shows what a live query sends. Returns a function that stops it.
function watch(query, operationName, variables, show) {
  function next({ data, errors }) {
    if (errors) return fail(errors);
    state.onMessage();
    const [root] = Object.values(data);
    return show(Object.values(root)[0]);
  }
  return follow(client, { query, operationName, variables }, undefined, { next, end: fail });
}

function say(...parts) {
  news.replaceChildren(...parts);
}

function invite(title, text) {
  const back = make("a", { class: "plain back", href: "#" }, "All pairs");
  pair.replaceChildren(back, make("section", { class: "invitation" }, make("h1", {}, title), make("p", {}, text)));
}

function undo(id) {
  return problemOf(async () => {
    const { customer, job } = (await request(authorization, UNDO, { input: { id } })).mergeUndo;
    say(job ? "A job makes them two again." : `${customer.name} is a customer again.`);
  });
}

// Shows a candidate, until it is decided.
function watchCandidate(id) {
  const [compared, reasons] = [comparison(), reasonsPanel()];
  let version;

  async function merge(options) {
    return (await request(authorization, MERGE, { input: { ...compared.input(), ...options } })).customersMerge;
  }

  const buttons = decision({
    plan: () => merge({ dryRun: true }),
    async merge(fingerprint) {
      const next = candidates.next(id);
      const { customer, job } = await merge({ fingerprint });
      const link = make("a", { href: `live#${customer.id}` }, customer.name);
      say(...(job ? ["A job makes them one: ", link] : ["Merged: ", link]));
      location.hash = next;
    },
    async decide(choice) {
      const next = candidates.next(id);
      await request(authorization, DECIDE, { input: { id, decision: choice, expectedVersion: version } });
      say(choice === "LATER" ? "Put off for a week." : "They stay two customers.");
      location.hash = next;
    },
  });

  let isShown = false;
  return watch(CANDIDATE, "Candidate", { id }, (candidate) => {
    if (!candidate?.other) {
      isShown = false;
      return invite("Nothing to decide", "The two are one customer now, or no longer alike, or the key may not see both.");
    }
    version = candidate.version;
    compared.fill(candidate);
    reasons.fill(candidate);
    if (isShown) return undefined;
    isShown = true;
    const back = make("a", { class: "plain back", href: "#" }, "All pairs");
    pair.replaceChildren(back, compared.element, reasons.element, buttons);
    return compared.focus();
  });
}

function begin() {
  const id = location.hash.slice(1);
  stop();
  state.refuse(false);
  main.className = id ? "decides" : "";
  candidates.open(id);
  invite("Who is one customer?", "Pick a pair. The hub says why it takes the two for one; you decide.");
  stop = id ? watchCandidate(id) : () => {};
}

main.append(make("div", { class: "side" }, candidates.element, merges.element), pair);
document.getElementById("review").append(bar(), news, main, person.elements);
document.title = "Review";
watch(CANDIDATES, "Candidates", {}, candidates.fill);
watch(MERGES, "Merges", {}, merges.fill);
addEventListener("hashchange", begin);
begin();
person.begin();
