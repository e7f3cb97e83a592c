// The fields of a customer of which a person may choose whose value stays, and what else is shown beside each other.
import { amount, country, text, when, word } from "../shared/format.js";

function many({ totalCount, nodes }, describe) {
  const lines = nodes.map(describe);
  return totalCount > nodes.length ? [...lines, `and ${totalCount - nodes.length} more`] : lines;
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const members = (value) => Object.entries(value).map(([name, part]) => `${name}: ${plain(part)}`);
const isBlocked = (one, other) => [one.status, other.status].includes("BLOCKED");
const contact = ({ name, points }) => [name, ...points.nodes.map(({ value }) => value)].join(" · ");
const address = ({ street, city, postalCode }) => [street, [postalCode, city].filter(Boolean).join(" ")].join(", ");
const revenue = (side) => side.annualRevenue && amount(side.annualRevenue, side.annualRevenueCurrency);
const coded = (value) => value && word(value);

// A field that can be chosen: its names in the API, its label, and its lines of text. Attributes of one side alone stay.
export const FIELDS = [
  { names: ["name"], label: "Name", lines: ({ name }) => [name] },
  { names: ["kind"], label: "Kind", mustChoose: () => true, lines: ({ kind }) => [coded(kind)] },
  { names: ["bornOn"], label: "Born on", lines: ({ bornOn }) => [bornOn && when(`${bornOn}T12:00`)] },
  { names: ["status"], label: "Status", mustChoose: isBlocked, lines: ({ status }) => [coded(status)] },
  { names: ["tier"], label: "Tier", lines: ({ tier }) => [coded(tier)] },
  { names: ["country"], label: "Country", lines: (side) => [side.country && country(side.country)] },
  { names: ["language"], label: "Language", lines: ({ language }) => [language] },
  { names: ["currency"], label: "Currency", lines: ({ currency }) => [currency] },
  {
    names: ["annualRevenue", "annualRevenueCurrency"],
    label: "Annual revenue",
    isConfirmed: true, // by another person, so that nothing moves without a choice
    lines: (side) => [revenue(side)],
  },
  { names: ["attributes"], label: "Attributes", lines: ({ attributes }) => members(attributes) },
];

// What the customer who stays has of both.
export const UNITED = [
  { label: "Identifiers", lines: ({ identifiers }) => many(identifiers, ({ value }) => value) },
  { label: "Contacts", lines: ({ contacts }) => many(contacts, contact) },
  { label: "Addresses", lines: ({ addresses }) => many(addresses, address) },
  { label: "Orders", lines: ({ orders }) => [String(orders.totalCount)] },
  { label: "Interactions", lines: ({ interactions }) => [String(interactions.totalCount)] },
  { label: "Unit", lines: ({ unit }) => [unit?.name] },
  { label: "Owner", lines: ({ owner }) => [owner?.name] },
  { label: "Since", lines: ({ createdAt }) => [when(createdAt)] },
];

// The lines of a side as they are shown, of which at least one says that there is nothing.
export function linesOf({ lines }, side) {
  const shown = lines(side).filter(Boolean);
  return shown.length ? shown : [text(null)];
}

export const isEmpty = ({ lines }, side) => !lines(side).some(Boolean);
export const isEqual = (field, one, other) => JSON.stringify(field.lines(one)) === JSON.stringify(field.lines(other));
