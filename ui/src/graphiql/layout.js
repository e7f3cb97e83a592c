// What GraphiQL shows first. On a phone, a panel covers the editors while it is open; graphiql.css says how.
const NARROW = matchMedia("(max-width: 760px)");
const PANEL_STORAGE_KEY = "graphiql:visiblePlugin";
const QUERY_STORAGE_KEY = "graphiql:query";
const TABS_STORAGE_KEY = "graphiql:tabState";

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

// GraphiQL stores a query only once it is edited. At a reload before that it opens an empty tab beside the stored one.
export function restoreQuery() {
  if (localStorage.getItem(QUERY_STORAGE_KEY) !== null) return;
  try {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem(TABS_STORAGE_KEY));
    const { query } = tabs[activeTabIndex];
    if (query) localStorage.setItem(QUERY_STORAGE_KEY, query);
  } catch {
    // There is no stored tab, or none that can be read.
  }
}
