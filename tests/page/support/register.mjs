// In the browser both apps' modules stand under one root, as siblings; on disk each app has its own.
import { register } from "node:module";

register("./roots.mjs", import.meta.url);
