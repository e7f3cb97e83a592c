// Formats words, amounts and times in the language of the browser.

const EMPTY = "–";
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const regions = new Intl.DisplayNames(undefined, { type: "region" });
const figures = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

// STAGE_MOVE and stageMove become "Stage move".
export function word(name) {
  const parted = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  return parted[0].toUpperCase() + parted.slice(1);
}

export function text(value) {
  return value === null || value === undefined || value === "" ? EMPTY : String(value);
}

export function amount(value, currency) {
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(value);
}

export function sums(amounts) {
  return text(amounts.map((sum) => amount(sum.amount, sum.currency)).join(" + "));
}

export function figure(value) {
  return figures.format(value);
}

export function country(code) {
  return code ? (regions.of(code) ?? code) : EMPTY;
}

export function time(moment) {
  return clock.format(new Date(moment));
}

// The time of day for today, else the date.
export function when(moment) {
  if (!moment) return EMPTY;
  const then = new Date(moment);
  return then.toDateString() === new Date().toDateString() ? clock.format(then) : day.format(then);
}

export function exactly(moment) {
  return full.format(new Date(moment));
}
