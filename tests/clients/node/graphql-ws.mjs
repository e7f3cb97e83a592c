// graphql-ws: every operation over a socket, every form of authorization, and a stream that resumes after its last cursor.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as documents from "./documents.mjs";
import { authorization, mailbox, socketUrl, uniqueName } from "./hub.mjs";

function connect(options = {}) {
  const defaults = { webSocketImpl: WebSocket, connectionParams: { authorization }, retryAttempts: 0 };
  return createClient({ url: socketUrl, ...defaults, ...options });
}

async function execute(client, query, variables) {
  for await (const result of client.iterate({ query, variables })) return result;
  return assert.fail("no result");
}

// A WebSocket that sends the key with its handshake, as clients outside of browsers may.
class AuthorizedSocket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers: { authorization } });
  }
}

const CREDENTIALS = {
  authorization: { connectionParams: { authorization } },
  Authorization: { connectionParams: { Authorization: authorization } },
  "headers.Authorization": { connectionParams: { headers: { Authorization: authorization } } },
  "headers.authorization": { connectionParams: { headers: { authorization } } },
  authToken: { connectionParams: { authToken: authorization.split(" ")[1] } },
  "a function": { connectionParams: async () => ({ Authorization: authorization }) },
  "the handshake": { connectionParams: {}, webSocketImpl: AuthorizedSocket },
  "the handshake alone": { connectionParams: undefined, webSocketImpl: AuthorizedSocket },
};

describe("graphql-ws", { timeout: 60_000 }, () => {
  for (const [form, options] of Object.entries(CREDENTIALS)) {
    test(`the key in ${form} is accepted`, async () => {
      const client = connect(options);
      const { data } = await execute(client, "{ customers(filter: { name: { eq: \"QUICK-Stop\" } }) { totalCount } }");
      assert.equal(data.customers.totalCount, 1);
      await client.dispose();
    });
  }

  test("a key that is missing or not known is refused with a reason", async () => {
    for (const connectionParams of [{}, { authorization: "Bearer hub_0000000000000000_x" }]) {
      const client = connect({ connectionParams });
      const closed = await execute(client, "{ customers { totalCount } }").then(assert.fail, (event) => event);
      assert.equal(closed.code, 4403);
      assert.match(closed.reason, /key/i);
    }
  });

  test("a query, a mutation and an error", async () => {
    const client = connect();
    const name = uniqueName("graphql-ws");
    const created = await execute(client, documents.CREATE, { input: documents.person(name) });
    const { id } = created.data.customerCreate.customer;
    const { data } = await execute(client, documents.CUSTOMER, { id });
    assert.deepEqual(data.customer.attributes, documents.ATTRIBUTES);
    const { errors } = await execute(client, documents.UPDATE, { input: { id: documents.NOBODY, name } });
    assert.deepEqual(errors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
    const refused = await execute(client, "{ nothing }").then(assert.fail, (reason) => reason);
    assert.deepEqual(refused.map(({ extensions }) => extensions.code), ["FIELD_UNKNOWN"]);
    await client.dispose();
  });

  test("a subscription resumes after its last cursor", async () => {
    const client = connect({ retryAttempts: Infinity, shouldRetry: () => true, retryWait: async () => {} });
    const name = uniqueName("graphql-ws");
    const changes = mailbox();
    const variables = { name, after: undefined };
    client.subscribe(
      { query: documents.CHANGES, variables },
      {
        next({ data }) {
          variables.after = data.changes.cursor; // the client sends the payload again on every new socket
          changes.put(data.changes);
        },
        error: changes.put,
        complete() {},
      },
    );
    assert.equal((await changes.take()).__typename, "StreamReady");
    const writer = connect({ lazy: false });
    const create = (n) => execute(writer, documents.CREATE, { input: documents.person(`${name} ${n}`) });
    for (const n of [1, 2, 3]) {
      const created = create(n);
      client.terminate();
      await created;
      let change = await changes.take();
      while (change.__typename !== "Change") change = await changes.take();
      assert.deepEqual([change.operation, change.node.name], ["CREATE", `${name} ${n}`]);
    }
    await client.dispose();
    await writer.dispose();
  });
});
