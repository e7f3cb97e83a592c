// The page at /graphiql: GraphiQL with the explorer and the saved operations.
import { DOC_EXPLORER_PLUGIN, DocExplorerContextProvider } from "@graphiql/plugin-doc-explorer";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN, HistoryContextProvider } from "@graphiql/plugin-history";
import { usePluginStore } from "@graphiql/react";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, GraphiQLInterface, GraphiQLProvider } from "graphiql";
import { useRef } from "react";
import { createRoot } from "react-dom/client";
import operations from "saved-operations";
import { EventLog } from "./event-log.jsx";
import { Headers } from "./headers.jsx";
import { forgetPanel, isNarrow, restoreQuery } from "./layout.js";
import { account } from "../shared/account.js";
import { endpoint } from "../shared/endpoints.js";
import { authorize } from "../shared/session.js";
import { savedOperationsPlugin } from "./saved-operations.jsx";
import { isSubscription, subscription } from "./subscriptions.js";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./graphiql.css";

const SIGNED_OUT = "Nobody is signed in.";

// Header names are case-insensitive; this page uses lower case.
function lowerCased(headers) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

// Adds the page's key to a request whose headers name none.
function fetcher({ authorization, problem }) {
  const fetchOperation = createGraphiQLFetcher({
    url: endpoint.href,
    headers: { accept: "application/graphql-response+json, application/json;q=0.9" },
    enableIncrementalDelivery: false,
  });
  return (operation, options) => {
    const headers = lowerCased(options?.headers);
    headers.authorization ??= authorization;
    if (!headers.authorization) return Promise.resolve({ errors: [{ message: problem || SIGNED_OUT }] });
    const document = options?.documentAST;
    if (document && isSubscription(operation, document)) {
      return subscription(operation, document, headers.authorization);
    }
    return fetchOperation(operation, { ...options, headers });
  };
}

const savedOperations = savedOperationsPlugin(operations);
const plugins = [savedOperations, DOC_EXPLORER_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];

// GraphiQL decides at its first render whether a panel is open, but the provider opens one later. So GraphiQL is rendered
// only after that.
function Interface() {
  const { visiblePlugin } = usePluginStore();
  const appeared = useRef(false);
  appeared.current ||= visiblePlugin !== null || isNarrow();
  return appeared.current && (
    <GraphiQLInterface defaultEditorToolsVisibility={isNarrow() ? false : "variables"} showPersistHeadersSettings={false}>
      <GraphiQL.Logo>
        <span className="page-bar" ref={(element) => element?.append(person.button)}>
          <span className="page-title">{document.title}</span> <a href="live">Live</a>
        </span>
      </GraphiQL.Logo>
      <GraphiQL.Footer><EventLog /></GraphiQL.Footer>
      <Headers />
    </GraphiQLInterface>
  );
}

const access = await authorize();
const person = account(access);
document.body.append(person.elements);
person.begin();

if (isNarrow()) forgetPanel();
restoreQuery();

createRoot(document.getElementById("graphiql")).render(
  <GraphiQLProvider
    defaultTabs={[{ query: operations[0].text }]}
    fetcher={fetcher(access)}
    inputValueDeprecation
    plugins={plugins}
    referencePlugin={DOC_EXPLORER_PLUGIN}
    schemaDescription
    shouldPersistHeaders={false}
    visiblePlugin={isNarrow() ? undefined : savedOperations.title}
  >
    <HistoryContextProvider>
      <DocExplorerContextProvider>
        <Interface />
      </DocExplorerContextProvider>
    </HistoryContextProvider>
  </GraphiQLProvider>,
);
