/** What a browser calls itself, in words that people know. Good enough to tell one's own devices apart. Pure. */

import { gettext } from "./words.js";

/** The first that fits: most browsers also name those before them. @type {[RegExp, string][]} */
const BROWSERS = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(HeadlessChrome|Chrome|CriOS|Chromium)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/\b(iPhone|iPod)\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/** @param {string} userAgent */
export function browserOf(userAgent) {
  const browser = named(BROWSERS, userAgent);
  const system = named(SYSTEMS, userAgent);
  if (browser && system) return gettext("%(browser)s on %(system)s", { browser, system });
  return browser ?? system ?? gettext("An unknown browser");
}

/** @param {[RegExp, string][]} names @param {string} userAgent */
function named(names, userAgent) {
  return names.find(([pattern]) => pattern.test(userAgent))?.[1];
}
