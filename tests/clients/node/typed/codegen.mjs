// graphql-codegen reads the schema from the hub and types the documents of client.ts. HUB_GENERATED is the folder for its code.
const { HUB_URL, HUB_KEY, HUB_GENERATED } = process.env;

export default {
  schema: [{ [HUB_URL]: { headers: { authorization: `Bearer ${HUB_KEY}` } } }],
  documents: ["node/typed/client.ts"],
  importExtension: ".js",
  generates: {
    [`${HUB_GENERATED}/typed/gql/`]: {
      preset: "client",
      presetConfig: { fragmentMasking: { unmaskFunctionName: "getFragmentData" } },
      config: {
        enumsAsTypes: true,
        strictScalars: true,
        useTypeImports: true,
        scalars: {
          Cursor: "string",
          Date: "string",
          DateTime: "string",
          Decimal: "string",
          Duration: "string",
          JSON: "unknown",
        },
      },
    },
  },
};
