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
import { forgetPanel, isNarrow } from "./layout.js";
import { demoHeaders, endpoint } from "../shared/endpoints.js";
import { savedOperationsPlugin } from "./saved-operations.jsx";
import { isSubscription, subscription } from "./subscriptions.js";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./graphiql.css";

// Header names are case-insensitive; this page uses lower case.
function lowerCased(headers) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

function fetcher(defaults) {
  const fetchOperation = createGraphiQLFetcher({
    url: endpoint.href,
    headers: { accept: "application/graphql-response+json, application/json;q=0.9" },
    enableIncrementalDelivery: false,
  });
  return (operation, options) => {
    // GraphiQL fetches the schema before its headers editor exists.
    const unnamed = operation.operationName === "IntrospectionQuery" ? defaults : undefined;
    const headers = lowerCased(options?.headers ?? unnamed);
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
function Interface({ headers }) {
  const { visiblePlugin } = usePluginStore();
  const appeared = useRef(false);
  appeared.current ||= visiblePlugin !== null || isNarrow();
  return appeared.current && (
    <GraphiQLInterface defaultEditorToolsVisibility={isNarrow() ? false : "headers"} showPersistHeadersSettings={false}>
      <GraphiQL.Logo><span className="page-title">{document.title}</span> <a href="live">Live</a></GraphiQL.Logo>
      <GraphiQL.Footer><EventLog /></GraphiQL.Footer>
      <Headers defaults={headers} />
    </GraphiQLInterface>
  );
}

const defaults = await demoHeaders();
const headers = defaults ? JSON.stringify(defaults, null, 2) : "";

if (isNarrow()) forgetPanel();

createRoot(document.getElementById("graphiql")).render(
  <GraphiQLProvider
    defaultHeaders={headers}
    defaultTabs={[{ query: operations[0].text, headers }]}
    fetcher={fetcher(defaults)}
    inputValueDeprecation
    plugins={plugins}
    referencePlugin={DOC_EXPLORER_PLUGIN}
    schemaDescription
    shouldPersistHeaders={false}
    visiblePlugin={isNarrow() ? undefined : savedOperations.title}
  >
    <HistoryContextProvider>
      <DocExplorerContextProvider>
        <Interface headers={headers} />
      </DocExplorerContextProvider>
    </HistoryContextProvider>
  </GraphiQLProvider>,
);
