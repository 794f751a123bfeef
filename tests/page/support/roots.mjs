import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOTS = ["conversations/static/", "streaming/static/"].map((path) => new URL(`../../../${path}`, import.meta.url));

/** @type {import("node:module").ResolveHook} */
export async function resolve(specifier, context, next) {
  const url = specifier.startsWith(".") && context.parentURL ? new URL(specifier, context.parentURL) : null;
  if (url && !existsSync(fileURLToPath(url))) {
    for (const root of ROOTS) {
      const found = ROOTS.map((one) => url.href.replace(one.href, root.href)).find((href) => existsSync(fileURLToPath(href)));
      if (found) return { url: found, shortCircuit: true };
    }
  }
  return next(specifier, context);
}
