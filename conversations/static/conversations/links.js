/** Which addresses a text of a model may lead to. Pure. */

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/**
 * Whole addresses only: a relative one would lead to this very server, which no model has reason to name.
 *
 * @param {string} address
 */
export function isAllowed(address) {
  // The parser of URLs skips tabs and line breaks inside the scheme, so that nobody else's pattern may decide.
  const url = parsed(address);
  return url !== null && SCHEMES.has(url.protocol);
}

/** The part of an address that tells where it leads. @param {string} address */
export function hostOf(address) {
  return parsed(address)?.hostname ?? "";
}

/** @param {string} address */
function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
