// PostGraphile 5 over the hub's own tables, as its authors advise for production: prepared statements and the document
// cache are its defaults, the answer is built as a string, no watch mode, no GraphiQL, no explain, one process.
import { createServer } from "node:http";

import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { makePgService } from "postgraphile/adaptors/pg";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/node";
import { jsonPgSmartTags } from "postgraphile/utils";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

// Some links are two-column keys; PostGraphile would leave out a link without an index that covers both columns, so the
// plain ones are declared: one column fewer to compare, and the indexes on them are used.
const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      order_items: {
        tags: { foreignKey: "(order_id) references orders (id)|@fieldName order|@foreignFieldName items" },
        attribute: { line: { tags: { behavior: ["+attribute:orderBy"] } } },
      },
      orders: { tags: { foreignKey: "(customer_id) references customers (id)|@fieldName customer|@foreignFieldName orders" } },
      interactions: {
        tags: { foreignKey: "(customer_id) references customers (id)|@fieldName customer|@foreignFieldName interactions" },
        attribute: { unit_id: { tags: { behavior: ["-attribute:insert"] } } }, // a trigger fills it in
      },
      customers: {
        attribute: { country: { tags: { behavior: ["+attribute:filterBy"] } }, stage: { tags: { behavior: ["+attribute:filterBy"] } } },
      },
      scores: { attribute: { current: { tags: { behavior: ["+attribute:filterBy"] } } } },
    },
  },
});

const preset = {
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, PostGraphileConnectionFilterPreset],
  plugins: [tags],
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      schemas: ["public"],
      pubsub: false,
      poolConfig: { max: Number(process.env.POOL_SIZE), application_name: "postgraphile" },
    }),
  ],
  grafserv: { graphiql: false, websockets: false, watch: false, outputDataAsString: true },
  grafast: { explain: false },
};

const server = createServer();
await grafserv({ preset, schema: await postgraphile(preset).getSchema() }).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("ready"));
