// graphql-request: plain requests, and everything that the custom scalars carry.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ClientError, GraphQLClient } from "graphql-request";

import * as documents from "./documents.mjs";
import { authorization, browserFetch, uniqueName, url } from "./hub.mjs";

const client = new GraphQLClient(url, { fetch: browserFetch, headers: { authorization } });

async function codes(promise) {
  const error = await promise.then(assert.fail, (reason) => reason);
  assert.ok(error instanceof ClientError);
  return error.response.errors.map(({ extensions }) => extensions.code);
}

describe("graphql-request", { timeout: 60_000 }, () => {
  test("two pages", async () => {
    const variables = { filter: documents.GERMANY, first: 6 };
    const { customers } = await client.request(documents.CUSTOMERS, variables);
    const after = customers.pageInfo.endCursor;
    const rest = (await client.request(documents.CUSTOMERS, { ...variables, after })).customers;
    const names = [...customers.edges, ...rest.edges].map(({ node }) => node.name);
    assert.equal(new Set(names).size, customers.totalCount);
    assert.deepEqual([rest.pageInfo.hasNextPage, rest.pageInfo.hasPreviousPage], [false, true]);
  });

  test("custom scalars keep their values", async () => {
    const created = await client.request(documents.CREATE, { input: documents.person(uniqueName("request")) });
    const { id, attributes } = created.customerCreate.customer;
    assert.deepEqual(attributes, documents.ATTRIBUTES);
    const input = { ...documents.ORDER, customerId: id, number: uniqueName("N") };
    const { placedAt, freight, currency } = (await client.request(documents.CREATE_ORDER, { input })).orderCreate.order;
    assert.deepEqual({ placedAt, freight, currency }, documents.STORED_ORDER);
  });

  test("an error has its code", async () => {
    const missing = { input: { id: documents.NOBODY, name: "nobody" } };
    assert.deepEqual(await codes(client.request(documents.UPDATE, missing)), ["NOT_FOUND"]);
    assert.deepEqual(await codes(client.request(documents.CUSTOMER, { id: null })), ["VARIABLE_INVALID"]);
    assert.deepEqual(await codes(client.request("{ customers { nodes { nmae } } }")), ["FIELD_UNKNOWN"]);
  });

  test("a key that is not known is refused", async () => {
    const stranger = new GraphQLClient(url, { headers: { authorization: "Bearer hub_0000000000000000_x" } });
    assert.deepEqual(await codes(stranger.request("{ customers { totalCount } }")), ["KEY_UNKNOWN"]);
  });

  test("a batch is refused with its code", async () => {
    const batch = client.batchRequests([{ document: "{ customers { totalCount } }" }]);
    const error = await batch.then(assert.fail, (reason) => reason);
    assert.match(JSON.stringify(error.response), /BATCH_UNSUPPORTED/);
  });
});
