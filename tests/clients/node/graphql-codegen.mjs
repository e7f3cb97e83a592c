// graphql-codegen: the client that it typed and tsc compiled.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createAndFind, listNames } from "../.generated/compiled/node/typed/client.js";
import { authorization, uniqueName, url } from "./hub.mjs";

describe("graphql-codegen", { timeout: 60_000 }, () => {
  test("the generated types fit two pages", async () => {
    const names = await listNames(url, authorization, "DE");
    assert.equal(new Set(names).size, 11);
  });

  test("the generated types fit a mutation and a node", async () => {
    assert.deepEqual(await createAndFind(url, authorization, uniqueName("codegen")), { loyal: true });
  });
});
