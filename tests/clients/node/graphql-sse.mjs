// graphql-sse in the mode of distinct connections: each operation is a response of its own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createClient } from "graphql-sse";

import * as documents from "./documents.mjs";
import { authorization, browserFetch, mailbox, uniqueName, url } from "./hub.mjs";

function connect(options = {}) {
  return createClient({ url, headers: { authorization }, fetchFn: browserFetch, retryAttempts: 0, ...options });
}

async function execute(client, query, variables) {
  for await (const result of client.iterate({ query, variables })) return result;
  return assert.fail("no result");
}

describe("graphql-sse", { timeout: 60_000 }, () => {
  test("a query, a mutation and an error", async () => {
    const client = connect();
    const name = uniqueName("graphql-sse");
    const created = await execute(client, documents.CREATE, { input: documents.person(name) });
    const { id } = created.data.customerCreate.customer;
    const { data } = await execute(client, documents.CUSTOMER, { id });
    assert.deepEqual([data.customer.name, data.customer.attributes], [name, documents.ATTRIBUTES]);
    const { errors } = await execute(client, documents.UPDATE, { input: { id: documents.NOBODY, name } });
    assert.deepEqual(errors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
    client.dispose();
  });

  test("a subscription resumes after its last cursor", async () => {
    const client = connect();
    const name = uniqueName("graphql-sse");
    const create = (n) => execute(client, documents.CREATE, { input: documents.person(`${name} ${n}`) });
    let after;
    for (const n of [1, 2]) {
      const changes = mailbox();
      const stop = client.subscribe(
        { query: documents.CHANGES, variables: { name, after } },
        { next: ({ data }) => changes.put(data.changes), error: changes.put, complete() {} },
      );
      if (after === undefined) {
        assert.equal((await changes.take()).__typename, "StreamReady");
        await create(n);
      }
      let change = await changes.take();
      while (change.__typename !== "Change") change = await changes.take();
      assert.deepEqual([change.operation, change.node?.name], ["CREATE", `${name} ${n}`]);
      after = change.cursor;
      stop();
      await create(n + 1);
    }
    client.dispose();
  });

  test("the mode of a single connection is refused", async () => {
    const client = connect({ singleConnection: true });
    const refused = await execute(client, "{ customers { totalCount } }").then(assert.fail, (error) => error);
    assert.match(refused.message, /405/);
    client.dispose();
  });
});
