// What depends on the width of the page. On a phone, a panel covers the editors while it is open; graphiql.css says how.
const NARROW = matchMedia("(max-width: 760px)");
const PANEL_STORAGE_KEY = "graphiql:visiblePlugin";

export function isNarrow() {
  return NARROW.matches;
}

// Closes the open panel. Only GraphiQL's own button does all that belongs to it.
export function closePanel() {
  document.querySelector(".graphiql-sidebar button.active")?.click();
}

// Begins without the panel that was open at the last visit.
export function forgetPanel() {
  localStorage.removeItem(PANEL_STORAGE_KEY);
}
