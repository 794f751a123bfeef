/** The page's modules by the names that they have in the browser. */

/** @param {string} path for example "streaming/snapshot.js" */
export function load(path) {
  const app = path.split("/")[0];
  return import(new URL(`../../../${app}/static/${path}`, import.meta.url).href);
}
