// Bundles each library of the page into one ES module: imported by relative path, no import map, no CDN.
import { build } from "esbuild";
import { cp, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = new URL("./vendor/", import.meta.url);
const output = new URL("../static/vendor/", import.meta.url);
const entries = (await readdir(here)).filter((name) => name.endsWith(".js"));

await build({
  entryPoints: entries.map((name) => fileURLToPath(new URL(name, here))),
  outdir: fileURLToPath(output),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "inline",
  conditions: ["production"],
  logLevel: "info",
});

// The type checker looks beside each bundle, and would else read the bundle itself.
await cp(new URL("./types/vendor/", import.meta.url), output, { recursive: true });
