// What the person who is signed in has to do: tasks, steps of applications, and what the hub has to say.
import { make, show, showRows } from "../shared/dom.js";
import { exactly, text, when, word } from "../shared/format.js";

const EMPTY = { tasks: "No open tasks.", steps: "No open steps.", notifications: "Nothing new." };

function panel(name, title, makeRow) {
  const count = make("span", { class: "count" });
  const rows = make("ul");
  const nothing = make("p", { class: "small" }, EMPTY[name]);
  const element = make("section", { class: `panel ${name}`, "aria-label": title }, make("h2", {}, title, count), rows, nothing);
  function fill({ totalCount, nodes }) {
    show(count, String(totalCount));
    nothing.hidden = totalCount > 0;
    showRows(rows, nodes, makeRow);
  }
  return { element, fill };
}

// A row: a badge, a title that may lead somewhere, what else is to be said, and a time that may be past.
function row(describe) {
  const badge = make("span", { class: "badge" });
  const title = make("a");
  const beside = make("span", { class: "small" });
  const timeElement = make("time", { class: "small" });
  const element = make("li", {}, make("div", {}, title, make("p", {}, badge, " ", beside)), timeElement);
  function fill(node) {
    const { label, name, href, others, moment, due } = describe(node);
    badge.dataset.value = label;
    show(badge, word(label));
    show(title, name);
    if (href) title.setAttribute("href", `#${href}`);
    else title.removeAttribute("href");
    show(beside, others.filter(Boolean).join(" · "));
    show(timeElement, moment ? `${due ? "due " : ""}${when(moment)}` : "");
    if (!moment) return;
    timeElement.setAttribute("datetime", moment);
    timeElement.title = exactly(moment);
    timeElement.classList.toggle("late", Boolean(due) && new Date(moment) < new Date());
  }
  return { element, fill };
}

const taskRow = () =>
  row(({ type, title, dueAt, customer, staff }) => ({
    label: type,
    name: title,
    href: customer?.id,
    others: [customer?.name, staff?.name],
    moment: dueAt,
    due: true,
  }));

const stepRow = () =>
  row(({ step, item, role, addressee, openedAt, dueAt }) => ({
    label: item?.process?.name ?? "Step",
    name: [item?.number, step?.name].filter(Boolean).join(" · "),
    href: item?.id,
    others: [item?.title, addressee?.name ?? role],
    moment: dueAt ?? openedAt,
    due: Boolean(dueAt),
  }));

const notificationRow = () =>
  row(({ type, text: said, notifiedAt, staff }) => ({
    label: type,
    name: said,
    others: [staff?.name],
    moment: notifiedAt,
  }));

// The elements of the view, and a function that shows the work of a person and returns the page's title.
export function workView() {
  const name = make("h1");
  const unit = make("p", { class: "small" });
  const head = make("header", { class: "panel who" }, make("div", { class: "name" }, name, unit));
  const tasks = panel("tasks", "Tasks", taskRow);
  const steps = panel("steps", "Steps", stepRow);
  const notifications = panel("notifications", "Notifications", notificationRow);
  function fill(me) {
    show(name, me.staff?.name ?? "Nobody");
    show(unit, text(me.staff ? me.staff.unit?.name : "No member of staff is behind this key, so nobody has work."));
    tasks.fill(me.tasks);
    steps.fill(me.workSteps);
    notifications.fill(me.notifications);
    return "My work";
  }
  return { elements: [head, tasks.element, steps.element, notifications.element], fill };
}
