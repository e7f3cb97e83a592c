// Bundles src/ into the folder named on the command line. Writes files with content hashes in their names, a
// manifest.json that lists the files of each page, and the licences of all bundled packages.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "hub", "web", "static");
const sources = process.argv[3] ?? "";
const PAGES = { graphiql: "src/graphiql/graphiql.jsx", live: "src/live/live.js", review: "src/review/review.js" };

// `import operations from "saved-operations"` returns every file of src/graphiql/operations, sorted by name.
const savedOperations = {
  name: "saved-operations",
  setup(esbuild) {
    const folder = join(here, "src", "graphiql", "operations");
    esbuild.onResolve({ filter: /^saved-operations$/ }, ({ path }) => ({ path, namespace: "saved" }));
    esbuild.onLoad({ filter: /.*/, namespace: "saved" }, () => {
      const operations = readdirSync(folder).filter((name) => name.endsWith(".graphql")).sort().map((name) => {
        const text = readFileSync(join(folder, name), "utf8");
        return { title: text.split("\n", 1)[0].replace(/^#\s*/, ""), text };
      });
      return { contents: JSON.stringify(operations), loader: "json" };
    });
  },
};

function licences(inputs) {
  const packages = new Set(inputs.map((path) => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
  return [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
    const file = readdirSync(join(here, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(here, folder, file), "utf8").trim() : ""}\n`;
  }).join(`\n${"-".repeat(80)}\n\n`);
}

mkdirSync(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: PAGES,
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  loader: { ".graphql": "text", ".woff2": "dataurl", ".ttf": "dataurl" },
  legalComments: "none",
  metafile: true,
  alias: { "react-style-singleton": "./src/graphiql/style-singleton.js" },
  plugins: [savedOperations],
});

const icon = readFileSync(join(here, "src", "icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;
writeFileSync(join(out, iconName), icon);
writeFileSync(join(out, "licences.txt"), licences(Object.keys(metafile.inputs)));

const bundles = Object.entries(metafile.outputs);
function entry(source) {
  const [script, { cssBundle }] = bundles.find(([, output]) => output.entryPoint === source);
  return { script: basename(script), style: basename(cssBundle) };
}
const files = [...bundles.map(([path]) => basename(path)), iconName, "licences.txt"].sort();
for (const name of files) {
  const whole = readFileSync(join(out, name));
  const small = gzipSync(whole, { level: 9 });
  if (small.length < whole.length * 0.9) writeFileSync(join(out, `${name}.gz`), small);
}
const manifest = {
  sources,
  pages: Object.fromEntries(Object.entries(PAGES).map(([name, source]) => [name, entry(source)])),
  icon: iconName,
  files: Object.fromEntries(files.map((name) => [name, existsSync(join(out, `${name}.gz`))])),
};
writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
