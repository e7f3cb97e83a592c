// Where an application stands: every step of its process, who decides or decided it, by when, and what its customer sees.
import { make, show, showRows } from "../shared/dom.js";
import { amount, exactly, text, when, word } from "../shared/format.js";

function panel(name, title) {
  const rows = make("ol");
  return { rows, element: make("section", { class: `panel ${name}`, "aria-label": title }, make("h2", {}, title), rows) };
}

function showMoment(element, moment, prefix = "") {
  show(element, moment ? prefix + when(moment) : "");
  if (!moment) return element.removeAttribute("datetime");
  element.title = exactly(moment);
  return element.setAttribute("datetime", moment);
}

// What a step of the process has come to, from its rows: one for each voter and round, of which the last round counts.
function standing({ id, position, name }, rows) {
  const own = rows.filter((row) => row.step.id === id);
  const round = Math.max(0, ...own.map((row) => row.round));
  const votes = own.filter((row) => row.round === round);
  const open = votes.filter((row) => row.status === "OPEN");
  const decided = votes.filter((row) => row.status === "DECIDED");
  const state = open.length ? "CURRENT" : decided.length ? (decided.at(-1).decision ?? "DONE") : votes.length ? "SKIPPED" : "TODO";
  const people = (open.length ? open.map(({ addressee, role }) => addressee?.name ?? role) : decided.map((row) => row.decidedBy?.name)).filter(Boolean);
  const votesText = votes.length > 1 ? `${decided.filter((row) => row.decision === "APPROVE").length} of ${votes.length} approve` : "";
  return {
    id,
    position,
    name,
    state,
    others: [round > 1 ? `round ${round}` : "", votesText, [...new Set(people)].join(", "), decided.at(-1)?.note].filter(Boolean),
    moment: open.length ? open[0].dueAt : decided.at(-1)?.decidedAt,
    due: open.length > 0,
  };
}

function stepRow() {
  const name = make("p", { class: "name" });
  const badge = make("span", { class: "badge" });
  const beside = make("span", { class: "small" });
  const timeElement = make("time", { class: "small" });
  const element = make("li", {}, make("div", {}, name, make("p", {}, badge, " ", beside)), timeElement);
  function fill({ name: shown, state, others, moment, due }) {
    element.dataset.state = state;
    badge.dataset.value = state;
    show(name, shown);
    badge.hidden = state === "TODO";
    show(badge, word(state));
    show(beside, others.join(" · "));
    showMoment(timeElement, moment, due ? "due " : "");
    timeElement.classList.toggle("late", Boolean(due && moment) && new Date(moment) < new Date());
  }
  return { element, fill };
}

function summary() {
  const title = make("h1");
  const status = make("span", { class: "badge status" });
  const about = make("a");
  const facts = ["Number", "Process", "Amount", "Opened", "By"].map((label) => {
    const value = make("dd");
    return { value, element: make("div", {}, make("dt", {}, label), value) };
  });
  const list = make("dl", { class: "facts" }, ...facts.map(({ element }) => element));
  const badges = make("p", { class: "badges" }, status, about);
  const element = make("header", { class: "panel who" }, make("div", { class: "name" }, title, badges), list);
  function fill(item) {
    const subject = item.subject ?? {};
    show(title, item.title);
    status.dataset.value = item.status;
    show(status, word(item.status));
    show(about, subject.name ?? "");
    if (subject.id) about.setAttribute("href", `#${subject.id}`);
    else about.removeAttribute("href");
    const money = item.amount === null ? null : amount(item.amount, item.currency);
    const values = [item.number, item.process?.name, money, when(item.openedAt), item.openedBy?.name].map(text);
    facts.forEach(({ value }, index) => show(value, values[index]));
  }
  return { element, fill };
}

// A milestone as its customer sees it.
const milestone = ({ id, name, state, plannedAt, reachedAt }) => ({
  id,
  name,
  state,
  others: [],
  moment: reachedAt ?? plannedAt,
  due: !reachedAt && Boolean(plannedAt),
});

// The elements of the view, and a function that shows an application and returns the page's title.
export function applicationView() {
  const head = summary();
  const steps = panel("progress", "Step by step");
  const milestones = panel("milestones", "What the customer sees");
  function fill(item) {
    head.fill(item);
    showRows(steps.rows, (item.process?.steps.nodes ?? []).map((step) => standing(step, item.steps.nodes)), stepRow);
    milestones.element.hidden = item.milestones.nodes.length === 0;
    showRows(milestones.rows, item.milestones.nodes.map(milestone), stepRow);
    return item.number ?? item.title;
  }
  return { elements: [head.element, steps.element, milestones.element], fill };
}

// The milestones of a customer's matters, for the customer's page.
export function milestonesPanel() {
  const { rows, element } = panel("milestones", "Milestones");
  function fill({ milestones: { nodes } }) {
    element.hidden = nodes.length === 0;
    showRows(rows, nodes.map(milestone), stepRow);
  }
  return { element, fill };
}
