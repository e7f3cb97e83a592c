// Runs GraphiQL's subscriptions as observables. Each has its own socket, because each run may have another key.
import { getOperationAST, Kind, OperationTypeNode } from "graphql";
import { socket } from "../shared/endpoints.js";
import { connect, follow } from "../shared/subscriptions-client.js";
import { record } from "./event-log.jsx";

const CONNECTION_LOST = { connection: "lost; trying again" };

export function isSubscription({ operationName }, documentAST) {
  return getOperationAST(documentAST, operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
}

// The variable with the cursor to resume after.
function cursorVariable({ operationName }, documentAST) {
  const [field] = getOperationAST(documentAST, operationName).selectionSet.selections;
  const after = field.name?.value === "changes" && field.arguments.find(({ name }) => name.value === "after");
  return after?.value?.kind === Kind.VARIABLE ? after.value.name.value : undefined;
}

// GraphiQL shows one message, the log below it keeps all. A control message must not replace the last change.
function isControlMessage({ data }) {
  return ["StreamReady", "StreamProgress"].includes(Object.values(data ?? {})[0]?.__typename);
}

export function subscription(operation, documentAST, authorization) {
  return {
    subscribe(sink) {
      let shown = {};
      let lost = false;
      const name = operation.operationName ?? "";
      const client = connect(socket, authorization, (state) => {
        if (state === "lost") {
          sink.next({ ...shown, extensions: CONNECTION_LOST });
          if (!lost) record(name, { extensions: CONNECTION_LOST });
        } else if (lost) sink.next(shown);
        lost = state === "lost";
      });
      const stop = follow(client, operation, cursorVariable(operation, documentAST), {
        next(response) {
          record(name, response);
          if (!shown.data || !isControlMessage(response)) shown = response;
          sink.next(shown);
        },
        end(errors) {
          record(name, { errors });
          sink.next({ errors });
          sink.complete();
        },
      });
      return { unsubscribe: stop };
    },
  };
}
