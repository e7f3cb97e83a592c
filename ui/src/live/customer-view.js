// One customer from all sides: summary, scores, orders, interactions, and a timeline of everything.
import { icon, make, show, showRows } from "../shared/dom.js";
import { milestonesPanel } from "./application-view.js";
import { amount, country, exactly, figure, sums, text, when, word } from "../shared/format.js";

const DIRECTION_ICONS = { INBOUND: "M12 4 4 12m0-6v6h6", OUTBOUND: "M4 12l8-8m-6 0h6v6", INTERNAL: "M4 8h8" };
const ENTRIES = {
  Order: ({ number, orderStatus }) => `Order ${number} · ${word(orderStatus)}`,
  Interaction: ({ subject, kind }) => subject ?? kind,
  Score: ({ model, value }) => `${model} ${figure(value)}`,
  StageMove: ({ fromStage, toStage }) => `${word(fromStage)} → ${word(toStage)}`,
  Move: ({ about, fromValue, toValue }) => `${about?.title ?? "Moved"} · ${word(fromValue)} → ${word(toValue)}`,
  WorkItem: ({ itemNumber, title }) => [itemNumber, title].filter(Boolean).join(" · "),
  Consent: ({ purpose, consentStatus }) => `${purpose} · ${word(consentStatus)}`,
};
const ENTRY_CLASSES = { Order: "order", Interaction: "contact", Score: "score", StageMove: "stage", Consent: "consent" };

function moment() {
  return make("time");
}

function showMoment(element, timestamp) {
  show(element, when(timestamp));
  if (!timestamp) return;
  element.setAttribute("datetime", timestamp);
  element.title = exactly(timestamp);
}

function panel(name, title, list) {
  const count = make("span", { class: "count" });
  const heading = make("h2", {}, title, count);
  return { element: make("section", { class: `panel ${name}`, "aria-label": title }, heading, list), count };
}

// Shows an enum value as a badge in the value's colour.
function showBadge(element, value) {
  element.dataset.value = value;
  show(element, word(value));
}

function initials(name) {
  const [first = "", second = ""] = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return (first.slice(0, 1) + (second.slice(0, 1) || first.slice(1, 2))).toUpperCase();
}

function summary() {
  const avatar = make("div", { class: "avatar", "aria-hidden": "true" });
  const name = make("h1");
  const [stage, tier, status] = ["stage", "tier", "status"].map((name) => make("span", { class: `badge ${name}` }));
  const facts = ["Owner", "Unit", "Country", "Ordered in all", "Last order"].map((label) => {
    const value = make("dd");
    return { value, element: make("div", {}, make("dt", {}, label), value) };
  });
  const badges = make("p", { class: "badges" }, stage, tier, status);
  const list = make("dl", { class: "facts" }, ...facts.map(({ element }) => element));
  const element = make("header", { class: "panel who" }, avatar, make("div", { class: "name" }, name, badges), list);
  function fill(customer) {
    const { sum, max } = customer.orders.stats;
    show(name, customer.name);
    avatar.textContent = initials(customer.name);
    showBadge(stage, customer.stage);
    showBadge(tier, customer.tier);
    showBadge(status, customer.status);
    status.hidden = customer.status === "ACTIVE";
    const values = [
      text(customer.owner?.name),
      text(customer.unit?.name),
      country(customer.country),
      sums(sum.total),
      when(max.placedAt),
    ];
    facts.forEach(({ value }, index) => show(value, values[index]));
  }
  return { element, fill };
}

function orderRow() {
  const [number, items, total] = ["number", "items", "total"].map((name) => make("td", { class: name }));
  const placed = moment();
  const status = make("span", { class: "badge" });
  const cells = [number, make("td", { class: "placed" }, placed), make("td", {}, status), items, total];
  function fill(order) {
    show(number, order.number);
    showMoment(placed, order.placedAt);
    showBadge(status, order.status);
    show(items, String(order.items.totalCount));
    show(total, amount(order.total, order.currency));
  }
  return { element: make("tr", {}, ...cells), fill };
}

function orders() {
  const rows = make("tbody");
  const titles = ["Order", "Placed", "Status", "Items", "Total"].map((title) => make("th", { scope: "col" }, title));
  const { element, count } = panel("orders", "Orders", make("table", {}, make("thead", {}, make("tr", {}, ...titles)), rows));
  function fill({ orders: { totalCount, nodes } }) {
    show(count, String(totalCount));
    showRows(rows, nodes, orderRow);
  }
  return { element, fill };
}

function interactionRow() {
  const directionIcon = make("span", { class: "direction" });
  const subject = make("p");
  const by = make("span");
  const timeElement = moment();
  const element = make("li", {}, directionIcon, make("div", {}, subject, make("p", { class: "small" }, by, " · ", timeElement)));
  function fill({ channel, direction, kind, subject: subjectText, staff, occurredAt }) {
    if (directionIcon.title !== word(direction)) directionIcon.replaceChildren(icon(DIRECTION_ICONS[direction] ?? DIRECTION_ICONS.INTERNAL));
    directionIcon.title = word(direction);
    show(subject, subjectText ?? kind);
    show(by, [word(channel), staff?.name].filter(Boolean).join(" · "));
    showMoment(timeElement, occurredAt);
  }
  return { element, fill };
}

function interactions() {
  const rows = make("ul");
  const { element, count } = panel("interactions", "Interactions", rows);
  function fill({ interactions: { totalCount, nodes } }) {
    show(count, String(totalCount));
    showRows(rows, nodes, interactionRow);
  }
  return { element, fill };
}

function scoreRow() {
  const model = make("span", { class: "model" });
  const value = make("span", { class: "value" });
  const band = make("meter", { min: "0", max: "5" });
  const named = make("span", { class: "small" });
  function fill(score) {
    const isStep = /^[0-5]$/.test(score.band ?? "");
    show(model, score.model);
    show(value, figure(score.value));
    show(named, isStep ? `${score.band} of 5` : text(score.band));
    band.hidden = !isStep;
    band.value = isStep ? Number(score.band) : 0;
    band.title = named.textContent;
  }
  return { element: make("li", {}, model, value, band, named), fill };
}

function scores() {
  const rows = make("ul");
  const { element } = panel("scores", "Scores", rows);
  return { element, fill: ({ scores: { nodes } }) => showRows(rows, nodes, scoreRow) };
}

function entryRow() {
  const label = make("p");
  const timeElement = moment();
  const element = make("li", {}, label, timeElement);
  function fill(entry) {
    element.className = `entry ${ENTRY_CLASSES[entry.__typename] ?? ""}${element.classList.contains("changed") ? " changed" : ""}`;
    show(label, ENTRIES[entry.__typename]?.(entry) ?? entry.__typename);
    showMoment(timeElement, entry.at);
  }
  return { element, fill };
}

function timeline() {
  const rows = make("ol");
  const { element, count } = panel("timeline", "Timeline", rows);
  function fill({ timeline: { totalCount, nodes } }) {
    show(count, String(totalCount));
    showRows(rows, nodes, entryRow);
  }
  return { element, fill };
}

// The elements of the view, and a function that shows a customer in them.
export function customerView() {
  const parts = [summary(), milestonesPanel(), scores(), orders(), interactions(), timeline()];
  return {
    elements: parts.map(({ element }) => element),
    fill: (customer) => parts.forEach(({ fill }) => fill(customer)),
  };
}
