// Bundles each library of the page into one ES module: imported by relative path, no import map, no CDN. What is for a
// frame without an origin becomes a classic script.
import { build } from "esbuild";
import { cp, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const output = new URL("../static/vendor/", import.meta.url);

for (const [folder, format] of [["./vendor/", "esm"], ["./classic/", "iife"]]) {
  const here = new URL(folder, import.meta.url);
  const entries = (await readdir(here)).filter((name) => name.endsWith(".js"));
  await build({
    entryPoints: entries.map((name) => fileURLToPath(new URL(name, here))),
    outdir: fileURLToPath(output),
    bundle: true,
    format,
    target: "es2022",
    minify: true,
    legalComments: "inline",
    conditions: ["production"],
    logLevel: "info",
  });
}

// The font that formulas are set in, with its licence. A browser fetches it when the first one is shown.
const font = new URL("../../node_modules/@fontsource/stix-two-math/", import.meta.url);
await cp(new URL("files/stix-two-math-latin-400-normal.woff2", font), new URL("stix-two-math.woff2", output));
await cp(new URL("LICENSE", font), new URL("stix-two-math.LICENSE", output));

// The type checker looks beside each bundle, and would else read the bundle itself.
await cp(new URL("./types/vendor/", import.meta.url), output, { recursive: true });
